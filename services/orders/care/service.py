"""Care of orders: where it begins, is woken, and takes its next step."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import orjson
from sqlalchemy import text

from services.orders.calendars.store import revision as revision_of_calendars
from services.orders.care.decide import decide
from services.orders.care.effects import Decision, EndCare
from services.orders.care.facts import Facts, dump_state
from services.orders.care.process import CareProcess
from services.orders.care.processes import Processes
from services.orders.care.reading import Care, read_facts, read_facts_of
from services.orders.care.writing import Cause, write_effects, write_effects_of
from services.orders.causes import REQUEST, Causes
from services.orders.processes.choice import CHOSEN
from services.orders.promises import first_calls
from services.orders.record import Order
from shared import outbox
from shared.contracts.workflows import nudge_care
from shared.db import Session

_BEGIN: Final = text(
    f"""
INSERT INTO care (order_id, process, process_version, chosen_by, changed_at)
SELECT o.id, chosen.process, chosen.process_version, chosen.chosen_by, :at
FROM orders o CROSS JOIN LATERAL ({CHOSEN}) AS chosen WHERE o.id = ANY(CAST(:ids AS uuid[]))
ON CONFLICT (order_id) DO UPDATE SET version = care.version + 1, changed_at = excluded.changed_at, is_open = true,
    outcome = '', archived_at = NULL, round = care.round + CASE WHEN care.is_open THEN 0 ELSE 1 END
WHERE care.is_open OR care.archived_at IS NOT NULL
RETURNING order_id, round, (SELECT code FROM orders WHERE id = order_id) AS code
"""
)
_TOUCH: Final = text(
    """
UPDATE care SET version = version + 1, changed_at = :at
WHERE order_id = ANY(CAST(:ids AS uuid[])) AND is_open
RETURNING order_id, round, (SELECT code FROM orders WHERE id = order_id) AS code
"""
)
_WAKE: Final = text(
    """
UPDATE care SET version = version + 1, changed_at = :at, is_open = true, outcome = '', archived_at = NULL,
    round = round + CASE WHEN is_open THEN 0 ELSE 1 END
WHERE order_id = :id RETURNING order_id, round, (SELECT code FROM orders WHERE id = order_id) AS code
"""
)
_SAVE: Final = text(
    """
UPDATE care SET state = CAST(t.state AS jsonb), step = t.step, is_open = t.is_open, outcome = t.outcome, sentence_vi = t.vi,
    sentence_en = t.en, next_due = t.next_due, version = t.version, changed_at = :now,
    seen_version = CASE WHEN care.seen_version = t.seen_from THEN t.version ELSE care.seen_version END
