"""Rules D9 and D12, decided purely."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.leads.intake.windows import Arrival, Window, judge

T0 = datetime(2026, 11, 21, 2, tzinfo=UTC)
WEEK = timedelta(days=7)


def lead(number: int) -> UUID:
    return UUID(int=number)


def arrival(number: int, *phones: str, after: timedelta = timedelta()) -> Arrival:
    return Arrival(lead(number), phones, T0 + after)


def test_the_first_is_the_lead_and_all_others_are_its_duplicates() -> None:
    judged = judge([arrival(number, "a") for number in range(1, 6)], {}, length=WEEK)

    assert [judged.judgements[lead(number)].anchor_id for number in range(1, 6)] == [None, *[lead(1)] * 4]
    assert judged.opened["a"] == Window("a", lead(1), T0, T0 + WEEK)


def test_the_end_of_the_window_is_outside() -> None:
    known = judge([arrival(1, "a")], {}, length=WEEK).opened

    just_before = judge([arrival(2, "a", after=WEEK - timedelta(microseconds=1))], known, length=WEEK)
    at_the_end = judge([arrival(2, "a", after=WEEK)], known, length=WEEK)

    assert just_before.judgements[lead(2)].anchor_id == lead(1)
    assert at_the_end.judgements[lead(2)].anchor_id is None
    assert at_the_end.judgements[lead(2)].previous_id == lead(1)


def test_duplicates_never_prolong_the_window() -> None:
    judged = judge(
        [arrival(1, "a"), arrival(2, "a", after=timedelta(days=6)), arrival(3, "a", after=timedelta(days=8))],
        {},
        length=WEEK,
    )

    assert [judged.judgements[lead(number)].anchor_id for number in (1, 2, 3)] == [None, lead(1), None]


def test_a_window_that_ended_early_lets_the_next_arrival_in_as_a_returning_customer() -> None:
    known = judge([arrival(1, "a")], {}, length=WEEK).opened
    sent = {"a": replace(known["a"], ended=True, handed_over=True)}

    judged = judge([arrival(2, "a", after=timedelta(days=1))], sent, length=WEEK)

    assert judged.judgements[lead(2)].returning_customer
    assert judged.judgements[lead(2)].previous_id == lead(1)
    assert judged.opened["a"].handed_over
    assert not judged.opened["a"].ended


def test_either_number_inside_a_window_makes_a_duplicate() -> None:
    judged = judge([arrival(1, "a", "b"), arrival(2, "c", "b"), arrival(3, "b")], {}, length=WEEK)

    assert [judged.judgements[lead(number)].anchor_id for number in (1, 2, 3)] == [None, lead(1), lead(1)]


def test_a_duplicate_opens_no_window_for_its_other_number() -> None:
    judged = judge([arrival(1, "a"), arrival(2, "b", "a"), arrival(3, "b")], {}, length=WEEK)

    assert judged.judgements[lead(3)].anchor_id is None
    assert judged.opened["b"].anchor_id == lead(3)


def test_a_window_of_no_days_lets_everything_in() -> None:
    judged = judge([arrival(1, "a"), arrival(2, "a")], {}, length=timedelta())

    assert [judged.judgements[lead(number)].anchor_id for number in (1, 2)] == [None, None]


@given(
    st.lists(
        st.tuples(st.lists(st.sampled_from("abcde"), min_size=1, max_size=3, unique=True), st.integers(0, 30)),
        max_size=30,
    )
)
def test_no_number_ever_has_two_leads_within_a_window(drawn: list[tuple[list[str], int]]) -> None:
    arrivals = [
        arrival(number, *phones, after=timedelta(days=day))
        for number, (phones, day) in enumerate(sorted(drawn, key=lambda one: one[1]), 1)
    ]
    judged = judge(arrivals, {}, length=WEEK)

    clean = [one for one in arrivals if judged.judgements[one.id].anchor_id is None]
    for place, first in enumerate(clean):
        for second in clean[place + 1 :]:
            if set(first.phones) & set(second.phones):
                assert second.received_at - first.received_at >= WEEK
    by_id = {one.id: one for one in arrivals}
    for one in arrivals:
        anchor = judged.judgements[one.id].anchor_id
        if anchor is not None:
            assert set(by_id[anchor].phones) & set(one.phones)
            assert one.received_at - by_id[anchor].received_at < WEEK
