"""Reads what telephone systems sent, and settles the calls that it tells of."""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, cast
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import orjson
from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.orders.care.processes import PROCESSES, Processes
from services.orders.clock import CLOCK, Clock
from services.orders.telephone.events import CallEvent
from services.orders.telephone.formats import Unreadable, read
from services.orders.telephone.settling import settle
from shared.db import Session, is_unavailable
from shared.lifecycle import until_set
from shared.service import Runtime
from shared.telemetry import logger

log = logger(__name__)

CHANNEL: Final = "chot_telephone"
WAKE: Final = "telephone.wake"
BATCH: Final = 200
POLL: Final = 1.0
"""Seconds between looks when nothing woke us: the safety net for a lost wake-up, and for calls that are due."""
KEEP: Final = timedelta(days=90)
"""How long bodies that were read are kept, to argue with a telephone system about; their events stay."""
PURGE_EVERY: Final = 3600.0
RETRY_FIRST: Final = timedelta(seconds=2)
RETRY_LONGEST: Final = timedelta(minutes=10)

_TAKE: Final = text(
    """
SELECT r.id, r.system_id, r.content_type, r.body, r.received_at, s.format, s.zone,
    (SELECT coalesce(array_agg(extension), '{}') FROM telephone_extensions e WHERE e.system_id = s.id) AS extensions
FROM telephone_raw r JOIN telephone_systems s ON s.id = r.system_id
WHERE r.state = 'received' ORDER BY r.id LIMIT :limit FOR UPDATE OF r SKIP LOCKED
"""
)
# Calls are taken in one order by everybody, so that two batches never wait for one another in a circle.
_CALLS: Final = text(
    """
INSERT INTO telephone_calls (id, system_id, call_id, started_at, changed_at)
SELECT t.id, t.system_id, t.call_id, t.at, :now
FROM unnest(CAST(:ids AS uuid[]), CAST(:systems AS uuid[]), CAST(:calls AS text[]), CAST(:at AS timestamptz[]))
    AS t (id, system_id, call_id, at)
ORDER BY t.system_id, t.call_id
ON CONFLICT (system_id, call_id) DO UPDATE SET changed = true, changed_at = :now
"""
)
_EVENTS: Final = text(
    """
INSERT INTO telephone_events (system_id, call_id, digest, event, recorded_at)
SELECT t.system_id, t.call_id, t.digest, CAST(t.event AS jsonb), :now
FROM unnest(CAST(:systems AS uuid[]), CAST(:calls AS text[]), CAST(:digests AS bytea[]), CAST(:events AS text[]))
    AS t (system_id, call_id, digest, event)
ON CONFLICT (system_id, call_id, digest) DO NOTHING
"""
)
_DONE: Final = text(
    """
UPDATE telephone_raw r SET state = t.state, error = t.error, processed_at = :now
FROM unnest(CAST(:ids AS uuid[]), CAST(:states AS text[]), CAST(:errors AS text[])) AS t (id, state, error)
WHERE r.id = t.id
"""
)
_CHANGED: Final = text(
    "SELECT id FROM telephone_calls WHERE changed AND changed_at <= :now ORDER BY changed_at, id LIMIT :limit"
)
_FAILED: Final = text(
    """
UPDATE telephone_calls SET attempts = attempts + 1, error = :error,
    changed_at = CAST(:now AS timestamptz)
        + least(CAST(:first AS interval) * power(2, least(attempts, 20)), CAST(:longest AS interval))
WHERE id = :id
"""
)
_PURGE: Final = text(
    "DELETE FROM telephone_raw WHERE state IN ('applied', 'ignored') AND received_at < now() - CAST(:keep AS interval)"
)


def wake(runtime: Runtime[Any]) -> None:
    """Something came to this process."""
    cast(asyncio.Event, runtime.state[WAKE]).set()


