"""Moves and the cares that each concerns, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.orders.actors import Actor
from services.orders.moving.errors import MoveCleared, MoveNotFound, MoveNotReady, NothingToMove, UnknownSteps
from services.orders.moving.views import Counts, MovedCare, MovedCarePage, MovePage, MoveView, NewMove
from services.orders.processes import versions
from shared import outbox
from shared.contracts.workflows import start_process_move
from shared.db import ReadSession, Session

_COLUMNS: Final = """id, process, to_version, selection, steps, per_minute, reason, state, round, total, created_at,
    created_by, started_at, started_by, ended_at, cancelled_by, counts, cleared_at"""
_INSERT: Final = text(
    """
INSERT INTO process_moves (id, process, to_version, selection, steps, per_minute, reason, created_at, created_by_id, created_by)
VALUES (:id, :process, :to_version, CAST(:selection AS json), CAST(:steps AS json), :per_minute, :reason, :at, :by_id, :by)
"""
)
_SELECT: Final = text(
    """
WITH chosen AS (
    INSERT INTO process_move_cares (move_id, order_id, code, owner_code)
    SELECT :id, o.id, o.code, o.owner_code FROM care c JOIN orders o ON o.id = c.order_id
    WHERE c.is_open AND c.process = :from_process AND (c.process, c.process_version) <> (:process, :to_version)
        AND (CAST(:versions AS integer[]) = '{}' OR c.process_version = ANY(CAST(:versions AS integer[])))
        AND (CAST(:steps AS text[]) = '{}' OR c.step = ANY(CAST(:steps AS text[])))
        AND (CAST(:owners AS text[]) = '{}' OR o.owner_code = ANY(CAST(:owners AS text[])))
        AND (CAST(:teams AS text[]) = '{}' OR o.team = ANY(CAST(:teams AS text[])))
        AND (CAST(:channels AS text[]) = '{}' OR o.channel = ANY(CAST(:channels AS text[])))
        AND (CAST(:campaigns AS text[]) = '{}' OR o.campaign = ANY(CAST(:campaigns AS text[])))
    RETURNING 1
)
SELECT count(*) FROM chosen
"""
)
_VERSIONS_THERE: Final = text("SELECT DISTINCT process_version FROM care WHERE is_open AND process = :process")
_TOTAL: Final = text("UPDATE process_moves SET total = :total WHERE id = :id")
_READ: Final = text(f"SELECT {_COLUMNS} FROM process_moves WHERE id = :id")
_LOCK: Final = text(f"SELECT {_COLUMNS} FROM process_moves WHERE id = :id FOR UPDATE")
_SHARE: Final = text(f"SELECT {_COLUMNS} FROM process_moves WHERE id = :id FOR SHARE")
_PAGE: Final = text(
    f"""
SELECT {_COLUMNS} FROM process_moves WHERE process = :process AND (CAST(:after AS uuid) IS NULL OR id < :after)
ORDER BY id DESC LIMIT :limit
"""
)
_COUNTS: Final = text(
    """
SELECT move_id, state, change, found_by, count(*) AS cares FROM process_move_cares
WHERE move_id = ANY(CAST(:ids AS uuid[])) GROUP BY move_id, state, change, found_by
"""
)
_CARES: Final = text(
    """
SELECT order_id, code, owner_code, state, change, found_by, before, after, error, decided_at FROM process_move_cares
WHERE move_id = :id AND (CAST(:after AS uuid) IS NULL OR order_id > :after)
    AND (CAST(:change AS text) IS NULL OR change = :change) AND (CAST(:state AS text) IS NULL OR state = :state)
ORDER BY order_id LIMIT :limit
"""
)
_START: Final = text(
    """
UPDATE process_moves SET state = 'moving', round = round + 1, started_at = coalesce(started_at, :at), started_by = :by,
    ended_at = NULL, cancelled_by = ''
