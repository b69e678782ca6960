"""Masked numbers shown to somebody who has a reason: each time is kept and told (rule D26)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.leads import events
from services.leads.api.dependencies import Limit, Reader
from services.leads.errors import PhoneHidden
from services.leads.repository import leads
from services.leads.state import RuntimeDep
from shared.auth import Principal
from shared.contracts.events.leads import PhoneRevealed
from shared.contracts.permissions import PHONES_REVEAL
from shared.errors import Forbidden, NotFound
from shared.outbox import write
from shared.phone.masking import national

router = APIRouter(prefix="/v1/leads", tags=["leads"])

Basis = Literal["owner", "permission"]

_ENDED: Final = text("SELECT ended_at FROM leads WHERE id = :id")
_KEEP: Final = text(
    """
INSERT INTO phone_reveals (id, lead_id, account_id, code, at, basis, reason)
VALUES (:id, :lead_id, :account_id, :code, :at, :basis, :reason)
"""
)
_REVEALS: Final = text(
    """
SELECT id, account_id, code, at, basis, reason FROM phone_reveals
WHERE lead_id = :lead_id AND (CAST(:after AS uuid) IS NULL OR id < :after) ORDER BY id DESC LIMIT :limit
"""
)


class RevealIn(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"reason": "khách gọi lại hỏi đơn"}})

    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=500)]


class RevealOut(BaseModel):
    lead_id: UUID
    phone: str
    other_phones: list[str]
    basis: Basis = Field(description="owner: it is your own; permission: you may reveal numbers")


class RevealedOut(BaseModel):
    id: UUID
    account_id: UUID
    code: str
    at: datetime
    basis: Basis
    reason: str


class RevealedPage(BaseModel):
    items: list[RevealedOut]
    next: UUID | None


@router.post("/{lead_id}/reveal-phone", status_code=200)
async def reveal_phone(lead_id: UUID, body: RevealIn, who: Reader, runtime: RuntimeDep) -> RevealOut:
    """Shows the whole number of a lead that you may see ("Xem số"), with a reason that is kept.

    For an owner while the order is open and for 30 days after it ended; for everybody else with `phones.reveal`.
    """
    now = datetime.now(UTC)
    days = runtime.settings.reveal_after_end_days
    async with runtime.db.transaction() as session:
        lead = await leads.one(session, await leads.viewer_of(session, who), lead_id)
        if lead is None:
            raise NotFound(what="lead")
        ended_at = (await session.execute(_ENDED, {"id": lead_id})).scalar_one()
        basis = _basis(who, lead, ended_at, now=now, days=days)
        fact = PhoneRevealed(
            lead_id=lead_id, account_id=who.account_id, code=who.code, at=now, basis=basis, reason=body.reason
        )
        await session.execute(_KEEP, {"id": uuid7(), **fact.model_dump()})
        await write(session, [events.revealed(fact)])
    return RevealOut(
        lead_id=lead_id,
        phone=national(lead.phone),
        other_phones=[national(phone) for phone in lead.other_phones],
        basis=basis,
    )


@router.get("/{lead_id}/reveals")
async def list_reveals(
    lead_id: UUID, who: Reader, runtime: RuntimeDep, limit: Limit = 50, after: UUID | None = None
) -> RevealedPage:
    """Who was shown the number of a lead, latest first; for those who may reveal numbers themselves."""
    if not who.may(PHONES_REVEAL):
        raise Forbidden(permission=PHONES_REVEAL)
    async with runtime.db.read() as session:
        if await leads.one(session, await leads.viewer_of(session, who), lead_id) is None:
            raise NotFound(what="lead")
        rows = (await session.execute(_REVEALS, {"lead_id": lead_id, "after": after, "limit": limit})).all()
    items = [RevealedOut.model_validate(row._mapping) for row in rows]
    return RevealedPage(items=items, next=items[-1].id if len(items) == limit else None)


def _basis(who: Principal, lead: Any, ended_at: datetime | None, *, now: datetime, days: int) -> Basis:
    """On what ground somebody may see a number.

    Raises:
        PhoneHidden: it was their own, but the order ended too long ago.
        Forbidden: it is somebody else's.
    """
    is_own = lead.owner_id == who.account_id
    if is_own and (ended_at is None or now < ended_at + timedelta(days=days)):
        return "owner"
    if who.may(PHONES_REVEAL):
        return "permission"
    if is_own:
        raise PhoneHidden(days=days)
    raise Forbidden(permission=PHONES_REVEAL)
