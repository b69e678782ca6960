"""The facts of an order in care, read from the database under the lock of the order's row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import TextClause, text

from services.orders.care.facts import Command, Facts, Interaction, Owner, Pause, StepState, Task, load_state
from services.orders.care.grounds import By, Ground, Withdrawn
from services.orders.contact import known
from services.orders.contact.known import Standing
from services.orders.interactions.ledger import CLOSED
from services.orders.presence.shifts import PLAN_OF_OWNER, shift_of
from services.orders.record import Order
from shared.db import ReadSession, Session

OTHERS_SINCE: Final = timedelta(hours=48)
"""How far back contacts about other orders bear upon the caps: 24 hours, and the present local day."""


_BY: Final[tuple[By, By]] = ("call", "message")


@dataclass(frozen=True)
class Care:
    """The care row of an order."""

    round: int
    is_open: bool
    outcome: str
    process: str
    process_version: int
    state: StepState | None
    step: str | None
    sentence_vi: str
    sentence_en: str
    next_due: datetime | None
    version: int


_COLUMNS: Final = ", ".join(Care.__dataclass_fields__)
_CARE: Final = f"SELECT {_COLUMNS} FROM care WHERE order_id = :id"
_READ_CARE: Final = text(_CARE)
_LOCK_CARE: Final = text(f"{_CARE} FOR UPDATE")
_LOCK_DUE: Final = text(
    f"""
SELECT order_id, {_COLUMNS} FROM care WHERE order_id = ANY(CAST(:ids AS uuid[])) AND is_open AND next_due <= :now
ORDER BY order_id FOR UPDATE
"""
)
_LOCK_OPEN: Final = text(
    f"""
SELECT order_id, {_COLUMNS} FROM care WHERE order_id = ANY(CAST(:ids AS uuid[])) AND is_open AND state IS NOT NULL
ORDER BY order_id FOR UPDATE
"""
)
_ABOUT: Final = text(
    f"""
SELECT o.id AS order_id, (SELECT max(at) FROM arrivals WHERE order_id = o.id AND asked_again) AS came_again_at,
    (SELECT cause FROM assignments WHERE order_id = o.id AND assignment = o.assignment) AS assignment_cause,
    (SELECT superior_id FROM staff_members WHERE account_id = o.owner_id AND version > 0) AS manager_id,
    (SELECT kind = 'final' FROM levels WHERE code = o.level) AS level_final,
    (SELECT CASE WHEN NOT active THEN 'left' WHEN duty_version > 0 AND NOT on_duty THEN 'off_duty' END
        FROM staff_members WHERE account_id = o.owner_id) AS away,
    {PLAN_OF_OWNER} AS shift_plan
FROM orders o WHERE o.id = ANY(CAST(:ids AS uuid[]))
"""
)
_INTERACTIONS: Final = text(
    """
SELECT order_id, id, number, at, kind, direction, result, promised_at, reason FROM standing_interactions
WHERE order_id = ANY(CAST(:ids AS uuid[])) ORDER BY order_id, number
"""
)
_TASKS: Final = text(
    """
SELECT t.order_id, t.key, t.step, t.kind AS task, t.promise, t.due_at, t.deadline_at, t.opened_at, t.owner_id,
    CASE WHEN t.claimed_by_id IS NULL THEN '' ELSE coalesce(
        (SELECT code FROM staff_members WHERE account_id = t.claimed_by_id AND version > 0), '?') END AS owner_code,
    p.ended_at IS NULL AS promise_open
FROM tasks t JOIN promises p ON p.order_id = t.order_id AND p.task_key = t.key
WHERE t.order_id = ANY(CAST(:ids AS uuid[])) AND t.closed_at IS NULL AND t.origin = 'care'
"""
)
_COMMANDS: Final = text(
    """
SELECT order_id, number, at, kind, target, until FROM care_commands
WHERE order_id = ANY(CAST(:ids AS uuid[])) ORDER BY order_id, number
"""
)
_OTHERS: Final = text(
    """
