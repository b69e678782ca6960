"""Who may see a customer, and whose numbers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from services.orders.access import REVEALED_AFTER_END, VISIBLE, viewer
from shared.auth import Principal
from shared.contracts.permissions import PHONES_REVEAL
from shared.db import ReadSession, Session
from shared.errors import NotFound, PreconditionFailed, Problem
from shared.phone.hiding import hidden
from shared.phone.masking import masked, national


class CustomerNotFound(NotFound):
    vi = "Không tìm thấy khách hàng này. Kiểm tra lại mã, hoặc bạn chưa được quyền xem."
    en = "There is no such customer, or you may not see them. Check the id."


class CustomerMerged(Problem):
    type = "customer-merged"
    status = 410
    vi = "Khách hàng này đã được gộp vào khách hàng {merged_into}. Mở khách hàng đó."
    en = "This customer was merged into {merged_into}. Open that one."


OWN: Final = f"""bool_or((o.owner_id = :viewer OR o.closer_id = :viewer) AND (l.kind = 'open'
    OR o.level_since > CAST(:now AS timestamptz) - interval '{REVEALED_AFTER_END.days} days'))"""
"""Whether one of the orders `o` at levels `l` of a customer shows the viewer the numbers (rule D26)."""

_SEES: Final = text(
    f"""
WITH RECURSIVE line (id, merged_into) AS (
    SELECT id, merged_into FROM customers WHERE id = :id
    UNION SELECT c.id, c.merged_into FROM customers c JOIN line ON c.id = line.merged_into
)
SELECT line.id FROM line WHERE merged_into IS NULL AND (:sees_all OR EXISTS (
    SELECT 1 FROM orders o WHERE o.customer_id = line.id AND {VISIBLE}))
"""
)


_OWN_ONE: Final = text(
    f"SELECT coalesce({OWN}, false) FROM orders o JOIN levels l ON l.code = o.level WHERE o.customer_id = :id"
)


async def sees_numbers_of(session: ReadSession, customer_id: UUID, who: Principal, *, now: datetime) -> bool:
    """Whether a viewer sees a customer's numbers whole, and those in what was written about them."""
    if who.may(PHONES_REVEAL):
        return True
    values = {"id": customer_id, "viewer": who.account_id, "now": now}
    own: bool = (await session.execute(_OWN_ONE, values)).scalar_one()
    return own


def shown_text(text: str, *, who: Principal, own: bool) -> str:
    """What was written of a customer, the numbers in it as `shown` shows theirs."""
    return text if own or who.may(PHONES_REVEAL) else hidden(text)


def shown(phone: str, *, who: Principal, own: bool) -> str:
    """A number of a customer as a viewer sees it.

    Args:
        own: what `OWN` says of the customer's orders.
    """
    return national(phone) if own or who.may(PHONES_REVEAL) else masked(phone)


async def ensure_sees(session: ReadSession, customer_id: UUID, who: Principal) -> None:
    """
    Raises:
        CustomerNotFound: there is none, or the viewer sees none of their orders.
        CustomerMerged: they are another one now.
    """
    known_as = (await session.execute(_SEES, {"id": customer_id, **viewer(who)})).scalar_one_or_none()
    if known_as is None:
        raise CustomerNotFound
    if known_as != customer_id:
        raise CustomerMerged(merged_into=str(known_as))


@dataclass(frozen=True)
class Customer:
    """The row of a customer as code works with it, read under its lock."""

    id: UUID
    version: int
    kind: str
    name: str
    tax_code: str
    note: str
    preferences: dict[str, Any]
    fields: dict[str, Any]
    tags: tuple[UUID, ...]
    blocked_at: datetime | None


_COLUMNS: Final = ", ".join(Customer.__dataclass_fields__)
_LOCK: Final = text(f"SELECT {_COLUMNS} FROM customers WHERE id = :id FOR NO KEY UPDATE")


async def lock(session: Session, customer_id: UUID, who: Principal, *, version: int | None = None) -> Customer:
    """A customer to be edited, held until the transaction ends. Numbers that the edit takes must be locked before.

    Args:
        version: on which the edit rests; None for what adds and takes nothing away.

    Raises:
        CustomerNotFound, CustomerMerged: there is nobody to edit.
        PreconditionFailed: somebody edited them meanwhile.
    """
    row = (await session.execute(_LOCK, {"id": customer_id})).one_or_none()
    if row is None:
        raise CustomerNotFound
    await ensure_sees(session, customer_id, who)
    if version is not None and row.version != version:
        raise PreconditionFailed
    return Customer(**{**row._mapping, "tags": tuple(row.tags)})
