"""Outbox rows of this service's facts."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Literal
from uuid import UUID, uuid5

import orjson

from services.leads.consent.do_not_call import Listed
from services.leads.intake.items import Candidate, Item, Origin
from services.leads.intake.windows import Judgement
from shared.contracts.events.leads import (
    LEAD_ACCEPTED,
    LEAD_ARCHIVED,
    LEAD_ASSIGNED,
    LEAD_DUPLICATED,
    LEAD_RELEASED,
    LEAD_UNASSIGNED,
    LEAD_WITHDRAWN,
    PHONE_REVEALED,
    LeadArchived,
    LeadReleased,
    LeadUnassigned,
    LeadWithdrawn,
    PhoneRevealed,
)
from shared.outbox import Fact, Row, event_row, fact_row


@dataclass(slots=True)
class Assigned:
    """Somebody holds a lead from now on."""

    lead_id: UUID
    assignment: int
    owner_id: UUID
    owner_code: str
    team: str
    at: datetime
    cause: str
    previous_owner_id: UUID | None = None
    consent_until: datetime | None = None
    """See `LeadAssigned`."""


@dataclass(frozen=True, slots=True)
class Released:
    """Nobody holds a lead from now on."""

    lead_id: UUID
    assignment: int
    at: datetime
    cause: str
    previous_owner_id: UUID | None = None


def accepted(item: Item, candidate: Candidate, judgement: Judgement, *, listed: Collection[Listed]) -> Fact:
    """A clean number, with what the do-not-call list says of it."""
    origin = item.origin
    lead_id = str(item.id)
    data = {
        "lead_id": lead_id,
        "received_at": _utc(item.received_at),
        "phone": candidate.phones[0],
        "other_phones": candidate.phones[1:],
        "name": candidate.name,
        "address": candidate.address,
        "note": candidate.note,
        "product": candidate.product,
        "source": _source(origin),
        "returning_customer": judgement.returning_customer,
        "asked_to_be_called": origin.asked_to_be_called,
        "consent_text": origin.consent_text,
        "consent_page": origin.consent_page,
        "flag": judgement.flag,
        "do_not_call": [
            {"phone": one.phone, "entries": [entry.model_dump(mode="json") for entry in one.entries]} for one in listed
        ]
        if listed
        else (),
    }
    return Fact(LEAD_ACCEPTED.name, lead_id, data)


def duplicated(item: Item, candidate: Candidate, judgement: Judgement) -> Fact:
    """A number that came again within the window. Whoever was found to be a competitor asks for nothing by it."""
    assert judgement.anchor_id is not None, "a clean number is no duplicate"
    data = {
        "lead_id": item.id,
        "anchor_id": judgement.anchor_id,
        "received_at": _utc(item.received_at),
        "product": candidate.product,
        "source": _source(item.origin),
        "note": candidate.note,
        "anchor_asked_again": item.origin.asked_to_be_called and not judgement.flag,
        "flag": judgement.flag,
    }
    return Fact(LEAD_DUPLICATED.name, str(item.id), data)


def assigned(fact: Assigned) -> Row:
    """Somebody holds the number now."""
    return fact_row(assignment(fact))


def assignment(fact: Assigned) -> Fact:
    """The same, where there may be many."""
    data = {
        "lead_id": fact.lead_id,
        "assignment": fact.assignment,
        "owner_id": fact.owner_id,
        "owner_code": fact.owner_code,
        "team": fact.team,
        "assigned_at": fact.at.astimezone(UTC),
        "cause": fact.cause,
        "previous_owner_id": fact.previous_owner_id,
        "consent_until": None if fact.consent_until is None else fact.consent_until.astimezone(UTC),
    }
    return Fact(LEAD_ASSIGNED.name, str(fact.lead_id), data)


def released(fact: Released) -> Row:
    """Nobody holds the number now."""
    data = LeadReleased.model_validate(
        {
            "lead_id": fact.lead_id,
            "assignment": fact.assignment,
            "released_at": fact.at,
            "cause": fact.cause,
            "previous_owner_id": fact.previous_owner_id,
        }
    )
    return event_row(LEAD_RELEASED, data, subject=fact.lead_id)


def archived(lead_id: UUID, assignment: int, *, at: datetime) -> Row:
    """Nobody claimed the number in time."""
    data = LeadArchived(lead_id=lead_id, assignment=assignment, archived_at=at)
    return event_row(LEAD_ARCHIVED, data, subject=lead_id)


def unassigned(lead_id: UUID, pool_id: UUID | None, *, received_at: datetime, at: datetime, waited: timedelta) -> Row:
    """A new number has waited too long; the id of the event is made of the lead's, so that it is told once."""
    data = LeadUnassigned(
        lead_id=lead_id,
        pool_id=pool_id,
        received_at=received_at,
        raised_at=at,
        waited_minutes=waited // timedelta(minutes=1),
    )
    return event_row(LEAD_UNASSIGNED, data, subject=lead_id, event_id=uuid5(lead_id, LEAD_UNASSIGNED.name))


def revealed(fact: PhoneRevealed) -> Row:
    """Somebody was shown a masked number."""
    return event_row(PHONE_REVEALED, fact, subject=fact.lead_id)


def withdrawn(lead_id: UUID, *, was: Literal["lead", "duplicate"]) -> Row:
    """A lead or duplicate that never was."""
    data = LeadWithdrawn(lead_id=lead_id, was=was, withdrawn_at=datetime.now(UTC))
    return event_row(LEAD_WITHDRAWN, data, subject=lead_id)


def _utc(at: datetime) -> datetime:
    return at if at.tzinfo is UTC else at.astimezone(UTC)


def _source(origin: Origin) -> orjson.Fragment:
    return _written_source(origin.channel, origin.campaign, origin.landing_page, origin.marketer)


@lru_cache(maxsize=1_000)
def _written_source(channel: str, campaign: str, landing_page: str, marketer: str) -> orjson.Fragment:
    """Of a hundred thousand leads of a list, a few."""
    source = {"channel": channel, "campaign": campaign, "landing_page": landing_page, "marketer": marketer}
    return orjson.Fragment(orjson.dumps(source))
