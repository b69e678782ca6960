"""Changes that a consumer only notes: whoever applies facts holds leads, before which numbers and pools would have to be
locked. Another part of the process makes them, one at a time, in the lock order of the service."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import timedelta
from typing import Any, ClassVar, Final

from services.leads.changes.errors import BeingUndone
from services.leads.driver import Connection
from shared.db import Database
from shared.errors import Conflict
from shared.lifecycle import until_set
from shared.telemetry import logger

log = logger(__name__)

PAUSE: Final = 5.0
"""Seconds between looks when nothing woke it: for what another process noted or a dying one left."""


class Later(ABC):
    """Works off what was noted until cancelled. Several at once share the work.

    Args:
        db: the service's database.
        window: length of the duplicate window as long as the company has not set one.
    """

    name: ClassVar[str]
    """By which it is woken (`wake_after_commit`)."""
    earliest: ClassVar[str]
    """SQL of the row that was noted first and is not done."""
    done: ClassVar[str]
    """SQL that notes that the row of lead $1 is done."""

    def __init__(self, db: Database, *, window: timedelta) -> None:
        self._db = db
        self.window = window

    async def run(self) -> None:
        woken = self._db.waker(self.name)
        while True:
            woken.clear()
            while await self.step():
                pass
            await until_set(woken, at_most=PAUSE)

    async def step(self) -> bool:
        """Decides on the earliest; False when there is none."""
        pool = await self._db.driver()
        noted = await pool.fetchrow(self.earliest)
        if noted is None:
            return False
        try:
            async with pool.acquire() as connection, connection.transaction():
                await self.decide(connection, noted)
                await connection.execute(self.done, noted["lead_id"])
        except Conflict:
            log.info("a lead was changed meanwhile, it is looked at again", lead_id=str(noted["lead_id"]))
            return True
        except BeingUndone:
            log.info("a lead may be taken back with its import, it is looked at later", lead_id=str(noted["lead_id"]))
            return False
        self._db.wake_relay()
        return True

    @abstractmethod
    async def decide(self, connection: Connection, noted: Any) -> None:
        """Makes the change of a row that was noted, in the transaction of the connection.

        Raises:
            Conflict: somebody changed the lead meanwhile; it is looked at again.
        """
