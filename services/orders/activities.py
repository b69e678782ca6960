"""What workflows ask of this service. Each activity may run twice; the database lets it take effect once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, cast

from sqlalchemy import text
from temporalio import activity
from temporalio.exceptions import ApplicationError

from services.orders import record, withdrawal
from services.orders.calendars.replan import Replans
from services.orders.care import service as care_service
from services.orders.care.processes import PROCESSES, Processes
from services.orders.care.reading import Care, lock_care
from services.orders.clock import CLOCK, Clock
from services.orders.closing import fulfilment
from services.orders.goods import stock
from services.orders.moving.turns import Moves
from services.orders.record import Order
from services.orders.rescue import following as rescue_calls
from services.orders.sentences import fulfilment_sentence
from services.orders.what_if.turn import Turns
from shared.contracts import ids
from shared.contracts.activities import (
    CARE_ADVANCE,
    FULFILMENT_STATE,
    ORDERS_WITHDRAW,
    PROCESS_MOVE_ADVANCE,
    RELEASE_STOCK,
    REPLAN_ADVANCE,
    RESCUE_CALL_ADVANCE,
    RESERVE_STOCK,
    WHAT_IF_ADVANCE,
    Advance,
    Done,
    FulfilmentState,
    OperatorView,
    OrderRef,
    ProcessMoveRef,
    ReplanRef,
    RescueCallRef,
    Reservation,
    UndoBatch,
    WhatIfRef,
)
from shared.db import Database, Session
from shared.service import Runtime
from shared.temporal import beating, implements

SUPERSEDED: Final = "superseded"
"""How a workflow ends whose care has ended and was begun again: another workflow follows it."""

WITHDRAWN: Final = "withdrawn"
"""How a care ends whose order never was: its import was undone."""

_LOOKED = text(
    """
UPDATE care SET seen_version = :version, looks = looks + 1, looked_at = :now WHERE order_id = :id
RETURNING (
    SELECT count(*) FROM standing_interactions WHERE order_id = :id AND kind = 'call' AND direction = 'out'
) AS attempts
"""
)
_MAIN_TASK = text(
    "SELECT due_at, deadline_at FROM tasks WHERE order_id = :id AND closed_at IS NULL AND origin = 'care' "
    "ORDER BY due_at LIMIT 1"
)
_CANCELLED = text("SELECT 1 FROM fulfilments WHERE order_id = :id AND phase = 'cancelled'")
_STATE = text(
    """
