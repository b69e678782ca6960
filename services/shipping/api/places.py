"""Where a connection fetches parcels: one place for each warehouse, each with its own sender."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from uuid_utils.compat import uuid7

from services.shipping.api.dependencies import Administrator, ContextDep, Reader
from services.shipping.carriers.parcel import PickUp
from services.shipping.problems import PlaceExists
from shared.db import Session
from shared.errors import NotFound, PreconditionFailed
from shared.etag import ExpectedVersion, tag
from shared.idempotency import OnceDep, completed

router = APIRouter(prefix="/v1/connections/{connection_id}/places", tags=["connections"])


class PlaceBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    warehouse: str = Field(min_length=1, max_length=100, description="as the company calls it", examples=["HCM-Q7"])
    pick_up: PickUp


class PlaceView(PlaceBody):
    id: UUID
    version: int
    created_at: datetime


class PlaceList(BaseModel):
    items: list[PlaceView] = Field(description="besides the connection's default place, which is its `pick_up`")
    next: None = None


_COLUMNS: Final = "id, warehouse, pick_up, version, created_at"
_LIST = text(f"SELECT {_COLUMNS} FROM pick_up_places WHERE connection_id = :connection_id ORDER BY warehouse")
_ADD = text(
    f"""
INSERT INTO pick_up_places (id, connection_id, warehouse, pick_up)
SELECT :id, id, :warehouse, CAST(:pick_up AS jsonb) FROM carrier_connections WHERE id = :connection_id
RETURNING {_COLUMNS}
"""
)
_LOCK = text("SELECT version FROM pick_up_places WHERE id = :id AND connection_id = :connection_id FOR UPDATE")
_CHANGE = text(
    f"""
UPDATE pick_up_places SET warehouse = :warehouse, pick_up = CAST(:pick_up AS jsonb), version = version + 1
WHERE id = :id RETURNING {_COLUMNS}
"""
)
_DELETE = text("DELETE FROM pick_up_places WHERE id = :id AND connection_id = :connection_id RETURNING id")


@router.get("", summary="The pick-up places of a connection")
async def list_places(connection_id: UUID, context: ContextDep, _: Reader) -> PlaceList:
    async with context.db.read() as session:
        rows = (await session.execute(_LIST, {"connection_id": connection_id})).mappings().all()
    return PlaceList(items=[PlaceView.model_validate(dict(row)) for row in rows])


@router.post("", status_code=201, response_model=PlaceView, summary="Add a pick-up place")
async def add_place(
    connection_id: UUID, body: PlaceBody, context: ContextDep, who: Administrator, once: OnceDep
) -> Response:
    async def effect(session: Session) -> PlaceView:
        parameters = {
            "id": uuid7(),
            "connection_id": connection_id,
            "warehouse": body.warehouse,
            "pick_up": body.pick_up.model_dump_json(),
        }
        try:
            row = (await session.execute(_ADD, parameters)).mappings().one_or_none()
        except IntegrityError:
            raise PlaceExists(warehouse=body.warehouse) from None
        if row is None:
            raise NotFound(what="kết nối / connection")
        return PlaceView.model_validate(dict(row))

    answer = await once.run(context.db, str(who.account_id), effect)
    view = PlaceView.model_validate_json(bytes(answer.body))
    response = completed(answer, view)
    tag(response, view.version)
    return response


@router.put("/{place_id}", summary="Change a pick-up place")
async def change_place(
    connection_id: UUID,
    place_id: UUID,
    body: PlaceBody,
    context: ContextDep,
    _: Administrator,
    version: ExpectedVersion,
    response: Response,
) -> PlaceView:
    """Parcels that the carrier has already stay with the former place."""
    async with context.db.transaction() as session:
        held = (await session.execute(_LOCK, {"id": place_id, "connection_id": connection_id})).scalar()
        if held is None:
            raise NotFound(what="nơi lấy hàng / pick-up place")
        if held != version:
            raise PreconditionFailed
        try:
            changed = await session.execute(
                _CHANGE,
                {"id": place_id, "warehouse": body.warehouse, "pick_up": body.pick_up.model_dump_json()},
            )
        except IntegrityError:
            raise PlaceExists(warehouse=body.warehouse) from None
        view = PlaceView.model_validate(dict(changed.mappings().one()))
    tag(response, view.version)
    return view


@router.delete("/{place_id}", status_code=204, summary="Remove a pick-up place")
async def remove_place(connection_id: UUID, place_id: UUID, context: ContextDep, _: Administrator) -> None:
    """What was to be fetched there and is not sent yet is fetched at the connection's default place."""
    async with context.db.transaction() as session:
        gone = (await session.execute(_DELETE, {"id": place_id, "connection_id": connection_id})).scalar()
    if gone is None:
        raise NotFound(what="nơi lấy hàng / pick-up place")
