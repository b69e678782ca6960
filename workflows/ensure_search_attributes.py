"""`python -m workflows.ensure_search_attributes`: registers the search attributes, and ends. Needs Temporal alone; may be
repeated. The workflow worker does the same when it starts; this is for a deployment that wants it done before."""

from __future__ import annotations

import asyncio
import sys
from typing import Final, Literal

from pydantic_settings import BaseSettings, SettingsConfigDict
from temporalio.service import RPCError

from shared.settings import load
from shared.telemetry import configure_logging, logger
from shared.temporal import connect, ensure_search_attributes, leave
from workflows import search_attributes

log = logger(__name__)

WITHIN: Final = 30.0
"""Seconds for everything."""


class EnsureSettings(BaseSettings):
    """Temporal's own settings come from `TEMPORAL_ADDRESS` and its companions."""

    model_config = SettingsConfigDict(env_prefix="CHOT_", extra="ignore", frozen=True)

    log_format: Literal["json", "console"] = "json"
    log_level: Literal["debug", "info", "warning", "error"] = "info"


async def ensure() -> None:
    """Registers what is missing.

    Raises:
        TimeoutError, RPCError: Temporal is away or refuses.
        RuntimeError: an attribute exists with another type, or there is no connection.
    """
    async with asyncio.timeout(WITHIN):
        await ensure_search_attributes(await connect(), search_attributes.ALL)


def main() -> None:
    settings = load(EnsureSettings)
    configure_logging("messaging", "search-attributes", format=settings.log_format, level=settings.log_level)
    try:
        asyncio.run(ensure())
    except (TimeoutError, RPCError, RuntimeError) as error:
        reason = str(error) or f"Temporal did not answer in {WITHIN:g} s"
        sys.stderr.write(f"The search attributes could not be ensured: {reason}\n")
        leave(1)
    log.info("search attributes are registered", attributes=len(search_attributes.ALL))
    leave(0)


if __name__ == "__main__":
    main()
