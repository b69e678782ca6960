"""The facts of an order in care, read from the database under the lock of the order's row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import TextClause, text

from services.orders.care.facts import Command, Facts, Interaction, Owner, Pause, StepState, Task, load_state
from services.orders.care.grounds import Ground, Withdrawn
from services.orders.contact import known
from services.orders.interactions.ledger import CLOSED
from services.orders.presence.shifts import PLAN_OF_OWNER, shift_of
from services.orders.record import Order
from shared.db import ReadSession, Session

OTHERS_SINCE: Final = timedelta(hours=48)
"""How far back contacts about other orders bear upon the caps: 24 hours, and the present local day."""


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


_CARE: Final = """
SELECT round, is_open, outcome, process, process_version, state, step, sentence_vi, sentence_en, next_due, version
FROM care WHERE order_id = :id
"""
_READ_CARE: Final = text(_CARE)
_LOCK_CARE: Final = text(f"{_CARE} FOR UPDATE")
_ABOUT: Final = text(
    f"""
SELECT (SELECT max(at) FROM arrivals WHERE order_id = :id AND asked_again) AS came_again_at,
    (SELECT cause FROM assignments WHERE order_id = :id AND assignment = :assignment) AS assignment_cause,
    (SELECT superior_id FROM staff_members WHERE account_id = :owner_id AND version > 0) AS manager_id,
    (SELECT kind = 'final' FROM levels WHERE code = :level) AS level_final,
    (SELECT CASE WHEN NOT active THEN 'left' WHEN duty_version > 0 AND NOT on_duty THEN 'off_duty' END
        FROM staff_members WHERE account_id = :owner_id) AS away,
    {PLAN_OF_OWNER} AS shift_plan
FROM customers c WHERE c.id = :customer_id
"""
)
_INTERACTIONS: Final = text(
    """
SELECT id, number, at, kind, direction, result, promised_at, reason FROM standing_interactions
WHERE order_id = :id ORDER BY number
"""
)
_TASKS: Final = text(
    """
SELECT t.key, t.step, t.kind AS task, t.promise, t.due_at, t.deadline_at, t.opened_at, t.owner_id,
    CASE WHEN t.claimed_by_id IS NULL THEN '' ELSE coalesce(
        (SELECT code FROM staff_members WHERE account_id = t.claimed_by_id AND version > 0), '?') END AS owner_code,
    p.ended_at IS NULL AS promise_open
FROM tasks t JOIN promises p ON p.order_id = t.order_id AND p.task_key = t.key
WHERE t.order_id = :id AND t.closed_at IS NULL AND t.origin = 'care'
"""
)
_COMMANDS: Final = text(
    "SELECT number, at, kind, target, until FROM care_commands WHERE order_id = :id ORDER BY number"
)
_OTHERS: Final = text(
    """
SELECT kind, at FROM standing_interactions
WHERE phone = :phone AND order_id <> :id AND direction = 'out' AND kind IN ('call', 'message') AND at > :since
UNION ALL
SELECT 'call', started_at FROM telephone_calls
WHERE phone = :phone AND direction = 'out' AND state IN ('going', 'waiting') AND started_at > :since
"""
)


async def lock_care(session: Session, order_id: UUID) -> Care | None:
    """The care of a locked order; None if nobody was ever assigned."""
    return await _read(session, _LOCK_CARE, order_id)


async def read_care(session: ReadSession, order_id: UUID) -> Care | None:
    """The care of an order for reading; None if nobody was ever assigned."""
    return await _read(session, _READ_CARE, order_id)


async def _read(session: ReadSession, query: TextClause, order_id: UUID) -> Care | None:
    row = (await session.execute(query, {"id": order_id})).one_or_none()
    if row is None:
        return None
    return Care(**{**row._mapping, "state": load_state(row.state) if row.state is not None else None})


async def read_facts(session: Session, order: Order, care: Care, *, now: datetime) -> Facts:
    """Everything that `decide` wants to know."""
    own = {"id": order.id}
    about = (
        await session.execute(
            _ABOUT,
            {
                **own,
                "owner_id": order.owner_id,
                "customer_id": order.customer_id,
                "assignment": order.assignment,
                "level": order.level,
            },
        )
    ).one()
    standing = await known.of_order(session, order.id, now=now)
    calls, messages = (standing.ground(by=by, at=now) for by in ("call", "message"))
    interactions = (await session.execute(_INTERACTIONS, own)).all()
    tasks = (await session.execute(_TASKS, own)).all()
    commands = (await session.execute(_COMMANDS, own)).all()
    others = (await session.execute(_OTHERS, {**own, "phone": order.phone, "since": now - OTHERS_SINCE})).all()
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
        tasks=tuple(Task(**row._mapping) for row in tasks),
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
    return _pause((await session.execute(_COMMANDS, {"id": order_id})).all())


def _pause(commands: Sequence[Any]) -> Pause | None:
    """Whether the last word of the operators is that care stands still."""
    last = next((row for row in reversed(commands) if row.kind in _HOLDING), None)
    return Pause(since=last.at, until=last.until) if last is not None and last.kind == "pause" else None


def latest(listed: datetime | None, ground: Ground | Withdrawn) -> datetime | None:
    """Since when a number must not be contacted: it is listed, or consent was taken back."""
    found = (listed, ground.at if isinstance(ground, Withdrawn) else None)
    return max((each for each in found if each is not None), default=None)


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
