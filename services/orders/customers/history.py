"""Every edit of a customer, kept; and told to the others."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.orders.actors import Actor
from shared.contracts.events.customers import CUSTOMER_CHANGED, CustomerChanged
from shared.db import Session
from shared.outbox import emit

_KEEP: Final = text(
    """
INSERT INTO customer_history (id, customer_id, order_id, version, kind, changes, reason, at, by_id, by_code)
VALUES (:id, :customer_id, :order_id, :version, :kind, CAST(:changes AS jsonb), :reason, :at, :by_id, :by)
"""
)
_NOW: Final = text(
    """
SELECT kind, name, tags, blocked_at IS NOT NULL AS blocked, ARRAY(
    SELECT phone FROM customer_phones p WHERE p.customer_id = c.id ORDER BY added_at, phone) AS phones
FROM customers c WHERE id = :id
"""
)


async def keep(
    session: Session,
    customer_id: UUID,
    *,
    kind: str,
    changes: Mapping[str, Any],
    version: int,
    actor: Actor,
    at: datetime,
    reason: str = "",
    order_id: UUID | None = None,
) -> None:
    """Keeps one edit that was just written, and tells how the customer is now.

    Args:
        kind: profile, contact, phone, address, fields, tags, blocked, unblocked, merged, merged_away, unmerged,
            order_fields.
        changes: what → [before, after].
        version: of the customer after the edit.
        order_id: the order whose fields were edited; then the customer is the same as before and nothing is told.
    """
    await session.execute(
        _KEEP,
        {
            "id": uuid7(),
            "customer_id": customer_id,
            "order_id": order_id,
            "version": version,
            "kind": kind,
            # The driver's UUIDs are a kind of their own, which is written as text.
            "changes": orjson.dumps(dict(changes), default=str).decode(),
            "reason": reason,
            "at": at,
            "by_id": actor.account_id,
            "by": actor.code,
        },
    )
    if order_id is not None:
        return
    now = (await session.execute(_NOW, {"id": customer_id})).one()
    changed = CustomerChanged(customer_id=customer_id, version=version, at=at, by=actor.code, **now._mapping)
    await emit(session, CUSTOMER_CHANGED, changed, subject=customer_id)
