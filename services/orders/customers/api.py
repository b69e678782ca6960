"""Customers: found, read, edited."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import text

from services.orders.access import Carer, Reader
from services.orders.actors import staff
from services.orders.addresses.checking import DeliveryAddress
from services.orders.customers import contacts, lists, numbers, one, profile, timeline
from services.orders.customers.access import ensure_sees, lock, sees_numbers_of
from services.orders.customers.contacts import ContactBody
from services.orders.customers.filters import Filters
from services.orders.customers.lists import CustomerPage
from services.orders.customers.one import CustomerView
from services.orders.customers.profile import CustomerEdit
from services.orders.customers.timeline import CustomerTimeline
from services.orders.hiding import hidden_in
from services.orders.http import ClockDep, Limit, RuntimeDep
from shared.db import Session
from shared.errors import Problem
from shared.etag import ExpectedVersion, tag
from shared.given import GivenInstant
from shared.idempotency import OnceDep

router = APIRouter(prefix="/v1/customers", tags=["customers"])


class WrongFieldFilter(Problem):
    type = "wrong-field-filter"
    status = 422
    vi = "Lọc theo trường viết là 'mã:giá trị', ví dụ skin:oily hoặc age:30."
    en = "A filter by a field is written 'key:value', e.g. skin:oily or age:30."


class Versioned(BaseModel):
    """The customer after an edit."""

    customer_id: UUID
    version: int = Field(description="the ETag for the next edit")


class Added(Versioned):
    id: UUID = Field(description="of what was added")


class AddressBody(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"address": {"ward_code": "26743", "detail": "12 Lê Lợi"}, "label": "cơ quan"}]
        },
    )

    address: DeliveryAddress
    label: str = Field(default="", max_length=50)


class PhonesBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    phones: list[contacts.Typed] = Field(min_length=1, max_length=10, description="in any spelling")


class TagsBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    tags: list[UUID] = Field(max_length=50, description="all of them, of the catalogue that leads keeps")


class HistoryEntry(BaseModel):
    id: UUID
    customer_id: UUID = Field(description="another one than asked for: who went into this one")
    order_id: UUID | None
    version: int
    kind: str
    changes: dict[str, Any] = Field(description="what → [before, after]")
    reason: str
    at: datetime
    by_code: str


class HistoryPage(BaseModel):
    items: list[HistoryEntry]
    next: UUID | None = Field(description="`after` of the next page; null on the last")


@router.get("")
async def list_customers(
    who: Reader,
    runtime: RuntimeDep,
    clock: ClockDep,
    text: Annotated[
        str, Query(description="words of a name, accents or not; the last may be a beginning", max_length=100)
    ] = "",
    phone: Annotated[str, Query(description="whole number, however it is written", max_length=40)] = "",
    tag_ids: Annotated[list[UUID] | None, Query(alias="tag", description="all of them", max_length=10)] = None,
    field: Annotated[
        list[str] | None, Query(description="key:value of a field of the trade, all of them", max_length=10)
    ] = None,
    field_from: Annotated[
        list[str] | None, Query(description="key:value, the least number or first day of a range", max_length=10)
    ] = None,
    field_to: Annotated[
        list[str] | None, Query(description="key:value, the largest number or last day of a range", max_length=10)
    ] = None,
    owner: Annotated[UUID | None, Query(description="account id of whoever holds one of their orders")] = None,
    kind: Literal["", "person", "organisation"] = "",
    blocked: bool | None = None,
    last_order_from: GivenInstant | None = None,
    last_order_to: Annotated[GivenInstant | None, Query(description="no number has come in since then")] = None,
    limit: Limit = 50,
    after: UUID | None = None,
) -> CustomerPage:
    """Customers of whom you see an order, the newest first."""
    filters = Filters(
        text=text,
        phone=phone,
        tags=tuple(tag_ids or ()),
        fields=_by_key(field),
        fields_from=_by_key(field_from),
        fields_to=_by_key(field_to),
        owner=owner,
        kind=kind,
        blocked=blocked,
        last_order_from=last_order_from,
        last_order_to=last_order_to,
    )
    async with runtime.db.read() as session:
        return await lists.page(session, who=who, filters=filters, limit=limit, after=after, now=clock())


def _by_key(asked: list[str] | None) -> tuple[tuple[str, str], ...]:
    """
    Raises:
        WrongFieldFilter: one is not written 'key:value'.
    """
    found = []
    for each in asked or ():
        key, colon, value = each.partition(":")
        if not (key and colon and value):
            raise WrongFieldFilter
        found.append((key, value))
    return tuple(found)


@router.get("/{customer_id}")
async def get_customer(
    who: Reader, runtime: RuntimeDep, clock: ClockDep, customer_id: UUID, response: Response
) -> CustomerView:
    """A customer with everything that their screen shows, but the timeline. The `ETag` is for their edit. Who was merged into
    another is answered with 410 and `merged_into`."""
    async with runtime.db.read() as session:
        customer = await one.read(session, customer_id, who=who, now=clock())
    tag(response, customer.version)
    return customer


@router.get("/{customer_id}/timeline")
async def get_timeline(
    who: Reader,
    runtime: RuntimeDep,
    clock: ClockDep,
    customer_id: UUID,
    limit: Limit = 50,
    after: timeline.Cursor | None = None,
) -> CustomerTimeline:
    """Everything that happened: numbers left, levels, calls, tasks, promises, parcels, money, edits and merges in one list,
    the newest first. Of orders that you may not see it says only that there was something, unless you look after the
    customer (see their last order)."""
    async with runtime.db.read() as session:
        return await timeline.page(session, customer_id, who=who, limit=limit, after=after, now=clock())


@router.get("/{customer_id}/history")
async def get_history(
    who: Reader, runtime: RuntimeDep, clock: ClockDep, customer_id: UUID, limit: Limit = 50, after: UUID | None = None
) -> HistoryPage:
    """Every edit, who made it and what was there before, the newest first; also of those who went into this customer."""
    async with runtime.db.read() as session:
        await ensure_sees(session, customer_id, who)
        rows = await session.execute(_HISTORY, {"id": customer_id, "limit": limit, "after": after})
        items = [HistoryEntry.model_validate(dict(row._mapping)) for row in rows]
        whole = await sees_numbers_of(session, customer_id, who, now=clock())
    if not whole:
        items = [hidden_in(item) for item in items]
    return HistoryPage(items=items, next=items[-1].id if len(items) == limit else None)


@router.patch("/{customer_id}")
async def edit_customer(
    who: Carer,
    runtime: RuntimeDep,
    clock: ClockDep,
    version: ExpectedVersion,
    customer_id: UUID,
    wanted: CustomerEdit,
    response: Response,
) -> Versioned:
    """Changes name, kind, preferences, note, fields of the trade. `If-Match` names the version on which the change rests;
    what was there before is kept."""
    async with runtime.db.transaction() as session:
        customer = await lock(session, customer_id, who, version=version)
        edited = await profile.edit(session, customer, wanted, staff(who), now=clock())
    return _versioned(response, customer_id, edited)


@router.put("/{customer_id}/tags")
async def set_tags(
    who: Carer,
    runtime: RuntimeDep,
    clock: ClockDep,
    version: ExpectedVersion,
    customer_id: UUID,
    wanted: TagsBody,
    response: Response,
) -> Versioned:
    """Gives the customer these tags and no others."""
    async with runtime.db.transaction() as session:
        customer = await lock(session, customer_id, who, version=version)
        edited = await profile.set_tags(session, customer, wanted.tags, staff(who), now=clock())
    return _versioned(response, customer_id, edited)


@router.post("/{customer_id}/phones", status_code=201, response_model=Versioned)
async def add_phones(
    who: Carer, runtime: RuntimeDep, once: OnceDep, clock: ClockDep, customer_id: UUID, wanted: PhonesBody
) -> Response:
    """Adds numbers of the customer. A number belongs to one customer: that of another is refused."""
    phones = contacts.canonical(wanted.phones)

    async def effect(session: Session) -> Versioned:
        await contacts.take(session, customer_id, phones)
        customer = await lock(session, customer_id, who)
        edited = await contacts.add_phones(session, customer, phones, staff(who), now=clock())
        return Versioned(customer_id=customer_id, version=edited)

    return await once.run(runtime.db, str(who.account_id), effect)


@router.post("/{customer_id}/contacts", status_code=201, response_model=Added)
async def add_contact(
    who: Carer, runtime: RuntimeDep, once: OnceDep, clock: ClockDep, customer_id: UUID, contact: ContactBody
) -> Response:
    """Adds a person to speak with: who receives, decides, pays, keeps the books."""
    phones = contacts.canonical(contact.phones)

    async def effect(session: Session) -> Added:
        await contacts.take(session, customer_id, phones)
        customer = await lock(session, customer_id, who)
        added, version = await contacts.add(session, customer, contact, phones, staff(who), now=clock())
        return Added(customer_id=customer_id, version=version, id=added)

    return await once.run(runtime.db, str(who.account_id), effect)


@router.put("/{customer_id}/contacts/{contact_id}")
async def replace_contact(
    who: Carer,
    runtime: RuntimeDep,
    clock: ClockDep,
    version: ExpectedVersion,
    customer_id: UUID,
    contact_id: UUID,
    contact: ContactBody,
    response: Response,
) -> Versioned:
    """Changes a person. Numbers that are left out stay the customer's own."""
    phones = contacts.canonical(contact.phones)
    async with runtime.db.transaction() as session:
        await numbers.lock_phones(session, customer_id)
        await contacts.take(session, customer_id, phones)
        customer = await lock(session, customer_id, who, version=version)
        edited = await contacts.replace(session, customer, contact_id, contact, phones, staff(who), now=clock())
    return _versioned(response, customer_id, edited)