UPDATE fulfilments f SET seen_version = f.version FROM orders o LEFT JOIN reservations r ON r.order_id = o.id
WHERE f.order_id = :id AND o.id = f.order_id
RETURNING f.phase, f.round, f.posted_by, o.code, o.version, o.level, o.owner_code, o.team, o.channel, o.carrier, r.state AS stock
"""
)


class OrdersActivities:
    """The activities over one database.

    Args:
        now: the clock; tests of long care follow the clock of the test server.
    """

    def __init__(self, db: Database, processes: Processes, *, now: Clock) -> None:
        self._db = db
        self._processes = processes
        self._now = now
        self._replans = Replans(db, processes, now=now)
        self._moves = Moves(db, processes, now=now)
        self._trials = Turns(db, processes, now=now)

    @implements(CARE_ADVANCE)
    async def advance(self, ref: OrderRef) -> Advance:
        """Looks at an order in care and writes what is due; says when to look again."""
        now = self._now()
        async with self._db.transaction() as session:
            order = await record.lock(session, ref.order_id)
            care = await lock_care(session, ref.order_id)
            if order is None and await withdrawal.is_withdrawn(session, ref.order_id):
                return Advance(done=True, outcome=WITHDRAWN, view=OperatorView(sentence_vi="", sentence_en=""))
            if order is None or care is None:
                raise ApplicationError("this order has no care", type="no-care", non_retryable=True)
            if activity.info().workflow_id != ids.care_id(order.id, round=care.round):
                return Advance(done=True, outcome=SUPERSEDED, view=OperatorView(sentence_vi="", sentence_en=""))
            if care.is_open:
                advanced = await care_service.advance(session, self._processes, order, care, now=now)
                order, care = advanced.order, advanced.care
            looked = await session.execute(_LOOKED, {"id": order.id, "version": care.version, "now": now})
            view = await self._view(session, order, care, attempts=looked.scalar_one())
        return Advance(done=not care.is_open, next_due=care.next_due, view=view, outcome=care.outcome)

    async def _view(self, session: Session, order: Order, care: Care, *, attempts: int) -> OperatorView:
        task = (await session.execute(_MAIN_TASK, {"id": order.id})).one_or_none()
        return OperatorView(
            sentence_vi=care.sentence_vi,
            sentence_en=care.sentence_en,
            level=order.level,
            owner=order.owner_code,
            team=order.team,
            source=order.channel,
            due_at=task.due_at if task is not None else None,
            overdue=task is not None and self._now() > task.deadline_at,
            attempts=attempts,
        )

    @implements(FULFILMENT_STATE)
    async def fulfilment_state(self, ref: OrderRef) -> FulfilmentState:
        """Where the fulfilment of a closed order stands."""
        async with self._db.transaction() as session:
            row = (await session.execute(_STATE, {"id": ref.order_id})).one_or_none()
        if row is None:
            raise ApplicationError("this order was never closed", type="not-closed", non_retryable=True)
        vi, en = fulfilment_sentence(row.phase, code=row.code, stock=row.stock, posted_by=row.posted_by)
        view = OperatorView(
            sentence_vi=vi,
            sentence_en=en,
            level=row.level,
            owner=row.owner_code,
            team=row.team,
            source=row.channel,
            carrier=row.carrier,
        )
        if activity.info().workflow_id != ids.fulfilment_id(ref.order_id, round=row.round):
            return FulfilmentState(phase="done", view=view)
        return FulfilmentState(phase=row.phase, view=view, version=row.version)

    @implements(RESERVE_STOCK)
    async def reserve_stock(self, ref: OrderRef) -> Reservation:
        """Makes sure that the order's units are reserved or queued for; closing has done it already as a rule."""
        async with self._db.transaction() as session:
            missing = await stock.reserve(session, ref.order_id, at=self._now())
        return Reservation(reserved=not missing, missing=missing)

    @implements(ORDERS_WITHDRAW)
    async def withdraw(self, batch: UndoBatch) -> UndoBatch:
        """Takes the orders of an import back but for those that somebody has worked on."""
        async with self._db.transaction() as session:
            kept = await withdrawal.withdraw(session, leads=batch.lead_ids, duplicates=batch.duplicate_ids)
        return batch.model_copy(update={"kept": tuple(kept)})

    @implements(REPLAN_ADVANCE)
    async def replan(self, ref: ReplanRef) -> Advance:
        """Plans the next open cares again that a change of business time touches."""
        async with beating():
            return await self._replans.turn(ref.revision)

    @implements(PROCESS_MOVE_ADVANCE)
    async def move_care(self, ref: ProcessMoveRef) -> Advance:
        """Goes on with a move of running care to another version of its process."""
        async with beating():
            return await self._moves.turn(ref.move_id)

    @implements(WHAT_IF_ADVANCE)
    async def what_if(self, ref: WhatIfRef) -> Advance:
        """Lets the next recorded orders live through the process that a run tries."""
        async with beating():
            return await self._trials.take(ref.run_id)

    @implements(RESCUE_CALL_ADVANCE)
    async def rescue_call(self, ref: RescueCallRef) -> Advance:
        """Hands the call about a failed delivery to the COD desk once it is the desk's turn."""
        return await rescue_calls.advance(self._db, ref.task_id, now=self._now())

    @implements(RELEASE_STOCK)
    async def release_stock(self, ref: OrderRef) -> Done:
        """Gives back what a cancelled order still has; orders that wait for it are served.

        An order that was not cancelled keeps its stock, whatever became of its workflow.
        """
        now = self._now()
        async with self._db.transaction() as session:
            if (await session.execute(_CANCELLED, {"id": ref.order_id})).first() is None:
                return Done(changed=False)
            changed, served = await stock.release(session, ref.order_id, at=now)
            await fulfilment.touch(session, served, at=now)
        return Done(changed=changed)


def activities(runtime: Runtime[Any]) -> Sequence[Callable[..., Any]]:
    """The activities of a process, for its worker."""
    mine = OrdersActivities(
        runtime.db, cast(Processes, runtime.state[PROCESSES]), now=lambda: cast(Clock, runtime.state[CLOCK])()
    )
    return [
        mine.advance,
        mine.fulfilment_state,
        mine.reserve_stock,
        mine.release_stock,
        mine.withdraw,
        mine.rescue_call,
        mine.replan,
        mine.move_care,
        mine.what_if,
    ]
