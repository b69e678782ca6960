"""A member of the local stack: one child process that can be started, stopped, killed and started again."""

import asyncio
import signal
from abc import ABC, abstractmethod
from pathlib import Path

from deploy.local.process import Process

# A member is ready within seconds on a quiet machine; one busy with other work may need many times that. Seconds.
START_TIMEOUT = 180.0


class Member(ABC):
    """A child process with a name and a notion of being ready.

    It is *up* from a successful start until it is stopped on purpose; a process that ends while its member is up has
    crashed. `kill` counts as a crash, so a supervised member comes back after it.
    """

    # What asks the process to end, and how long it may take, seconds. The whole stack has 15 s to end: programs first,
    # then engines, each time with a second for what had to be killed.
    stop_signal = signal.SIGTERM
    stop_grace: float

    def __init__(self, *, name: str, log_path: Path) -> None:
        """
        Parameters:
            name: how the stack calls it.
            log_path: file that its log is appended to.
        """
        self.name = name
        self.log_path = log_path.absolute()
        self._process: Process | None = None
        self._up = asyncio.Event()
        # Starting and stopping exclude each other: a supervisor and a test may both want to.
        self._lock = asyncio.Lock()

    @property
    @abstractmethod
    def address(self) -> str:
        """Where it is to be found, without any password."""

    @property
    def process(self) -> Process:
        """The present process, or the last one.

        Raises:
            RuntimeError: it was never started.
        """
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.running

    @property
    def up(self) -> bool:
        """Whether it was started and not stopped since; its process may have crashed all the same."""
        return self._up.is_set()

    async def start(self) -> None:
        """Start the process and return when it is ready; one that runs already is left alone.

        Raises:
            ProcessFailed: it ended or was not ready in time; the message shows the end of its log.
        """
        async with self._lock:
            if not self.running:
                await self._launch()
            self._up.set()

    async def stop(self) -> None:
        """Ask the process to end; after the grace it is killed."""
        async with self._lock:
            self._up.clear()
            if self._process is not None:
                await self._process.stop(grace=self.stop_grace, stop_signal=self.stop_signal)

    async def kill(self) -> None:
        """End the process and its helpers at once, as a crash would (SIGKILL)."""
        if self._process is not None:
            await self._process.kill()

    async def restart(self) -> None:
        """Stop the process if it runs and start it again."""
        await self.stop()
        await self.start()

    async def wait(self) -> int:
        """Wait until the present process ends and return its exit status."""
        return await self.process.wait()

    async def wait_up(self) -> None:
        """Wait until somebody starts the member."""
        await self._up.wait()

    @abstractmethod
    async def _launch(self) -> None:
        """Start a process and wait until it is ready; leave none behind on failure."""

    async def _start_process(self, process: Process) -> None:
        self._process = process
        await process.start()
        try:
            await process.wait_ready(self._ready, timeout=START_TIMEOUT)
        except BaseException:
            await process.kill()
            raise

    @abstractmethod
    async def _ready(self) -> bool:
        """Tell whether this very process (and not another one on its port) serves requests."""
