"""What the three engines have in common."""

import asyncio
import shutil
import signal
import sysconfig
from abc import ABC, abstractmethod
from pathlib import Path

import psutil

from deploy.local.ports import default_or_free_port, port_is_free
from deploy.local.process import Process, ProcessFailed

# An engine is ready within a second on a quiet machine; one busy with other work may need many times that. Seconds.
START_TIMEOUT = 60.0

# Seconds an engine may take to close its files; the whole stack has 15 s to end.
STOP_GRACE = 5.0

# Between choosing a free port and listening on it another process can take it; more often than this is no accident.
PORT_ATTEMPTS = 3


class EngineMissing(RuntimeError):
    """The wheel that holds an engine's program is not installed."""


class Engine(ABC):
    """An engine as a foreground child process with a data directory.

    The port is fixed when the engine first starts and stays the same over restarts.
    """

    name: str
    default_port: int
    stop_signal = signal.SIGTERM
    # Sent by the kernel when the process that started the engine is killed (Linux).
    death_signal = signal.SIGTERM

    def __init__(self, *, data_dir: Path, log_path: Path, port: int | None = None) -> None:
        """
        Parameters:
            data_dir: what the engine stores; made if missing, kept over restarts.
            log_path: file that its log is appended to.
            port: port to listen on; None means the engine's default if it is free, else another free one.
        """
        self.data_dir = data_dir.absolute()
        self.log_path = log_path.absolute()
        self._ports: dict[str, int] = {} if port is None else {"main": port}
        self._fixed_ports = dict(self._ports)
        self._process: Process | None = None

    @property
    def port(self) -> int:
        """The port that clients connect to; known once the engine was started."""
        try:
            return self._ports["main"]
        except KeyError:
            raise RuntimeError(f"{self.name} was not started: it has no port yet") from None

    @property
    @abstractmethod
    def url(self) -> str:
        """The address that clients connect to."""

    @property
    def process(self) -> Process:
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.running

    async def start(self) -> None:
        """Start the engine and return when it answers.

        Raises:
            EngineMissing: its wheel is not installed.
            ProcessFailed: it ended or did not answer in time; the message shows the end of its log.
        """
        await self._prepare()
        for attempt in range(1, PORT_ATTEMPTS + 1):
            self._choose_ports()
            self._process = self._new_process()
            await self._process.start()
            try:
                await self._process.wait_ready(self._ready, timeout=START_TIMEOUT)
            except ProcessFailed:
                await self._process.kill()
                stolen = [use for use, port in self._ports.items() if not port_is_free(port)]
                if attempt == PORT_ATTEMPTS or not stolen or any(use in self._fixed_ports for use in stolen):
                    raise
                self._ports = dict(self._fixed_ports)
            except BaseException:
                await self._process.kill()
                raise
            else:
                self._fixed_ports = dict(self._ports)
                return

    async def stop(self) -> None:
        """Stop the engine as it likes to be stopped; after the grace it is killed."""
        if self._process is not None:
            await self._process.stop(grace=STOP_GRACE, stop_signal=self.stop_signal)

    async def kill(self) -> None:
        """End the engine at once, as a crash would (SIGKILL)."""
        if self._process is not None:
            await self._process.kill()

    async def restart(self) -> None:
        """Stop the engine if it runs and start it on the same port and data."""
        await self.stop()
        await self.start()

    async def wait(self) -> int:
        """Wait until the engine ends and return its exit status."""
        return await self.process.wait()

    async def remove(self) -> None:
        """Stop the engine and delete its data."""
        await self.stop()
        await asyncio.to_thread(self._delete_data)

    async def wipe(self) -> None:
        """Throw the engine's data away and start it empty on the same port."""
        await self.remove()
        await self.start()

    def _delete_data(self) -> None:
        if self.data_dir.exists():
            shutil.rmtree(self.data_dir)

    def _choose_ports(self) -> None:
        self._choose_port("main", self.default_port)

    def _choose_port(self, use: str, default: int) -> None:
        if use not in self._ports:
            self._ports[use] = default_or_free_port(default)

    async def _prepare(self) -> None:
        self.data_dir.mkdir(parents=True, exist_ok=True)

    @abstractmethod
    def _new_process(self) -> Process:
        """Return the process to start, with the ports chosen."""

    @abstractmethod
    async def _ready(self) -> bool:
        """Tell whether this very process (and not another one on its port) serves requests."""

    def _listens(self, port: int) -> bool:
        """Tell whether the child itself listens on the port."""
        try:
            connections = psutil.Process(self.pid).net_connections(kind="tcp4")
        except psutil.NoSuchProcess:
            return False
        return any(c.status == psutil.CONN_LISTEN and c.laddr.port == port for c in connections)


def program(name: str, *, wheel: str) -> Path:
    """Return the path of a program that a wheel installs among the scripts of this Python environment.

    Raises:
        EngineMissing: it is not there.
    """
    path = Path(sysconfig.get_path("scripts")) / name
    if not path.is_file():
        raise EngineMissing(f"{path} is missing: install the engines with `pip install 'chot[local]'` (wheel {wheel})")
    return path