class CallProcessor:
    """Reads and settles until stopped. Several may run: each takes bodies that no other has, and a call is settled by one
    after the other."""

    def __init__(self, runtime: Runtime[Any]) -> None:
        self._runtime = runtime
        self._db = runtime.db
        self._wake = cast(asyncio.Event, runtime.state[WAKE])

    def _now(self) -> datetime:
        return cast(Clock, self._runtime.state[CLOCK])()

    async def run(self) -> None:
        """Works until cancelled; raises when the database connection breaks, to be started afresh."""
        async with self._listening():
            purge_at = 0.0
            loop = asyncio.get_running_loop()
            while True:
                self._wake.clear()
                if loop.time() >= purge_at:
                    async with self._db.transaction() as session:
                        await session.execute(_PURGE, {"keep": KEEP})
                    purge_at = loop.time() + PURGE_EVERY
                await self.drain()
                await until_set(self._wake, at_most=POLL)

    async def drain(self) -> None:
        """Reads everything that waits, and settles every call that is due."""
        while await self.read_batch() == BATCH:
            pass
        while await self.settle_batch() == BATCH:
            pass

    @contextlib.asynccontextmanager
    async def _listening(self) -> AsyncIterator[None]:
        connection = await asyncpg.connect(self._runtime.settings.direct_url)
        try:
            await connection.add_listener(CHANNEL, lambda *_: self._wake.set())
            yield
        finally:
            await connection.close()

    async def read_batch(self) -> int:
        """Reads bodies that wait into events of calls, at most a batch; returns how many there were."""
        now = self._now()
        async with self._db.transaction() as session:
            rows = (await session.execute(_TAKE, {"limit": BATCH})).all()
            if not rows:
                return 0
            found: dict[tuple[UUID, str, bytes], CallEvent] = {}
            outcomes = []
            for row in rows:
                state, error, events = _read(row)
                outcomes.append((row.id, state, error))
                found |= {(row.system_id, event.call_id, event.digest()): event for event in events}
            await _keep(session, found, now=now)
            ids, states, errors = zip(*outcomes, strict=True)
            done = {"ids": list(ids), "states": list(states), "errors": list(errors), "now": now}
            await session.execute(_DONE, done)
        return len(rows)

    async def settle_batch(self) -> int:
        """Settles calls of which something new is known, at most a batch; returns how many there were."""
        async with self._db.read() as session:
            found = await session.execute(_CHANGED, {"now": self._now(), "limit": BATCH})
            ids = list(found.scalars())
        for id in ids:
            await self._settle(id)
        return len(ids)

    async def _settle(self, id: UUID) -> None:
        now = self._now()
        processes = cast(Processes, self._runtime.state[PROCESSES])
        try:
            async with self._db.transaction() as session:
                await settle(session, processes, id, now=now)
        except Exception as error:
            if is_unavailable(error):
                raise
            # One call that breaks us holds up no other; it is tried again, less and less often.
            where = traceback.extract_tb(error.__traceback__)[-1]
            log.error(
                "call cannot be settled", call=str(id), error=type(error).__name__, at=f"{where.name}:{where.lineno}"
            )
            async with self._db.transaction() as session:
                values = {"id": id, "error": type(error).__name__, "now": now}
                await session.execute(_FAILED, {**values, "first": RETRY_FIRST, "longest": RETRY_LONGEST})


def _read(row: Any) -> tuple[str, str, Sequence[CallEvent]]:
    """What becomes of a body: its state, the error, its events."""
    try:
        events = read(
            row.format,
            row.body,
            content_type=row.content_type,
            zone=ZoneInfo(row.zone),
            extensions=frozenset(row.extensions),
        )
    except Unreadable as error:
        log.warning("unreadable event of a telephone system", raw=str(row.id), error=str(error))
        return "failed", str(error), ()
    except Exception as error:  # a mistake of ours in reading one body must not hold up all others
        log.error("event of a telephone system breaks its reader", raw=str(row.id), error=type(error).__name__)
        return "failed", type(error).__name__, ()
    return ("applied" if events else "ignored"), "", events


async def _keep(session: Session, found: dict[tuple[UUID, str, bytes], CallEvent], *, now: datetime) -> None:
    if not found:
        return
    first = {(system_id, call_id): event.at for (system_id, call_id, _), event in reversed(found.items())}
    await session.execute(
        _CALLS,
        {
            "ids": [uuid7() for _ in first],
            "systems": [system_id for system_id, _ in first],
            "calls": [call_id for _, call_id in first],
            "at": list(first.values()),
            "now": now,
        },
    )
    await session.execute(
        _EVENTS,
        {
            "systems": [system_id for system_id, _, _ in found],
            "calls": [call_id for _, call_id, _ in found],
            "digests": [digest for _, _, digest in found],
            "events": [orjson.dumps(event.in_utc().model_dump(mode="json")).decode() for event in found.values()],
            "now": now,
        },
    )