WHERE id = :id RETURNING round
"""
)
_CANCEL: Final = text("UPDATE process_moves SET state = 'cancelled', ended_at = :at, cancelled_by = :by WHERE id = :id")
_END: Final = text("UPDATE process_moves SET state = :state, ended_at = :at WHERE id = :id AND state = :was")


async def create(session: Session, process: str, wanted: NewMove, *, actor: Actor, at: datetime) -> MoveView:
    """Writes which cares a move concerns, and has the workflow preview each.

    Raises:
        VersionNotFound: there is no such version to move to.
        UnknownSteps: the map of steps names some that do not exist.
        NothingToMove: no running care fits.
    """
    target = (await versions.version(session, process, wanted.to_version)).process
    source = wanted.select.process or process
    await _ensure_steps(session, source, wanted, known=frozenset(target.steps))
    move_id = uuid7()
    key = {"id": move_id, "process": process, "to_version": wanted.to_version}
    await session.execute(
        _INSERT,
        {
            **key,
            "selection": wanted.select.model_dump_json(),
            "steps": orjson.dumps(wanted.steps).decode(),
            "per_minute": wanted.per_minute,
            "reason": wanted.reason,
            "at": at,
            "by_id": actor.account_id,
            "by": actor.code,
        },
    )
    chosen = wanted.select.model_dump(exclude={"process"})
    total = (await session.execute(_SELECT, {**key, **chosen, "from_process": source})).scalar_one()
    if total == 0:
        raise NothingToMove
    await session.execute(_TOTAL, {"id": move_id, "total": total})
    await outbox.send(session, start_process_move(move_id))
    return await read(session, process, move_id)


async def _ensure_steps(session: ReadSession, source: str, wanted: NewMove, *, known: frozenset[str]) -> None:
    numbers = set(wanted.select.versions or (await session.execute(_VERSIONS_THERE, {"process": source})).scalars())
    there = {
        step
        for number in numbers - {wanted.to_version} or numbers
        for step in (await versions.version(session, source, number)).process.steps
    }
    unknown = [step for step in wanted.steps if step not in there]
    unknown += [step for step in wanted.steps.values() if step not in known]
    if unknown:
        raise UnknownSteps(steps=", ".join(unknown))


async def read(session: ReadSession, process: str, move_id: UUID) -> MoveView:
    """A move with its counts.

    Raises:
        MoveNotFound: there is none.
    """
    row = (await session.execute(_READ, {"id": move_id})).one_or_none()
    if row is None or row.process != process:
        raise MoveNotFound
    return _view(row, (await counts(session, [row]))[move_id])


async def page(session: ReadSession, process: str, *, limit: int, after: UUID | None) -> MovePage:
    """The moves to a process, the newest first."""
    rows = (await session.execute(_PAGE, {"process": process, "after": after, "limit": limit})).all()
    counted = await counts(session, rows)
    items = [_view(row, counted[row.id]) for row in rows]
    return MovePage(items=items, next=items[-1].id if len(items) == limit else None)


async def cares(
    session: ReadSession,
    process: str,
    move_id: UUID,
    *,
    limit: int,
    after: UUID | None,
    change: str | None,
    state: str | None,
) -> MovedCarePage:
    """The cares of a move by order.

    Raises:
        MoveNotFound: there is none.
    """
    await read(session, process, move_id)
    values = {"id": move_id, "limit": limit, "after": after, "change": change, "state": state}
    rows = (await session.execute(_CARES, values)).all()
    items = [MovedCare.model_validate(dict(row._mapping)) for row in rows]
    return MovedCarePage(items=items, next=items[-1].order_id if len(items) == limit else None)


async def counts(session: ReadSession, rows: Sequence[Any]) -> dict[UUID, Counts]:
    """How far each move is: counted of its cares, or as it was counted before these were cleared.

    Args:
        rows: of moves.
    """
    listed = [row.id for row in rows if row.counts is None]
    found = {row.id: Counts.model_validate(row.counts or {"change": {}, "found_by": {}, "state": {}}) for row in rows}
    for row in await session.execute(_COUNTS, {"ids": listed}):
        counted = found[row.move_id]
        for sums, value in ((counted.change, row.change), (counted.found_by, row.found_by), (counted.state, row.state)):
            if value:
                sums[value] = sums.get(value, 0) + row.cares
    return found


async def start(session: Session, process: str, move_id: UUID, *, actor: Actor, at: datetime) -> MoveView:
    """Moves what was previewed; a move that was cancelled half-way goes on.

    Raises:
        MoveNotFound: there is none.
        MoveNotReady: it was not previewed yet, or is under way or over.
        MoveCleared: it is so old that nobody knows any more which cares it concerns.
    """
    row = await _locked(session, process, move_id)
    if row.cleared_at is not None:
        raise MoveCleared
    if not (row.state == "previewed" or (row.state == "cancelled" and row.started_at is not None)):
        raise MoveNotReady(state=row.state)
    round = (await session.execute(_START, {"id": move_id, "at": at, "by": actor.code})).scalar_one()
    await outbox.send(session, start_process_move(move_id, round=round))
    return await read(session, process, move_id)


async def cancel(session: Session, process: str, move_id: UUID, *, actor: Actor, at: datetime) -> MoveView:
    """Stops after the orders in hand. What was moved stays moved. Cancelling twice is once.

    Raises:
        MoveNotFound: there is none.
        MoveNotReady: it is over.
    """
    row = await _locked(session, process, move_id)
    if row.state == "done":
        raise MoveNotReady(state=row.state)
    if row.state != "cancelled":
        await session.execute(_CANCEL, {"id": move_id, "at": at, "by": actor.code})
    return await read(session, process, move_id)


async def held(session: Session, move_id: UUID) -> Any:
    """The move's row, which nobody cancels until the transaction ends.

    Raises:
        MoveNotFound: there is none.
    """
    row = (await session.execute(_SHARE, {"id": move_id})).one_or_none()
    if row is None:
        raise MoveNotFound
    return row


async def load(session: ReadSession, move_id: UUID) -> Any:
    """The move's row."""
    return (await session.execute(_READ, {"id": move_id})).one()


async def end(session: Session, move_id: UUID, *, was: str, state: str, at: datetime) -> None:
    """One phase is over, unless somebody cancelled it."""
    await session.execute(_END, {"id": move_id, "was": was, "state": state, "at": at if state == "done" else None})


async def _locked(session: Session, process: str, move_id: UUID) -> Any:
    row = (await session.execute(_LOCK, {"id": move_id})).one_or_none()
    if row is None or row.process != process:
        raise MoveNotFound
    return row


def _view(row: Any, counted: Counts) -> MoveView:
    values = dict(row._mapping)
    return MoveView.model_validate({**values, "select": values["selection"], "counts": counted})
