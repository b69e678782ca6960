"""One customer with everything that their screen shows, but the timeline."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import text

from services.orders.customers.access import OWN, ensure_sees, shown
from services.orders.customers.profile import Preferences
from services.orders.hiding import hidden_in
from services.orders.reading.one import TagView
from shared.auth import Principal
from shared.contracts.base import Dong
from shared.contracts.permissions import PHONES_REVEAL
from shared.db import ReadSession

CONSENTS_SHOWN: Final = 20
ADDRESSES_SHOWN: Final = 20


class PhoneView(BaseModel):
    phone: str = Field(description="masked unless it is yours")
    contact_id: UUID | None = Field(description="whose it is; null: of the customer as such")
    added_at: datetime


class ContactView(BaseModel):
    id: UUID
    name: str
    roles: list[str] = Field(description="recipient, decision_maker, buyer, payer, accountant, user, family, other")
    note: str
    phones: list[str] = Field(description="masked unless they are yours")


class AddressView(BaseModel):
    id: UUID
    label: str
    era: str = Field(description="three_tier (until 2025-06-30) or two_tier")
    province: str
    district: str
    ward: str
    detail: str
    province_code: str
    district_code: str
    ward_code: str
    used_at: datetime


class ConsentView(BaseModel):
    """What the customer agreed to when they left their number."""

    order_id: UUID
    at: datetime
    asked_to_be_called: bool
    text: str
    page: str


class CustomerView(BaseModel):
    id: UUID
    version: int = Field(description="the ETag")
    kind: str
    name: str
    tax_code: str
    note: str
    preferences: Preferences
    fields: dict[str, Any] = Field(description="of the trade; GET /v1/custom-fields says what they are")
    tags: list[TagView]
    phones: list[PhoneView] = Field(description="the oldest first")
    contacts: list[ContactView]
    addresses: list[AddressView] = Field(description="those used last on top, 20 at most")
    confirmed_at: datetime | None = Field(description="first conversation; null: nobody ever spoke with them")
    confirmed_by: str
    do_not_call_at: datetime | None
    do_not_call_reason: str
    do_not_call_list: list[dict[str, Any]] = Field(
        description="entries of the list that leads keeps, for their numbers"
    )
    consents: list[ConsentView] = Field(description="the newest first, 20 at most")
    blocked_at: datetime | None = Field(description="'bom hàng' (rule D46)")
    blocked_by: str
    blocked_reason: str
    orders: int
    open: int
    delivered: int
    returned: int
    delivered_value: Dong = Field(description="of the delivered orders")
    last_order_id: UUID | None
    last_order_at: datetime | None
    owner_id: UUID | None = Field(description="of the last order")
    owner_code: str
    created_at: datetime


_ONE: Final = text(
    f"""
SELECT c.id, c.version, c.kind, CASE WHEN c.name <> '' THEN c.name ELSE coalesce(s.first_name, '') END AS name, c.tax_code,
    c.note, c.preferences, c.fields, c.confirmed_at, c.confirmed_by, c.do_not_call_at, c.do_not_call_reason, c.blocked_at,
    c.blocked_by, c.blocked_reason, c.created_at, s.orders, s.open, s.delivered, s.returned, s.delivered_value,
    coalesce(s.own, false) AS own, last.id AS last_order_id, last.cohort_at AS last_order_at, last.owner_id,
    coalesce(last.owner_code, '') AS owner_code,
    (SELECT coalesce(jsonb_agg(jsonb_build_object('id', id, 'name', name, 'colour', colour)
        ORDER BY group_name, position, name), '[]')
     FROM (SELECT DISTINCT m.* FROM tags k JOIN tags m ON m.id = coalesce(k.merged_into, k.id)
        WHERE k.id = ANY(c.tags)) g) AS tags,
    (SELECT coalesce(jsonb_agg(e.entry), '[]') FROM customer_phones p JOIN do_not_call d ON d.phone = p.phone,
        jsonb_array_elements(d.entries) AS e (entry) WHERE p.customer_id = c.id) AS do_not_call_list
FROM customers c
CROSS JOIN LATERAL (
    SELECT count(*) AS orders, count(*) FILTER (WHERE l.kind = 'open') AS open,
        count(*) FILTER (WHERE o.level = 'L8') AS delivered,
        count(*) FILTER (WHERE o.level IN ('L7.3', 'L7.5')) AS returned,
        coalesce(sum(o.total) FILTER (WHERE o.level = 'L8'), 0) AS delivered_value, {OWN} AS own,
        (array_agg(o.name ORDER BY o.id) FILTER (WHERE o.name <> ''))[1] AS first_name
    FROM orders o JOIN levels l ON l.code = o.level WHERE o.customer_id = c.id
) s
LEFT JOIN LATERAL (
    SELECT id, cohort_at, owner_id, owner_code FROM orders o WHERE o.customer_id = c.id ORDER BY o.id DESC LIMIT 1
) last ON true
WHERE c.id = :id
"""
)
_PHONES: Final = text(
    "SELECT phone, contact_id, added_at FROM customer_phones WHERE customer_id = :id ORDER BY added_at, phone"
)
_CONTACTS: Final = text("SELECT id, name, roles, note FROM customer_contacts WHERE customer_id = :id ORDER BY id")
_ADDRESSES: Final = text(
    """
SELECT id, label, era, province, district, ward, detail, province_code, district_code, ward_code, used_at
FROM customer_addresses WHERE customer_id = :id ORDER BY used_at DESC, id DESC LIMIT :limit
"""
)
_CONSENTS: Final = text(
    """
SELECT id AS order_id, cohort_at AS at, asked_to_be_called, consent_text AS text, consent_page AS page
FROM orders WHERE customer_id = :id ORDER BY id DESC LIMIT :limit
"""
)


async def read(session: ReadSession, customer_id: UUID, *, who: Principal, now: datetime) -> CustomerView:
    """
    Raises:
        CustomerNotFound: there is none, or the viewer sees none of their orders.
        CustomerMerged: they are another one now.
    """
    await ensure_sees(session, customer_id, who)
    row = dict((await session.execute(_ONE, {"id": customer_id, "viewer": who.account_id, "now": now})).one()._mapping)
    own = row.pop("own")
    phones = [
        PhoneView(phone=shown(each.phone, who=who, own=own), contact_id=each.contact_id, added_at=each.added_at)
        for each in await session.execute(_PHONES, {"id": customer_id})
    ]
    contacts = [
        ContactView(**each._mapping, phones=[phone.phone for phone in phones if phone.contact_id == each.id])
        for each in await session.execute(_CONTACTS, {"id": customer_id})
    ]
    addresses = await session.execute(_ADDRESSES, {"id": customer_id, "limit": ADDRESSES_SHOWN})
    consents = await session.execute(_CONSENTS, {"id": customer_id, "limit": CONSENTS_SHOWN})
    view = CustomerView(
        **row,
        phones=phones,
        contacts=contacts,
        addresses=[AddressView.model_validate(dict(each._mapping)) for each in addresses],
        consents=[ConsentView.model_validate(dict(each._mapping)) for each in consents],
    )
    return view if own or who.may(PHONES_REVEAL) else hidden_in(view)
