"""People to speak with at a customer's, their numbers, and where things are sent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.orders.actors import Actor
from services.orders.addresses.checking import DeliveryAddress, checked
from services.orders.customers import history
from services.orders.customers.access import Customer
from services.orders.customers.profile import Name
from services.orders.hiding import unmasked
from shared.db import ReadSession, Session
from shared.errors import NotFound, Problem
from shared.phone import PhoneProblem, one_phone

Role = Literal["recipient", "decision_maker", "buyer", "payer", "accountant", "user", "family", "other"]
"""Người nhận, người quyết định, người mua, người trả tiền, kế toán, người dùng, người nhà, khác."""
Typed = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40)]
MAX_CONTACTS: Final = 50
MAX_NUMBERS: Final = 30
MAX_ADDRESSES: Final = 100
"""Of one customer."""


class ContactBody(BaseModel):
    """A person to speak with."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"name": "Trần Văn Bình", "roles": ["recipient"], "phones": ["0912 345 678"], "note": "chồng"}]
        },
    )

    name: Annotated[Name, StringConstraints(min_length=1)]
    roles: list[Role] = Field(min_length=1, max_length=8)
    phones: list[Typed] = Field(default=[], max_length=10, description="in any spelling")
    note: str = Field(default="", max_length=300)


class InvalidContactPhone(Problem):
    type = "invalid-contact-phone"
    status = 422
    vi = "Số thứ {number} chưa đúng. {reason_vi}"
    en = "Number {number} of the list will not do. {reason_en}"


class PhoneOfAnother(Problem):
    type = "phone-of-another-customer"
    status = 409
    vi = "Số {phone} là của khách hàng khác. Nếu là cùng một người, gộp hai khách hàng."
    en = "The number {phone} belongs to another customer. If they are one person, merge the two."


class TooMany(Problem):
    type = "too-many-of-customer"
    status = 409
    vi = "Một khách hàng có tối đa {limit} {what}. Bỏ bớt mục cũ."
    en = "A customer has {limit} {what} at most. Take an old one away."


class ContactNotFound(NotFound):
    vi = "Khách hàng không có người liên hệ này. Tải lại khách hàng."
    en = "The customer has no such contact. Load the customer again."


class AddressNotFound(NotFound):
    vi = "Khách hàng không có địa chỉ này. Tải lại khách hàng."
    en = "The customer has no such address. Load the customer again."


_TAKE: Final = text(
    """
INSERT INTO customer_phones (phone, customer_id, as_typed)
SELECT phone, :customer, typed FROM unnest(CAST(:phones AS text[]), CAST(:typed AS text[])) AS t (phone, typed) ORDER BY phone
ON CONFLICT (phone) DO UPDATE SET phone = excluded.phone
RETURNING phone, customer_id
"""
)
_GIVE: Final = text(
    """
WITH left_over AS (
    UPDATE customer_phones SET contact_id = NULL
    WHERE contact_id = :contact AND phone <> ALL(CAST(:phones AS text[]))
)
UPDATE customer_phones SET contact_id = :contact WHERE phone = ANY(CAST(:phones AS text[]))
"""
)
_COUNTS: Final = text(
    """
SELECT (SELECT count(*) FROM customer_contacts WHERE customer_id = :id) AS contacts,
    (SELECT count(*) FROM customer_phones WHERE customer_id = :id) AS phones,
    (SELECT count(*) FROM customer_addresses WHERE customer_id = :id) AS addresses
"""
)
_ONE: Final = text(
    """
SELECT name, roles, note, ARRAY(SELECT phone FROM customer_phones WHERE contact_id = c.id ORDER BY phone) AS phones
FROM customer_contacts c WHERE id = :id AND customer_id = :customer
"""
)
_INSERT: Final = text(
    """
INSERT INTO customer_contacts (id, customer_id, name, roles, note, created_at)
VALUES (:id, :customer, :name, :roles, :note, :now)
"""
)
_UPDATE: Final = text("UPDATE customer_contacts SET name = :name, roles = :roles, note = :note WHERE id = :id")
_DELETE: Final = text("DELETE FROM customer_contacts WHERE id = :id")
_VERSION: Final = text("UPDATE customers SET version = version + 1 WHERE id = :id RETURNING version")
_ADDRESS: Final = text(
    """
INSERT INTO customer_addresses (id, customer_id, province, district, ward, detail, province_code, district_code, ward_code,
    label, used_at)
VALUES (:id, :customer, :province, :district, :ward, :detail, :province_code, :district_code, :ward_code, :label, :now)
ON CONFLICT (customer_id, province, district, ward, detail) DO UPDATE SET label = excluded.label,
    province_code = excluded.province_code, district_code = excluded.district_code, ward_code = excluded.ward_code
RETURNING id
"""
)
_DELETE_ADDRESS: Final = text(
    """
DELETE FROM customer_addresses WHERE id = :id AND customer_id = :customer
RETURNING province, district, ward, detail, label
"""
)


def canonical(phones: Sequence[str]) -> dict[str, str]:
    """The numbers in E.164 beside what was typed.

    Raises:
        InvalidContactPhone: one is none.
    """
    found = {}
    for number, typed in enumerate(phones, start=1):
        phone = one_phone(typed)
        if isinstance(phone, PhoneProblem):
            raise InvalidContactPhone(number=number, **phone.members())
        found[phone] = typed
    return found


