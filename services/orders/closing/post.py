"""'Đăng đơn': the COD desk hands a closed order to shipping."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import text

from services.orders.actors import Actor
from services.orders.closing import fulfilment
from services.orders.record import Order
from shared.contracts.levels import CLOSED
from shared.db import Session
from shared.errors import Problem


class NotToPost(Problem):
    type = "not-to-post"
    status = 409
    vi = "Chỉ đăng được đơn đã chốt (L5); đơn này đang ở {level}. Tải lại danh sách."
    en = "Only closed orders (L5) are posted; this one is at {level}. Load the list again."


class WaitingForStock(Problem):
    type = "waiting-for-stock"
    status = 409
    vi = "Đơn đang chờ hàng nên chưa đăng được. Nhập thêm hàng vào kho, đơn chốt trước được trước."
    en = "The order waits for stock, so it cannot be posted yet. Receive goods; who closed first is served first."


_STOCK: Final = text("SELECT state FROM reservations WHERE order_id = :id")


async def post(session: Session, order: Order, actor: Actor, *, now: datetime) -> None:
    """Posts a locked order; posting it again changes nothing.

    Raises:
        NotToPost: it is not closed, or was cancelled or sent.
        WaitingForStock: not everything is reserved yet (rule D19).
    """
    if order.level != CLOSED:
        raise NotToPost(level=order.level)
    if (await session.execute(_STOCK, {"id": order.id})).scalar() != "reserved":
        raise WaitingForStock
    await fulfilment.post(session, order.id, at=now, by=actor.code)
