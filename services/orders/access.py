"""Who may see an order, and whose telephone number."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Depends
from sqlalchemy import text

from services.orders import record
from services.orders.record import Order
from shared.auth import Principal, principal, require
from shared.contracts import permissions
from shared.db import ReadSession, Session
from shared.errors import Forbidden, NotFound

REVEALED_AFTER_END: Final = timedelta(days=30)
"""How long after the end of an order its owner still sees the number (rule D26)."""

Reader = Annotated[Principal, Depends(require(permissions.ORDERS_READ))]
Carer = Annotated[Principal, Depends(require(permissions.ORDERS_CARE))]


async def _caller(who: Annotated[Principal, Depends(principal)]) -> Principal:
    """
    Raises:
        Forbidden: neither care nor the COD desk is theirs.
    """
    if not (who.may(permissions.ORDERS_CARE) or who.may(permissions.SHIPPING_WRITE)):
        raise Forbidden(permission=permissions.ORDERS_CARE)
    return who


Caller = Annotated[Principal, Depends(_caller)]
"""Whoever calls customers: sales, and the COD desk about failed deliveries."""
Operator = Annotated[Principal, Depends(require(permissions.ORDERS_OPERATE))]
Administrator = Annotated[Principal, Depends(require(permissions.ORDERS_ADMIN))]

VISIBLE: Final = """(
    :sees_all OR o.owner_id = :viewer OR o.closer_id = :viewer
    OR o.owner_id IN (SELECT account_id FROM staff_closure WHERE superior_id = :viewer)
    OR o.closer_id IN (SELECT account_id FROM staff_closure WHERE superior_id = :viewer)
    OR o.id IN (SELECT order_id FROM tasks WHERE closed_at IS NULL AND to_team AND team = :viewer_team AND team <> '')
    OR o.id IN (SELECT order_id FROM tasks WHERE claimed_by_id = :viewer)
)"""
"""The condition on orders `o`: held or closed by the viewer or by somebody below them, with a task that was opened to the
viewer's team, or of which they took a call once; unless they see all. Its parameters are those of `viewer()`."""

VISIBLE_IDS: Final = """(
    SELECT id FROM orders WHERE owner_id = ANY(ARRAY(SELECT account_id FROM staff_closure WHERE superior_id = :viewer)
        || CAST(:viewer AS uuid))
    UNION
    SELECT id FROM orders WHERE closer_id = ANY(ARRAY(SELECT account_id FROM staff_closure WHERE superior_id = :viewer)
        || CAST(:viewer AS uuid))
    UNION
    SELECT order_id FROM tasks WHERE closed_at IS NULL AND to_team AND team = :viewer_team AND team <> ''
    UNION
    SELECT order_id FROM tasks WHERE claimed_by_id = :viewer
)"""
"""The orders of `VISIBLE` for whoever does not see all, as sets that are each read by an index: for lists of what belongs to
orders, where few among millions would otherwise be found by walking through all. Parameters: `viewer_of_ids()`."""

READABLE: Final = f"""({VISIBLE}
    OR (EXISTS (SELECT 1 FROM note_mentions m WHERE m.order_id = o.id AND m.account_id = :viewer)
        AND EXISTS (SELECT 1 FROM levels l WHERE l.code = o.level AND l.kind = 'open'))
    OR o.id IN (SELECT order_id FROM tasks WHERE closed_at IS NULL AND owner_id = :viewer)
)"""
"""The condition on orders `o` that somebody may look at, and write notes on, but not work on: also whoever a note on it
mentions while it is open, and whoever owes an answer about it."""


def viewer(who: Principal) -> dict[str, Any]:
    """The parameters of `VISIBLE`."""
    return {"viewer": who.account_id, "sees_all": who.sees_all, "viewer_team": who.team}


def viewer_of_ids(who: Principal) -> dict[str, Any]:
    """The parameters of `VISIBLE_IDS`."""
    return {"viewer": who.account_id, "viewer_team": who.team}


_SEES: Final = text(f"SELECT 1 FROM orders o WHERE o.id = :id AND {VISIBLE}")


_READS: Final = text(f"SELECT 1 FROM orders o WHERE o.id = :id AND {READABLE}")


class OrderNotFound(NotFound):
    vi = "Không tìm thấy đơn hàng này. Kiểm tra lại mã, hoặc bạn chưa được quyền xem."
    en = "There is no such order, or you may not see it. Check the id."


async def ensure_visible(session: ReadSession, order_id: UUID, who: Principal) -> None:
    """
    Raises:
        OrderNotFound: there is no such order, or not for this viewer.
    """
    if (await session.execute(_SEES, {"id": order_id, **viewer(who)})).first() is None:
        raise OrderNotFound


async def ensure_readable(session: ReadSession, order_id: UUID, who: Principal) -> None:
    """
    Raises:
        OrderNotFound: there is no such order, or not for this viewer to look at.
    """
    if (await session.execute(_READS, {"id": order_id, **viewer(who)})).first() is None:
        raise OrderNotFound


async def lock_readable(session: Session, order_id: UUID, who: Principal) -> Order:
    """An order on which a note is written, held until the transaction ends.

    Raises:
        OrderNotFound: there is no such order, or not for this viewer to look at.
    """
    order = await record.lock(session, order_id)
    if order is None:
        raise OrderNotFound
    await ensure_readable(session, order_id, who)
    return order


async def lock_visible(session: Session, order_id: UUID, who: Principal) -> Order:
    """An order to be changed, held until the transaction ends.

    Raises:
        OrderNotFound: there is no such order, or not for this viewer.
    """
    order = await record.lock(session, order_id)
    if order is None:
        raise OrderNotFound
    # After the lock: the order may have changed hands while this waited.
    await ensure_visible(session, order_id, who)
    return order


_NUMBERS: Final = text(
    """
SELECT o.owner_id, o.closer_id, o.level_since, l.kind = 'open' AS is_open, EXISTS (
    SELECT 1 FROM tasks t WHERE t.order_id = o.id AND t.closed_at IS NULL AND t.kind <> 'answer'
        AND (t.owner_id = :viewer OR t.claimed_by_id = :viewer OR (t.to_team AND t.team = :viewer_team AND t.team <> ''))
) AS calls
FROM orders o JOIN levels l ON l.code = o.level WHERE o.id = :id
"""
)


async def sees_numbers_of(session: ReadSession, order_id: UUID, who: Principal, *, now: datetime) -> bool:
    """Whether a viewer sees whole what numbers stand on an order and in what was written about it: as with its telephone
    number, or because they have to call."""
    if who.may(permissions.PHONES_REVEAL):
        return True
    row = (await session.execute(_NUMBERS, {"id": order_id, **viewer_of_ids(who)})).one_or_none()
    if row is None:
        return False
    return sees_numbers(who, row._mapping, calls=row.calls, now=now)


def sees_numbers(who: Principal, order: Mapping[Any, Any], *, calls: bool = False, now: datetime) -> bool:
    """Whether a customer's number, and those in the texts beside it, are shown whole: to the owner or closer while the order
    is open and 30 days on, to whoever has to call, and with the permission (rule D26).

    Args:
        order: a row with owner_id, closer_id, level_since and is_open (whether the level is an open one).
        calls: whether they have to call about the order, also where it is somebody else's.
    """
    own = who.account_id in (order["owner_id"], order["closer_id"]) and (
        order["is_open"] or now - order["level_since"] < REVEALED_AFTER_END
    )
    return own or calls or who.may(permissions.PHONES_REVEAL)
