"""The one place where the effects of a decision are written. Each has a key that a constraint lets through once."""

from __future__ import annotations

from collections.abc import Mapping
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
SELECT :order_id, t.key, t.effect, t.cause, t.at, :now FROM unnest(
    CAST(:keys AS text[]), CAST(:effects AS text[]), CAST(:causes AS text[]), CAST(:at AS timestamptz[])
) AS t (key, effect, cause, at)
ON CONFLICT (order_id, key) DO NOTHING RETURNING key
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
_MOVE_TASK: Final = text(
    """
WITH promise AS (
    UPDATE promises SET due_at = :due_at, deadline_at = :deadline_at
    WHERE order_id = :order_id AND task_key = :task_key AND ended_at IS NULL
)
UPDATE tasks SET due_at = :due_at, deadline_at = :deadline_at, snoozed_until = NULL
WHERE order_id = :order_id AND key = :task_key AND closed_at IS NULL
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
    if not decision.effects:
        return order
    fresh = await session.execute(
        _EFFECTS,
        {
            "order_id": order.id,
            "keys": [effect.key for effect in decision.effects],
            "effects": [type(effect).__name__ for effect in decision.effects],
            "causes": [effect.cause for effect in decision.effects],
            "at": [effect.at for effect in decision.effects],
            "now": now,
        },
    )
    keys = set(fresh.scalars())
    writer = _Writer(session, order, now, cause or Cause())
    for effect in decision.effects:
        if effect.key in keys:
            await writer.write(effect)
    return writer.order


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
                await self._run(
                    _MOVE_TASK, task_key=effect.task_key, due_at=effect.due_at, deadline_at=effect.deadline_at
                )
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
