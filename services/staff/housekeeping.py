"""Forgets sign-in attempts and sessions that are long over."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from services.staff.repository import attempts, sessions
from shared.db import Database
from shared.lifecycle import Part, keep_running
from shared.service import Runtime

EVERY: Final = 3600.0
"""Seconds."""


async def purge(db: Database) -> None:
    async with db.transaction() as session:
        await attempts.purge(session)
        await sessions.purge(session)


def housekeeping(runtime: Runtime[Any]) -> Part:
    """The part of the consumer role that purges once an hour."""

    async def run() -> None:
        while True:
            await purge(runtime.db)
            await asyncio.sleep(EVERY)

    return lambda: keep_running("housekeeping", run)
