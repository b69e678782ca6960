"""Keeps the members of the local stack running: one that crashes is started again, and said to be."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from deploy.local.member import Member
from deploy.local.process import describe_exit

# The pause before a crashed member is started again, seconds. It doubles with each crash, so that one that cannot run
# does not keep the machine busy, and is short again after the member has run for a while.
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
STEADY_AFTER = 60.0


class Reporter(Protocol):
    """Whoever wants to know what happens to the stack."""

    def milestone(self, text: str) -> None:
        """Something went as it should."""

    def problem(self, text: str) -> None:
        """Something ended or did not start."""


class Supervisor:
    """Watches members from their first start on. One that is stopped on purpose is left alone until it is started."""

    def __init__(self, *, reporter: Reporter, changed: Callable[[], None]) -> None:
        """
        Parameters:
            reporter: is given a sentence for each crash and each return.
            changed: is called whenever a member has a new process.
        """
        self._reporter = reporter
        self._changed = changed
        self._watches: dict[str, asyncio.Task[None]] = {}
        self._restarts: dict[str, int] = {}

    def restarts(self, name: str) -> int:
        """How often a member was started again after a crash."""
        return self._restarts.get(name, 0)

    def watch(self, member: Member) -> None:
        """Watch a member that is up."""
        self._watches[member.name] = asyncio.create_task(self._watch(member), name=f"watch {member.name}")

    async def close(self) -> None:
        """Stop watching; a start that is under way is given up and its process killed."""
        for watch in self._watches.values():
            watch.cancel()
        await asyncio.gather(*self._watches.values(), return_exceptions=True)
        self._watches.clear()

    async def _watch(self, member: Member) -> None:
        clock = asyncio.get_running_loop().time
        pause = FIRST_PAUSE
        while True:
            await member.wait_up()
            self._changed()
            since = clock()
            await member.wait()
            if not member.up or member.running:
                continue
            if clock() - since > STEADY_AFTER:
                pause = FIRST_PAUSE
            end = describe_exit(member.process.returncode)
            self._reporter.problem(f"{member.name} ended ({end}); starting it again in {pause:g} s")
            pause = await self._revive(member, pause=pause)

    async def _revive(self, member: Member, *, pause: float) -> float:
        """Start a crashed member again, however often that takes, and return the pause before the next time."""
        while True:
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
            if not member.up:
                return pause
            try:
                await member.start()
            except Exception as error:  # whatever it is, the next attempt may succeed, and it is said
                self._reporter.problem(f"{error}\nstarting {member.name} again in {pause:g} s")
            else:
                self._restarts[member.name] = self.restarts(member.name) + 1
                self._reporter.milestone(f"{member.name} runs again")
                return pause