@router.delete("/{customer_id}/contacts/{contact_id}")
async def drop_contact(
    who: Carer,
    runtime: RuntimeDep,
    clock: ClockDep,
    version: ExpectedVersion,
    customer_id: UUID,
    contact_id: UUID,
    response: Response,
) -> Versioned:
    """Takes a person away; their numbers stay the customer's own, because calls were made to them."""
    async with runtime.db.transaction() as session:
        await numbers.lock_phones(session, customer_id)
        customer = await lock(session, customer_id, who, version=version)
        edited = await contacts.replace(session, customer, contact_id, None, {}, staff(who), now=clock())
    return _versioned(response, customer_id, edited)


@router.post("/{customer_id}/addresses", status_code=201, response_model=Added)
async def add_address(
    who: Carer, runtime: RuntimeDep, once: OnceDep, clock: ClockDep, customer_id: UUID, wanted: AddressBody
) -> Response:
    """Keeps an address, by codes of official units, as text, or both."""

    async def effect(session: Session) -> Added:
        customer = await lock(session, customer_id, who)
        added, version = await contacts.add_address(
            session, customer, wanted.address, staff(who), label=wanted.label.strip(), now=clock()
        )
        return Added(customer_id=customer_id, version=version, id=added)

    return await once.run(runtime.db, str(who.account_id), effect)


