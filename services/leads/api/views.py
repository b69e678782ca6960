"""Saved views: a person's own filters of the list, by name."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.leads.api.dependencies import Reader
from services.leads.errors import TooManyViews
from services.leads.listing.cursor import Order
from services.leads.listing.filters import LeadFilters
from services.leads.state import RuntimeDep
from services.leads.tags.catalogue import key_of
from services.leads.text import cell
from shared.errors import NotFound

router = APIRouter(prefix="/v1/lead-views", tags=["leads"])

MAX_VIEWS: Final = 50
"""Views of one person: more than fit on a screen."""
MAX_NAME: Final = 80

_LIST: Final = text(
    'SELECT id, name, filters AS filter, list_order AS "order", position, changed_at FROM lead_views '
    "WHERE account_id = :account ORDER BY position, key"
)
# One statement, so that two windows of a person can save at the same time.
_SAVE: Final = text(
    """
INSERT INTO lead_views (id, account_id, name, key, filters, list_order, position, changed_at)
SELECT :id, :account, :name, :key, CAST(:filters AS jsonb), :order, :position, :at
WHERE (SELECT count(*) FROM lead_views WHERE account_id = :account AND key <> :key) < :most
ON CONFLICT (account_id, key) DO UPDATE SET name = excluded.name, filters = excluded.filters,
    list_order = excluded.list_order, position = excluded.position, changed_at = excluded.changed_at
RETURNING id, name, filters AS filter, list_order AS "order", position, changed_at
"""
)
_DROP: Final = text("DELETE FROM lead_views WHERE id = :id AND account_id = :account RETURNING id")


class ViewIn(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"name": "Chưa gọi được tuần này", "filter": {"level": ["L1.4"]}}},
    )

    name: str = Field(min_length=1, max_length=MAX_NAME)
    filter: LeadFilters
    order: Order = "newest"
    position: int = Field(default=100, ge=0, le=10_000)


class ViewOut(BaseModel):
    id: UUID
    name: str
    filter: dict[str, Any] = Field(description="parameters of GET /v1/leads")
    order: Order
    position: int
    changed_at: datetime


@router.get("")
async def list_views(who: Reader, runtime: RuntimeDep) -> list[ViewOut]:
    """Your saved views, in your order."""
    async with runtime.db.read() as session:
        rows = (await session.execute(_LIST, {"account": who.account_id})).all()
    return [ViewOut.model_validate(row._mapping) for row in rows]


@router.put("")
async def save_view(body: ViewIn, who: Reader, runtime: RuntimeDep) -> ViewOut:
    """Saves a view under its name; one of that name is replaced."""
    body.filter.search()  # what cannot be searched for is said now, not when the view is opened
    name = cell(body.name, MAX_NAME)
    values = {
        "id": uuid7(),
        "account": who.account_id,
        "name": name,
        "key": key_of(name),
        "filters": body.filter.model_dump_json(exclude_defaults=True),
        "order": body.order,
        "position": body.position,
        "at": datetime.now(UTC),
        "most": MAX_VIEWS,
    }
    async with runtime.db.transaction() as session:
        row = (await session.execute(_SAVE, values)).one_or_none()
    if row is None:
        raise TooManyViews(limit=MAX_VIEWS)
    return ViewOut.model_validate(row._mapping)


@router.delete("/{view_id}", status_code=204)
async def delete_view(view_id: UUID, who: Reader, runtime: RuntimeDep) -> None:
    """Takes a view of yours away."""
    async with runtime.db.transaction() as session:
        if (await session.execute(_DROP, {"id": view_id, "account": who.account_id})).first() is None:
            raise NotFound(what="view")
