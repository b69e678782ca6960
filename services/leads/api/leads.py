"""Leads: the list, one lead, why it has its owner, and giving it to somebody by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.leads import events, why
from services.leads.api.dependencies import Distributor, Limit, Reader
from services.leads.distribution import Member, Obstacle, Waiting
from services.leads.driver import connection_of
from services.leads.errors import LeadIsDuplicate, PhoneFilterUnreadable, StaffUnknown
from services.leads.phone import read_phones
from services.leads.replay import recorded_round, waiting_of
from services.leads.repository import leads, pools
from services.leads.repository.leads import Filters
from services.leads.rounds import members_now
from services.leads.state import RuntimeDep
from services.leads.text import masked, national
from services.leads.why import Considered, Sentence
from shared.auth import Principal
from shared.contracts import levels
from shared.contracts.permissions import PHONES_REVEAL
from shared.db import ReadSession, Session
from shared.directory import member
from shared.errors import NotFound, language_of
from shared.idempotency import OnceDep
from shared.outbox import write

router = APIRouter(prefix="/v1/leads", tags=["leads"])

Held = Literal["owned", "waiting", "released", "duplicate"]


class OwnerOut(BaseModel):
    id: UUID
    code: str
    name: str


class LeadOut(BaseModel):
    """A lead as the viewer may see it."""

    id: UUID = Field(description="also the id of its order")
    verdict: Literal["lead", "duplicate"]
    level: str
    anchor_id: UUID | None
    phone: str = Field(description="masked unless it is yours and open, or you may reveal numbers")
    other_phones: list[str]
    name: str
    product: str
    note: str
    address: str
    channel: str
    campaign: str
    landing_page: str
    marketer: str
    source_id: UUID | None
    received_at: datetime
    returning_customer: bool
    owner: OwnerOut | None
    held: Held = Field(description="owned, waiting (in the backlog), released (floating pool), duplicate")
    assignment: int = Field(description="grows with each assignment or release")


class LeadPage(BaseModel):
    items: list[LeadOut]
    next: UUID | None = Field(description="`after` of the next page; null on the last")


class AssignIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    owner_id: UUID
    reason: str = Field(default="", max_length=500)


class ConsideredOut(BaseModel):
    account_id: UUID
    code: str
    weight: int
    owed: float = Field(description="leads behind (or, negative, ahead of) their share before this one")
    state: Literal["free"] | Obstacle
    load: int
    capacity: int | None
    today: int = Field(description="leads that distribution gave them in the day; looked at where a quota is set")
    day_quota: int | None
    in_shift: int
    shift_quota: int | None


class WhyStep(BaseModel):
    """One assignment or release, or why nobody has the lead."""

    assignment: int | None = Field(description="null: nobody has it, and this is why")
    at: datetime | None
    owner: str | None = Field(description="staff code")
    cause: str
    sentence: str
    pool: str | None = None
    considered: list[ConsideredOut] = []


class WhyOut(BaseModel):
    lead_id: UUID
    steps: list[WhyStep]


@router.get("")
async def list_leads(
    who: Reader,
    runtime: RuntimeDep,
    limit: Limit = 50,
    after: UUID | None = None,
    level: str | None = None,
    verdict: Literal["lead", "duplicate"] | None = None,
    owner_id: UUID | None = None,
    unassigned: Annotated[bool | None, Query(description="true: clean leads without an owner; false: with one")] = None,
    channel: str | None = None,
    campaign: str | None = None,
    landing_page: str | None = None,
    marketer: str | None = None,
    source_id: UUID | None = None,
    anchor_id: Annotated[UUID | None, Query(description="the duplicates of this lead")] = None,
    received_from: Annotated[AwareDatetime | None, Query(description="inclusive")] = None,
    received_to: Annotated[AwareDatetime | None, Query(description="exclusive")] = None,
    phone: Annotated[
        str | None, Query(max_length=200, description="in any spelling; several are searched together")
    ] = None,
) -> LeadPage:
    """Leads that you may see, newest first."""
    filters = Filters(
        level=level,
        verdict=verdict,
        owner_id=owner_id,
        unassigned=unassigned,
        channel=channel,
        campaign=campaign,
        landing_page=landing_page,
        marketer=marketer,
        source_id=source_id,
        received_from=received_from,
        received_to=received_to,
        phones=_phones(phone) if phone is not None else None,
        anchor_id=anchor_id,
    )
    async with runtime.db.read() as session:
        rows = await leads.page(session, await leads.viewer_of(session, who), filters, after=after, limit=limit)
    items = [_lead(row, who) for row in rows]
    return LeadPage(items=items, next=items[-1].id if len(items) == limit else None)


@router.get("/{lead_id}")
async def get_lead(lead_id: UUID, who: Reader, runtime: RuntimeDep) -> LeadOut:
    """One lead."""
    async with runtime.db.read() as session:
        return _lead(await _visible(session, who, lead_id), who)


@router.get("/{lead_id}/why")
async def why_this_owner(lead_id: UUID, who: Reader, runtime: RuntimeDep, request: Request) -> WhyOut:
    """Why somebody got this lead, step by step, or why nobody has it."""
    language = language_of(request)

    def said(sentence: Sentence) -> str:
        return sentence.vi if language == "vi" else sentence.en

    async with runtime.db.read() as session:
        lead = await _visible(session, who, lead_id)
        steps = [
            WhyStep(
                assignment=row.assignment,
                at=row.at,
                owner=row.owner_code,
                cause=row.cause,
                sentence=said(sentence),
                pool=row.pool,
                considered=_shown(people),
            )
            for row in await leads.history(session, lead_id)
            for sentence, people in [await _explain(session, row)]
        ]
        if (missing := await _unheld(session, lead)) is not None:
            sentence, people = missing
            steps.append(
                WhyStep(
                    assignment=None,
                    at=None,
                    owner=None,
                    cause=_held(lead),
                    sentence=said(sentence),
                    considered=_shown(people),
                )
            )
    return WhyOut(lead_id=lead_id, steps=steps)


@router.post("/{lead_id}/assign", status_code=200, response_model=LeadOut)
async def assign_lead(lead_id: UUID, body: AssignIn, who: Distributor, once: OnceDep, runtime: RuntimeDep) -> Response:
    """Gives a lead to somebody by hand, whoever holds it now. Whoever holds it already keeps it, and nothing happens."""

    async def effect(session: Session) -> LeadOut:
        lead = await _visible(session, who, lead_id)
        if lead.verdict == "duplicate":
            raise LeadIsDuplicate(anchor_id=str(lead.anchor_id))
        owner = await member(session, body.owner_id)
        if owner is None or not owner.active:
            raise StaffUnknown
        at = datetime.now(UTC)
        handed = await leads.hand_to(session, lead_id, owner.account_id, at=at, by=who.code, reason=body.reason)
        if handed is not None:
            fact = events.Assigned(
                lead_id,
                handed.assignment,
                owner.account_id,
                owner.code,
                owner.team,
                at,
                "manual",
                previous_owner_id=handed.previous_owner_id,
            )
            await write(session, [events.assigned(fact)])
        return _lead(await _visible(session, who, lead_id), who)

    return await once.run(runtime.db, str(who.account_id), effect, status=200)


def _phones(typed: str) -> tuple[str, ...]:
    reading = read_phones(typed)
    if reading.problem is not None:
        raise PhoneFilterUnreadable(reason_vi=reading.problem.vi, reason_en=reading.problem.en)
    return tuple(found.e164 for found in reading.phones)


async def _visible(session: ReadSession, who: Principal, lead_id: UUID) -> Any:
    row = await leads.one(session, await leads.viewer_of(session, who), lead_id)
    if row is None:
        raise NotFound(what="lead")
    return row


def _held(row: Any) -> Held:
    if row.verdict == "duplicate":
        return "duplicate"
    if row.owner_id is not None:
        return "owned"
    return "waiting" if row.waits else "released"


def _lead(row: Any, who: Principal) -> LeadOut:
    is_own = row.owner_id == who.account_id and row.level not in levels.SEED_FINAL
    show = national if is_own or who.may(PHONES_REVEAL) else masked
    values = {**row._mapping, "phone": show(row.phone), "other_phones": [show(phone) for phone in row.other_phones]}
    owner = OwnerOut(id=row.owner_id, code=row.owner_code or "", name=row.owner_name or "") if row.owner_id else None
    return LeadOut.model_validate({**values, "owner": owner, "held": _held(row)})


def _shown(people: list[Considered]) -> list[ConsideredOut]:
    return [ConsideredOut.model_validate(one, from_attributes=True) for one in people]


async def _explain(session: ReadSession, row: Any) -> tuple[Sentence, list[Considered]]:
    """One step of a lead's history in words."""
    if row.owner_id is None:
        return why.of_release(cause=row.cause, by=row.by, reason=row.reason, previous_code=row.previous_code), []
    if row.round is None:
        sentence = why.of_hand(
            cause=row.cause,
            by=row.by,
            reason=row.reason,
            owner_code=row.owner_code or "?",
            previous_code=row.previous_code,
        )
        return sentence, []
    recorded = await recorded_round(await connection_of(session), row.pool_id, row.round, until=row.position)
    waiting = waiting_of(row.lead_id, sticky_id=row.sticky_id, excluded=row.excluded, topic=row.topic)
    people = await _considered(session, recorded.again().members, waiting)
    sentence = why.of_decision(
        pool=row.pool,
        round_number=row.round,
        cause=row.cause,
        by=row.by,
        reason=row.reason,
        owner=row.owner_id,
        owner_code=row.owner_code or "?",
        people=people,
    )
    return sentence, people


async def _unheld(session: ReadSession, lead: Any) -> tuple[Sentence, list[Considered]] | None:
    """Why nobody has a lead that waits or is a duplicate."""
    if lead.verdict == "duplicate":
        return why.of_duplicate(lead.anchor_id), []
    place = await leads.waits(session, lead.id)
    if place is None:
        return None
    if place.pool_id is None:
        return why.of_waiting(pool=None, people=[]), []
    pool = await pools.one(session, place.pool_id)
    assert pool is not None, "pools are never deleted"
    members = await members_now(await connection_of(session), place.pool_id)
    topic = (lead.channel, lead.product, lead.landing_page)
    people = await _considered(session, members, Waiting(lead.id, excluded=tuple(place.excluded), topic=topic))
    return why.of_waiting(pool=pool.name, people=people), people


async def _considered(
    session: ReadSession, members: list[Member] | tuple[Member, ...], lead: Waiting
) -> list[Considered]:
    codes = await leads.codes(session, [member.account_id for member in members])
    return why.considered(members, codes, lead)
