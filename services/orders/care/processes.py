"""The published versions of the care process, each parsed once a process lifetime."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Final

from sqlalchemy import text

from services.orders.care.process import CareProcess
from shared.db import ReadSession
from shared.public_holidays import vietnam

PROCESSES: Final = "processes"
"""Name of the `Processes` in the runtime's state."""
YEARS_BEFORE: Final = 1
YEARS_AHEAD: Final = 2
"""Public holidays are closed from the year before to two years ahead: care lasts weeks, a promise at most 35 days."""

_BODY: Final = text("SELECT body FROM process_versions WHERE key = :key AND version = :version")


class Processes:
    """Reads process versions; they are immutable, so what was read stays."""

    def __init__(self) -> None:
        self._read: dict[tuple[str, int, int], CareProcess] = {}

    async def get(self, session: ReadSession, key: str, version: int, *, now: datetime) -> CareProcess:
        """A version with the public holidays around `now` closed."""
        wanted = (key, version, now.year)
        if wanted not in self._read:
            body = (await session.execute(_BODY, {"key": key, "version": version})).scalar_one()
            # The dates of holidays are computed, which takes a moment that others should not wait for.
            dates = await asyncio.to_thread(vietnam, range(now.year - YEARS_BEFORE, now.year + YEARS_AHEAD + 1))
            named = body | {"key": key, "version": version}
            self._read[wanted] = CareProcess.model_validate(named).closed_on(dates)
        return self._read[wanted]
