"""Which stack runs in a directory: a lock that ends with its holder, and a file that says what runs where."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from deploy.local.process import KILL_TIMEOUT, wait_ended

# A process's start is computed from the machine's clock, which may be set meanwhile; process ids do not come round
# within this time. Seconds.
CLOCK_DRIFT = 2.0


class StackRunning(RuntimeError):
    """A stack runs in this directory already."""

    def __init__(self, directory: Path, state: "StackState | None") -> None:
        who = "" if state is None else f" (process {state.pid})"
        super().__init__(f"A stack is running already in {directory}{who}.")
        self.state = state


@dataclass(frozen=True, kw_only=True)
class MemberState:
    """One process of a running stack."""

    pid: int
    created: float
    """When the process started, seconds since 1970; tells it from a later one with the same id."""
    address: str
    log: str
    restarts: int
    """How often it was started again after a crash."""
    ready_url: str | None = None
    """A page that answers 200 when it is ready; None for an engine."""
    env: dict[str, str] = field(default_factory=dict)
    """Its settings, passwords and keys among them."""


@dataclass(frozen=True, kw_only=True)
class StackState:
    """What `stack.json` holds."""

    pid: int
    """The process that supervises the stack."""
    started_at: str
    """ISO 8601, UTC."""
    temporal_ui: str | None
    """None while it is starting."""
    members: dict[str, MemberState]

    def member(self, program: str) -> MemberState | None:
        """Return the process that serves a program's HTTP interface, roles split or not."""
        return self.members.get(program) or self.members.get(f"{program}-api")


class StateDirectory:
    """The directory `run` of a stack."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._file = directory / "stack.json"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the directory for one stack. The kernel lets go of it when the process ends, however it ends.

        Raises:
            StackRunning: another process holds it.
        """
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._directory / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StackRunning(self._directory.parent, self._read()) from None
            yield

    def running(self) -> StackState | None:
        """Return the state of the stack that runs here now, or None."""
        if not self._file.exists():
            return None
        try:
            with self.lock():
                return None
        except StackRunning as error:
            return error.state

    def write(self, state: StackState) -> None:
        """Replace the state; only its owner can read it, because it holds the keys of every process."""
        aside = self._file.with_suffix(".new")
        aside.unlink(missing_ok=True)
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(asdict(state), file, indent=2)
        aside.rename(self._file)

    def clear(self) -> None:
        """Forget the state of a stack that has ended."""
        self._file.unlink(missing_ok=True)

    async def end_leftovers(self) -> list[str]:
        """End processes that a killed stack left behind, and return their names.

        Linux ends them together with their supervisor; elsewhere, or if one was suspended, they live on. To be called
        by who holds the lock.
        """
        state = self._read()
        if state is None:
            return []
        left = {name: process for name, member in state.members.items() if (process := alive(member)) is not None}
        family = [relative for process in left.values() for relative in (process, *process.children(recursive=True))]
        for process in family:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        await wait_ended(family, timeout=KILL_TIMEOUT)
        self.clear()
        return list(left)

    def _read(self) -> StackState | None:
        try:
            content = json.loads(self._file.read_text())
            members = {name: MemberState(**member) for name, member in content.pop("members").items()}
            return StackState(members=members, **content)
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError):
            # Written by another version of the product; a stack of this version must be able to start all the same.
            return None


def alive(member: MemberState) -> psutil.Process | None:
    """Return the process of a member, or None if it has ended."""
    try:
        process = psutil.Process(member.pid)
        same = abs(process.create_time() - member.created) < CLOCK_DRIFT
    except psutil.NoSuchProcess:
        return None
    return process if same else None
