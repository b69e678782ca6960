"""Long jobs that several processes share: a row each, held by a lease, so that what a dying process left is taken up by
another and nothing is worked on twice at once."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import ClassVar, Final
from uuid import UUID

from shared.db import Database
from shared.lifecycle import until_set
from shared.telemetry import correlated

LEASE: Final = 15.0
"""Seconds after which a job whose process died is taken up by another."""
PAUSE: Final = 1.0
"""Seconds between looks for jobs when nothing woke us."""


class JobWorker(ABC):
    """Works on the jobs of one table until cancelled, one at a time. The table has `id` and `lease_until`.

    Args:
        db: the service's database.
        arrived: set by routes of this process when there is a new job.
    """

    table: ClassVar[str]
    open: ClassVar[str]
    """The condition of jobs that are still to be worked on, that of a partial index."""

    def __init__(self, db: Database, *, arrived: asyncio.Event) -> None:
        self.db = db
        self._arrived = arrived
        due = f"SELECT id FROM {self.table} WHERE {self.open} AND lease_until < now() ORDER BY id LIMIT 1"
        self._claim = (
            f"UPDATE {self.table} SET lease_until = now() + $1 * interval '1 second' "
            f"WHERE id = ({due} FOR UPDATE SKIP LOCKED) RETURNING id"
        )
        self._renew = f"UPDATE {self.table} SET lease_until = now() + $2 * interval '1 second' WHERE id = $1"
        self._leave = f"UPDATE {self.table} SET lease_until = '-infinity' WHERE id = $1"

    async def run(self) -> None:
        while True:
            self._arrived.clear()
            if await self.step():
                continue
            await until_set(self._arrived, at_most=PAUSE)

    async def step(self) -> bool:
        """Works on one job until its end; False when there is nothing more to do just now."""
        pool = await self.db.driver()
        job_id: UUID | None = await pool.fetchval(self._claim, LEASE)
        if job_id is None:
            return False
        with correlated(str(job_id)):
            async with self._lease(job_id):
                return await self.work(job_id)

    @abstractmethod
    async def work(self, job_id: UUID) -> bool:
        """Works on a job that this process has to itself, from wherever it stands. False: it cannot go on just now."""

    @asynccontextmanager
    async def _lease(self, job_id: UUID) -> AsyncIterator[None]:
        pool = await self.db.driver()

        async def keep() -> None:
            while True:
                await asyncio.sleep(LEASE / 3)
                await pool.execute(self._renew, job_id, LEASE)

        keeping = asyncio.create_task(keep())
        try:
            yield
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
            await pool.execute(self._leave, job_id)
