"""The simulated GHN's plans: which roads exist."""

import pytest

from deploy.local.carriers.life import TRANSFER, Outcome
from deploy.local.ghn.life import REASON_TEXT, ROAD, STATUS_TEXT

MANY = 200
HAPPY_ROAD = [
    "picking",
    "money_collect_picking",
    "picked",
    "storing",
    "transporting",
    "sorting",
    "delivering",
    "money_collect_delivering",
    "delivered",
]
# Every status that may directly follow another on a documented road.
MAY_FOLLOW = {
    "ready_to_pick": {"picking", "cancel"},
    "picking": {"money_collect_picking", "ready_to_pick"},
    "money_collect_picking": {"picked"},
    "picked": {"storing"},
    "storing": {"transporting", "delivering"},
    "transporting": {"sorting"},
    "sorting": {"delivering", "lost", "damage"},
    "delivering": {"money_collect_delivering", "delivery_fail"},
    "money_collect_delivering": {"delivered"},
    "delivery_fail": {"storing", "waiting_to_return"},
    "waiting_to_return": {"return"},
    "return": {"return_transporting"},
    "return_transporting": {"return_sorting"},
    "return_sorting": {"returning"},
    "returning": {"returned", "return_fail"},
    "return_fail": {"returning"},
}


def lives(outcome: Outcome) -> list[list[tuple[str, str, str]]]:
    plans = [ROAD.plan(seed=7, reference=f"DH-{number}", rates={outcome: 1.0}) for number in range(MANY)]
    return [[(str(step.status), step.kind, step.reason_code) for step in plan.steps] for plan in plans]


def test_a_delivered_parcel_is_paid_out_in_the_end() -> None:
    road = lives(Outcome.DELIVERED)[0]
    assert [status for status, _, _ in road] == [*HAPPY_ROAD, "delivered"]
    assert road[-1][1] == TRANSFER


@pytest.mark.parametrize("outcome", Outcome)
def test_every_move_of_a_plan_is_one_that_the_carrier_makes(outcome: Outcome) -> None:
    for road in lives(outcome):
        previous = "ready_to_pick"
        for status, kind, reason in road:
            assert kind == TRANSFER or status in MAY_FOLLOW[previous], road
            assert reason in REASON_TEXT or reason == ""
            previous = status
        assert previous in ROAD.final or road[-1][1] == TRANSFER


def test_every_documented_status_is_reached_by_some_plan_but_the_exception() -> None:
    reached = {status for outcome in Outcome for road in lives(outcome) for status, _, _ in road}
    assert {str(code) for code in STATUS_TEXT} - reached == {"exception"}


def test_every_reason_of_the_table_is_told_by_some_plan() -> None:
    told = {reason for outcome in Outcome for road in lives(outcome) for _, _, reason in road}
    assert set(REASON_TEXT) - told == set()


def test_a_parcel_stored_again_sets_out_again() -> None:
    onward = [str(step.status) for step in ROAD.plan_after("storing", remaining=())]
    assert onward == [*HAPPY_ROAD[4:], "delivered"]
