"""The simulated carrier's plans: which roads exist, how often each is taken, and that they repeat."""

from collections import Counter
from datetime import timedelta
from functools import cache

import pytest
from pydantic import ValidationError

from deploy.local.carriers.life import Life, Outcome, Step
from deploy.local.carriers.model import USUAL_OUTCOMES, OutcomeRates
from deploy.local.ghtk.life import FINAL, REASON_TEXT, ROAD, STATUS_TEXT, Status
from deploy.local.simulator.dice import Dice

HAPPY_ROAD = [12, 123, 3, 4, 45, 5, 6]
# Every status that may directly follow another on a documented road.
MAY_FOLLOW = {
    2: {12},
    12: {123, 127, 128},
    123: {3},
    127: {7},
    128: {8},
    8: {12},
    3: {4},
    4: {45, 49, 410, 13},
    45: {5},
    49: {10, 9},
    410: {10},
    10: {4},
    5: {6},
    9: {20},
    20: {21},
    21: {11},
}
MANY = 800


@cache
def lives(outcome: Outcome | None = None) -> list[Life]:
    rates = USUAL_OUTCOMES.weights() if outcome is None else {outcome: 1.0}
    return [ROAD.plan(seed=7, reference=f"DH-{number}", rates=rates) for number in range(MANY)]


def road(life: Life) -> list[int]:
    return [int(step.status) for step in life.steps]


def test_a_delivered_shipment_is_picked_up_delivered_and_settled() -> None:
    assert road(lives(Outcome.DELIVERED)[0]) == HAPPY_ROAD


@pytest.mark.parametrize("outcome", Outcome)
def test_every_move_of_a_plan_is_one_that_the_carrier_makes(outcome: Outcome) -> None:
    for life in lives(outcome):
        previous = int(Status.RECEIVED)
        for status in road(life):
            assert status in MAY_FOLLOW[previous], life
            previous = status
        assert previous in FINAL


@pytest.mark.parametrize(
    ("outcome", "end"),
    [
        (Outcome.DELIVERED, Status.SETTLED),
        (Outcome.PICKED_UP_LATE, Status.SETTLED),
        (Outcome.REDELIVERED, Status.SETTLED),
        (Outcome.RETURNED, Status.RETURN_SETTLED),
        (Outcome.PICK_UP_FAILED, Status.PICK_UP_FAILED),
        (Outcome.LOST, Status.COMPENSATED),
    ],
)
def test_each_outcome_has_its_end(outcome: Outcome, end: Status) -> None:
    assert {road(life)[-1] for life in lives(outcome)} == {end}


def test_a_redelivered_shipment_fails_exactly_once_by_either_report() -> None:
    failures = [
        tuple(status for status in road(life) if status in (49, 410, 10)) for life in lives(Outcome.REDELIVERED)
    ]
    assert set(failures) == {(49, 10), (410, 10)}


def test_a_return_comes_after_a_refusal_or_after_three_attempts() -> None:
    attempts = {
        (road(life).count(Status.DELIVERING), next(step.reason_code for step in life.steps if step.status == 9))
        for life in lives(Outcome.RETURNED)
    }
    assert attempts == {(1, "130"), (3, "131"), (3, "132")}


def test_failures_and_only_failures_carry_a_documented_reason() -> None:
    with_reason = {49, 410, 10, 9, 127, 7, 128, 8}
    for life in lives():
        for step in life.steps:
            assert (step.status in with_reason) == (step.reason_code in REASON_TEXT)
            assert step.reason_code in REASON_TEXT or step.reason_code == ""


def test_every_documented_status_is_reached_by_some_plan_or_by_hand() -> None:
    reached = {status for outcome in Outcome for life in lives(outcome) for status in road(life)}
    assert set(STATUS_TEXT) - reached == {Status.CANCELLED, Status.NOT_YET_RECEIVED, Status.RECEIVED}


def test_the_same_seed_and_reference_give_the_same_life() -> None:
    again = [ROAD.plan(seed=7, reference=f"DH-{number}", rates=USUAL_OUTCOMES.weights()) for number in range(MANY)]
    assert lives() == again


def test_another_seed_gives_other_lives() -> None:
    others = [ROAD.plan(seed=8, reference=f"DH-{number}", rates=USUAL_OUTCOMES.weights()) for number in range(MANY)]
    assert [life.outcome for life in others] != [life.outcome for life in lives()]


def test_outcomes_come_in_their_rates() -> None:
    seen = Counter(life.outcome for life in lives())
    for outcome, rate in USUAL_OUTCOMES.weights().items():
        assert seen[outcome] / MANY == pytest.approx(rate, abs=0.03)


def test_every_step_takes_simulated_time() -> None:
    assert all(step.after > timedelta(minutes=1) for life in lives() for step in life.steps)


def test_a_status_set_by_hand_continues_with_what_came_behind_it_in_the_plan() -> None:
    steps = tuple(Step(status, timedelta(hours=1)) for status in HAPPY_ROAD)
    assert [step.status for step in ROAD.plan_after(4, remaining=steps)] == [45, 5, 6]


def test_a_status_off_the_plan_continues_on_the_usual_road() -> None:
    steps = tuple(Step(status, timedelta(hours=1)) for status in HAPPY_ROAD)
    assert [step.status for step in ROAD.plan_after(9, remaining=steps)] == [20, 21, 11]
    assert [step.status for step in ROAD.plan_after(49, remaining=steps)] == [10, 4, 45, 5, 6]


def test_an_ended_shipment_that_is_set_back_lives_on() -> None:
    assert [step.status for step in ROAD.plan_after(4, remaining=())] == [45, 5, 6]


@pytest.mark.parametrize("status", sorted(FINAL))
def test_nothing_follows_a_final_status(status: int) -> None:
    steps = tuple(Step(each, timedelta(hours=1)) for each in HAPPY_ROAD)
    assert ROAD.plan_after(status, remaining=steps) == ()


def test_an_undocumented_status_leaves_the_plan_alone() -> None:
    steps = (Step(4, timedelta(hours=1)),)
    assert ROAD.plan_after(99, remaining=steps) == steps


def test_rates_without_any_outcome_are_refused() -> None:
    with pytest.raises(ValidationError, match="at least one outcome"):
        OutcomeRates()


def test_dice_fall_alike_for_one_seed_whatever_the_order_of_keys() -> None:
    forward, backward = Dice(seed=3), Dice(seed=3)
    keys = [f"DH-{number}" for number in range(200)]
    first = {key: forward.hits("drop", rate=0.3, key=key) for key in keys}
    second = {key: backward.hits("drop", rate=0.3, key=key) for key in reversed(keys)}
    assert first == second
    assert 0.2 < sum(first.values()) / len(keys) < 0.4


def test_a_second_throw_for_the_same_key_may_fall_differently() -> None:
    dice = Dice(seed=3)
    throws = {dice.hits("drop", rate=0.5, key="DH-1") for _ in range(50)}
    assert throws == {True, False}


@pytest.mark.parametrize(("rate", "expected"), [(0.0, False), (1.0, True)])
def test_rates_of_zero_and_one_are_certain(rate: float, expected: bool) -> None:
    dice = Dice(seed=3)
    assert {dice.hits("drop", rate=rate, key=str(number)) for number in range(500)} == {expected}
