"""The published versions of the care process, each read once a process lifetime, in the company's business time."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import text

from services.orders.calendars import store
from services.orders.calendars.store import COMPANY, BusinessTime
from services.orders.care.process import CareProcess
from shared.db import ReadSession
from shared.public_holidays import vietnam

PROCESSES: Final = "processes"
"""Name of the `Processes` in the runtime's state."""
YEARS_AHEAD: Final = 2
"""Years ahead whose public holidays are closed: care lasts weeks, a promise at most 35 days."""
KEPT: Final = 500
"""Processes kept in business time: versions in use x teams with calendars of their own, and some of what was before."""

_BODY: Final = text("SELECT body FROM process_versions WHERE key = :key AND version = :version")


class Processes:
    """Reads process versions and what they mean in the company's calendars.

    Versions are immutable, so what was read stays; the calendars under one revision are as well, so it is enough to ask
    for the revision each time, in the transaction that is going to decide.
    """

    def __init__(self) -> None:
        self._bodies: dict[tuple[str, int], dict[str, Any]] = {}
        self._times: OrderedDict[int, BusinessTime] = OrderedDict()
        self._kept: OrderedDict[tuple[str, int, str, int, int], CareProcess] = OrderedDict()

    async def get(
        self, session: ReadSession, key: str, version: int, *, now: datetime, team: str = COMPANY
    ) -> CareProcess:
        """A version in the business time of now.

        Args:
            team: of the order's owner, whose calendars count where it has its own. Who only asks for names, steps and
                results need not tell it.
        """
        return await self.under(session, key, version, revision=await store.revision(session), year=now.year, team=team)

    async def under(
        self, session: ReadSession, key: str, version: int, *, revision: int, year: int, team: str = COMPANY
    ) -> CareProcess:
        """A version in the business time of a revision, as somebody read it in a year."""
        time = await self._time(session, revision)
        wanted = (key, version, team if time.has_own(team) else COMPANY, revision, year + YEARS_AHEAD)
        if wanted not in self._kept:
            self._keep(self._kept, wanted, await self._resolved(await self._body(session, key, version), time, wanted))
        return self._kept[wanted]

    async def resolve(
        self,
        session: ReadSession,
        process: CareProcess,
        *,
        now: datetime,
        revision: int | None = None,
        team: str = COMPANY,
    ) -> CareProcess:
        """A process that is not published, in the business time of now or of a revision: to check it, or to try it out."""
        time = await self._time(session, revision if revision is not None else await store.revision(session))
        closed = time.closed | await _beyond(time, now.year + YEARS_AHEAD)
        return process.kept_by(time.of_team(team), holidays=closed)

    async def _body(self, session: ReadSession, key: str, version: int) -> dict[str, Any]:
        if (key, version) not in self._bodies:
            row = await session.execute(_BODY, {"key": key, "version": version})
            self._bodies[key, version] = row.scalar_one() | {"key": key, "version": version}
        return self._bodies[key, version]

    async def _time(self, session: ReadSession, revision: int) -> BusinessTime:
        if revision not in self._times:
            self._keep(self._times, revision, await store.business_time(session, revision=revision))
        return self._times[revision]

    async def _resolved(
        self, body: dict[str, Any], time: BusinessTime, wanted: tuple[str, int, str, int, int]
    ) -> CareProcess:
        closed = time.closed | await _beyond(time, wanted[-1])
        return CareProcess.model_validate(body).kept_by(time.of_team(wanted[2]), holidays=closed)

    @staticmethod
    def _keep(kept: OrderedDict[Any, Any], key: Any, value: Any) -> None:
        kept[key] = value
        if len(kept) > KEPT:
            kept.popitem(last=False)


async def _beyond(time: BusinessTime, till: int) -> frozenset[date]:
    """Public holidays of coming years of which the table knows nothing yet."""
    missing = range(time.known_until + 1, till + 1)
    # The dates of holidays are computed, which takes a moment that others should not wait for.
    return await asyncio.to_thread(vietnam, missing) if missing else frozenset()
