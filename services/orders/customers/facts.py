"""What becomes known of customers while their orders are worked on: refusals, the first conversation, name and address."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.orders.actors import Actor
from services.orders.addresses.checking import DeliveryAddress
from services.orders.customers import history
from shared.db import Session

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
INSERT INTO customer_addresses (id, customer_id, province, district, ward, detail, province_code, district_code, ward_code,
    used_at)
VALUES (:id, :customer_id, :province, :district, :ward, :detail, :province_code, :district_code, :ward_code, :at)
ON CONFLICT (customer_id, province, district, ward, detail) DO UPDATE SET used_at = excluded.used_at,
    province_code = excluded.province_code, district_code = excluded.district_code, ward_code = excluded.ward_code
"""
)
_CONFIRM: Final = text(
    """
UPDATE customers SET confirmed_at = :at, confirmed_by = :by, confirmed_interaction = :interaction
WHERE id = :id AND (confirmed_at IS NULL OR confirmed_at > :at)
"""
)
_UNCONFIRM: Final = text(
    """
UPDATE customers SET confirmed_at = NULL, confirmed_by = '', confirmed_interaction = NULL
WHERE id = :id AND confirmed_interaction = :interaction
"""
)
_NAME: Final = text(
    """
UPDATE customers c SET name = :name, version = c.version + 1 FROM customers b
WHERE c.id = :id AND b.id = c.id AND c.name <> :name RETURNING b.name AS before, c.version
"""
)


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


async def confirm(session: Session, customer_id: UUID, *, at: datetime, by: str, interaction_id: UUID | None) -> None:
    """Notes the first conversation with a customer: from then on they are a contact, not just a number."""
    await session.execute(_CONFIRM, {"id": customer_id, "at": at, "by": by, "interaction": interaction_id})


async def unconfirm(session: Session, customer_id: UUID, *, interaction_id: UUID) -> None:
    """The conversation that confirmed a customer was taken back."""
    await session.execute(_UNCONFIRM, {"id": customer_id, "interaction": interaction_id})


async def remember(
    session: Session, customer_id: UUID, *, name: str, address: DeliveryAddress, actor: Actor, at: datetime
) -> None:
    """Keeps the name and address that an order was closed with."""
    renamed = (await session.execute(_NAME, {"id": customer_id, "name": name})).one_or_none()
    if renamed is not None:
        await history.keep(
            session,
            customer_id,
            kind="profile",
            changes={"name": [renamed.before, name]},
            version=renamed.version,
            reason="closed",
            actor=actor,
            at=at,
        )
    values = {"id": uuid7(), "customer_id": customer_id, "at": at, **address.model_dump()}
    await session.execute(_ADDRESS, values)
