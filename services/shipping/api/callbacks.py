"""Callbacks that somebody has to look at."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlalchemy import text

from services.shipping.api.dependencies import Administrator, After, ContextDep, Limit

router = APIRouter(prefix="/v1/callbacks", tags=["callbacks"])

CallbackState = Literal["received", "applied", "unmatched", "failed"]
MAX_SHOWN = 4000
"""Bytes of a body that are shown; the whole is in the database."""


class CallbackView(BaseModel):
    id: UUID
    connection_id: UUID
    carrier: str
    shop_name: str
    state: CallbackState = Field(description="failed: not readable; unmatched: readable, about no shipment of ours")
    error: str
    headers: dict[str, str]
    body: str = Field(description="as it came, bytes that are no text replaced, long ones cut")
    received_at: datetime
    processed_at: datetime | None


class CallbackPage(BaseModel):
    items: list[CallbackView]
    next: UUID | None


_LIST = text(
    """
SELECT r.id, r.connection_id, c.carrier, c.shop_name, r.state, r.error, r.headers, substr(r.body, 1, :shown) AS body,
    r.received_at, r.processed_at
FROM callbacks_raw r JOIN carrier_connections c ON c.id = r.connection_id
WHERE r.state = :state AND (CAST(:after AS uuid) IS NULL OR r.id < :after)
ORDER BY r.id DESC LIMIT :limit
"""
)


@router.get("", summary="Callbacks by what became of them, newest first")
async def list_callbacks(
    context: ContextDep,
    _: Administrator,
    state: Annotated[CallbackState, Query()] = "failed",
    limit: Limit = 50,
    after: After = None,
) -> CallbackPage:
    async with context.db.read() as session:
        parameters = {"state": state, "after": after, "limit": limit + 1, "shown": MAX_SHOWN}
        rows = (await session.execute(_LIST, parameters)).mappings().all()
    items = [
        CallbackView.model_validate({**row, "body": bytes(row["body"]).decode(errors="replace")})
        for row in rows[:limit]
    ]
    return CallbackPage(items=items, next=items[-1].id if len(rows) > limit else None)
