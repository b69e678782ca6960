"""Wakes whoever applies callbacks: at once in this process, by NOTIFY in others."""

from __future__ import annotations

import asyncio
from typing import Final

import asyncpg

from services.shipping.callbacks.intake import CHANNEL
from shared.db import Database
from shared.telemetry import logger

log = logger(__name__)

PAUSE: Final = 0.02
"""Seconds between two NOTIFYs: one says as much as fifty, and each costs the accepting process a statement."""


class Waker:
    """Called after each commit of callbacks.

    Attributes:
        event: what a processor in the same process waits for.
    """

    def __init__(self, db: Database) -> None:
        self.event = asyncio.Event()
        self._db = db
        self._again = False
        self._notifying: asyncio.Task[None] | None = None

    def __call__(self) -> None:
        self.event.set()
        self._again = True
        if self._notifying is None or self._notifying.done():
            self._notifying = asyncio.get_running_loop().create_task(self._notify())

    async def close(self) -> None:
        if self._notifying is not None:
            await asyncio.gather(self._notifying, return_exceptions=True)

    async def _notify(self) -> None:
        while self._again:
            self._again = False
            try:
                await (await self._db.driver()).execute(f"NOTIFY {CHANNEL}")
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                # Processors poll as well, so a lost wake-up costs a second, not a callback.
                log.warning("wake-up of the callback processors failed", error=type(error).__name__)
            await asyncio.sleep(PAUSE)
