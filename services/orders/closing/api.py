"""Routes on closed orders besides those of a single one."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import text

from services.orders import customers, record
from services.orders.access import OrderNotFound, ensure_visible
from services.orders.actors import staff
from services.orders.closing.merge import by_age, merge
from services.orders.http import ClockDep, RuntimeDep
from shared.auth import Principal, require
from shared.contracts.base import Dong
from shared.contracts.permissions import ORDERS_CANCEL
from shared.db import Session
from shared.idempotency import OnceDep

router = APIRouter(prefix="/v1/orders", tags=["working on orders"])

_SUMS: Final = text(
    "SELECT o.total, o.cod, r.state AS stock FROM orders o JOIN reservations r ON r.order_id = o.id WHERE o.id = :id"
)


class MergeIn(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"other_id": "0193a5b4-8d2f-7a10-8b21-5e6f70819203", "reason": "khách đặt hai lần, gửi chung"}]
        },
    )

    other_id: UUID = Field(description="the other of the two; which is older is found here")
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class MergedOut(BaseModel):
    order_id: UUID = Field(description="the older one, which stays")
    merged_id: UUID = Field(description="the younger one, at L5.3 now")
    code: str
    version: int
    total: Dong
    cod: Dong = Field(description="what the courier asks of the customer in all")
    stock: str = Field(description="reserved, or waiting (it is posted once the stock is there)")


@router.post("/{order_id}/merge", status_code=200, response_model=MergedOut)
async def merge_orders(
    who: Annotated[Principal, Depends(require(ORDERS_CANCEL))],
    runtime: RuntimeDep,
    once: OnceDep,
    clock: ClockDep,
    order_id: UUID,
    wanted: MergeIn,
) -> Response:
    """'Gộp đơn': two closed orders of one person go as one parcel, until one of them is posted. The older stays, with the
    lines, discount and deposit of both; the younger ends at L5.3, which is not counted as a cancellation."""

    async def effect(session: Session) -> MergedOut:
        for one in (order_id, wanted.other_id):
            await ensure_visible(session, one, who)
        await customers.lock_both(session, order_id, wanted.other_id)
        orders = await record.lock_many(session, [order_id, wanted.other_id])
        if not {order_id, wanted.other_id} <= orders.keys():
            raise OrderNotFound
        older, younger = by_age(orders[order_id], orders[wanted.other_id])
        merged = await merge(
            session,
            older,
            younger,
            staff(who),
            reason=wanted.reason,
            now=clock(),
            allow_waiting=runtime.settings.allow_waiting_stock,
        )
        sums = (await session.execute(_SUMS, {"id": merged.id})).one()
        return MergedOut(
            order_id=merged.id,
            merged_id=younger.id,
            code=merged.code,
            version=merged.version,
            total=sums.total,
            cod=sums.cod,
            stock=sums.stock,
        )

    return await once.run(runtime.db, str(who.account_id), effect, status=200)
