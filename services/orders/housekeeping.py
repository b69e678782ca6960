"""What is cleaned away once nobody looks at it any more."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any, Final, cast

from services.orders.clock import CLOCK, Clock
from services.orders.moving.clearing import clear
from shared.db import Database
from shared.lifecycle import Part, keep_running
from shared.service import Runtime

EVERY: Final = 3600.0
"""Seconds."""


async def purge(db: Database, *, move_details: timedelta, now: datetime) -> None:
    """Cleans everything that is due, in short transactions.

    Args:
        move_details: how long moves of running care keep what they meant for each order.
    """
    while await clear(db, before=now - move_details, now=now):
        pass


def housekeeping(runtime: Runtime[Any]) -> Part:
    """The part of the consumer role that does so once an hour; several at once share the work."""

    async def run() -> None:
        while True:
            now = cast(Clock, runtime.state[CLOCK])()
            await purge(runtime.db, move_details=timedelta(days=runtime.settings.move_details_days), now=now)
            await asyncio.sleep(EVERY)

    return lambda: keep_running("housekeeping", run)