@router.delete("/{customer_id}/addresses/{address_id}")
async def drop_address(
    who: Carer,
    runtime: RuntimeDep,
    clock: ClockDep,
    version: ExpectedVersion,
    customer_id: UUID,
    address_id: UUID,
    response: Response,
) -> Versioned:
    """Takes an address away; orders keep the one with which they were closed."""
    async with runtime.db.transaction() as session:
        customer = await lock(session, customer_id, who, version=version)
        edited = await contacts.drop_address(session, customer, address_id, staff(who), now=clock())
    return _versioned(response, customer_id, edited)


def _versioned(response: Response, customer_id: UUID, version: int) -> Versioned:
    tag(response, version)
    return Versioned(customer_id=customer_id, version=version)


_HISTORY: Final = text(
    """
WITH RECURSIVE family (id) AS (
    SELECT CAST(:id AS uuid) UNION SELECT c.id FROM customers c JOIN family f ON c.merged_into = f.id
)
SELECT h.id, h.customer_id, h.order_id, h.version, h.kind, h.changes, h.reason, h.at, h.by_code
FROM customer_history h WHERE h.customer_id IN (SELECT id FROM family) AND (CAST(:after AS uuid) IS NULL OR h.id < :after)
ORDER BY h.id DESC LIMIT :limit
"""
)
