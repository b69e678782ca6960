"""Previews and moves the cares of a move, turn after turn: each is decided once, in the transaction that says so."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from services.orders import record
from services.orders.care.processes import Processes
from services.orders.care.reading import lock_care, read_care
from services.orders.care.relocate import Relocation
from services.orders.clock import Clock
from services.orders.moving import store
from services.orders.moving.one import Target, Wish, foresee, move
from services.orders.moving.views import operator_view
from services.orders.record import Order
from shared.contracts.activities import Advance
from shared.db import Database, Session, is_unavailable
from shared.telemetry import logger

log = logger(__name__)

MOST: Final = 200
"""Orders of a turn: some seconds, so that the operator sees it go on and a cancellation is soon heard."""
TOGETHER: Final = 20
"""Orders in one transaction: a salesperson who logs a call meanwhile waits some hundredths of a second for one of them."""
TURNS_A_MINUTE: Final = 30
"""A slow move does a few orders every two seconds rather than many at once."""
QUIET: Final = timedelta(minutes=1)
"""No move so shortly after somebody logged a contact: they may be dialling again, or correct what they logged."""
AGAIN: Final = timedelta(seconds=2)
"""After which an order is tried again on which somebody works just now."""

_NEXT: Final = text(
    """
SELECT order_id FROM process_move_cares
WHERE move_id = :id AND state = ANY(CAST(:states AS text[])) AND (not_before IS NULL OR not_before <= :now)
ORDER BY order_id LIMIT :limit FOR UPDATE SKIP LOCKED
"""
)
_WAITING: Final = text(
    "SELECT count(*) AS cares, min(not_before) AS first FROM process_move_cares "
    "WHERE move_id = :id AND state = ANY(CAST(:states AS text[]))"
)
_ORDERS: Final = text(f"SELECT {record.COLUMNS} FROM orders WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id")
_FREE_ORDERS: Final = text(
    f"SELECT {record.COLUMNS} FROM orders WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR UPDATE SKIP LOCKED"
)
_EXISTING: Final = text("SELECT id FROM orders WHERE id = ANY(CAST(:ids AS uuid[]))")
_BUSY: Final = text(
    """
SELECT order_id, max(recorded_at) AS at FROM interactions
WHERE order_id = ANY(CAST(:ids AS uuid[])) AND recorded_at > :since GROUP BY order_id
"""
)
_WRITE: Final = text(
    """
UPDATE process_move_cares m SET state = t.state, change = t.change, found_by = t.found_by, error = t.error,
    before = CAST(t.before AS json), after = CAST(t.after AS json), not_before = t.not_before, decided_at = :now
FROM unnest(CAST(:ids AS uuid[]), CAST(:states AS text[]), CAST(:changes AS text[]), CAST(:found_by AS text[]),
    CAST(:errors AS text[]), CAST(:before AS text[]), CAST(:after AS text[]), CAST(:not_before AS timestamptz[]))
    AS t (id, state, change, found_by, error, before, after, not_before)
WHERE m.move_id = :id AND m.order_id = t.id
"""
)
_LATER: Final = text(
    """
