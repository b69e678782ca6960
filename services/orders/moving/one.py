"""One care goes over to another version of its process, under the lock of its order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.orders.care.effects import Effect, EndCare, MoveTask, RenameTask
from services.orders.care.processes import Processes
from services.orders.care.reading import Care, read_facts
from services.orders.care.relocate import Relocation, relocate
from services.orders.care.service import save
from services.orders.care.writing import write_effects
from services.orders.promises import first_calls
from services.orders.record import Order
from shared import outbox
from shared.contracts.workflows import nudge_care
from shared.db import Session

_QUIET: Final = (MoveTask, RenameTask)
"""Effects of which the workflow needs not hear: at its next look it says the same as the row."""

_MOVED: Final = text(
    """
UPDATE care SET process = :process, process_version = :version, moved_at = :now, chosen_by = coalesce(:chosen_by, chosen_by)
WHERE order_id = :id
"""
)
_TELL: Final = text(
    """
INSERT INTO care_moves (id, order_id, move_id, at, from_process, from_version, to_process, to_version, from_step, to_step,
    by_code, reason)
VALUES (:id, :order_id, :move_id, :at, :from_process, :from_version, :to_process, :to_version, :from_step, :to_step, :by,
    :reason)
"""
)


@dataclass(frozen=True)
class Wish:
    """Why a care is moved, for its timeline.

    Args:
        by: code of whoever wants it; '' = nobody in particular.
        move_id: of the move that it is a part of, if it is one.
    """

    reason: str
    by: str = ""
    move_id: UUID | None = None


@dataclass(frozen=True)
class Target:
    """A version of a process to which care is moved; `steps`: where names do not say where a step goes."""

    process: str
    version: int
    steps: Mapping[str, str]


async def foresee(
    session: Session, processes: Processes, order: Order, care: Care, target: Target, *, now: datetime
) -> Relocation | None:
    """What a move would mean for a care that has begun; None for one that has not.

    Raises:
        UnknownResult, NeverOpen: the old or the new version cannot decide about it.
    """
    if care.state is None:
        return None
    old = await processes.get(session, care.process, care.process_version, now=now, team=order.team)
    new = await processes.get(session, target.process, target.version, now=now, team=order.team)
    return relocate(old, new, await read_facts(session, order, care, now=now), steps=target.steps, now=now)


async def move(
    session: Session,
    processes: Processes,
    order: Order,
    care: Care,
    target: Target,
    wish: Wish,
    *,
    now: datetime,
    chosen_by: str | None = None,
) -> Relocation | None:
    """Moves one care, and writes so on the timeline; its order is locked. A care that has not begun takes its first step in
    the new version.

    Args:
        chosen_by: the rule of choice on which this happens, if one does.

    Raises:
        UnknownResult, NeverOpen, Problem: it cannot be moved; the caller rolls back.
    """
    values = {"id": order.id, "process": target.process, "version": target.version, "now": now, "chosen_by": chosen_by}
    if care.state is None:
        await session.execute(_MOVED, values)
        await _tell(session, care, target, wish, order_id=order.id, done=None, now=now)
        return None
    old = await processes.get(session, care.process, care.process_version, now=now, team=order.team)
    new = await processes.get(session, target.process, target.version, now=now, team=order.team)
    facts = await read_facts(session, order, care, now=now)
    done = relocate(old, new, facts, steps=target.steps, now=now)
    decision = done.decision
    after = await write_effects(session, order, decision, now=now)
    await first_calls.tell(session, old, order, facts, decision)
    if done.moved:
        await session.execute(_MOVED, values)
        await _tell(session, care, target, wish, order_id=order.id, done=done, now=now)
    heard = _is_news(decision.effects) or _is_earlier(decision.next_due, care.next_due)
    outcome = next((each.outcome for each in decision.effects if isinstance(each, EndCare)), "")
    await save(
        session,
        order.id,
        replace(
            care,
            state=decision.state,
            step=decision.state.step,
            is_open=not decision.state.ended,
            outcome=outcome,
            sentence_vi=decision.sentence.vi,
            sentence_en=decision.sentence.en,
            next_due=decision.next_due,
            version=care.version + heard,
        ),
        now=now,
    )
    if heard:
        await outbox.send(session, nudge_care(after.id, code=after.code, round=care.round))
    return done


async def _tell(
    session: Session,
    care: Care,
    target: Target,
    wish: Wish,
    *,
    order_id: UUID,
    done: Relocation | None,
    now: datetime,
) -> None:
    await session.execute(
        _TELL,
        {
            "id": uuid7(),
            "order_id": order_id,
            "move_id": wish.move_id,
            "at": now,
            "from_process": care.process,
            "from_version": care.process_version,
            "to_process": target.process,
            "to_version": target.version,
            "from_step": done.before.step if done is not None else "",
            "to_step": done.after.step if done is not None else "",
            "by": wish.by,
            "reason": wish.reason,
        },
    )


def _is_news(effects: tuple[Effect, ...]) -> bool:
    return any(not isinstance(each, _QUIET) for each in effects)


def _is_earlier(one: datetime | None, other: datetime | None) -> bool:
    """A later look needs no waking: the workflow wakes once in vain and waits on."""
    return one is not None and (other is None or one < other)
