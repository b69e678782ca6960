"""What a company demands for a closing besides rule D16: its own required fields, and a deposit of blocked customers."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from sqlalchemy import text

from services.orders.closing.contents import Contents
from services.orders.fields import definitions
from services.orders.fields.values import changed
from shared.db import Session
from shared.errors import Problem


class DepositRequired(Problem):
    type = "deposit-required"
    status = 422
    vi = (
        "Khách đang bị chặn vì bom hàng ({returned} đơn hoàn). Cần cọc ít nhất {deposit} đ trước khi chốt, hoặc nhờ quản "
        "lý bỏ chặn."
    )
    en = (
        "The customer is blocked ({returned} parcels returned). Take a deposit of {deposit} đ at least, or ask your "
        "superior to unblock them."
    )


_BLOCKED: Final = text(
    """
SELECT count(*) FILTER (WHERE o.level IN ('L7.3', 'L7.5')) AS returned
FROM customers c LEFT JOIN orders o ON o.customer_id = c.id
WHERE c.id = :id AND c.blocked_at IS NOT NULL GROUP BY c.id
"""
)
_FIELDS: Final = text("SELECT fields FROM orders WHERE id = :id")


async def ensure_fields(session: Session, order_id: UUID) -> None:
    """
    Raises:
        InvalidFields: a required field of orders is not filled in.
    """
    known = await definitions.of(session, "order")
    if any(definition.required for definition in known):
        filled = (await session.execute(_FIELDS, {"id": order_id})).scalar_one()
        changed(known, {}, before=filled, complete=True)


async def ensure_deposit(session: Session, customer_id: UUID, contents: Contents, *, percent: int) -> None:
    """
    Args:
        percent: of the total, that a blocked customer must pay beforehand (rule D46).

    Raises:
        DiscountTooLarge, DepositTooLarge: something would be negative.
        DepositRequired: the customer is blocked and the deposit too small.
    """
    total = contents.sums().total
    least = -(-total * percent // 100)
    if contents.deposit >= least:
        return
    blocked = (await session.execute(_BLOCKED, {"id": customer_id})).one_or_none()
    if blocked is not None:
        raise DepositRequired(deposit=least, returned=blocked.returned)
