"""Forgets sign-in attempts and sessions that are long over, and tells of holidays before those told run out."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any, Final

from services.staff.repository import attempts, sessions
from services.staff.shifts import tell_again
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
    """The part of the consumer role that does both once an hour."""

    async def run() -> None:
        while True:
            await purge(runtime.db)
            await tell_again(runtime.db, at=datetime.now(UTC))
            await asyncio.sleep(EVERY)

    return lambda: keep_running("housekeeping", run)
