"""What people do to orders: log calls, move levels, close, cancel, post; and orders that begin with us."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import text

from services.orders import customers
from services.orders.access import Carer, lock_visible
from services.orders.actors import staff
from services.orders.care import service as care_service
from services.orders.care.processes import Processes
from services.orders.care.reading import lock_care
from services.orders.care.views import CareView, care_view
from services.orders.closing.cancel import cancel
from services.orders.closing.close import close
from services.orders.closing.domain import Closing
from services.orders.closing.edit import OrderEdit, edit
from services.orders.closing.post import post
from services.orders.http import ClockDep, ProcessesDep, RuntimeDep
from services.orders.interactions import service as interactions
from services.orders.interactions import undo
from services.orders.interactions.service import NewInteraction
from services.orders.levels.by_hand import by_hand
from services.orders.levels.catalogue import Filled
from services.orders.levels.moves import Move
from services.orders.reading.one import TaskView, open_tasks
from services.orders.record import Order
from shared.auth import Principal, require
from shared.contracts.base import Dong
from shared.contracts.levels import CLEAN, REFUSES_CONTACT
from shared.contracts.permissions import ORDERS_CANCEL, ORDERS_CARE, ORDERS_POST, ORDERS_READ
from shared.db import Session
from shared.errors import Forbidden
from shared.etag import ExpectedVersion, tag
from shared.idempotency import OnceDep

router = APIRouter(prefix="/v1/orders", tags=["working on orders"])

Reason = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]


class Worked(BaseModel):
    """An order after something was done to it."""

    order_id: UUID
    level: str
    level_since: datetime
    care: CareView | None = Field(description="the next step, if it is in care")
    tasks: list[TaskView] = Field(description="what is open now, the task due first on top")


class Logged(Worked):
    interaction_id: UUID


class Closed(Worked):
    code: str
    version: int
    total: Dong
    cod: Dong = Field(description="what the courier asks of the customer in all")
    stock: str = Field(description="reserved, or waiting (it is posted once the stock is there)")


class Posted(Worked):
    fulfilment: str


class LevelChange(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"to": "L1.2", "reason": "khách gọi lại"}, {"to": "L1.7", "fields": {"pay_day": "2026-12-05"}}]
        },
    )

    to: str = Field(max_length=20)
    reason: Reason = ""
    note: str = Field(default="", max_length=2000)
    fields: Filled = Field(default_factory=dict, description="what the move wants filled in, by key")

    def move(self, now: datetime) -> Move:
        return Move(
            self.to,
            at=now,
            recorded_at=now,
            cause="operator",
            reason=self.reason,
            note=self.note,
            fields=self.fields,
        )


class Cancellation(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "khách đổi ý"}]})

    reason: Reason = Field(min_length=1)
    note: str = Field(default="", max_length=2000)
    fields: Filled = Field(default_factory=dict, description="what the move to L5.3 or L7.4 wants filled in, by key")


_CONTENTS = text(
    """
