"""Customers: one for each telephone number that ever reached us."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from uuid_utils.compat import uuid7

from shared.db import Session


@dataclass(frozen=True)
class Contact:
    """What a lead says about its customer; `phones` begins with the one to call."""

    phones: tuple[str, ...]
    name: str = ""


# Numbers are taken in one order by everybody, so that two batches never wait for one another in a circle. The update
# that changes nothing makes the row of somebody else's number come back, after their transaction ended.
_TAKE_PHONES: Final = text(
    """
INSERT INTO customer_phones (phone, customer_id)
SELECT * FROM unnest(CAST(:phones AS text[]), CAST(:customers AS uuid[])) AS t (phone, customer_id) ORDER BY phone
ON CONFLICT (phone) DO UPDATE SET phone = excluded.phone
RETURNING phone, customer_id
"""
)
_CREATE: Final = text(
    """
INSERT INTO customers (id, name) SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:names AS text[]))
ON CONFLICT (id) DO UPDATE SET name = excluded.name WHERE customers.name = ''
"""
)
_ADD_PHONES: Final = text(
    """
INSERT INTO customer_phones (phone, customer_id)
SELECT * FROM unnest(CAST(:phones AS text[]), CAST(:customers AS uuid[])) AS t (phone, customer_id) ORDER BY phone
ON CONFLICT (phone) DO NOTHING
"""
)
_REFUSE: Final = text(
    """
UPDATE customers SET do_not_call_at = :at, do_not_call_reason = :reason
WHERE id = :id AND (do_not_call_at IS NULL OR do_not_call_at < :at)
"""
)
_ALLOW: Final = text(
    """
UPDATE customers SET do_not_call_at = CAST(:before AS timestamptz),
    do_not_call_reason = CASE WHEN CAST(:before AS timestamptz) IS NULL THEN '' ELSE do_not_call_reason END
WHERE id = :id AND do_not_call_at = :refused_at
"""
)
_LIFT: Final = text("UPDATE customers SET do_not_call_at = NULL, do_not_call_reason = '' WHERE id = :id")
_ADDRESS: Final = text(
    """
INSERT INTO customer_addresses (id, customer_id, province, district, ward, detail, used_at)
VALUES (:id, :customer_id, :province, :district, :ward, :detail, :at)
ON CONFLICT (customer_id, province, district, ward, detail) DO UPDATE SET used_at = excluded.used_at
"""
)
_NAME: Final = text("UPDATE customers SET name = :name WHERE id = :id AND name <> :name")


async def ensure(session: Session, contacts: Sequence[Contact]) -> list[UUID]:
    """The customers of these contacts in order, known by their first number or made now.

    Further numbers that nobody has are added; one that another customer has stays there.
    """
    candidates = {contact.phones[0]: uuid7() for contact in contacts}
    taken = await session.execute(_TAKE_PHONES, {"phones": list(candidates), "customers": list(candidates.values())})
    by_phone: dict[str, UUID] = {row.phone: row.customer_id for row in taken}
    ids = [by_phone[contact.phones[0]] for contact in contacts]
    names: dict[UUID, str] = {}
    for customer, contact in zip(ids, contacts, strict=True):
        names[customer] = names.get(customer) or contact.name
    await session.execute(_CREATE, {"ids": list(names), "names": list(names.values())})
    others = {phone: customer for customer, contact in zip(ids, contacts, strict=True) for phone in contact.phones[1:]}
    if others:
        await session.execute(_ADD_PHONES, {"phones": list(others), "customers": list(others.values())})
    return ids


async def refuse_calls(session: Session, customer_id: UUID, *, at: datetime, reason: str) -> None:
    """Puts a customer's numbers on the do-not-call list (rule D13)."""
    await session.execute(_REFUSE, {"id": customer_id, "at": at, "reason": reason})


async def allow_calls(session: Session, customer_id: UUID, *, refused_at: datetime, before: datetime | None) -> None:
    """Takes a refusal back that was a mistake, unless the customer has refused again since.

    Args:
        refused_at: the refusal.
        before: when the customer had refused before that, or None.
    """
    await session.execute(_ALLOW, {"id": customer_id, "refused_at": refused_at, "before": before})


async def lift_refusal(session: Session, customer_id: UUID) -> None:
    """Somebody took responsibility, with a reason, for calling a customer again who had refused."""
    await session.execute(_LIFT, {"id": customer_id})


async def remember(
    session: Session,
    customer_id: UUID,
    *,
    name: str,
    province: str,
    district: str,
    ward: str,
    detail: str,
    at: datetime,
) -> None:
    """Keeps the name and address that an order was closed with."""
    await session.execute(_NAME, {"id": customer_id, "name": name})
    await session.execute(
        _ADDRESS,
        {
            "id": uuid7(),
            "customer_id": customer_id,
            "province": province,
            "district": district,
            "ward": ward,
            "detail": detail,
            "at": at,
        },
    )
