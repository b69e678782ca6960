"""May this number be contacted now? Asked before each dial and each message; every yes is kept as proof."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import text

from services.orders.access import VISIBLE, Reader, ensure_visible, viewer
from services.orders.actors import staff
from services.orders.care.grounds import By, GroundKind, How, Purpose
from services.orders.care.processes import Processes
from services.orders.contact import answer, sentences
from services.orders.contact.answer import Answer
from services.orders.http import ClockDep, Limit, ProcessesDep, RuntimeDep
from shared.auth import Principal
from shared.contracts.permissions import ORDERS_ADMIN
from shared.db import Session
from shared.errors import Forbidden, Invalid
from shared.phone import PhoneProblem, one_phone, read_phone

router = APIRouter(prefix="/v1", tags=["legal gate"])

MAX_ORDERS: Final = 20
"""Orders of a number that are looked at, the newest first."""


class GroundView(BaseModel):
    """Why the number may be contacted, with the record that proves it."""

    kind: GroundKind = Field(
        description="requested: asked to be contacted about this order; consented: to advertising calls, or messages; "
        "advertising_limits: neither, within the limits of Decree 91/2020"
    )
    how: How = Field(description="left_number, came_again, contacted_us, agreed (to another call), recorded, none")
    since: datetime | None
    consent_id: UUID | None = Field(description="the lead, the interaction, or the act of consent in leads")
    text: str = Field(description="the wording they agreed to")
    page: str


class MayContact(BaseModel):
    """The answer of the legal gate (rule D38)."""

    allowed: bool
    by: By
    purpose: Purpose
    at: datetime
    order_id: UUID | None = Field(description="the order about which it is; null: about none")
    ground: GroundView | None = Field(description="null: consent was taken back")
    refusal: str | None = Field(
        description="do_not_call, consent_withdrawn, paused, outside_hours, too_soon, daily_limit; null: allowed"
    )
    next_at: datetime | None = Field(description="from when on it may be; null: now, or not as things stand")
    vi: str = Field(examples=["Được gọi: khách đã để lại số."])
    en: str
    in_24_hours: int = Field(description="calls, or messages, to this number in the last 24 hours, for all products")
    today: int = Field(description="the same since midnight in Vietnam")
    check_id: UUID | None = Field(description="the record of this answer, if it allows the contact")


class Asking(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"phone": "0912 345 678", "by": "call"}]})

    phone: str = Field(min_length=1, max_length=40, description="in any spelling")
    by: By = "call"
    purpose: Purpose = Field(default="request", description="advertising: upsell, after-sale offers, campaigns")


class Check(BaseModel):
    """A contact that the gate allowed."""

    id: UUID
    at: datetime
    order_id: UUID | None
    by: By
    purpose: Purpose
    ground: GroundKind
    how: How
    since: datetime | None
    consent_id: UUID | None
    consent_text: str
    consent_page: str
    process: str
    process_version: int
    asked_code: str = Field(description="staff code of whoever asked")


class CheckPage(BaseModel):
    items: list[Check]
    next: UUID | None = Field(description="`after` of the next page; null on the last")


@router.get("/orders/{order_id}/may-contact")
async def may_contact_order(
    who: Reader,
    runtime: RuntimeDep,
    clock: ClockDep,
    processes: ProcessesDep,
    order_id: UUID,
    by: By = "call",
    purpose: Annotated[Purpose, Query(description="advertising: upsell, after-sale offers, campaigns")] = "request",
) -> MayContact:
    """Whether the customer of an order may be called, or written to, at this moment, by which ground; if not why, and from
    when on. Ask before each dial: an answer that allows it is kept, with its ground, so that it can be proved."""
    async with runtime.db.transaction() as session:
        await ensure_visible(session, order_id, who)
        found = await answer.of_order(session, processes, order_id, by=by, purpose=purpose, now=clock())
        return contact_view(await answer.keep(session, found, staff(who)))


_ORDERS: Final = text(
    f"""
