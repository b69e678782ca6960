"""Makes callbacks durable before they are answered, many in one statement."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from shared.db import Database

CHANNEL: Final = "chot_callbacks"
WRITERS: Final = 2
"""Statements under way at once: while one commits, the next gathers."""
BATCH: Final = 500

_INSERT: Final = """
INSERT INTO callbacks_raw (id, connection_id, headers, body)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[]::json[], $4::bytea[])
"""


@dataclass(frozen=True, slots=True)
class RawCallback:
    """A callback as it came.

    Args:
        headers: as JSON text.
    """

    connection_id: UUID
    headers: str
    body: bytes


class CallbackIntake:
    """Stores callbacks; those that come while a statement commits share the next one (group commit).

    Args:
        on_stored: called after each commit; must not block.
    """

    def __init__(self, db: Database, *, on_stored: Callable[[], None]) -> None:
        self._db = db
        self._on_stored = on_stored
        self._waiting: list[tuple[RawCallback, asyncio.Future[None]]] = []
        self._writers: set[asyncio.Task[None]] = set()

    async def store(self, callback: RawCallback) -> None:
        """Returns when the callback is durable; raises what the database said otherwise."""
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((callback, stored))
        if len(self._writers) < WRITERS:
            writer = asyncio.create_task(self._write())
            self._writers.add(writer)
            writer.add_done_callback(self._writers.discard)
        await stored

    async def close(self) -> None:
        """Waits for the statements under way."""
        await asyncio.gather(*self._writers, return_exceptions=True)

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
            try:
                await self._insert([callback for callback, _ in batch])
            except Exception as error:  # whatever it is, every caller of the batch has to hear it
                for _, stored in batch:
                    if not stored.done():
                        stored.set_exception(error)
            else:
                for _, stored in batch:
                    if not stored.done():
                        stored.set_result(None)
                self._on_stored()

    async def _insert(self, callbacks: list[RawCallback]) -> None:
        pool = await self._db.driver()
        await pool.execute(
            _INSERT,
            [uuid7() for _ in callbacks],
            [callback.connection_id for callback in callbacks],
            [callback.headers for callback in callbacks],
            [callback.body for callback in callbacks],
        )