FROM unnest(CAST(:ids AS uuid[]), CAST(:states AS text[]), CAST(:steps AS text[]), CAST(:open AS boolean[]),
    CAST(:outcomes AS text[]), CAST(:vi AS text[]), CAST(:en AS text[]), CAST(:next_due AS timestamptz[]),
    CAST(:versions AS integer[]), CAST(:seen_from AS integer[])
) AS t (id, state, step, is_open, outcome, vi, en, next_due, version, seen_from)
WHERE order_id = t.id
"""
)


async def begin(session: Session, ids: Sequence[UUID], *, causes: Causes = REQUEST) -> None:
    """Somebody holds these orders: their care begins with the process that is chosen for each, hears of its new owner if
    it has begun, and begins again if it had ended in the archive."""
    await _nudge(session, _BEGIN, {"ids": list(ids)}, causes)


async def touch(session: Session, ids: Sequence[UUID], *, causes: Causes = REQUEST) -> None:
    """Something happened that care has to look at, where it is open."""
    await _nudge(session, _TOUCH, {"ids": list(ids)}, causes)


async def wake(session: Session, order_id: UUID) -> None:
    """Something happened that may begin care again after it ended; then another workflow follows it."""
    await _nudge(session, _WAKE, {"id": order_id}, REQUEST)


async def _nudge(session: Session, statement: object, values: dict[str, object], causes: Causes) -> None:
    rows = await session.execute(statement, {**values, "at": datetime.now(UTC)})  # type: ignore[call-overload]  # a text statement
    commands = []
    for row in rows:
        with causes.of(row.order_id):
            commands.append(outbox.command_row(nudge_care(row.order_id, code=row.code, round=row.round)))
    await outbox.write(session, commands)


@dataclass(frozen=True)
class Advanced:
    """An order and its care after a decision."""

    order: Order
    care: Care
    decision: Decision
    facts: Facts
    """What was decided upon: the order as it stood before."""


async def advance(
    session: Session, processes: Processes, order: Order, care: Care, *, now: datetime, cause: Cause | None = None
) -> Advanced:
    """Asks `decide` what a locked order's care owes now and writes it: effects, state, sentence, next look.

    Run twice, the second run finds nothing to do.

    Raises:
        UnknownResult: an interaction has a result that its step does not know.
    """
    process = await processes.get(session, care.process, care.process_version, now=now, team=order.team)
    facts = await read_facts(session, order, care, now=now)
    decision = decide(process, facts, now)
    written = await write_effects(session, order, decision, now=now, cause=cause)
    await first_calls.tell(session, process, order, facts, decision)
    after = _as_decided(care, decision)
    if after != care:
        await save(session, order.id, after, now=now)
    return Advanced(written, after, decision, facts)


async def advance_many(
    session: Session, processes: Processes, orders: Mapping[UUID, Order], cares: Mapping[UUID, Care], *, now: datetime
) -> dict[UUID, Care]:
    """`advance` for many locked orders with as many statements as for one, but for what only few of them owe; the caller
    saves what their care is then.

    Args:
        orders: those of `cares` at least.
        cares: locked.

    Raises:
        UnknownResult, NeverOpen: one of them cannot be decided; nothing of what others owe may be kept then.
    """
    facts = await read_facts_of(session, [(orders[id], care) for id, care in cares.items()], now=now)
    revision = await revision_of_calendars(session)
    decided: list[tuple[CareProcess, Order, Decision]] = []
    for id, care in cares.items():
        order = orders[id]
        process = await processes.under(
            session, care.process, care.process_version, revision=revision, year=now.year, team=order.team
        )
        decided.append((process, order, decide(process, facts[id], now)))
        await asyncio.sleep(0)  # deciding keeps the loop from its other work
    await write_effects_of(session, [(order, decision) for _, order, decision in decided], now=now)
    for process, order, decision in decided:
        await first_calls.tell(session, process, order, facts[order.id], decision)
    return {order.id: _as_decided(cares[order.id], decision) for _, order, decision in decided}


def _as_decided(care: Care, decision: Decision) -> Care:
    changed = bool(decision.effects) or decision.state != care.state or decision.next_due != care.next_due
    return replace(
        care,
        state=decision.state,
        step=decision.state.step,
        is_open=not decision.state.ended,
        outcome=_outcome(care, decision),
        sentence_vi=decision.sentence.vi,
        sentence_en=decision.sentence.en,
        next_due=decision.next_due,
        version=care.version + (1 if changed else 0),
    )


async def advance_by_request(
    session: Session, processes: Processes, order: Order, care: Care, *, now: datetime, cause: Cause | None = None
) -> Advanced:
    """`advance` outside the workflow, which is told to look again if something changed."""
    advanced = await advance(session, processes, order, care, now=now, cause=cause)
    if advanced.care.version != care.version:
        await outbox.send(session, nudge_care(order.id, code=order.code, round=care.round))
    return advanced


def _outcome(care: Care, decision: Decision) -> str:
    if not decision.state.ended:
        return ""
    return next((effect.outcome for effect in decision.effects if isinstance(effect, EndCare)), care.outcome)


async def save(session: Session, order_id: UUID, care: Care, *, now: datetime) -> None:
    """Writes where a care stands; its order is locked."""
    await save_many(session, {order_id: care}, now=now)


async def save_many(
    session: Session, cares: Mapping[UUID, Care], *, now: datetime, seen_from: Mapping[UUID, int] | None = None
) -> None:
    """Writes where the cares of locked orders stand.

    Args:
        seen_from: order → the version that its workflow needs have seen not to be told of this one.
    """
    assert all(care.state is not None for care in cares.values())
    known = seen_from or {}
    await session.execute(
        _SAVE,
        {
            "ids": list(cares),
            "states": [orjson.dumps(dump_state(care.state)).decode() for care in cares.values() if care.state],
            "steps": [care.step for care in cares.values()],
            "open": [care.is_open for care in cares.values()],
            "outcomes": [care.outcome for care in cares.values()],
            "vi": [care.sentence_vi for care in cares.values()],
            "en": [care.sentence_en for care in cares.values()],
            "next_due": [care.next_due for care in cares.values()],
            "versions": [care.version for care in cares.values()],
            "seen_from": [known.get(order_id) for order_id in cares],
            "now": now,
        },
    )