SELECT o.id AS order_id, i.kind, i.at FROM orders o JOIN standing_interactions i ON i.phone = o.phone AND i.order_id <> o.id
WHERE o.id = ANY(CAST(:ids AS uuid[])) AND i.direction = 'out' AND i.kind IN ('call', 'message') AND i.at > :since
UNION ALL
SELECT o.id, 'call', t.started_at FROM orders o JOIN telephone_calls t ON t.phone = o.phone
WHERE o.id = ANY(CAST(:ids AS uuid[])) AND t.direction = 'out' AND t.state IN ('going', 'waiting') AND t.started_at > :since
"""
)


async def lock_care(session: Session, order_id: UUID) -> Care | None:
    """The care of a locked order; None if nobody was ever assigned."""
    row = (await session.execute(_LOCK_CARE, {"id": order_id})).one_or_none()
    return _care(row) if row is not None else None


async def read_care(session: ReadSession, order_id: UUID) -> Care | None:
    """The care of an order for reading; None if nobody was ever assigned."""
    row = (await session.execute(_READ_CARE, {"id": order_id})).one_or_none()
    return _care(row) if row is not None else None


async def lock_due_cares(session: Session, ids: Sequence[UUID], *, now: datetime) -> dict[UUID, Care]:
    """Those cares of locked orders that owe something by now."""
    rows = await session.execute(_LOCK_DUE, {"ids": list(ids), "now": now})
    return {row.order_id: _care(row) for row in rows}


async def lock_open_cares(session: Session, ids: Sequence[UUID]) -> dict[UUID, Care]:
    """Those cares of locked orders that are open and have taken their first step."""
    rows = await session.execute(_LOCK_OPEN, {"ids": list(ids)})
    return {row.order_id: _care(row) for row in rows}


def _care(row: Any) -> Care:
    values = {name: row._mapping[name] for name in Care.__dataclass_fields__}
    return Care(**{**values, "state": load_state(row.state) if row.state is not None else None})


async def read_facts(session: Session, order: Order, care: Care, *, now: datetime) -> Facts:
    """Everything that `decide` wants to know."""
    return (await read_facts_of(session, [(order, care)], now=now))[order.id]


async def read_facts_of(session: Session, cares: Sequence[tuple[Order, Care]], *, now: datetime) -> dict[UUID, Facts]:
    """The same of many locked orders, in as many statements as of one."""
    ids = [order.id for order, _ in cares]
    about = {row.order_id: row for row in await session.execute(_ABOUT, {"ids": ids})}
    standing = await known.of_orders(session, ids, now=now)
    interactions = await _by_order(session, _INTERACTIONS, ids=ids)
    tasks = await _by_order(session, _TASKS, ids=ids)
    commands = await _by_order(session, _COMMANDS, ids=ids)
    others = await _by_order(session, _OTHERS, ids=ids, since=now - OTHERS_SINCE)
    return {
        order.id: _facts(
            order,
            care,
            about[order.id],
            standing[order.id],
            interactions=interactions[order.id],
            tasks=tasks[order.id],
            commands=commands[order.id],
            others=others[order.id],
            now=now,
        )
        for order, care in cares
    }


async def _by_order(session: ReadSession, query: TextClause, **values: Any) -> Mapping[UUID, list[Any]]:
    found: defaultdict[UUID, list[Any]] = defaultdict(list)
    for row in await session.execute(query, values):
        found[row.order_id].append(row)
    return found


def _facts(
    order: Order,
    care: Care,
    about: Any,
    standing: Standing,
    *,
    interactions: Sequence[Any],
    tasks: Sequence[Any],
    commands: Sequence[Any],
    others: Sequence[Any],
    now: datetime,
) -> Facts:
    calls, messages = (standing.ground(by=by, at=now) for by in _BY)
    owner = None
    if order.owner_id is not None:
        owner = Owner(
            id=order.owner_id,
            code=order.owner_code,
            manager_id=about.manager_id,
            shift=shift_of(about.shift_plan),
            away=about.away or "",
        )
    return Facts(
        order_id=order.id,
        level=order.level,
        level_since=order.level_since,
        owner=owner,
        assigned_at=order.assigned_at or order.cohort_at,
        assignment_version=order.assignment,
        asked_to_be_called=isinstance(calls, Ground) and calls.asked,
        written_to=isinstance(messages, Ground) and messages.asked,
        state=care.state,
        interactions=tuple(_interaction(row) for row in interactions),
        tasks=tuple(_task(row) for row in tasks),
        other_calls=tuple(row.at for row in others if row.kind == "call"),
        other_messages=tuple(row.at for row in others if row.kind == "message"),
        pause=_pause(commands),
        commands=tuple(
            Command(number=row.number, at=row.at, kind=row.kind, to=row.target)
            for row in commands
            if row.kind not in _HOLDING
        ),
        do_not_call_since=latest(standing.do_not_call_since, calls),
        no_messages_since=latest(standing.no_messages_since, messages),
        customer_came_again_at=about.came_again_at,
        assignment_cause=about.assignment_cause or "",
        level_final=about.level_final,
    )


_HOLDING: Final = ("pause", "resume")


async def read_pause(session: ReadSession, order_id: UUID) -> Pause | None:
    """Whether operators let the care of an order stand still."""
    return _pause((await session.execute(_COMMANDS, {"ids": [order_id]})).all())


def _pause(commands: Sequence[Any]) -> Pause | None:
    """Whether the last word of the operators is that care stands still."""
    last = next((row for row in reversed(commands) if row.kind in _HOLDING), None)
    return Pause(since=last.at, until=last.until) if last is not None and last.kind == "pause" else None


def latest(listed: datetime | None, ground: Ground | Withdrawn) -> datetime | None:
    """Since when a number must not be contacted: it is listed, or consent was taken back."""
    found = (listed, ground.at if isinstance(ground, Withdrawn) else None)
    return max((each for each in found if each is not None), default=None)


def _task(row: Any) -> Task:
    return Task(**{name: value for name, value in row._mapping.items() if name != "order_id"})


def _interaction(row: Any) -> Interaction:
    return Interaction(
        id=row.id,
        number=row.number,
        at=row.at,
        kind=row.kind,
        inbound=row.direction == "in",
        result=row.result or None,
        promised_at=row.promised_at,
        reason=row.reason or None,
        level_set=row.result == CLOSED,  # the closing has moved the order itself
    )
