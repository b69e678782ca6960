"""One child process: own process group, log file, bounded stop, and an end of its own when its parent is killed."""

import asyncio
import ctypes
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

# prctl(2), option "set the signal that this process gets when its parent thread ends"; Linux only.
PR_SET_PDEATHSIG = 1

# How often a readiness condition is asked, seconds: fast at first because engines start within 0.1–0.6 s.
FIRST_POLL = 0.02
SLOWEST_POLL = 0.25

# A process that was sent SIGKILL is gone as soon as the kernel can end it; longer than this means it hangs in the
# kernel (uninterruptible sleep), and waiting on would break the bound of the whole shutdown. Seconds.
KILL_TIMEOUT = 2.5

# Characters of a log line that a message shows; Temporal writes whole stacks into one.
SHOWN_LENGTH = 500


class ProcessFailed(RuntimeError):
    """A child process ended or did not become ready; the message holds the last lines of its log."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """A user of the operating system that a child runs as."""

    uid: int
    gid: int


class Process:
    """A foreground child process.

    It leads its own session, so that Ctrl-C at the terminal reaches only the parent, which then stops its children in
    order. Where the operating system can (Linux), the child gets `death_signal` when its parent is killed. That signal
    is tied to the parent *thread*, so children are started from the main thread only.
    """

    def __init__(
        self,
        *,
        name: str,
        command: Sequence[str | Path],
        log_path: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        account: Account | None = None,
        death_signal: signal.Signals = signal.SIGKILL,
    ) -> None:
        """
        Parameters:
            name: how messages call the process.
            command: program and arguments.
            log_path: file that standard output and standard error are appended to.
            env: the whole environment; None means the parent's.
            cwd: working directory; None means the parent's.
            account: user to run as; only root can give one.
            death_signal: sent by the kernel when the parent dies (Linux).
        """
        self.name = name
        self.command = [os.fspath(part) for part in command]
        self.log_path = log_path
        self.env = env
        self.cwd = cwd
        self.account = account
        self.death_signal = death_signal
        self._process: asyncio.subprocess.Process | None = None
        self._log_start = 0

    @property
    def pid(self) -> int:
        """Process id of the child, or of the last one if it has ended.

        Raises:
            RuntimeError: it was never started.
        """
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def returncode(self) -> int | None:
        """Exit status; negative is the signal that ended it; None while it runs or before it was started."""
        return None if self._process is None else self._process.returncode

    async def start(self) -> None:
        """Start the child.

        Raises:
            RuntimeError: it runs already, or the call does not come from the main thread.
            OSError: the program cannot be executed.
        """
        if self.running:
            raise RuntimeError(f"{self.name} is running already (process {self.pid})")
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError(f"{self.name} must be started from the main thread: it would die with another thread")
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("ab") as log:
            self._log_start = log.tell()
            self._process = await asyncio.create_subprocess_exec(
                *self.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.env,
                cwd=self.cwd,
                start_new_session=True,
                preexec_fn=child_preparation(account=self.account, death_signal=self.death_signal),
            )

    async def wait(self) -> int:
        """Wait until the child ends and return its exit status (negative: the signal that ended it).

        Helpers that it leaves behind in its process group end with it.
        """
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        status = await self._process.wait()
        self._kill_group()
        return status

    async def wait_ready(self, ready: Callable[[], Awaitable[bool]], *, timeout: float) -> None:
        """Wait until the condition holds.

        Parameters:
            ready: asked again and again; False or an OSError means not yet.
            timeout: seconds.

        Raises:
            ProcessFailed: the child ended first or the time is over.
        """
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        ended = asyncio.ensure_future(self._process.wait())
        try:
            async with asyncio.timeout(timeout):
                pause = FIRST_POLL
                while not ended.done():
                    with suppress(OSError):
                        if await ready():
                            return
                    await asyncio.wait({ended}, timeout=pause)
                    pause = min(pause * 1.5, SLOWEST_POLL)
        except TimeoutError:
            raise ProcessFailed(self.failure(f"was not ready within {timeout:g} s")) from None
        finally:
            ended.cancel()
        raise ProcessFailed(self.failure(f"ended while starting ({describe_exit(self.returncode)})"))

    async def stop(self, *, grace: float, stop_signal: signal.Signals = signal.SIGTERM) -> bool:
        """Ask the child to end, and after the grace (seconds) end it and its process group by SIGKILL.

        Returns:
            True if it ended by itself within the grace (or did not run).
        """
        if self._process is None or not self.running:
            return True
        self.send_signal(stop_signal)
        try:
            async with asyncio.timeout(grace):
                await self.wait()
        except TimeoutError:
            await self.kill()
            return False
        return True

    async def kill(self) -> None:
        """End the child and its process group by SIGKILL and wait until it is gone.

        Raises:
            ProcessFailed: the kernel did not end it in time.
        """
        if self._process is None or not self.running:
            return
        self._kill_group()
        try:
            async with asyncio.timeout(KILL_TIMEOUT):
                await self._process.wait()
        except TimeoutError:
            raise ProcessFailed(
                f"{self.name} (process {self.pid}) did not end within {KILL_TIMEOUT:g} s of SIGKILL"
            ) from None

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the child alone; nothing happens if it has ended."""
        if self._process is not None and self.running:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    def listens_on(self, port: int) -> bool:
        """Tell whether the child itself, not another process, listens on a TCP port."""
        try:
            connections = psutil.Process(self.pid).net_connections(kind="tcp4")
        except psutil.NoSuchProcess:
            return False
        return any(c.status == psutil.CONN_LISTEN and c.laddr.port == port for c in connections)

    def failure(self, what: str, *, lines: int = 15) -> str:
        """Return a sentence that says what happened, followed by the last lines this child wrote to its log."""
        tail = self.last_lines(lines)
        if not tail:
            return f"{self.name} {what}; it wrote nothing to its log {self.log_path}"
        return "\n  | ".join(
            [f"{self.name} {what}; its log {self.log_path} ends with:", *(_shortened(line) for line in tail)]
        )

    def last_lines(self, count: int) -> list[str]:
        """Return the last lines that the present (or last) child wrote to its log."""
        try:
            with self.log_path.open("rb") as log:
                log.seek(self._log_start)
                tail = deque(log, maxlen=count)
        except FileNotFoundError:
            return []
        return [line.decode(errors="replace").rstrip() for line in tail]

    def _kill_group(self) -> None:
        # The child leads its session, so its pid is the id of its group; helpers it started die with it.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)


