"""Leads: the list, one lead, why it has its owner, and giving it to somebody by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from services.leads import events, why
from services.leads.api.dependencies import Distributor, LanguageDep, Reader
from services.leads.consent import requests
from services.leads.distribution import Member, Obstacle, Waiting
from services.leads.driver import connection_of
from services.leads.errors import LeadIsDuplicate, StaffUnknown
from services.leads.level_catalogue import name_of
from services.leads.replay import recorded_round, waiting_of
from services.leads.repository import leads, pools
from services.leads.rounds import members_now
from services.leads.state import RuntimeDep
from services.leads.why import Considered, Sentence
from shared.auth import Principal
from shared.db import ReadSession, Session
from shared.directory import member
from shared.errors import Language, NotFound
from shared.etag import tag
from shared.idempotency import OnceDep
from shared.outbox import write
from shared.phone.hiding import hidden
from shared.phone.masking import masked, national

router = APIRouter(prefix="/v1/leads", tags=["leads"])

Held = Literal["owned", "waiting", "released", "duplicate"]


class OwnerOut(BaseModel):
    id: UUID
    code: str
    name: str
    team: str


class TagShown(BaseModel):
    id: UUID
    name: str
    colour: str = Field(description="#rrggbb")


class LeadOut(BaseModel):
    """A lead as the viewer may see it."""

    id: UUID = Field(description="also the id of its order")
    verdict: Literal["lead", "duplicate"]
    level: str
    level_name: str = Field(description="as the company calls it, in the language asked for")
    open: bool = Field(description="its level does not end it (rule D35)")
    anchor_id: UUID | None
    phone: str = Field(description="masked unless it is yours and open; `POST …/reveal-phone` shows it with a reason")
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
    asked_to_be_called: bool = Field(description="the person left the number; otherwise the advertising limits hold")
    do_not_call: bool = Field(description="a number of it is on the do-not-call list")
    changed_at: datetime
    tags: list[TagShown]
    notes: int = Field(description="how many notes colleagues wrote")
    owner: OwnerOut | None
    held: Held = Field(description="owned, waiting (in the backlog), released (floating pool), duplicate")
    assignment: int = Field(description="grows with each assignment or release")
    version: int = Field(description="also the ETag, for If-Match of a correction")
    spam: Literal["", "fake", "test", "competitor"] = Field(description="what it turned out to be")
    flag: str = Field(description="competitor, test: its number had been marked so before it came")
    released_at: datetime | None = Field(description="it was a false duplicate until then")


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


@router.get("/{lead_id}")
async def get_lead(
    lead_id: UUID, who: Reader, runtime: RuntimeDep, language: LanguageDep, response: Response
) -> LeadOut:
    """One lead."""
    async with runtime.db.read() as session:
        lead = lead_out(await visible(session, who, lead_id), who, language)
    tag(response, lead.version)
    return lead


@router.get("/{lead_id}/why")
async def why_this_owner(lead_id: UUID, who: Reader, runtime: RuntimeDep, language: LanguageDep) -> WhyOut:
    """Why somebody got this lead, step by step, or why nobody has it."""

    def said(sentence: Sentence) -> str:
        return sentence.vi if language == "vi" else sentence.en

    async with runtime.db.read() as session:
        lead = await visible(session, who, lead_id)
        show = shown_phone(lead, who)
        steps = [
            WhyStep(
                assignment=row.assignment,
                at=row.at,
                owner=row.owner_code,
                cause=row.cause,
                sentence=said(sentence),
                pool=row.pool,
                considered=_people(people),
            )
            for row in await leads.history(session, lead_id)
            for sentence, people in [await explain(session, row, show)]
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
                    considered=_people(people),
                )
            )
    return WhyOut(lead_id=lead_id, steps=steps)


@router.post("/{lead_id}/assign", status_code=200, response_model=LeadOut)
async def assign_lead(
    lead_id: UUID, body: AssignIn, who: Distributor, once: OnceDep, runtime: RuntimeDep, language: LanguageDep
) -> Response:
    """Gives a lead to somebody by hand, whoever holds it now. Whoever holds it already keeps it, and nothing happens."""

    async def effect(session: Session) -> LeadOut:
        lead = await visible(session, who, lead_id)
        if lead.verdict == "duplicate":
            raise LeadIsDuplicate(anchor_id=str(lead.anchor_id))
        owner = await member(session, body.owner_id)
        if owner is None or not owner.active:
            raise StaffUnknown
        at = datetime.now(UTC)
        handed = await leads.hand_to(session, lead_id, owner.account_id, at=at, by=who.code, reason=body.reason)
        if handed is not None:
            covered: dict[UUID, datetime] = {}
            if handed.previous_owner_id is None and handed.assignment > 1:
                covered = await requests.covered_until(await connection_of(session), [lead_id])
            fact = events.Assigned(
                lead_id,
                handed.assignment,
                owner.account_id,
                owner.code,
                owner.team,
                at,
                "manual",
                previous_owner_id=handed.previous_owner_id,
                consent_until=covered.get(lead_id),
            )
            await write(session, events.assigned([fact]))
        return lead_out(await visible(session, who, lead_id), who, language)

    return await once.run(runtime.db, str(who.account_id), effect, status=200)


async def visible(session: ReadSession, who: Principal, lead_id: UUID) -> Any:
    """A lead that somebody may see.

    Raises:
        NotFound: there is none.
    """
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


def shown_phone(row: Any, who: Principal) -> Callable[[str], str]:
    """How somebody sees the numbers of a lead: whole only if it is theirs and open (rule D26).

    Whoever may reveal numbers asks for each (`api.reveal`), because each number shown is an event.
    """
    return national if row.owner_id == who.account_id and _is_open(row) else masked


def shown_text(text: str, show: Callable[[str], str]) -> str:
    """How somebody sees what was written of a lead, in which numbers may stand: as they see its own."""
    return hidden(text) if show is masked else text


def _is_open(row: Any) -> bool:
    """Whether it is still to be worked on: orders told no level that ends it, be it one of the company's own."""
    return row.ended_at is None and row.verdict == "lead"


def lead_out(row: Any, who: Principal, language: Language) -> LeadOut:
    """A row of `repository.leads.SHOWN` as somebody may see it."""
    show = shown_phone(row, who)
    values = {**row._mapping, "phone": show(row.phone), "other_phones": [show(phone) for phone in row.other_phones]}
    values |= {name: shown_text(getattr(row, name), show) for name in ("name", "note", "address")}
    owner = None
    if row.owner_id:
        owner = OwnerOut(
            id=row.owner_id, code=row.owner_code or "", name=row.owner_name or "", team=row.owner_team or ""
        )
    values |= {"level_name": name_of(row, language), "open": _is_open(row)}
    return LeadOut.model_validate({**values, "owner": owner, "held": _held(row)})


def _people(people: list[Considered]) -> list[ConsideredOut]:
    return [ConsideredOut.model_validate(one, from_attributes=True) for one in people]


async def explain(session: ReadSession, row: Any, show: Callable[[str], str]) -> tuple[Sentence, list[Considered]]:
    """One step of a lead's history in words.

    Args:
        show: how the viewer sees the lead's numbers, which may stand in the reason too.
    """
    reason = shown_text(row.reason, show)
    if row.owner_id is None:
        return why.of_release(cause=row.cause, by=row.by, reason=reason, previous_code=row.previous_code), []
    if row.round is None:
        sentence = why.of_hand(
            cause=row.cause,
            by=row.by,
            reason=reason,
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
        reason=reason,
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
