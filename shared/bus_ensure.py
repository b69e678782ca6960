"""`python -m shared.bus_ensure`: creates or updates the streams, and ends. Needs NATS alone; may be repeated."""

from __future__ import annotations

import asyncio
import sys
from typing import Final, Literal

import nats.errors
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared import bus
from shared.settings import load
from shared.telemetry import configure_logging, logger

log = logger(__name__)

WITHIN: Final = 30.0
"""Seconds for everything: the connection tries for ever by itself, but whoever started this wants an answer."""


class BusSettings(BaseSettings):
    """The settings of the services that concern the bus, under the same names."""

    model_config = SettingsConfigDict(env_prefix="CHOT_", extra="ignore", frozen=True)

    nats_url: str = Field(description="one or several addresses, by comma")
    nats_replicas: int = Field(default=1, ge=1, le=5, description="servers that hold each event")
    log_format: Literal["json", "console"] = "json"
    log_level: Literal["debug", "info", "warning", "error"] = "info"


async def ensure(settings: BusSettings) -> None:
    """Brings every stream to what this version asks.

    Raises:
        TimeoutError, OSError, nats.errors.Error: NATS is away or refuses.
        bus.UnsuitableServer: it is too old.
        bus.Drift: a stream differs in something that cannot be changed.
    """
    async with asyncio.timeout(WITHIN):
        connection = await bus.connect(settings.nats_url, name="streams")
        try:
            await bus.ensure_streams(connection.jetstream(), replicas=settings.nats_replicas)
        finally:
            await connection.close()


def main() -> None:
    settings = load(BusSettings)
    configure_logging("messaging", "streams", format=settings.log_format, level=settings.log_level)
    try:
        asyncio.run(ensure(settings))
    except (OSError, nats.errors.Error, bus.UnsuitableServer, bus.Drift) as error:
        # TimeoutError is an OSError, and says nothing by itself.
        sys.stderr.write(f"The streams could not be ensured: {str(error) or f'NATS did not answer in {WITHIN:g} s'}\n")
        raise SystemExit(1) from None
    log.info("streams are as asked", replicas=settings.nats_replicas)


if __name__ == "__main__":
    main()