def _shortened(line: str) -> str:
    return line if len(line) <= SHOWN_LENGTH else f"{line[:SHOWN_LENGTH]}…"


def has_ended(process: psutil.Process) -> bool:
    """Tell whether a process, child or not, has ended.

    One that nobody has reaped yet has: the processes of a killed parent fall to process 1, which in a container may
    take its time or never do it.
    """
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def wait_ended(processes: Sequence[psutil.Process], *, timeout: float) -> list[psutil.Process]:
    """Wait until all processes, children or not, have ended.

    Parameters:
        timeout: seconds.

    Returns:
        those that still run when the time is over.
    """
    alive = list(processes)
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout):
            while alive := [process for process in alive if not has_ended(process)]:
                await asyncio.sleep(FIRST_POLL)
    return alive


def describe_exit(returncode: int | None) -> str:
    """Return an exit status in words."""
    if returncode is None:
        return "still running"
    if returncode < 0:
        try:
            return f"killed by {signal.Signals(-returncode).name}"
        except ValueError:
            return f"killed by signal {-returncode}"
    return f"exit status {returncode}"


def child_preparation(*, account: Account | None, death_signal: signal.Signals) -> Callable[[], None]:
    """Return what a child runs between fork and exec: change to its user, then ask to be told of its parent's death.

    The order matters: Linux forgets the death signal when a process changes its user (prctl(2)).
    """
    parent = os.getpid()
    # Looked up before the fork: the child of a process with threads must not take locks that another thread held.
    prctl = ctypes.CDLL(None, use_errno=True).prctl if sys.platform == "linux" else None

    def prepare() -> None:
        if account is not None:
            os.setgroups([])
            os.setgid(account.gid)
            os.setuid(account.uid)
        if prctl is not None:
            prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
            if os.getppid() != parent:
                # The parent died before the request: nobody will send the signal.
                os._exit(1)

    return prepare
