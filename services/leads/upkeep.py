"""What the mere passing of time brings: numbers that nobody claimed are archived, those that wait too long and portfolios
of locked accounts are raised, entries of the do-not-call list end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Final

from services.leads.consent.lapses import lapse
from services.leads.floating.upkeep import archive, forget_locks
from services.leads.settings import LeadsSettings
from services.leads.transfers.left import LEFT, raise_left
from services.leads.transfers.store import forget_previews
from services.leads.waiting.alarm import raise_late
from services.leads.waiting.hours import calendar
from shared.calendar import Calendar
from shared.db import Database
from shared.public_holidays import vietnam

PAUSE: Final = 10.0
"""Seconds between looks: by so much an alarm may be late."""

BATCH: Final = 500
"""Numbers archived, and numbers raised, in one transaction."""
KEPT: Final = timedelta(days=1)
"""Previews that nobody confirmed and viewing locks that are over stay for so long, to be looked at when somebody asks."""


class BusinessHours:
    """The company's business hours with the public holidays around the present, which are computed once a year.

    Args:
        settings: the hours as written, and the zone.
    """

    def __init__(self, settings: LeadsSettings) -> None:
        self._settings = settings
        self._year = 0
        self._calendar = self._of(())

    async def at(self, now: datetime) -> Calendar:
        """The calendar as it is good for an instant of the present year."""
        if now.year != self._year:
            # The dates of holidays are computed, which takes a moment that others should not wait for.
            self._calendar = self._of(await asyncio.to_thread(vietnam, range(now.year - 1, now.year + 2)))
            self._year = now.year
        return self._calendar

    def _of(self, closed: Iterable[date]) -> Calendar:
        return calendar(self._settings.business_hours, zone=self._settings.timezone, closed=closed)


class Upkeep:
    """Keeps looking until cancelled. Several at once share the work.

    Args:
        db: the service's database.
        settings: how long things wait.
        hours: in which waiting counts.
        tell: says that a topic of streams has changed.
    """

    def __init__(
        self,
        db: Database,
        settings: LeadsSettings,
        hours: BusinessHours,
        *,
        tell: Callable[[str], Awaitable[None]],
    ) -> None:
        self._db = db
        self._tell = tell
        self._settings = settings
        self._hours = hours

    async def run(self) -> None:
        while True:
            if not await self.step():
                await asyncio.sleep(PAUSE)

    async def step(self, *, now: datetime | None = None) -> bool:
        """Does what is due, in short transactions; True when there may be more."""
        now = now or datetime.now(UTC)
        pool = await self._db.driver()
        hours = await self._hours.at(now)
        async with pool.acquire() as connection, connection.transaction():
            archived = await archive(connection, stay=self._settings.floating_limits.stay, now=now, limit=BATCH)
        async with pool.acquire() as connection, connection.transaction():
            raised = await raise_late(connection, hours, after=self._settings.unassigned_alarm, now=now, limit=BATCH)
        async with pool.acquire() as connection, connection.transaction():
            lapsed = await lapse(connection, at=now, limit=BATCH)
        async with pool.acquire() as connection, connection.transaction():
            left = await raise_left(connection, now=now, limit=BATCH)
        if left:
            await self._tell(LEFT.name)
        await forget_previews(pool, before=now - KEPT)
        await forget_locks(pool, before=now - KEPT)
        if archived or raised or lapsed or left:
            self._db.wake_relay()
        return BATCH in (archived, raised, lapsed, len(left))
