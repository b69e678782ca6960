"""Recorded orders and what became of them, read set by set; one snapshot for both, so that they belong together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from services.orders.care.facts import Interaction
from services.orders.contact import known
from services.orders.interactions.ledger import CLOSED
from services.orders.listed import SINCE
from services.orders.what_if.life import UNDO
from services.orders.what_if.presence_read import presence_of
from services.orders.what_if.recorded import (
    Assignment,
    Claim,
    Elsewhere,
    LevelSet,
    Life,
    Logged,
    Ordered,
    Recorded,
    TaskLife,
    Way,
)
from shared.db import ReadSession

OWN_MOVES: Final = ("care", "call_result", "came_again")
"""Causes of transitions that care itself made."""
_ASSIGNED: Final = ("assigned", "reassigned", "claimed", "released")

_ORDERS: Final = text(
    f"""
SELECT o.id, c.is_open, c.outcome, c.looked_at, o.level,
    p.do_not_call_at, {SINCE} AS listed_at
FROM orders o JOIN care c ON c.order_id = o.id JOIN customers p ON p.id = o.customer_id
WHERE o.id = ANY(CAST(:ids AS uuid[])) ORDER BY o.id
"""
)
_ASSIGNMENTS: Final = text(
    "SELECT order_id, assignment, owner_id, owner_code, team, at, cause FROM assignments "
    "WHERE order_id = ANY(CAST(:ids AS uuid[]))"
)
_INTERACTIONS: Final = text(
    """
SELECT i.order_id, i.id, i.number, i.at, i.recorded_at, i.kind, i.direction, i.result, i.promised_at, i.reason, i.staff_id,
    u.undone_at
FROM interactions i LEFT JOIN undo_points u ON u.interaction_id = i.id
WHERE i.order_id = ANY(CAST(:ids AS uuid[])) ORDER BY i.order_id, i.number
"""
)
_TRANSITIONS: Final = text(
    """
SELECT order_id, sequence, to_level, at, recorded_at, cause FROM transitions
WHERE order_id = ANY(CAST(:ids AS uuid[])) ORDER BY order_id, sequence
"""
)
_ARRIVALS: Final = text("SELECT order_id, at FROM arrivals WHERE order_id = ANY(CAST(:ids AS uuid[])) AND asked_again")
_COMMANDS: Final = text(
    "SELECT order_id, number, at, kind, target, until FROM care_commands "
    "WHERE order_id = ANY(CAST(:ids AS uuid[])) ORDER BY order_id, number"
)
_EFFECTS: Final = text(
    "SELECT order_id, effect, cause, at, decided_at FROM care_effects WHERE order_id = ANY(CAST(:ids AS uuid[]))"
)
# Also of tasks whose broken promise went over to another one, because a result was taken back.
_CLAIMS: Final = text(
    """
SELECT order_id, key AS task_key, claimed_by_id AS by_id, claimed_at AS at FROM tasks
WHERE order_id = ANY(CAST(:ids AS uuid[])) AND origin = 'care' AND claimed_by_id IS NOT NULL ORDER BY order_id, claimed_at
"""
)
# What was before a move that was made before this was kept is not known: the care lives in the tried process throughout.
_WAYS: Final = text(
    """
SELECT w.order_id, w.at, w.from_process, w.from_version, m.steps
FROM care_moves w LEFT JOIN process_moves m ON m.id = w.move_id
WHERE w.order_id = ANY(CAST(:ids AS uuid[]))
    AND NOT EXISTS (SELECT FROM care_moves u WHERE u.order_id = w.order_id AND u.from_version IS NULL)
ORDER BY w.order_id, w.at, w.id
"""
)
_ELSEWHERE: Final = text(
    """
SELECT o.id AS order_id, i.kind, i.at, i.recorded_at FROM orders o
JOIN standing_interactions i ON i.phone = o.phone AND i.order_id <> o.id
WHERE o.id = ANY(CAST(:ids AS uuid[])) AND i.direction = 'out' AND i.kind IN ('call', 'message')
"""
)
_TASKS: Final = text(
    """
SELECT t.order_id, t.key, t.step, t.kind, t.promise, t.owner_id, t.due_at, t.deadline_at, t.opened_at, t.closed_at,
    coalesce(t.outcome, '') AS outcome, t.cause, coalesce(p.outcome, '') AS promised, p.cause AS promise_cause,
    p.ended_at AS promise_at, p.late_seconds, p.voided_at IS NOT NULL AS void