async def take(session: Session, customer_id: UUID, phones: dict[str, str]) -> None:
    """Makes numbers the customer's, before anything of the customer is locked: numbers are locked first by everybody.

    Raises:
        PhoneOfAnother: one is somebody else's.
    """
    if not phones:
        return
    values = {"customer": customer_id, "phones": list(phones), "typed": list(phones.values())}
    for row in await session.execute(_TAKE, values):
        if row.customer_id != customer_id:
            raise PhoneOfAnother(phone=phones[row.phone])


async def add_phones(
    session: Session, customer: Customer, phones: dict[str, str], actor: Actor, *, now: datetime
) -> int:
    """Notes numbers that were taken for a locked customer; returns the version."""
    await _ensure_room(session, customer.id)
    return await _kept(session, customer.id, "phone", {"phones": [None, list(phones)]}, actor, now=now)


async def add(
    session: Session, customer: Customer, contact: ContactBody, phones: dict[str, str], actor: Actor, *, now: datetime
) -> tuple[UUID, int]:
    """Adds a person to a locked customer, whose numbers were taken; returns the contact and the version.

    Raises:
        TooMany: the customer has as many as one may have.
    """
    contact_id = uuid7()
    values = {"id": contact_id, "customer": customer.id, "now": now, **_fields(contact)}
    await session.execute(_INSERT, values)
    await session.execute(_GIVE, {"contact": contact_id, "phones": list(phones)})
    await _ensure_room(session, customer.id)
    changes = {"contact": [None, {"id": contact_id, **_fields(contact), "phones": sorted(phones)}]}
    return contact_id, await _kept(session, customer.id, "contact", changes, actor, now=now)


async def replace(
    session: Session,
    customer: Customer,
    contact_id: UUID,
    contact: ContactBody | None,
    phones: dict[str, str],
    actor: Actor,
    *,
    now: datetime,
) -> int:
    """Changes a person of a locked customer, or takes them away (None); returns the version. Numbers that are left over stay
    the customer's own: calls were made to them.

    Raises:
        ContactNotFound: there is no such person.
    """
    row = (await session.execute(_ONE, {"id": contact_id, "customer": customer.id})).one_or_none()
    if row is None:
        raise ContactNotFound
    before: dict[str, Any] = dict(row._mapping)
    if contact is not None:
        kept = {"name": unmasked(contact.name, before["name"]), "note": unmasked(contact.note.strip(), before["note"])}
        contact = contact.model_copy(update=kept)
    after = {**_fields(contact), "phones": sorted(phones)} if contact is not None else None
    if after == before:
        return customer.version
    if contact is None:
        await session.execute(_DELETE, {"id": contact_id})
    else:
        await session.execute(_UPDATE, {"id": contact_id, **_fields(contact)})
        await session.execute(_GIVE, {"contact": contact_id, "phones": list(phones)})
        await _ensure_room(session, customer.id)
    changes = {"contact": [{"id": contact_id, **before}, after and {"id": contact_id, **after}]}
    return await _kept(session, customer.id, "contact", changes, actor, now=now)


async def add_address(
    session: Session, customer: Customer, address: DeliveryAddress, actor: Actor, *, label: str, now: datetime
) -> tuple[UUID, int]:
    """Keeps an address of a locked customer; returns it and the version.

    Raises:
        UnknownUnit, UnitElsewhere, UnitsNotLoaded: its codes will not do.
        TooMany: the customer has as many as one may have.
    """
    address = await checked(session, address)
    values = {"id": uuid7(), "customer": customer.id, "label": label, "now": now, **address.model_dump()}
    address_id: UUID = (await session.execute(_ADDRESS, values)).scalar_one()
    await _ensure_room(session, customer.id)
    changes = {"address": [None, {"id": address_id, "label": label, **address.model_dump(exclude_defaults=True)}]}
    return address_id, await _kept(session, customer.id, "address", changes, actor, now=now)


async def drop_address(session: Session, customer: Customer, address_id: UUID, actor: Actor, *, now: datetime) -> int:
    """Takes an address away from a locked customer; orders keep the one they were closed with. Returns the version.

    Raises:
        AddressNotFound: there is none.
    """
    row = (await session.execute(_DELETE_ADDRESS, {"id": address_id, "customer": customer.id})).one_or_none()
    if row is None:
        raise AddressNotFound
    changes = {"address": [{"id": address_id, **row._mapping}, None]}
    return await _kept(session, customer.id, "address", changes, actor, now=now)


async def _ensure_room(session: ReadSession, customer_id: UUID) -> None:
    counts = (await session.execute(_COUNTS, {"id": customer_id})).one()
    for what, limit in (("contacts", MAX_CONTACTS), ("phones", MAX_NUMBERS), ("addresses", MAX_ADDRESSES)):
        if getattr(counts, what) > limit:
            raise TooMany(limit=limit, what=what)


async def _kept(
    session: Session, customer_id: UUID, kind: str, changes: dict[str, Any], actor: Actor, *, now: datetime
) -> int:
    version: int = (await session.execute(_VERSION, {"id": customer_id})).scalar_one()
    await history.keep(session, customer_id, kind=kind, changes=changes, version=version, actor=actor, at=now)
    return version


def _fields(contact: ContactBody) -> dict[str, Any]:
    return {"name": contact.name, "roles": list(dict.fromkeys(contact.roles)), "note": contact.note.strip()}
