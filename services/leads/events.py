"""Outbox rows of this service's facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Literal
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
from shared.fact_columns import FactColumns, rows
from shared.outbox import Row, event_row


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


def accepted(
    items: Sequence[Item],
    candidates: Sequence[Candidate],
    judgements: Sequence[Judgement],
    *,
    listed: Mapping[str, Listed],
) -> list[Row]:
    """Clean numbers, with what the do-not-call list says of them.

    Args:
        listed: numbers of the list, also others than these.
    """
    origins = [item.origin for item in items]
    columns: dict[str, Sequence[Any]] = {
        "lead_id": [str(item.id) for item in items],
        "received_at": _moments(items),
        "phone": [candidate.phones[0] for candidate in candidates],
        "other_phones": [candidate.phones[1:] for candidate in candidates],
        "name": [candidate.name for candidate in candidates],
        "address": [candidate.address for candidate in candidates],
        "note": [candidate.note for candidate in candidates],
        "product": [candidate.product for candidate in candidates],
        "source": _sources(origins),
        "returning_customer": [judgement.returning_customer for judgement in judgements],
        "asked_to_be_called": [origin.asked_to_be_called for origin in origins],
        "consent_text": [origin.consent_text for origin in origins],
        "consent_page": [origin.consent_page for origin in origins],
        "flag": [judgement.flag for judgement in judgements],
        "do_not_call": [_entries(candidate, listed) for candidate in candidates] if listed else [()] * len(items),
    }
    return rows(FactColumns(LEAD_ACCEPTED.name, columns), _causes(items))


def duplicated(items: Sequence[Item], candidates: Sequence[Candidate], judgements: Sequence[Judgement]) -> list[Row]:
    """Numbers that came again within the window. Whoever was found to be a competitor asks for nothing by it."""
    columns: dict[str, Sequence[Any]] = {
        "lead_id": [str(item.id) for item in items],
        "anchor_id": [judgement.anchor_id for judgement in judgements],
        "received_at": _moments(items),
        "product": [candidate.product for candidate in candidates],
        "source": _sources([item.origin for item in items]),
        "note": [candidate.note for candidate in candidates],
        "anchor_asked_again": [
            item.origin.asked_to_be_called and not judgement.flag
            for item, judgement in zip(items, judgements, strict=True)
        ],
        "flag": [judgement.flag for judgement in judgements],
    }
    return rows(FactColumns(LEAD_DUPLICATED.name, columns), _causes(items))


def assigned(facts: Sequence[Assigned], causes: Sequence[str] = ()) -> list[Row]:
    """Somebody holds the numbers now.

    Args:
        causes: correlation id of each; none = all have the present one.
    """
    columns: dict[str, Sequence[Any]] = {
        "lead_id": [fact.lead_id for fact in facts],
        "assignment": [fact.assignment for fact in facts],
        "owner_id": [fact.owner_id for fact in facts],
        "owner_code": [fact.owner_code for fact in facts],
        "team": [fact.team for fact in facts],
        "assigned_at": [fact.at.astimezone(UTC) for fact in facts],
        "cause": [fact.cause for fact in facts],
        "previous_owner_id": [fact.previous_owner_id for fact in facts],
        "consent_until": [None if fact.consent_until is None else fact.consent_until.astimezone(UTC) for fact in facts],
    }
    return rows(FactColumns(LEAD_ASSIGNED.name, columns), causes)


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


def _causes(items: Sequence[Item]) -> list[str]:
    return [item.correlation_id for item in items]


def _moments(items: Sequence[Item]) -> list[datetime]:
    known = {at: at.astimezone(UTC) for at in {item.received_at for item in items}}
    return [known[item.received_at] for item in items]


def _sources(origins: Sequence[Origin]) -> list[orjson.Fragment]:
    known: dict[int, orjson.Fragment] = {}
    for origin in origins:
        if id(origin) not in known:
            known[id(origin)] = _source(origin)
    return [known[id(origin)] for origin in origins]


def _entries(candidate: Candidate, listed: Mapping[str, Listed]) -> Sequence[dict[str, Any]]:
    known = [listed[phone] for phone in candidate.phones if phone in listed]
    return [{"phone": one.phone, "entries": [entry.model_dump(mode="json") for entry in one.entries]} for one in known]


def _source(origin: Origin) -> orjson.Fragment:
    return _written_source(origin.channel, origin.campaign, origin.landing_page, origin.marketer)


@lru_cache(maxsize=1_000)
def _written_source(channel: str, campaign: str, landing_page: str, marketer: str) -> orjson.Fragment:
    """Of a hundred thousand leads of a list, a few."""
    source = {"channel": channel, "campaign": campaign, "landing_page": landing_page, "marketer": marketer}
    return orjson.Fragment(orjson.dumps(source))