FROM tasks t JOIN promises p ON p.order_id = t.order_id AND p.task_key = t.key
WHERE t.order_id = ANY(CAST(:ids AS uuid[])) AND t.origin = 'care'
"""
)


@dataclass(frozen=True)
class Case:
    """An order as it was recorded: what was known of it, and what care made of that."""

    recorded: Recorded
    life: Life

    @property
    def undone(self) -> bool:
        """Somebody took a result back."""
        return any(each.undone_at is not None for each in self.recorded.interactions)


async def read_cases(session: ReadSession, ids: Sequence[UUID], *, now: datetime) -> list[Case]:
    """The given orders, by id."""
    found = (await session.execute(_ORDERS, {"ids": ids, "now": now})).all()
    assignments = await _by_order(session, _ASSIGNMENTS, ids)
    interactions = await _by_order(session, _INTERACTIONS, ids)
    transitions = await _by_order(session, _TRANSITIONS, ids)
    arrivals = await _by_order(session, _ARRIVALS, ids)
    commands = await _by_order(session, _COMMANDS, ids)
    effects = await _by_order(session, _EFFECTS, ids)
    elsewhere = await _by_order(session, _ELSEWHERE, ids)
    tasks = await _by_order(session, _TASKS, ids)
    claims = await _by_order(session, _CLAIMS, ids)
    ways = await _by_order(session, _WAYS, ids)
    held = [row for rows in assignments.values() for row in rows if row.owner_id is not None]
    first = min((row.at for row in held), default=now)
    presence = await presence_of(session, {row.owner_id for row in held}, since=first)
    # As the gate itself reads them, order by order: a few milliseconds each, in a run that nobody waits for.
    standing = await known.of_orders(session, [order.id for order in found], now=now)
    cases = []
    for order in found:
        decided = _Decided(effects[order.id])
        logged = [_logged(row) for row in interactions[order.id]]
        moments = [
            *decided.moments,
            *(each.known_at for each in logged),
            *(each.undone_at for each in logged if each.undone_at is not None),
            *(row.at for row in commands[order.id]),
            *(row.at for row in ways[order.id]),
            *(row.at for row in claims[order.id]),
        ]
        born, levels = _levels(transitions[order.id], begun=min(decided.moments, default=now))
        recorded = Recorded(
            order_id=order.id,
            level=born.to_level,
            level_since=born.at,
            known=standing[order.id].known,
            no_messages_since=standing[order.id].no_messages_since,
            assignments=tuple(_assignment(row, decided) for row in assignments[order.id]),
            interactions=tuple(logged),
            levels=tuple(levels),
            commands=tuple(
                Ordered(number=row.number, at=row.at, kind=row.kind, to=row.target, until=row.until)
                for row in commands[order.id]
            ),
            arrivals=tuple((row.at, decided.known(row.at, ("came_again",))) for row in arrivals[order.id]),
            elsewhere=tuple(
                Elsewhere(kind=row.kind, at=row.at, known_at=row.recorded_at) for row in elsewhere[order.id]
            ),
            do_not_call=_refusal(order, decided),
            claims=tuple(Claim(task_key=row.task_key, by_id=row.by_id, at=row.at) for row in claims[order.id]),
            presence=presence,
            ways=tuple(
                Way(at=row.at, before=(row.from_process, row.from_version), steps=row.steps or {})
                for row in ways[order.id]
            ),
            decided=tuple(sorted(set(decided.moments))),
            late=decided.late,
            until=max([*moments, order.looked_at or datetime.min.replace(tzinfo=now.tzinfo)]) if order.is_open else now,
        )
        life = Life(
            tasks={row.key: _task(row) for row in tasks[order.id]},
            levels=[(row.to_level, row.at, row.cause) for row in transitions[order.id] if row.cause in OWN_MOVES],
            level=order.level,
            outcome=order.outcome,
        )
        cases.append(Case(recorded, life))
    return cases


async def _by_order(session: ReadSession, query: Any, ids: Sequence[UUID]) -> Mapping[UUID, list[Any]]:
    found: defaultdict[UUID, list[Any]] = defaultdict(list)
    for row in await session.execute(query, {"ids": ids}):
        found[row.order_id].append(row)
    return found


class _Decided:
    """When care decided what. An effect is owed at `at` and decided at `decided_at`."""

    def __init__(self, effects: Iterable[Any]) -> None:
        self._effects = list(effects)
        self.moments = [each.decided_at for each in self._effects]
        self.late: dict[datetime, datetime] = {}
        for each in self._effects:
            self.late[each.at] = min(self.late.get(each.at, each.decided_at), each.decided_at)

    def known(self, at: datetime, causes: Sequence[str]) -> datetime:
        """When a fact of an instant was known: when care first did something because of it; else at once."""
        found = [each.decided_at for each in self._effects if each.cause in causes and each.at == at]
        return min(found, default=at)

    def because_of(self, cause: str) -> list[datetime]:
        return [each.decided_at for each in self._effects if each.cause == cause]

    def at_of(self, effect: str) -> set[datetime]:
        return {each.at for each in self._effects if each.effect == effect}


def _assignment(row: Any, decided: _Decided) -> Assignment:
    return Assignment(
        version=row.assignment,
        owner_id=row.owner_id,
        owner_code=row.owner_code,
        team=row.team,
        at=row.at,
        cause=row.cause,
        known_at=decided.known(row.at, _ASSIGNED),
    )


def _logged(row: Any) -> Logged:
    made = Interaction(
        id=row.id,
        number=row.number,
        at=row.at,
        kind=row.kind,
        inbound=row.direction == "in",
        result=row.result or None,
        promised_at=row.promised_at,
        reason=row.reason or None,
        level_set=row.result == CLOSED,
    )
    return Logged(made=made, known_at=row.recorded_at, staff_id=row.staff_id, undone_at=row.undone_at)


def _levels(transitions: Sequence[Any], *, begun: datetime) -> tuple[Any, list[LevelSet]]:
    """The level with which care began, and those that somebody else than care set afterwards."""
    # Who takes a result back brings the level back with it, which the life does by itself.
    others = [row for row in transitions if row.cause not in (*OWN_MOVES, UNDO)]
    before = [row for row in others if row.recorded_at < begun] or others[:1]
    after = others[len(before) :]
    return before[-1], [LevelSet(level=row.to_level, at=row.at, known_at=row.recorded_at) for row in after]


def _refusal(order: Any, decided: _Decided) -> tuple[datetime, datetime] | None:
    """Since when others forbid calls, and when that was known; what care itself put on the list it puts there again."""
    own = order.do_not_call_at in decided.at_of("PutOnDoNotCallList")
    since = max((at for at in (None if own else order.do_not_call_at, order.listed_at) if at), default=None)
    if since is None:
        return None
    return since, min((at for at in decided.because_of("do_not_call") if at >= since), default=since)


def _task(row: Any) -> TaskLife:
    return TaskLife(**{name: row._mapping[name] for name in TaskLife.__slots__})
