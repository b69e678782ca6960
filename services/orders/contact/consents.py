"""Consent as leads records it: kept as facts by their own ids, in whatever order they come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from shared.contracts.events.leads_everyday import ConsentRecorded
from shared.db import Session

_KEEP: Final = text(
    """
INSERT INTO consents (id, phone, purpose, act, at, how, page, text, recorded_by)
SELECT * FROM unnest(CAST(:id AS uuid[]), CAST(:phone AS text[]), CAST(:purpose AS text[]), CAST(:act AS text[]),
    CAST(:at AS timestamptz[]), CAST(:how AS text[]), CAST(:page AS text[]), CAST(:text AS text[]),
    CAST(:recorded_by AS text[]))
ON CONFLICT (id) DO NOTHING
"""
)
_CONCERNED: Final = text(
    "SELECT o.id FROM orders o JOIN care k ON k.order_id = o.id AND k.is_open WHERE o.phone = ANY(CAST(:phones AS text[]))"
)


async def recorded(session: Session, acts: Sequence[ConsentRecorded]) -> list[UUID]:
    """Keeps what people said of consent. Returns the orders in care that it concerns."""
    rows: list[dict[str, Any]] = [
        {
            "id": act.consent_id,
            "phone": act.phone,
            "purpose": act.purpose,
            "act": act.act,
            "at": act.at,
            "how": act.how,
            "page": act.page,
            "text": act.text,
            "recorded_by": act.by,
        }
        for act in acts
    ]
    await session.execute(_KEEP, {name: [row[name] for row in rows] for name in rows[0]})
    concerned = await session.execute(_CONCERNED, {"phones": sorted({act.phone for act in acts})})
    return list(concerned.scalars())
