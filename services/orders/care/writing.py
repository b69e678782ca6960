"""The one place where the effects of a decision are written. Each has a key that a constraint lets through once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.orders import customers
from services.orders.actors import SYSTEM, Actor
from services.orders.care.effects import (
    AddMark,
    Archive,
    CloseTask,
    Decision,
    Effect,
    EndCare,
    EndPromise,
    GiveTask,
    MoveTask,
    OpenTask,
    PutOnDoNotCallList,
    ReleaseToPool,
    RemindOwner,
    RenameTask,
    ReopenCare,
    RequestReassignment,
    SetLevel,
    TellManager,
)
from services.orders.levels.moves import CALL_RESULT, Move, move_level
from services.orders.promises import takings
from services.orders.promises.ending import end_promise, make_good
from services.orders.promises.live import tasks_changed
from services.orders.record import Order
from services.orders.telephone.leaving import left_care
from shared.contracts.events.orders import REASSIGNMENT_REQUESTED, ReassignmentRequested
from shared.db import Session
from shared.outbox import emit

_EFFECTS: Final = text(
    """
INSERT INTO care_effects (order_id, key, effect, cause, at, decided_at)
SELECT t.order_id, t.key, t.effect, t.cause, t.at, :now FROM unnest(
    CAST(:order_ids AS uuid[]), CAST(:keys AS text[]), CAST(:effects AS text[]), CAST(:causes AS text[]),
    CAST(:at AS timestamptz[])
) AS t (order_id, key, effect, cause, at)
ON CONFLICT (order_id, key) DO NOTHING RETURNING order_id, key
"""
)
_OPEN_TASK: Final = text(
    """
WITH promise AS (
    INSERT INTO promises (id, order_id, task_key, kind, owner_id, due_at, deadline_at, made_at)
    VALUES (:promise_id, :order_id, :key, :promise, :owner_id, :due_at, :deadline_at, :now)
)
INSERT INTO tasks (id, order_id, key, step, kind, promise, name_vi, name_en, owner_id, team, due_at, deadline_at, opened_at)
VALUES (:id, :order_id, :key, :step, :kind, :promise, :name_vi, :name_en, :owner_id, :team, :due_at, :deadline_at, :now)
"""
)
_MOVE_TASKS: Final = text(
    """
WITH moved AS MATERIALIZED (
    SELECT * FROM unnest(CAST(:order_ids AS uuid[]), CAST(:task_keys AS text[]), CAST(:due_at AS timestamptz[]),
        CAST(:deadline_at AS timestamptz[])) AS t (order_id, task_key, due_at, deadline_at)
), promise AS (
    UPDATE promises p SET due_at = moved.due_at, deadline_at = moved.deadline_at FROM moved
    WHERE p.order_id = moved.order_id AND p.task_key = moved.task_key AND p.ended_at IS NULL
)
UPDATE tasks t SET due_at = moved.due_at, deadline_at = moved.deadline_at, snoozed_until = NULL FROM moved
WHERE t.order_id = moved.order_id AND t.key = moved.task_key AND t.closed_at IS NULL RETURNING t.owner_id, t.team
"""
)
_RENAME_TASK: Final = text(
    """
UPDATE tasks SET step = :step, name_vi = :name_vi, name_en = :name_en
WHERE order_id = :order_id AND key = :task_key AND closed_at IS NULL
"""
)
_GIVE_TASK: Final = text(
    """
WITH promise AS (
    UPDATE promises SET owner_id = :owner_id
    WHERE order_id = :order_id AND task_key = :task_key AND ended_at IS NULL AND NOT :to_team
)
UPDATE tasks SET owner_id = :owner_id, team = :team, to_team = :to_team, snoozed_until = NULL, claimed_by_id = NULL,
    claimed_at = NULL
WHERE order_id = :order_id AND key = :task_key AND closed_at IS NULL
"""
)
_CLOSE_TASK: Final = text(
    """
UPDATE tasks SET closed_at = :at, outcome = :outcome, cause = :cause, interaction_id = :interaction_id
WHERE order_id = :order_id AND key = :task_key AND closed_at IS NULL RETURNING owner_id
"""
)
_REMIND: Final = text(
    """
WITH notice AS (
    INSERT INTO notices (id, order_id, key, account_id, kind, task_key, at)
    VALUES (:id, :order_id, :key, :account_id, 'due', :task_key, :at)
)
UPDATE tasks SET reminded_at = :at WHERE order_id = :order_id AND key = :task_key
"""
)
_NOTICE: Final = text(
    """