UPDATE process_move_cares m SET not_before = t.at
FROM unnest(CAST(:ids AS uuid[]), CAST(:at AS timestamptz[])) AS t (id, at) WHERE m.move_id = :id AND m.order_id = t.id
"""
)

_STATES: Final = {"previewing": ["selected"], "moving": ["selected", "previewed"]}
"""Phase → the cares that it has still to do."""
_THEN: Final = {"previewing": "previewed", "moving": "done"}


@dataclass
class _Outcome:
    """What became of one care."""

    order_id: UUID
    state: str
    change: str = ""
    done: Relocation | None = None
    error: str = ""


@dataclass
class _Chunk:
    """Some cares, decided in one transaction."""

    outcomes: list[_Outcome] = field(default_factory=list)
    later: dict[UUID, datetime] = field(default_factory=dict)

    @property
    def taken(self) -> int:
        return len(self.outcomes) + len(self.later)


class Moves:
    """Works on moves.

    Args:
        now: the clock of the service.
    """

    def __init__(self, db: Database, processes: Processes, *, now: Clock) -> None:
        self._db = db
        self._processes = processes
        self._now = now

    async def turn(self, move_id: UUID) -> Advance:
        """Goes on with a move for one turn."""
        began = self._now()
        async with self._db.read() as session:
            row = await store.load(session, move_id)
        phase, decided = row.state, 0
        if phase in _STATES:
            most = MOST if phase == "previewing" else min(MOST, max(1, row.per_minute // TURNS_A_MINUTE))
            while decided < most:
                chunk = await self._chunk(move_id, phase, min(TOGETHER, most - decided))
                if chunk is None or not chunk.taken:
                    break
                decided += len(chunk.outcomes)
        return await self._answer(row, phase, decided, began)

    async def _answer(self, row: Any, phase: str, decided: int, began: datetime) -> Advance:
        now = self._now()
        next_due = None
        async with self._db.transaction() as session:
            if phase in _STATES:
                waiting = (await session.execute(_WAITING, {"id": row.id, "states": _STATES[phase]})).one()
                if not waiting.cares:
                    await store.end(session, row.id, was=phase, state=_THEN[phase], at=now)
                elif phase == "moving":
                    pace = began + timedelta(minutes=decided / row.per_minute)
                    next_due = pace if decided else max(waiting.first or now, now + AGAIN / 4)
            row = await store.load(session, row.id)
            counted = (await store.counts(session, [row]))[row.id]
        # A move that somebody started again while this turn ran is another workflow's.
        done = row.state != phase or phase not in _STATES
        return Advance(done=done, outcome=row.state, next_due=next_due, view=operator_view(row._mapping, counted))

    async def _chunk(self, move_id: UUID, phase: str, limit: int) -> _Chunk | None:
        """Decides the next cares; None when the phase is over or was cancelled."""
        now = self._now()
        async with self._db.transaction() as session:
            row = await store.held(session, move_id)
            if row.state != phase:
                return None
            values = {"id": move_id, "states": _STATES[phase], "now": now, "limit": limit}
            ids = list((await session.execute(_NEXT, values)).scalars())
            target = Target(row.process, row.to_version, row.steps)
            if phase == "previewing":
                chunk = await self._preview(session, ids, target, now)
            else:
                wish = Wish(row.reason, by=row.started_by, move_id=move_id)
                chunk = await self._move(session, ids, target, wish, now)
            await self._write(session, move_id, chunk, now)
        return chunk

    async def _preview(self, session: Session, ids: Sequence[UUID], target: Target, now: datetime) -> _Chunk:
        orders = {row.id: record.read(row) for row in await session.execute(_ORDERS, {"ids": list(ids)})}
        chunk = _Chunk()
        for order_id in ids:
            chunk.outcomes.append(await self._foresee(session, order_id, orders.get(order_id), target, now))
            await asyncio.sleep(0)  # deciding keeps the loop from its other work
        return chunk

    async def _foresee(
        self, session: Session, order_id: UUID, order: Order | None, target: Target, now: datetime
    ) -> _Outcome:
        care = await read_care(session, order_id)
        if order is None or care is None or not care.is_open:
            return _Outcome(order_id, "left", "gone" if order is None or care is None else "ended")
        try:
            done = await foresee(session, self._processes, order, care, target, now=now)
        except Exception as error:
            return _failed(order_id, error)
        return _Outcome(order_id, "previewed", done.change if done is not None else "same", done)

    async def _move(self, session: Session, ids: Sequence[UUID], target: Target, wish: Wish, now: datetime) -> _Chunk:
        """Those on which nobody works just now. Who logs a call holds the order's row; it is left for later."""
        orders = {row.id: record.read(row) for row in await session.execute(_FREE_ORDERS, {"ids": list(ids)})}
        busy = {
            row.order_id: row.at for row in await session.execute(_BUSY, {"ids": list(orders), "since": now - QUIET})
        }
        existing = set((await session.execute(_EXISTING, {"ids": list(ids)})).scalars())
        chunk = _Chunk()
        for order_id in ids:
            if order_id not in existing:
                chunk.outcomes.append(_Outcome(order_id, "left", "gone"))
            elif order_id not in orders:
                chunk.later[order_id] = now + AGAIN
            elif order_id in busy:
                chunk.later[order_id] = busy[order_id] + QUIET
            else:
                chunk.outcomes.append(await self._go(session, orders[order_id], target, wish, now))
                await asyncio.sleep(0)
        return chunk

    async def _go(self, session: Session, order: Order, target: Target, wish: Wish, now: datetime) -> _Outcome:
        care = await lock_care(session, order.id)
        if care is None or not care.is_open:
            return _Outcome(order.id, "left", "gone" if care is None else "ended")
        if (care.process, care.process_version) == (target.process, target.version):
            return _Outcome(order.id, "left", "already")
        try:
            async with session.begin_nested():
                done = await move(session, self._processes, order, care, target, wish, now=now)
        except Exception as error:
            return _failed(order.id, error)
        if done is not None and not done.moved:
            return _Outcome(order.id, "left", done.change, done)
        return _Outcome(order.id, "moved", done.change if done is not None else "same", done)

    async def _write(self, session: Session, move_id: UUID, chunk: _Chunk, now: datetime) -> None:
        if chunk.later:
            values = {"id": move_id, "ids": list(chunk.later), "at": list(chunk.later.values())}
            await session.execute(_LATER, values)
        if not chunk.outcomes:
            return
        made = [(each, each.done) for each in chunk.outcomes]
        await session.execute(
            _WRITE,
            {
                "id": move_id,
                "now": now,
                "ids": [each.order_id for each in chunk.outcomes],
                "states": [each.state for each in chunk.outcomes],
                "changes": [each.change for each in chunk.outcomes],
                "found_by": [done.found_by if done is not None else "" for _, done in made],
                "errors": [each.error for each in chunk.outcomes],
                "before": [_json(done.before) if done is not None else None for _, done in made],
                "after": [_json(done.after) if done is not None else None for _, done in made],
                "not_before": [None for _ in made],
            },
        )


def _failed(order_id: UUID, error: Exception) -> _Outcome:
    """One care that cannot be moved stops no other; it stays in its version, and the list says why.

    Raises:
        the error: the database is away, or met a deadlock: the whole chunk is tried again.
    """
    if isinstance(error, DBAPIError) or is_unavailable(error):
        raise error
    log.error("care cannot be moved", order_id=str(order_id), error=type(error).__name__)
    return _Outcome(order_id, "failed", error=f"{type(error).__name__}: {error}"[:300])


def _json(owed: Any) -> str:
    return orjson.dumps(asdict(owed)).decode()
