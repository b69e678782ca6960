"""Rules D9, D11 and D12, decided purely."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.leads.intake.windows import Arrival, Judged, Number, Policy, Window, judge

T0 = datetime(2026, 11, 21, 2, tzinfo=UTC)
WEEK = timedelta(days=7)
BY_PHONE = Policy(WEEK)
BY_PRODUCT = Policy(WEEK, by_product=True, groups={"serum-30": "skin", "cream-50": "skin"})


def lead(number: int) -> UUID:
    return UUID(int=number)


def arrival(number: int, *phones: str, after: timedelta = timedelta(), product: str = "") -> Arrival:
    return Arrival(lead(number), phones, T0 + after, product)


def known(judged: Judged) -> dict[str, Number]:
    """What is known of numbers after leads opened their windows."""
    numbers: dict[str, Number] = {}
    for (phone, _), window in judged.opened.items():
        numbers[phone] = numbers.get(phone, Number(phone)).with_window(window)
    return numbers


def anchors(judged: Judged, count: int) -> list[UUID | None]:
    return [judged.judgements[lead(number)].anchor_id for number in range(1, count + 1)]


def test_the_first_is_the_lead_and_all_others_are_its_duplicates() -> None:
    judged = judge([arrival(number, "a") for number in range(1, 6)], {}, policy=BY_PHONE)

    assert anchors(judged, 5) == [None, *[lead(1)] * 4]
    assert judged.opened["a", ""] == Window(lead(1), T0, T0 + WEEK)


def test_the_end_of_the_window_is_outside() -> None:
    numbers = known(judge([arrival(1, "a")], {}, policy=BY_PHONE))

    just_before = judge([arrival(2, "a", after=WEEK - timedelta(microseconds=1))], numbers, policy=BY_PHONE)
    at_the_end = judge([arrival(2, "a", after=WEEK)], numbers, policy=BY_PHONE)

    assert just_before.judgements[lead(2)].anchor_id == lead(1)
    assert at_the_end.judgements[lead(2)].anchor_id is None
    assert at_the_end.judgements[lead(2)].previous_id == lead(1)


def test_duplicates_never_prolong_the_window() -> None:
    judged = judge(
        [arrival(1, "a"), arrival(2, "a", after=timedelta(days=6)), arrival(3, "a", after=timedelta(days=8))],
        {},
        policy=BY_PHONE,
    )

    assert anchors(judged, 3) == [None, lead(1), None]


def test_a_window_that_ended_early_lets_the_next_arrival_in_as_a_returning_customer() -> None:
    window = judge([arrival(1, "a")], {}, policy=BY_PHONE).opened["a", ""]
    sent = {"a": Number("a", (replace(window, ended=True),), handed_over=True)}

    judged = judge([arrival(2, "a", after=timedelta(days=1))], sent, policy=BY_PHONE)

    assert judged.judgements[lead(2)].returning_customer
    assert judged.judgements[lead(2)].previous_id == lead(1)
    assert not judged.opened["a", ""].ended


def test_either_number_inside_a_window_makes_a_duplicate() -> None:
    judged = judge([arrival(1, "a", "b"), arrival(2, "c", "b"), arrival(3, "b")], {}, policy=BY_PHONE)

    assert anchors(judged, 3) == [None, lead(1), lead(1)]


def test_a_duplicate_opens_no_window_for_its_other_number() -> None:
    judged = judge([arrival(1, "a"), arrival(2, "b", "a"), arrival(3, "b")], {}, policy=BY_PHONE)

    assert judged.judgements[lead(3)].anchor_id is None
    assert judged.opened["b", ""].anchor_id == lead(3)


def test_of_two_numbers_with_anchors_of_their_own_the_earlier_anchor_counts() -> None:
    hours = timedelta(hours=1)
    judged = judge(
        [arrival(1, "a"), arrival(2, "b", after=hours), arrival(3, "b", "a", after=2 * hours)], {}, policy=BY_PHONE
    )

    assert judged.judgements[lead(3)].anchor_id == lead(1)


def test_the_last_owner_is_that_of_the_lead_that_came_last_with_one_of_the_numbers() -> None:
    judged = judge(
        [
            arrival(1, "a"),
            arrival(2, "b", after=timedelta(days=1)),
            arrival(3, "a", "b", after=timedelta(days=20)),
        ],
        {},
        policy=BY_PHONE,
    )

    assert judged.judgements[lead(3)].previous_id == lead(2)


def test_a_window_of_no_days_lets_everything_in() -> None:
    judged = judge([arrival(1, "a"), arrival(2, "a")], {}, policy=Policy(timedelta()))

    assert anchors(judged, 2) == [None, None]


def test_a_flag_of_a_number_goes_with_every_arrival_of_it() -> None:
    numbers = {"a": Number("a", flag="competitor")}

    judged = judge([arrival(1, "b", "a"), arrival(2, "a"), arrival(3, "c")], numbers, policy=BY_PHONE)

    assert [judged.judgements[lead(number)].flag for number in (1, 2, 3)] == ["competitor", "competitor", ""]


def test_with_the_product_in_the_key_another_group_is_a_new_lead_and_the_same_group_a_duplicate() -> None:
    judged = judge(
        [
            arrival(1, "a", product="SERUM-30"),
            arrival(2, "a", product="CREAM-50"),
            arrival(3, "a", product="TEA"),
            arrival(4, "a", product="tea"),
        ],
        {},
        policy=BY_PRODUCT,
    )

    assert anchors(judged, 4) == [None, lead(1), None, lead(3)]
    assert set(judged.opened) == {("a", "skin"), ("a", "tea")}


def test_an_unknown_product_is_not_another_one() -> None:
    judged = judge(
        [arrival(1, "a", product="TEA"), arrival(2, "a"), arrival(3, "b"), arrival(4, "b", product="TEA")],
        {},
        policy=BY_PRODUCT,
    )

    assert anchors(judged, 4) == [None, lead(1), None, lead(3)]


def test_a_window_from_before_the_product_was_in_the_key_holds_for_its_own_product_alone() -> None:
    numbers = known(judge([arrival(1, "a", product="TEA")], {}, policy=BY_PHONE))

    judged = judge([arrival(2, "a", product="SERUM-30"), arrival(3, "a", product="TEA")], numbers, policy=BY_PRODUCT)

    assert [judged.judgements[lead(number)].anchor_id for number in (2, 3)] == [None, lead(1)]


def test_without_the_product_in_the_key_again_every_open_window_of_the_number_holds() -> None:
    numbers = known(judge([arrival(1, "a", product="TEA")], {}, policy=BY_PRODUCT))

    judged = judge([arrival(2, "a", product="SERUM-30")], numbers, policy=BY_PHONE)

    assert judged.judgements[lead(2)].anchor_id == lead(1)


@given(
    st.lists(
        st.tuples(
            st.lists(st.sampled_from("abcde"), min_size=1, max_size=3, unique=True),
            st.integers(0, 30),
            st.sampled_from(["", "TEA", "SERUM-30", "CREAM-50"]),
        ),
        max_size=30,
    ),
    st.sampled_from([BY_PHONE, BY_PRODUCT]),
)
def test_no_number_ever_has_two_leads_within_a_window(drawn: list[tuple[list[str], int, str]], policy: Policy) -> None:
    arrivals = [
        arrival(number, *phones, after=timedelta(days=day), product=product)
        for number, (phones, day, product) in enumerate(sorted(drawn, key=lambda one: one[1]), 1)
    ]
    judged = judge(arrivals, {}, policy=policy)

    clean = [one for one in arrivals if judged.judgements[one.id].anchor_id is None]
    for place, first in enumerate(clean):
        for second in clean[place + 1 :]:
            if set(first.phones) & set(second.phones) and policy.concerns(first.product, second.product):
                assert second.received_at - first.received_at >= WEEK
    by_id = {one.id: one for one in arrivals}
    for one in arrivals:
        anchor = judged.judgements[one.id].anchor_id
        if anchor is not None:
            assert set(by_id[anchor].phones) & set(one.phones)
            assert policy.concerns(by_id[anchor].product, one.product)
            assert one.received_at - by_id[anchor].received_at < WEEK