INSERT INTO notices (id, order_id, key, account_id, kind, task_key, at)
VALUES (:id, :order_id, :key, :account_id, :kind, :task_key, :at)
"""
)
_MARK: Final = text("UPDATE orders SET marks = array_append(marks, :mark) WHERE id = :id AND NOT marks @> ARRAY[:mark]")
_ARCHIVE: Final = text("UPDATE care SET archived_at = :at WHERE order_id = :id")

LISTED: Final = "do_not_call"
"""Cause with which care ends because the number is on the do-not-call list."""


@dataclass(frozen=True)
class Cause:
    """The interaction that a decision answers, if it does, who logged it, and what they wrote."""

    interaction_id: UUID | None = None
    actor: Actor = SYSTEM
    note: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)


async def write_effects(
    session: Session, order: Order, decision: Decision, *, now: datetime, cause: Cause | None = None
) -> Order:
    """Writes those effects of a decision that were not written before, in their order; returns the order as it is then.

    Args:
        order: locked, as the decision saw it.
        cause: the interaction in whose transaction this happens; the level it leads to is its author's doing.
    """
    return (await write_effects_of(session, [(order, decision)], now=now, cause=cause))[order.id]


async def write_effects_of(
    session: Session, decided: Sequence[tuple[Order, Decision]], *, now: datetime, cause: Cause | None = None
) -> dict[UUID, Order]:
    """The same for many locked orders: what a change of calendars brings with it, tasks put to other times, in as many
    statements as for one order."""
    effects = [(order.id, effect) for order, decision in decided for effect in decision.effects]
    fresh = await _not_written_before(session, effects, now=now)
    after, moves = {}, list[tuple[UUID, MoveTask]]()
    for order, decision in decided:
        owed = [effect for effect in decision.effects if (order.id, effect.key) in fresh]
        alone = _only_moves(owed)
        if alone is not None:
            moves += [(order.id, move) for move in alone]
            after[order.id] = order
            continue
        writer = _Writer(session, order, now, cause or Cause())
        for effect in owed:
            await writer.write(effect)
        after[order.id] = writer.order
    await _move_tasks(session, moves)
    return after


async def _not_written_before(
    session: Session, effects: Sequence[tuple[UUID, Effect]], *, now: datetime
) -> set[tuple[UUID, str]]:
    """Order and key of those effects that nobody has written yet; from now on they are."""
    if not effects:
        return set()
    fresh = await session.execute(
        _EFFECTS,
        {
            "order_ids": [order_id for order_id, _ in effects],
            "keys": [effect.key for _, effect in effects],
            "effects": [type(effect).__name__ for _, effect in effects],
            "causes": [effect.cause for _, effect in effects],
            "at": [effect.at for _, effect in effects],
            "now": now,
        },
    )
    return {(row.order_id, row.key) for row in fresh}


def _only_moves(effects: Sequence[Effect]) -> list[MoveTask] | None:
    """The moves of tasks of which these effects consist, no task twice; None if there is anything else among them."""
    moves = [effect for effect in effects if isinstance(effect, MoveTask)]
    tasks = {move.task_key for move in moves}
    return moves if len(tasks) == len(effects) else None


async def _move_tasks(session: Session, moves: Sequence[tuple[UUID, MoveTask]]) -> None:
    if not moves:
        return
    values = {
        "order_ids": [order_id for order_id, _ in moves],
        "task_keys": [move.task_key for _, move in moves],
        "due_at": [move.due_at for _, move in moves],
        "deadline_at": [move.deadline_at for _, move in moves],
    }
    for owner_id, team in {(row.owner_id, row.team) for row in await session.execute(_MOVE_TASKS, values)}:
        tasks_changed(session, owner_id, team=team)


class _Writer:
    def __init__(self, session: Session, order: Order, now: datetime, cause: Cause) -> None:
        self._session = session
        self.order = order
        self._now = now
        self._cause = cause

    async def write(self, effect: Effect) -> None:
        match effect:
            case OpenTask():
                await self._open(effect)
            case MoveTask():
                await _move_tasks(self._session, [(self.order.id, effect)])
            case RenameTask():
                await self._run(
                    _RENAME_TASK,
                    task_key=effect.task_key,
                    step=effect.step,
                    name_vi=effect.name.vi,
                    name_en=effect.name.en,
                )
            case GiveTask():
                await self._run(
                    _GIVE_TASK,
                    task_key=effect.task_key,
                    owner_id=effect.owner_id,
                    team=self.order.team,
                    to_team=effect.to_team,
                )
                self._tell(effect.owner_id, self.order.owner_id)
            case EndPromise():
                await self._end_promise(effect)
            case CloseTask():
                await self._close(effect)
            case SetLevel():
                await self._set_level(effect)
            case RemindOwner():
                self._tell(effect.owner_id)
                await self._run(
                    _REMIND,
                    id=uuid7(),
                    key=effect.key,
                    account_id=effect.owner_id,
                    task_key=effect.task_key,
                    at=effect.at,
                )
            case TellManager():
                kind = "no_owner" if effect.task_key is None else "overdue"
                await self._notice(effect, effect.manager_id, kind, effect.task_key)
            case RequestReassignment():
                await self._take_away(effect)
            case ReleaseToPool():
                await self._ask_for_owner(effect, "floating_pool")
            case AddMark():
                await self._session.execute(_MARK, {"id": self.order.id, "mark": effect.mark})
            case PutOnDoNotCallList() if effect.cause == LISTED:
                pass  # the list has it already, and it alone may take it off again
            case PutOnDoNotCallList():
                await customers.refuse_calls(self._session, self.order.customer_id, at=effect.at, reason=effect.cause)
            case Archive():
                await self._session.execute(_ARCHIVE, {"id": self.order.id, "at": effect.at})
            case EndCare():  # the care row is written with the state
                await left_care(self._session, self.order.id, now=self._now)
            case ReopenCare():
                pass  # written with the state as well
            case _:
                raise TypeError(f"an effect that nobody writes: {type(effect).__name__}")

    async def _run(self, statement: Any, **values: Any) -> None:
        await self._session.execute(statement, {"order_id": self.order.id, **values})

    async def _open(self, effect: OpenTask) -> None:
        await self._run(
            _OPEN_TASK,
            id=uuid7(),
            promise_id=uuid7(),
            key=effect.key,
            step=effect.step,
            kind=effect.task,
            promise=effect.promise,
            name_vi=effect.name.vi,
            name_en=effect.name.en,
            owner_id=effect.owner_id,
            team=self.order.team,
            due_at=effect.due_at,
            deadline_at=effect.deadline_at,
            now=self._now,
        )
        self._tell(effect.owner_id)

    async def _end_promise(self, effect: EndPromise) -> None:
        await end_promise(
            self._session,
            self.order,
            task_key=effect.task_key,
            at=effect.at,
            outcome=effect.outcome,
            cause=effect.cause,
            late_seconds=_seconds(effect.late_by),
            interaction_id=effect.interaction_id,
        )

    async def _close(self, effect: CloseTask) -> None:
        closed = await self._session.execute(
            _CLOSE_TASK,
            {
                "order_id": self.order.id,
                "task_key": effect.task_key,
                "at": effect.at,
                "outcome": effect.outcome,
                "cause": effect.cause,
                "interaction_id": effect.interaction_id,
            },
        )
        self._tell(*closed.scalars())
        if effect.outcome == "done":  # then a promise that was broken before is made good
            await make_good(
                self._session,
                self.order,
                task_key=effect.task_key,
                at=effect.at,
                late_seconds=_seconds(effect.late_by),
                interaction_id=effect.interaction_id,
            )

    def _tell(self, *accounts: UUID | None) -> None:
        """The due lists of these people are others than before."""
        tasks_changed(self._session, *accounts, team=self.order.team)

    async def _set_level(self, effect: SetLevel) -> None:
        answered = effect.interaction_id is not None
        own = answered and effect.interaction_id == self._cause.interaction_id
        move = Move(
            effect.level,
            at=effect.at,
            recorded_at=self._now,
            cause=CALL_RESULT if answered else "came_again" if effect.cause == "came_again" else "care",
            reason=effect.reason or "",
            note=self._cause.note if own else "",
            given=frozenset({"call"} if answered else ()),
            fields=self._cause.fields if own else {},
        )
        self.order = await move_level(self._session, self.order, move, self._cause.actor if own else SYSTEM)

    async def _notice(self, effect: Effect, account_id: UUID | None, kind: str, task_key: str | None) -> None:
        self._tell(account_id)
        await self._run(
            _NOTICE, id=uuid7(), key=effect.key, account_id=account_id, kind=kind, task_key=task_key, at=effect.at
        )

    async def _take_away(self, effect: RequestReassignment) -> None:
        """Asks for another owner, unless so many untouched numbers were taken from this one already."""
        untouched = effect.owner_id is not None and effect.untouched_on is not None
        if not untouched or await takings.take(self._session, self.order, effect):
            await self._ask_for_owner(effect, "another")

    async def _ask_for_owner(self, effect: Effect, to: Any) -> None:
        """Only leads writes the owner (rule D21): it is asked, and answers with another assignment or a release."""
        await emit(
            self._session,
            REASSIGNMENT_REQUESTED,
            ReassignmentRequested(
                order_id=self.order.id, assignment=self.order.assignment, to=to, reason=effect.cause, at=effect.at
            ),
            subject=self.order.id,
        )


def _seconds(late_by: timedelta | None) -> int:
    return int(late_by.total_seconds()) if late_by is not None else 0
