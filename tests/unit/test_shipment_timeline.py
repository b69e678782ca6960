"""The timeline of a shipment: whatever the order and number of its reports, the state is the same."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, cast
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.shipping import rows, schedule
from services.shipping.carriers.ghtk_codes import CODES
from services.shipping.timeline import (
    CANCEL_TOO_LATE,
    CANCELLED_IN_TRANSIT,
    UNKNOWN_STATUS,
    Changes,
    Entry,
    Known,
    Source,
    State,
    changes,
    fold,
    merge,
    ordinary_until,
)

if TYPE_CHECKING:
    import asyncpg

START = datetime(2026, 11, 5, 2, 0, tzinfo=UTC)
WAYBILL = "S100001.H14-A1.1375000000"
COD = 500_000
REASONS = ("", "122", "130")


def entry(
    code: int,
    minute: int,
    *,
    source: Source = "callback",
    reason: str = "",
    partial: bool = False,
    collected: int | None = None,
    waybill: str = WAYBILL,
) -> Entry:
    meaning = CODES.statuses.get(str(code))
    at = START + timedelta(minutes=minute)
    return Entry(
        waybill=waybill,
        raw_status=str(code),
        at=at,
        received_at=at,
        seen_by=(source,),
        status=meaning.status if meaning else None,
        provisional=meaning.provisional if meaning else False,
        settles=meaning.settles if meaning else False,
        reason_code=reason if source == "callback" else "",
        partial=partial,
        collected=collected if source == "poll" else None,
    )


def life(*codes: int) -> list[Entry]:
    return [entry(code, minute) for minute, code in enumerate(codes)]


def state_of(entries: list[Entry], cod: int = COD) -> State:
    return fold(entries, waybill=WAYBILL, cod=cod)


KNOWN = Known(
    shipment_id=UUID(int=1),
    order_id=UUID(int=2),
    carrier="ghtk",
    waybill=WAYBILL,
    status="draft",
    sequence=0,
    cod=COD,
    fee=30_000,
    accepted_at=START - timedelta(minutes=1),
    handed_over_at=None,
    partial=False,
    settled_at=None,
    cancel_requested=False,
)


def after(known: Known, state: State, outcome: Changes) -> Known:
    """The row as it is written after an outcome."""
    return replace(
        known,
        status=state.status,
        sequence=outcome.sequence,
        handed_over_at=state.handed_over_at,
        partial=state.partial,
        settled_at=known.settled_at or (outcome.settled.at if outcome.settled else None),
    )


reports = st.builds(
    entry,
    st.sampled_from([*map(int, CODES.statuses), 77]),
    st.integers(0, 12),
    source=st.sampled_from(["callback", "poll"]),
    reason=st.sampled_from(REASONS),
    partial=st.booleans(),
    collected=st.one_of(st.none(), st.integers(0, COD)),
)


@settings(max_examples=300)
@given(st.lists(reports, max_size=12), st.randoms(use_true_random=False))
def test_order_and_repetition_of_reports_do_not_matter(arrived: list[Entry], rng: random.Random) -> None:
    again = arrived + rng.choices(arrived, k=len(arrived)) if arrived else []
    rng.shuffle(again)
    step_by_step: tuple[Entry, ...] = ()
    for report in again:
        step_by_step = merge(step_by_step, [report]).entries
    at_once = merge((), arrived).entries
    told_first, told_again = state_of(list(at_once)), state_of(list(step_by_step))
    # Which of two amounts for one and the same moment was told last cannot be known; all else must agree.
    assert replace(told_first, collected=None, partial=False, provisional=None) == replace(
        told_again, collected=None, partial=False, provisional=None
    )
    assert (told_first.provisional is None) == (told_again.provisional is None)


ordinary = st.builds(entry, st.sampled_from([1, 2, 3, 4, 5, 8, 11, 12, 20, 21, 45]), st.integers(0, 12))


@settings(max_examples=300)
@given(
    st.one_of(st.lists(ordinary, max_size=8), st.lists(reports, max_size=8)), st.lists(reports, min_size=1, max_size=4)
)
def test_later_reports_of_an_ordinary_parcel_follow_from_its_row_alone(told: list[Entry], later: list[Entry]) -> None:
    before = merge((), told).entries
    state = state_of(list(before))
    until = ordinary_until(before, state, waybill=WAYBILL)
    later = [replace(each, at=each.at + timedelta(days=1)) for each in later if each.status and not each.provisional]
    if until is None or not later:
        return
    row = {
        "status": state.status,
        "status_at": state.at,
        "reason_code": state.reason_code,
        "handed_over_at": state.handed_over_at,
        "partial": state.partial,
    }
    added = merge((), later).entries
    followed = fold(added, waybill=WAYBILL, cod=COD, behind=rows.state_of(cast("asyncpg.Record", row)))
    assert followed == state_of([*before, *added])
    # What is ordinary then is so by all of the timeline, too.
    held = ordinary_until([*before, *added], followed, waybill=WAYBILL)
    assert ordinary_until(added, followed, waybill=WAYBILL) == held


@pytest.mark.parametrize(
    "entries",
    [
        [],
        life(10, 4),
        life(5, 6),
        life(77, 4),
        [*life(3), entry(123, 5)],
        [*life(3), entry(4, 5, waybill="another")],
        [entry(5, 1, source="poll", collected=COD)],
    ],
    ids=["nothing", "failed", "settled", "unknown code", "courier's report", "cancelled twin", "money"],
)
def test_parcels_whose_next_report_needs_more_than_their_row_are_not_ordinary(entries: list[Entry]) -> None:
    assert ordinary_until(entries, state_of(entries), waybill=WAYBILL) is None


def test_a_parcel_on_its_way_is_ordinary_until_its_newest_report() -> None:
    told = life(2, 3, 4)
    assert ordinary_until(told[::-1], state_of(told), waybill=WAYBILL) == told[-1].at


@settings(max_examples=300)
@given(st.lists(reports, min_size=1, max_size=12))
def test_nothing_moves_backwards_without_a_later_carrier_time(arrived: list[Entry]) -> None:
    known, told, entries = KNOWN, [], ()
    for report in arrived:
        entries = merge(entries, [report]).entries
        state = state_of(list(entries))
        outcome = changes(known, state)
        told += outcome.events
        known = after(known, state, outcome)
    moves = [event for event in told if event.status != event.previous]
    assert [event.sequence for event in told] == list(range(1, len(told) + 1))
    for earlier, later in pairwise(moves):
        assert later.previous == earlier.status
        if earlier.previous != "draft":  # the acceptance carries our time, everything after it the carrier's
            assert later.at >= earlier.at


@settings(max_examples=200)
@given(st.lists(reports, max_size=12))
def test_money_is_settled_once_at_most(arrived: list[Entry]) -> None:
    known, settled, entries = KNOWN, 0, ()
    for report in arrived:
        entries = merge(entries, [report]).entries
        state = state_of(list(entries))
        outcome = changes(known, state)
        settled += outcome.settled is not None
        known = after(known, state, outcome)
    assert settled <= 1


def test_a_delivered_life_ends_delivered_and_settled() -> None:
    state = state_of(life(2, 12, 123, 3, 4, 45, 5, 6))
    assert state.status == "delivered"
    assert state.handed_over_at == START + timedelta(minutes=3)
    assert state.delivered_at == START + timedelta(minutes=6)
    assert state.settled_at == START + timedelta(minutes=7)


def test_a_courier_s_report_moves_nothing_until_it_is_confirmed() -> None:
    reported = state_of(life(2, 12, 3, 4, 45))
    assert reported.status == "out_for_delivery"
    assert reported.provisional is not None
    assert reported.provisional.status == "delivered"
    confirmed = state_of(life(2, 12, 3, 4, 45, 5))
    assert confirmed.status == "delivered"
    assert confirmed.provisional is None


def test_a_lost_pick_up_report_leaves_the_hand_over_at_the_first_later_one() -> None:
    assert state_of(life(2, 12, 4)).handed_over_at == START + timedelta(minutes=2)


def test_an_unknown_code_is_kept_and_raised() -> None:
    state = state_of(life(2, 3, 77))
    assert state.status == "picked_up"
    assert state.attention == {UNKNOWN_STATUS}


def test_a_parcel_cancelled_in_the_carrier_s_hands_is_raised() -> None:
    assert state_of(life(2, 3, -1)).attention == {CANCELLED_IN_TRANSIT}


def test_reports_about_a_cancelled_twin_do_not_count() -> None:
    twin = entry(-1, 9, waybill="S100001.H14-A1.1375009999")
    assert state_of([*life(2, 12, 3), twin]).status == "picked_up"


def test_a_late_report_is_kept_and_moves_nothing() -> None:
    known = replace(KNOWN, status="delivered", sequence=4, handed_over_at=START + timedelta(minutes=2))
    outcome = changes(known, state_of([entry(5, 9), entry(3, 2), entry(4, 3)]))
    assert outcome.events == ()


def test_a_later_report_corrects_a_final_state() -> None:
    known = replace(KNOWN, status="delivered", sequence=3, handed_over_at=START + timedelta(minutes=1))
    [event] = changes(known, state_of(life(2, 3, 4, 5, 20))).events
    assert (event.status, event.previous, event.correction, event.sequence) == ("returning", "delivered", True, 4)


def test_a_shipment_first_heard_of_further_along_is_accepted_first() -> None:
    accepted, moved = changes(KNOWN, state_of(life(2, 12, 3))).events
    assert (accepted.status, accepted.previous, accepted.at) == ("accepted", "draft", KNOWN.accepted_at)
    assert (moved.status, moved.previous, moved.sequence) == ("picked_up", "accepted", 2)


def test_a_partial_delivery_is_settled_with_the_amount_of_the_carrier_s_own_table_only() -> None:
    known = replace(KNOWN, status="accepted", sequence=1)
    told = [*life(2, 3, 4), entry(5, 5, partial=True), entry(6, 6)]
    outcome = changes(known, state_of(told))
    assert outcome.settled is None
    assert outcome.owes_amount
    asked = list(merge(told, [entry(6, 6, source="poll", collected=380_000)]).entries)
    settled = changes(known, state_of(asked)).settled
    assert settled is not None
    assert settled.amount == 380_000


def test_less_money_in_the_carrier_s_table_is_a_partial_delivery_although_the_report_of_it_was_lost() -> None:
    state = state_of([*life(2, 3, 4), entry(5, 5, source="poll", collected=380_000)])
    assert state.partial
    assert state.collected == 380_000


def test_whole_deliveries_settle_the_amount_of_the_order() -> None:
    settled = changes(replace(KNOWN, status="accepted", sequence=1), state_of(life(2, 3, 4, 5, 6))).settled
    assert settled is not None
    assert (settled.amount, settled.fee, settled.evidence) == (COD, 30_000, "status")


def test_a_cancellation_that_comes_after_the_pick_up_is_raised() -> None:
    known = replace(KNOWN, status="accepted", sequence=1, cancel_requested=True)
    assert CANCEL_TOO_LATE in changes(known, state_of(life(2, 3))).attention


@pytest.mark.parametrize("poll_first", [True, False])
def test_a_poll_and_a_callback_about_one_change_are_one_entry_with_its_reason(poll_first: bool) -> None:
    poll, callback = entry(10, 5, source="poll", collected=COD), entry(10, 5, reason="122")
    [merged] = merge((), [poll, callback] if poll_first else [callback, poll]).entries
    assert merged.reason_code == "122"
    assert merged.collected == COD
    assert merged.seen_by == (("poll", "callback") if poll_first else ("callback", "poll"))


def test_a_repeated_report_changes_nothing() -> None:
    held = life(2, 12, 3)
    merged = merge(held, held)
    assert merged.added == ()
    assert merged.changed == ()


def test_every_status_that_may_last_is_polled_or_at_rest() -> None:
    ended = {"returned", "lost", "cancelled", "pickup_failed"}
    assert {meaning.status for meaning in CODES.statuses.values()} == set(schedule.PAUSES) | ended


def test_looks_that_find_nothing_new_grow_further_apart_up_to_a_day() -> None:
    pauses = [
        schedule.next_poll(
            "accepted", settled=False, provisional=False, owes_amount=False, unchanged=count, now=START, pace=1
        )
        for count in range(60)
    ]
    waits = [pause - START for pause in pauses if pause is not None]
    assert waits[0] == schedule.PAUSES["accepted"]
    assert waits == sorted(waits)
    assert waits[-1] == schedule.PAUSE_MAX