SELECT o.id FROM orders o JOIN levels l ON l.code = o.level
WHERE o.phone = :phone AND {VISIBLE} ORDER BY l.kind = 'final', o.id DESC LIMIT :limit
"""
)


@router.post("/may-contact", status_code=200)
async def may_contact_number(
    who: Reader, runtime: RuntimeDep, clock: ClockDep, processes: ProcessesDep, asking: Asking
) -> MayContact:
    """The same for a number: about that of its orders which you may see and which allows it, open ones first; about none
    it is advertising. The number is in the body because addresses stay in logs."""
    phone = one_phone(asking.phone)
    if isinstance(phone, PhoneProblem):
        raise Invalid(
            errors=[{"field": "body.phone", "message": f"{phone.vi} / {phone.en}", "code": f"phone_{phone.code}"}]
        )
    async with runtime.db.transaction() as session:
        found = await _of_number(session, processes, phone, asking, who=who, now=clock())
        return contact_view(await answer.keep(session, found, staff(who)))


async def _of_number(
    session: Session, processes: Processes, phone: str, asking: Asking, *, who: Principal, now: datetime
) -> Answer:
    orders = await session.execute(_ORDERS, {"phone": phone, "limit": MAX_ORDERS, **viewer(who)})
    refused: Answer | None = None
    for order_id in orders.scalars():
        found = await answer.of_order(session, processes, order_id, by=asking.by, purpose=asking.purpose, now=now)
        if found.permission.allowed:
            return found
        refused = refused or found
    return refused or await answer.of_number(session, processes, phone, by=asking.by, now=now)


_CHECKS: Final = """
SELECT c.id, c.at, c.order_id, c.by, c.purpose, c.ground, c.how, c.since, c.consent_id, c.consent_text, c.consent_page,
    c.process, c.process_version, c.asked_code
FROM contact_checks c WHERE {condition} AND (CAST(:after AS uuid) IS NULL OR c.id < :after) ORDER BY c.id DESC LIMIT :limit
"""
_OF_ORDER: Final = text(_CHECKS.format(condition="c.order_id = :order_id"))
_OF_NUMBER: Final = text(_CHECKS.format(condition="c.phone = :phone"))


@router.get("/orders/{order_id}/contact-checks")
async def checks_of_order(
    who: Reader, runtime: RuntimeDep, order_id: UUID, limit: Limit = 50, after: UUID | None = None
) -> CheckPage:
    """Each answer that allowed a contact about an order, the newest first."""
    async with runtime.db.read() as session:
        await ensure_visible(session, order_id, who)
        rows = await session.execute(_OF_ORDER, {"order_id": order_id, "limit": limit, "after": after})
        return _page([dict(row._mapping) for row in rows], limit)


@router.get("/contact-checks")
async def checks_of_number(
    who: Reader,
    runtime: RuntimeDep,
    phone: Annotated[str, Query(min_length=1, max_length=40, description="whole number, however it is written")],
    limit: Limit = 50,
    after: UUID | None = None,
) -> CheckPage:
    """Each answer that allowed a contact with a number, about any order or none: the proof for an authority, for whoever
    administers orders."""
    if not who.may(ORDERS_ADMIN):
        raise Forbidden(permission=ORDERS_ADMIN)
    async with runtime.db.read() as session:
        parameters = {"phone": read_phone(phone) or phone, "limit": limit, "after": after}
        return _page([dict(row._mapping) for row in await session.execute(_OF_NUMBER, parameters)], limit)


def _page(rows: list[dict[str, Any]], limit: int) -> CheckPage:
    items = [Check.model_validate(row) for row in rows]
    return CheckPage(items=items, next=items[-1].id if len(items) == limit else None)


def contact_view(found: Answer) -> MayContact:
    ground, permission = found.ground, found.permission
    told = sentences.of(found)
    return MayContact(
        allowed=permission.allowed,
        by=found.by,
        purpose=found.purpose,
        at=found.at,
        order_id=found.order_id,
        ground=None
        if ground is None
        else GroundView(
            kind=ground.kind,
            how=ground.how,
            since=ground.since,
            consent_id=ground.id,
            text=ground.text,
            page=ground.page,
        ),
        refusal=permission.refusal,
        next_at=permission.next_at,
        vi=told.vi,
        en=told.en,
        in_24_hours=found.in_24_hours,
        today=found.today,
        check_id=found.check_id,
    )
