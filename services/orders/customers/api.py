"""Customers: found, read, edited, merged."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import text

from services.orders.access import Carer, Reader
from services.orders.actors import staff
from services.orders.addresses.checking import DeliveryAddress
from services.orders.customers import contacts, duplicates, lists, merging, one, profile, timeline
from services.orders.customers.access import ensure_sees, lock
from services.orders.customers.contacts import ContactBody
from services.orders.customers.duplicates import Hint
from services.orders.customers.lists import CustomerPage, Filters
from services.orders.customers.one import CustomerView
from services.orders.customers.profile import CustomerEdit
from services.orders.customers.timeline import CustomerTimeline
from services.orders.http import ClockDep, ExpectedVersion, Limit, RuntimeDep, tag
from shared.auth import Principal, require
from shared.contracts.permissions import LEADS_CORRECT
from shared.db import Session
from shared.errors import Problem
from shared.idempotency import OnceDep

router = APIRouter(prefix="/v1/customers", tags=["customers"])

Corrector = Annotated[Principal, Depends(require(LEADS_CORRECT))]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class WrongFieldFilter(Problem):
    type = "wrong-field-filter"
    status = 422
    vi = "Lọc theo trường viết là 'mã:giá trị', ví dụ skin:oily."
    en = "A filter by a field is written 'key:value', e.g. skin:oily."


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


class ReasonBody(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "bom hàng 3 lần"}]})

    reason: Reason


class MergeBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    other: UUID = Field(description="the customer who goes into this one")
    reason: Reason


class Merged(BaseModel):
    merge_id: UUID = Field(description="takes it back within 24 hours")
    customer_id: UUID
    merged: UUID


class Unmerged(BaseModel):
    customer_id: UUID
    restored: UUID


class MergeView(BaseModel):
    id: UUID
    kept_id: UUID
    gone_id: UUID
    at: datetime
    by_code: str
    reason: str
    undone_at: datetime | None
    undone_by: str


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
    text: Annotated[str, Query(description="beginnings of words of a name, without accents", max_length=100)] = "",
    phone: Annotated[str, Query(description="whole number, however it is written", max_length=40)] = "",
    tag_ids: Annotated[list[UUID] | None, Query(alias="tag", description="all of them", max_length=10)] = None,
    field: Annotated[
        list[str] | None, Query(description="key:value of a field of the trade, all of them", max_length=10)
    ] = None,
    owner: Annotated[UUID | None, Query(description="account id of whoever holds one of their orders")] = None,
    kind: Literal["", "person", "organisation"] = "",
    blocked: bool | None = None,
    last_order_from: AwareDatetime | None = None,
    last_order_to: Annotated[AwareDatetime | None, Query(description="no number has come in since then")] = None,
    limit: Limit = 50,
    after: UUID | None = None,
) -> CustomerPage:
    """Customers of whom you see an order, the newest first."""
    asked = []
    for each in field or ():
        key, colon, value = each.partition(":")
        if not (key and colon and value):
            raise WrongFieldFilter
        asked.append((key, value))
    filters = Filters(
        text=text,
        phone=phone,
        tags=tuple(tag_ids or ()),
        fields=tuple(asked),
        owner=owner,
        kind=kind,
        blocked=blocked,
        last_order_from=last_order_from,
        last_order_to=last_order_to,
    )
    async with runtime.db.read() as session:
        return await lists.page(session, who=who, filters=filters, limit=limit, after=after, now=clock())


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
    who: Reader, runtime: RuntimeDep, customer_id: UUID, limit: Limit = 50, after: timeline.Cursor | None = None
) -> CustomerTimeline:
    """Everything that happened: numbers left, levels, calls, tasks, promises, parcels, money, edits and merges in one list,
    the newest first. Of orders that you may not see it says only that there was something, unless you look after the
    customer (see their last order)."""
    async with runtime.db.read() as session:
        return await timeline.page(session, customer_id, who=who, limit=limit, after=after)


@router.get("/{customer_id}/history")
async def get_history(
    who: Reader, runtime: RuntimeDep, customer_id: UUID, limit: Limit = 50, after: UUID | None = None
) -> HistoryPage:
    """Every edit, who made it and what was there before, the newest first; also of those who went into this customer."""
    async with runtime.db.read() as session:
        await ensure_sees(session, customer_id, who)
        rows = await session.execute(_HISTORY, {"id": customer_id, "limit": limit, "after": after})
        items = [HistoryEntry.model_validate(dict(row._mapping)) for row in rows]
    return HistoryPage(items=items, next=items[-1].id if len(items) == limit else None)


@router.get("/{customer_id}/duplicates")
async def get_duplicates(who: Reader, runtime: RuntimeDep, clock: ClockDep, customer_id: UUID) -> list[Hint]:
    """Who may be the same person, the likeliest first: hints for people, nothing is merged by itself."""
    async with runtime.db.read() as session:
        return await duplicates.hints(session, customer_id, who=who, now=clock())


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


@router.post("/{customer_id}/block", response_model=Versioned)
async def block_customer(
    who: Corrector, runtime: RuntimeDep, once: OnceDep, clock: ClockDep, customer_id: UUID, wanted: ReasonBody
) -> Response:
    """Marks a customer who does not take what they order ('bom hàng'). They are shown with the mark and the count of their
    returned parcels, and a closing may demand a deposit; nothing is refused silently."""

    async def effect(session: Session) -> Versioned:
        customer = await lock(session, customer_id, who)
        version = await profile.block(session, customer, staff(who), reason=wanted.reason, now=clock())
        return Versioned(customer_id=customer_id, version=version)

    return await once.run(runtime.db, str(who.account_id), effect, status=200)


@router.post("/{customer_id}/unblock", response_model=Versioned)
async def unblock_customer(
    who: Corrector, runtime: RuntimeDep, once: OnceDep, clock: ClockDep, customer_id: UUID, wanted: ReasonBody
) -> Response:
    """Takes the mark away."""

    async def effect(session: Session) -> Versioned:
        customer = await lock(session, customer_id, who)
        version = await profile.unblock(session, customer, staff(who), reason=wanted.reason, now=clock())
        return Versioned(customer_id=customer_id, version=version)

    return await once.run(runtime.db, str(who.account_id), effect, status=200)


@router.post("/{customer_id}/merge", response_model=Merged)
async def merge_customers(
    who: Corrector, runtime: RuntimeDep, once: OnceDep, clock: ClockDep, customer_id: UUID, wanted: MergeBody
) -> Response:
    """Two customers are one person: numbers, orders, contacts and addresses of the other go to this one. It can be taken back
    within 24 hours."""

    async def effect(session: Session) -> Merged:
        await ensure_sees(session, customer_id, who)
        await ensure_sees(session, wanted.other, who)
        merge_id = await merging.merge_by_hand(
            session, wanted.other, into=customer_id, actor=staff(who), at=clock(), reason=wanted.reason
        )
        return Merged(merge_id=merge_id, customer_id=customer_id, merged=wanted.other)

    return await once.run(runtime.db, str(who.account_id), effect, status=200)


@router.get("/{customer_id}/merges")
async def list_merges(who: Reader, runtime: RuntimeDep, customer_id: UUID) -> list[MergeView]:
    """Who went into this customer, the last one first."""
    async with runtime.db.read() as session:
        await ensure_sees(session, customer_id, who)
        rows = await session.execute(_MERGES, {"id": customer_id})
        return [MergeView.model_validate(dict(row._mapping)) for row in rows]


@router.post("/merges/{merge_id}/undo", response_model=Unmerged)
async def unmerge_customers(
    who: Corrector, runtime: RuntimeDep, once: OnceDep, clock: ClockDep, merge_id: UUID, wanted: ReasonBody
) -> Response:
    """Takes a merge back within 24 hours: every row that it moved goes back, orders since then stay with the one whose number
    they came with."""

    async def effect(session: Session) -> Unmerged:
        kept, restored = await merging.unmerge(
            session, merge_id, actor=staff(who), now=clock(), reason=wanted.reason, ensure=_seen_by(who)
        )
        return Unmerged(customer_id=kept, restored=restored)

    return await once.run(runtime.db, str(who.account_id), effect, status=200)


def _seen_by(who: Principal) -> merging.Ensure:
    async def ensure(session: Session, customer_id: UUID) -> None:
        await ensure_sees(session, customer_id, who)

    return ensure


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
_MERGES: Final = text(
    """
SELECT id, kept_id, gone_id, at, by_code, reason, undone_at, undone_by FROM customer_merges
WHERE kept_id = :id OR gone_id = :id ORDER BY at DESC, id DESC LIMIT 100
"""
)
