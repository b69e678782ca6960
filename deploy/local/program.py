"""A program of the product as a member of the local stack: `python -m <module>` with settings and a readiness page."""

import os
import sys
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path

from deploy.local.http_probe import status_of
from deploy.local.member import Member
from deploy.local.ports import LOOPBACK
from deploy.local.process import Process

# The directory that holds the packages deploy, services, shared and workflows.
ROOT = Path(__file__).resolve().parents[2]

# Settings of whoever starts the stack must not leak into what it runs.
SETTING_PREFIXES = ("CHOT_", "TEMPORAL_")


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a program of the product: that of this process, with these settings and no others."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(SETTING_PREFIXES)}
    return inherited | dict(settings)


class Program(Member):
    """A Python program of the product that serves HTTP."""

    stop_grace = 6.5

    def __init__(
        self,
        *,
        name: str,
        arguments: Sequence[str],
        port: int,
        ready_path: str,
        log_path: Path,
        env: Mapping[str, str],
    ) -> None:
        """
        Parameters:
            name: how the stack calls it.
            arguments: of the Python interpreter.
            port: on the loopback address, that it serves HTTP on.
            ready_path: page that answers 200 once it is ready.
            log_path: file that its log is appended to.
            env: its settings.
        """
        super().__init__(name=name, log_path=log_path)
        self.arguments = list(arguments)
        self.port = port
        self.ready_path = ready_path
        self.env = dict(env)

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def address(self) -> str:
        return self.url

    @property
    def ready_url(self) -> str:
        return f"{self.url}{self.ready_path}"

    async def _launch(self) -> None:
        await self._start_process(
            Process(
                name=self.name,
                command=[sys.executable, *self.arguments],
                env=environment(self.env),
                cwd=ROOT,
                log_path=self.log_path,
            )
        )

    async def _ready(self) -> bool:
        return self.process.listens_on(self.port) and await status_of(self.ready_url) == HTTPStatus.OK
