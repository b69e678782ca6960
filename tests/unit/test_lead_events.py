"""The facts that are written many at a time are what their models say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.leads import events
from services.leads.consent.do_not_call import Listed
from services.leads.intake.items import Candidate, Item, Origin
from services.leads.intake.windows import Judgement
from shared.contracts.events.leads import LEAD_ACCEPTED, LEAD_ASSIGNED, LEAD_DUPLICATED
from shared.contracts.events.leads_everyday import DoNotCallEntry
from shared.outbox import Row

LETTERS = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
PHONES = st.lists(st.from_regex(r"\+84[0-9]{9}", fullmatch=True), min_size=1, max_size=3).map(tuple)
TIMES = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=7))]))
ORIGINS = st.builds(
    Origin,
    channel=st.sampled_from(["excel", "landing_page"]),
    campaign=LETTERS,
    landing_page=LETTERS,
    marketer=LETTERS,
    asked_to_be_called=st.booleans(),
    consent_text=LETTERS,
    consent_page=LETTERS,
)
CANDIDATES = st.builds(
    Candidate, phones=PHONES, typed=LETTERS, name=LETTERS, product=LETTERS, note=LETTERS, address=LETTERS
)


def item(origin: Origin, candidate: Candidate, at: datetime) -> Item:
    return Item(UUID(int=7), at, origin, "application/json", b"{}", candidate, correlation_id="c")


def as_its_model_writes(row: Row) -> None:
    """What is in the outbox is, byte for byte, what the model would have written."""
    _, destination, name, subject, payload, *_ = row
    model: Any = {one.name: one.model for one in (LEAD_ACCEPTED, LEAD_ASSIGNED, LEAD_DUPLICATED)}[name]
    assert model.model_validate_json(payload).model_dump_json() == payload
    assert (destination, subject) == ("event", str(UUID(int=7)))


@given(ORIGINS, CANDIDATES, TIMES, st.booleans(), st.sampled_from(["", "test"]), st.booleans())
def test_an_accepted_lead_is_told_as_its_model_says(
    origin: Origin, candidate: Candidate, at: datetime, again: bool, flag: str, listed: bool
) -> None:
    entry = DoNotCallEntry(source="customer", kind="calls", since=at, until=None)
    known = {candidate.phones[0]: Listed(candidate.phones[0], (entry,))} if listed else {}

    judgement = Judgement(returning_customer=again, flag=flag)
    (row,) = events.accepted([item(origin, candidate, at)], [candidate], [judgement], listed=known)

    as_its_model_writes(row)


@given(ORIGINS, CANDIDATES, TIMES, st.sampled_from(["", "test"]))
def test_a_duplicate_is_told_as_its_model_says(origin: Origin, candidate: Candidate, at: datetime, flag: str) -> None:
    judgement = Judgement(anchor_id=UUID(int=3), flag=flag)

    (row,) = events.duplicated([item(origin, candidate, at)], [candidate], [judgement])

    as_its_model_writes(row)


@pytest.mark.parametrize("previous", [None, UUID(int=5)])
@pytest.mark.parametrize("until", [None, datetime(2026, 12, 1, tzinfo=timezone(timedelta(hours=7)))])
def test_an_owner_is_told_as_its_model_says(previous: UUID | None, until: datetime | None) -> None:
    at = datetime.now(UTC)
    fact = events.Assigned(UUID(int=7), 2, UUID(int=9), "NV001", "Sale 1", at, "distribution", previous, until)

    (row,) = events.assigned([fact])

    as_its_model_writes(row)
