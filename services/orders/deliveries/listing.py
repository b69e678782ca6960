"""Interactions of an order as people read them: each with what became of it."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import text

from services.orders.access import sees_numbers_of
from services.orders.hiding import hidden_in
from shared.auth import Principal
from shared.db import ReadSession


class Delivery(BaseModel):
    fact: str = Field(description="sent, delivered, read, opened, answered, failed")
    first_at: datetime
    times: int = Field(description="how often: an e-mail is opened again")


class InteractionView(BaseModel):
    id: UUID
    kind: str
    direction: str
    at: datetime = Field(description="when it took place")
    recorded_at: datetime
    result: str
    channel: str
    contact: str
    note: str
    reason: str
    seconds: int = Field(description="as the telephone system measured it, else as it was logged")
    recording: str
    staff_code: str
    source: str = Field(description="person, telephone, messages")
    telephone_call: UUID | None
    undone: bool
    deliveries: list[Delivery]


class InteractionPage(BaseModel):
    items: list[InteractionView]
    next: UUID | None = Field(description="`after` of the next page; null on the last")


_PAGE: Final = text(
    """
SELECT i.id, i.kind, i.direction, i.at, i.recorded_at, i.result, i.channel, i.contact, i.note, i.reason,
    coalesce(nullif(c.talk_seconds, 0), i.seconds) AS seconds, coalesce(nullif(c.recording, ''), i.recording) AS recording,
    i.staff_code, i.source, c.id AS telephone_call, u.undone_at IS NOT NULL AS undone, coalesce((
        SELECT jsonb_agg(jsonb_build_object('fact', f.fact, 'first_at', f.first_at, 'times', f.times) ORDER BY f.first_at)
        FROM (SELECT d.fact, min(d.at) AS first_at, count(*) AS times FROM delivery_facts d
            JOIN message_systems s ON s.id = d.system_id AND s.kind = i.kind
            WHERE i.reference <> '' AND d.reference = i.reference GROUP BY d.fact) AS f), '[]') AS deliveries
FROM interactions i LEFT JOIN telephone_calls c ON c.interaction_id = i.id
LEFT JOIN undo_points u ON u.interaction_id = i.id
WHERE i.order_id = :order_id AND (CAST(:after AS uuid) IS NULL OR i.id < :after) ORDER BY i.id DESC LIMIT :limit
"""
)


async def page(
    session: ReadSession, order_id: UUID, *, who: Principal, limit: int, after: UUID | None, now: datetime
) -> InteractionPage:
    """The interactions of an order, the one recorded last on top; whoever logged one sees what they wrote."""
    whole = await sees_numbers_of(session, order_id, who, now=now)
    rows = await session.execute(_PAGE, {"order_id": order_id, "limit": limit, "after": after})
    found = [InteractionView.model_validate(dict(row._mapping)) for row in rows]
    items = [each if whole or each.staff_code == who.code else hidden_in(each) for each in found]
    return InteractionPage(items=items, next=items[-1].id if len(items) == limit else None)
