"""Fields of the trade: their definitions, and the values of an order (those of a customer are edited with the customer)."""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

import orjson
from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import text

from services.orders.access import Administrator, Carer, Reader, ensure_visible, lock_visible, sees_numbers_of
from services.orders.actors import staff
from services.orders.customers import history
from services.orders.fields import definitions
from services.orders.fields.definitions import FieldEdit, FieldView, NewField
from services.orders.fields.values import Subject, changed
from services.orders.hiding import hidden_in, unmasked_values
from services.orders.http import ClockDep, RuntimeDep
from shared.db import Session
from shared.errors import PreconditionFailed
from shared.etag import ExpectedVersion, tag
from shared.idempotency import OnceDep

router = APIRouter(prefix="/v1", tags=["custom fields"])

FieldKey = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


class OrderFields(BaseModel):
    version: int
    fields: dict[str, Any] = Field(examples=[{"gift_wrap": True}])


class OrderFieldsEdit(BaseModel):
    model_config = ConfigDict(extra="forbid")

    fields: dict[str, Any] = Field(max_length=100, description="what is to be different; null takes a value away")


_READ: Final = text("SELECT fields_version AS version, fields FROM orders WHERE id = :id")
_WRITE: Final = text(
    "UPDATE orders SET fields = CAST(:fields AS jsonb), fields_version = fields_version + 1 WHERE id = :id"
)
_VERSION: Final = text("SELECT version FROM customers WHERE id = :id")


@router.get("/custom-fields")
async def list_fields(_: Reader, runtime: RuntimeDep, subject: Subject | None = None) -> list[FieldView]:
    """The fields of customers and orders in their order, retired ones included."""
    async with runtime.db.read() as session:
        return await definitions.every(session, subject)


@router.post("/custom-fields", status_code=201, response_model=FieldView)
async def add_field(
    who: Administrator, runtime: RuntimeDep, once: OnceDep, clock: ClockDep, field: NewField
) -> Response:
    """Adds a field. Its key and type stay what they are; labels, choices and the rest may change."""

    async def effect(session: Session) -> FieldView:
        return await definitions.add(session, field, by=who.code, now=clock())

    return await once.run(runtime.db, str(who.account_id), effect)


@router.patch("/custom-fields/{subject}/{key}")
async def edit_field(
    who: Administrator,
    runtime: RuntimeDep,
    clock: ClockDep,
    version: ExpectedVersion,
    subject: Subject,
    key: FieldKey,
    wanted: FieldEdit,
    response: Response,
) -> FieldView:
    """Changes labels, order, choices, whether it is required, or retires it. `If-Match` names its version."""
    async with runtime.db.transaction() as session:
        field = await definitions.edit(session, subject, key, wanted, version=version, by=who.code, now=clock())
    tag(response, field.version)
    return field


@router.get("/orders/{order_id}/fields")
async def get_order_fields(
    who: Reader, runtime: RuntimeDep, clock: ClockDep, order_id: UUID, response: Response
) -> OrderFields:
    """What the company's own fields say of an order; the `ETag` is for their edit."""
    async with runtime.db.read() as session:
        await ensure_visible(session, order_id, who)
        row = (await session.execute(_READ, {"id": order_id})).one()
        whole = await sees_numbers_of(session, order_id, who, now=clock())
    tag(response, row.version)
    return _shown(OrderFields(version=row.version, fields=row.fields), whole=whole)


def _shown(filled: OrderFields, *, whole: bool) -> OrderFields:
    return filled if whole else hidden_in(filled)


@router.patch("/orders/{order_id}/fields")
async def edit_order_fields(
    who: Carer,
    runtime: RuntimeDep,
    clock: ClockDep,
    version: ExpectedVersion,
    order_id: UUID,
    wanted: OrderFieldsEdit,
    response: Response,
) -> OrderFields:
    """Fills in the company's own fields of an order; what is required there must be in before it is closed."""
    async with runtime.db.transaction() as session:
        order = await lock_visible(session, order_id, who)
        row = (await session.execute(_READ, {"id": order_id})).one()
        if row.version != version:
            raise PreconditionFailed
        whole = await sees_numbers_of(session, order_id, who, now=clock())
        sent = unmasked_values(wanted.fields, row.fields)
        after = changed(await definitions.of(session, "order"), sent, before=row.fields, complete=False)
        if after != row.fields:
            version += 1
            await session.execute(_WRITE, {"id": order_id, "fields": orjson.dumps(after).decode()})
            keys = row.fields.keys() | after.keys()
            await history.keep(
                session,
                order.customer_id,
                kind="order_fields",
                changes={k: [row.fields.get(k), after.get(k)] for k in keys if row.fields.get(k) != after.get(k)},
                version=(await session.execute(_VERSION, {"id": order.customer_id})).scalar_one(),
                actor=staff(who),
                at=clock(),
                order_id=order_id,
            )
    tag(response, version)
    return _shown(OrderFields(version=version, fields=after), whole=whole)