SELECT o.total, o.cod, r.state AS stock, f.phase FROM orders o
LEFT JOIN reservations r ON r.order_id = o.id LEFT JOIN fulfilments f ON f.order_id = o.id WHERE o.id = :id
"""
)


async def _worked(session: Session, processes: Processes, order: Order, *, now: datetime) -> Worked:
    """How the order stands at the end of the transaction."""
    care = await lock_care(session, order.id)
    view = None
    if care is not None:
        view = care_view(order.id, care, await processes.get(session, care.process, care.process_version, now=now))
    return Worked(
        order_id=order.id,
        level=order.level,
        level_since=order.level_since,
        care=view,
        tasks=await open_tasks(session, order.id),
    )


async def _closed(session: Session, processes: Processes, order: Order, *, now: datetime) -> Closed:
    contents = (await session.execute(_CONTENTS, {"id": order.id})).one()
    worked = await _worked(session, processes, order, now=now)
    return Closed(
        **dict(worked),
        code=order.code,
        version=order.version,
        total=contents.total,
        cod=contents.cod,
        stock=contents.stock,
    )


async def _follow(session: Session, processes: Processes, order: Order, *, now: datetime) -> Order:
    """Lets care see what somebody did to its order."""
    care = await lock_care(session, order.id)
    if care is None or not care.is_open:
        return order
    return (await care_service.advance_by_request(session, processes, order, care, now=now)).order


@router.post("/{order_id}/interactions", status_code=201, response_model=Logged)
async def log_interaction(
    who: Carer,
    runtime: RuntimeDep,
    once: OnceDep,
    clock: ClockDep,
    processes: ProcessesDep,
    order_id: UUID,
    interaction: NewInteraction,
) -> Response:
    """Logs a call, message, e-mail or visit and answers at once with the new level and the next step.

    The result decides by the table of the care process; see `results` in the care of the order for what may be logged.
    """

    async def effect(session: Session) -> Logged:
        order = await lock_visible(session, order_id, who)
        now = clock()
        most = runtime.settings.promise_days
        logged, order = await interactions.log(
            session, processes, order, interaction, staff(who), now=now, promise_days=most
        )
        worked = await _worked(session, processes, order, now=now)
        return Logged(**dict(worked), interaction_id=logged)

    return await once.run(runtime.db, str(who.account_id), effect)


@router.post("/{order_id}/interactions/{interaction_id}/undo", status_code=200, response_model=Worked)
async def undo_interaction(
    who: Carer,
    runtime: RuntimeDep,
    once: OnceDep,
    clock: ClockDep,
    processes: ProcessesDep,
    order_id: UUID,
    interaction_id: UUID,
) -> Response:
    """'Hoàn tác': takes your own last result back within ten minutes, unless something has happened since.

    Level, tasks, promises and counters are as they were before; the interaction stays on the timeline, marked as undone,
    and counts no more.
    """

    async def effect(session: Session) -> Worked:
        order = await lock_visible(session, order_id, who)
        now = clock()
        undone = await undo.undo(session, processes, order, interaction_id, staff(who), now=now)
        return await _worked(session, processes, undone, now=now)

    return await once.run(runtime.db, str(who.account_id), effect, status=200)


@router.post("/{order_id}/level", status_code=200, response_model=Worked)
async def change_level(
    who: Carer,
    runtime: RuntimeDep,
    once: OnceDep,
    clock: ClockDep,
    processes: ProcessesDep,
    order_id: UUID,
    change: LevelChange,
) -> Response:
    """Moves an order by hand, as the table of moves allows; care goes on from there, also if it had ended."""

    async def effect(session: Session) -> Worked:
        order = await lock_visible(session, order_id, who)
        now = clock()
        moved = await by_hand(session, processes, order, change.move(now), staff(who), now=now)
        if order.level == REFUSES_CONTACT and moved.level != order.level:
            await customers.lift_refusal(session, order.customer_id)  # or care would end again at once
        if moved.level != order.level and moved.main == CLEAN:
            await care_service.wake(session, order_id)
        moved = await _follow(session, processes, moved, now=now)
        return await _worked(session, processes, moved, now=now)

    return await once.run(runtime.db, str(who.account_id), effect, status=200)


@router.post("/{order_id}/close", status_code=201, response_model=Closed)
async def close_order(
    who: Carer,
    runtime: RuntimeDep,
    once: OnceDep,
    clock: ClockDep,
    processes: ProcessesDep,
    order_id: UUID,
    closing: Closing,
) -> Response:
    """'Chốt đơn' (L5): lines, address and money; reserves the stock, fixes the closer and ends the care."""

    async def effect(session: Session) -> Closed:
        order = await lock_visible(session, order_id, who)
        now = clock()
        closed = await close(
            session,
            order,
            closing,
            staff(who),
            now=now,
            allow_waiting=runtime.settings.allow_waiting_stock,
            blocked_deposit_percent=runtime.settings.blocked_deposit_percent,
        )
        closed = await _follow(session, processes, closed, now=now)
        return await _closed(session, processes, closed, now=now)

    return await once.run(runtime.db, str(who.account_id), effect)


@router.patch("/{order_id}/contents", response_model=Closed)
async def edit_contents(
    who: Annotated[Principal, Depends(require(ORDERS_READ))],
    runtime: RuntimeDep,
    clock: ClockDep,
    processes: ProcessesDep,
    version: ExpectedVersion,
    order_id: UUID,
    wanted: OrderEdit,
    response: Response,
) -> Closed:
    """Changes a closed order until it is posted: lines, prices, discount, fee, deposit, address. Salespeople and the COD
    desk may; `If-Match` names the version on which the change rests (`ETag` of the order). Each version is kept."""
    if not (who.may(ORDERS_CARE) or who.may(ORDERS_POST)):
        raise Forbidden(permission=ORDERS_CARE)
    async with runtime.db.transaction() as session:
        order = await lock_visible(session, order_id, who)
        now = clock()
        edited = await edit(
            session,
            order,
            wanted,
            staff(who),
            version=version,
            now=now,
            allow_waiting=runtime.settings.allow_waiting_stock,
            blocked_deposit_percent=runtime.settings.blocked_deposit_percent,
        )
        closed = await _closed(session, processes, edited, now=now)
    tag(response, closed.version)
    return closed


@router.post("/{order_id}/cancel", status_code=200, response_model=Worked)
async def cancel_order(
    who: Annotated[Principal, Depends(require(ORDERS_CANCEL))],
    runtime: RuntimeDep,
    once: OnceDep,
    clock: ClockDep,
    processes: ProcessesDep,
    order_id: UUID,
    cancellation: Cancellation,
) -> Response:
    """'Hủy đơn': L5.3 before there is a waybill, L7.4 before pick-up; after that the parcel can only be returned."""

    async def effect(session: Session) -> Worked:
        order = await lock_visible(session, order_id, who)
        now = clock()
        cancelled = await cancel(
            session,
            order,
            staff(who),
            reason=cancellation.reason,
            now=now,
            note=cancellation.note,
            fields=cancellation.fields,
        )
        return await _worked(session, processes, cancelled, now=now)

    return await once.run(runtime.db, str(who.account_id), effect, status=200)


@router.post("/{order_id}/post", status_code=200, response_model=Posted)
async def post_order(
    who: Annotated[Principal, Depends(require(ORDERS_POST))],
    runtime: RuntimeDep,
    once: OnceDep,
    clock: ClockDep,
    processes: ProcessesDep,
    order_id: UUID,
) -> Response:
    """'Đăng đơn': the COD desk hands the order to shipping. Posting it twice changes nothing."""

    async def effect(session: Session) -> Posted:
        order = await lock_visible(session, order_id, who)
        now = clock()
        await post(session, order, staff(who), now=now)
        contents = (await session.execute(_CONTENTS, {"id": order_id})).one()
        worked = await _worked(session, processes, order, now=now)
        return Posted(**dict(worked), fulfilment=contents.phase)

    return await once.run(runtime.db, str(who.account_id), effect, status=200)
