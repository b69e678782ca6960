"""What the three engines have in common."""

import asyncio
import shutil
import signal
import sysconfig
from abc import abstractmethod
from pathlib import Path
from typing import ClassVar

from deploy.local.member import Member
from deploy.local.ports import default_or_free_port, free_port, port_is_free
from deploy.local.process import Process, ProcessFailed

# Between choosing a free port and listening on it another process can take it; more often than this is no accident.
PORT_ATTEMPTS = 3


class EngineMissing(RuntimeError):
    """The wheel that holds an engine's program is not installed."""


class Engine(Member):
    """An engine as a foreground child process with a data directory.

    Its ports are chosen at the first start and stay the same from then on.
    """

    default_name: ClassVar[str]
    default_ports: ClassVar[dict[str, int]]
    """The ports that the engine listens on, by use; "main" is the one that clients connect to."""
    stop_grace = 3.5
    # Ends an engine whose data are deleted next: nothing of what an orderly end would save is kept.
    removal_signal = signal.SIGKILL

    def __init__(
        self, *, data_dir: Path, log_path: Path, port: int | None = None, prefer_default_ports: bool = True
    ) -> None:
        """
        Parameters:
            data_dir: what the engine stores; made if missing, kept over restarts.
            log_path: file that its log is appended to.
            port: port for clients; None means the engine's default if it is free, else another free one.
            prefer_default_ports: False leaves the default ports to others.
        """
        super().__init__(name=self.default_name, log_path=log_path)
        self.data_dir = data_dir.absolute()
        self._prefer_default_ports = prefer_default_ports
        self._fixed_ports: dict[str, int] = {} if port is None else {"main": port}
        self._ports: dict[str, int] = {}

    @property
    def port(self) -> int:
        """The port that clients connect to; known once the engine was started."""
        return self._port("main")

    @property
    @abstractmethod
    def url(self) -> str:
        """The address that clients connect to."""

    @property
    def address(self) -> str:
        return self.url

    async def remove(self) -> None:
        """End the engine and delete its data."""
        async with self._lock:
            self._up.clear()
            if self._process is not None:
                await self._process.stop(grace=self.stop_grace, stop_signal=self.removal_signal)
            await asyncio.to_thread(self._delete_data)

    async def wipe(self) -> None:
        """Throw the engine's data away and start it empty on the same port."""
        await self.remove()
        await self.start()

    async def _launch(self) -> None:
        await self._prepare()
        for attempt in range(1, PORT_ATTEMPTS + 1):
            self._ports = {use: self._choose_port(use) for use in self.default_ports}
            try:
                await self._start_process(self._new_process())
            except ProcessFailed:
                taken = {use for use, port in self._ports.items() if not port_is_free(port)}
                if attempt == PORT_ATTEMPTS or not taken or taken & self._fixed_ports.keys():
                    raise
            else:
                self._fixed_ports = dict(self._ports)
                return

    def _choose_port(self, use: str) -> int:
        if use in self._fixed_ports:
            return self._fixed_ports[use]
        return default_or_free_port(self.default_ports[use]) if self._prefer_default_ports else free_port()

    def _port(self, use: str) -> int:
        try:
            return (self._ports or self._fixed_ports)[use]
        except KeyError:
            raise RuntimeError(f"{self.name} was not started: it has no port yet") from None

    async def _prepare(self) -> None:
        # Messages hold names and phone numbers.
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)

    @abstractmethod
    def _new_process(self) -> Process:
        """Return the process to start, with the ports chosen."""

    def _delete_data(self) -> None:
        if self.data_dir.exists():
            shutil.rmtree(self.data_dir)


def program(name: str, *, wheel: str) -> Path:
    """Return the path of a program that a wheel installs among the scripts of this Python environment.

    Raises:
        EngineMissing: it is not there.
    """
    path = Path(sysconfig.get_path("scripts")) / name
    if not path.is_file():
        raise EngineMissing(f"{path} is missing: install the engines with `pip install 'chot[local]'` (wheel {wheel})")
    return path
