"""The simulated GHTK reports status changes as the real one does, and badly where it is told to."""

import asyncio
from collections import Counter
from datetime import datetime, timedelta

import pytest

from deploy.local.ghtk import Faults, OutcomeRates, SimulatorSettings
from tests.integration.ghtk_support import Receiver, open_shop

DELIVERED = SimulatorSettings(outcomes=OutcomeRates(delivered=1))
RETURNED = SimulatorSettings(outcomes=OutcomeRates(returned=1))
HAPPY_ROAD = [12, 123, 3, 4, 45, 5, 6]
WHOLE_LIFE = 20  # steps; longer than any plan


async def test_a_callback_is_a_form_with_the_documented_fields() -> None:
    async with open_shop() as shop:
        label = await shop.created("DH-1")
        await shop.push("DH-1", 49, reason_code="122")
        await shop.simulation.sender.drain()
        request, form = shop.receiver.requests[0], shop.receiver.forms[0]
        assert request.headers["content-type"] == "application/x-www-form-urlencoded"
        assert form == {
            "label_id": label,
            "partner_id": "DH-1",
            "action_time": form["action_time"],
            "status_id": "49",
            "reason_code": "122",
            "reason": "Không gọi được người nhận",
            "weight": "0.6",
            "fee": form["fee"],
            "return_part_package": "0",
        }
        assert datetime.fromisoformat(form["action_time"]).utcoffset() == timedelta(hours=7)


async def test_a_callback_is_json_when_asked() -> None:
    async with open_shop(settings=SimulatorSettings(callback_format="json")) as shop:
        await shop.created("DH-1")
        await shop.push("DH-1", 5, partial=True, cod=100_000)
        await shop.simulation.sender.drain()
        request = shop.receiver.requests[0]
        assert request.headers["content-type"] == "application/json"
        assert b'"pick_money":100000' in request.content
        assert b'"return_part_package":1' in request.content


async def test_without_faults_a_life_is_reported_completely_and_in_order() -> None:
    async with open_shop(settings=DELIVERED) as shop:
        label = await shop.created("DH-1")
        assert await shop.advance(steps=WHOLE_LIFE) == len(HAPPY_ROAD)
        assert shop.receiver.statuses == HAPPY_ROAD
        times = [form["action_time"] for form in shop.receiver.forms]
        assert times == sorted(set(times))
        history = (await shop.row(label))["history"]
        assert [entry["status"] for entry in history] == [2, *HAPPY_ROAD]


async def test_the_creation_itself_is_not_reported() -> None:
    async with open_shop() as shop:
        await shop.created("DH-1")
        assert (await shop.stats())["callbacks_queued"] == 0


async def test_a_cancellation_is_reported_with_its_reason() -> None:
    async with open_shop() as shop:
        await shop.created("DH-1")
        await shop.cancel("DH-1")
        await shop.simulation.sender.drain()
        assert [(form["status_id"], form["reason_code"]) for form in shop.receiver.forms] == [("-1", "115")]


async def test_a_change_can_happen_in_silence() -> None:
    async with open_shop() as shop:
        await shop.created("DH-1")
        await shop.push("DH-1", 5, callback=False)
        assert (await shop.track("DH-1"))["order"]["status"] == "5"
        assert (await shop.stats())["callbacks_queued"] == 0


async def test_a_late_report_keeps_its_older_time_and_an_unknown_status_its_number() -> None:
    async with open_shop() as shop:
        await shop.created("DH-1")
        await shop.push("DH-1", 99, at="2026-01-02T03:04:05+07:00")
        await shop.simulation.sender.drain()
        form = shop.receiver.forms[0]
        assert (form["status_id"], form["action_time"]) == ("99", "2026-01-02T03:04:05+07:00")


async def test_a_callback_that_is_not_answered_with_200_is_sent_once_more() -> None:
    async with open_shop(settings=DELIVERED, receiver=Receiver(respond=lambda _: 204)) as shop:
        await shop.created("DH-1")
        await shop.advance(steps=1)
        assert shop.receiver.statuses == [12, 12]
        assert shop.receiver.forms[0] == shop.receiver.forms[1]
        stats = await shop.stats()
        assert (stats["callbacks_resent"], stats["callbacks_given_up"], stats["callbacks_acknowledged"]) == (1, 1, 0)


async def test_a_callback_that_is_answered_the_second_time_is_acknowledged() -> None:
    async with open_shop(receiver=Receiver(respond=lambda number: 200 if number else 500)) as shop:
        await shop.created("DH-1")
        await shop.advance(steps=1)
        stats = await shop.stats()
        assert (stats["callbacks_sent"], stats["callbacks_acknowledged"], stats["callbacks_given_up"]) == (2, 1, 0)


async def test_dropped_callbacks_never_come_although_the_shipment_moved() -> None:
    async with open_shop(settings=DELIVERED, faults=Faults(drop_callback=1)) as shop:
        await shop.created("DH-1")
        await shop.advance(steps=WHOLE_LIFE)
        assert shop.receiver.requests == []
        assert (await shop.row("DH-1"))["status"] == 6
        assert (await shop.stats())["callbacks_dropped"] == len(HAPPY_ROAD)


async def test_duplicated_callbacks_come_twice_although_they_were_answered() -> None:
    async with open_shop(settings=DELIVERED, faults=Faults(duplicate_callback=1)) as shop:
        await shop.created("DH-1")
        await shop.advance(steps=WHOLE_LIFE)
        assert Counter(shop.receiver.statuses) == dict.fromkeys(HAPPY_ROAD, 2)


async def test_shuffled_callbacks_are_overtaken_by_the_next_of_the_same_shipment() -> None:
    async with open_shop(settings=DELIVERED, faults=Faults(shuffle_callback=1)) as shop:
        await shop.created("DH-1")
        await shop.advance(steps=WHOLE_LIFE)
        assert shop.receiver.statuses == [123, 12, 4, 3, 5, 45, 6]


async def test_a_shuffled_callback_that_nothing_follows_is_not_held_for_ever() -> None:
    async with open_shop(settings=DELIVERED, faults=Faults(shuffle_callback=1, shuffle_hold_seconds=0.05)) as shop:
        await shop.created("DH-1")
        await shop.control("POST", "advance", {"steps": 1})
        await shop.receiver.wait_for(1)
        assert shop.receiver.statuses == [12]


async def test_delayed_callbacks_all_come_in_another_order() -> None:
    faults = Faults(delay_callback=1, delay_callback_seconds=0.2)
    async with open_shop(settings=DELIVERED, faults=faults) as shop:
        await shop.created("DH-1")
        await shop.advance(steps=WHOLE_LIFE)
        assert sorted(shop.receiver.statuses) == sorted(HAPPY_ROAD)
        assert shop.receiver.statuses != HAPPY_ROAD


async def test_with_all_faults_the_callbacks_account_for_every_change() -> None:
    faults = Faults(drop_callback=0.3, duplicate_callback=0.3, shuffle_callback=0.5, delay_callback=0.3)
    faults = faults.model_copy(update={"delay_callback_seconds": 0.1})
    async with open_shop(faults=faults) as shop:
        for number in range(100):
            await shop.created(f"DH-{number}")
        changes = await shop.advance(steps=WHOLE_LIFE)
        stats = await shop.stats()
        assert stats["status_changes"] == changes
        assert stats["callbacks_queued"] == changes - stats["callbacks_dropped"] + stats["callbacks_duplicated"]
        assert len(shop.receiver.requests) == stats["callbacks_queued"]
        assert 0.2 < stats["callbacks_dropped"] / changes < 0.4


async def test_two_runs_with_one_seed_drop_and_duplicate_the_same_callbacks() -> None:
    faults = Faults(drop_callback=0.3, duplicate_callback=0.3)
    seen = []
    for _ in range(2):
        async with open_shop(faults=faults) as shop:
            await asyncio.gather(*(shop.created(f"DH-{number}") for number in range(30)))
            await shop.advance(steps=WHOLE_LIFE)
            seen.append(Counter((form["partner_id"], form["status_id"]) for form in shop.receiver.forms))
    assert seen[0] == seen[1]


async def test_moving_time_makes_what_is_due_happen_at_its_own_time() -> None:
    async with open_shop(settings=RETURNED) as shop:
        await shop.created("DH-1")
        assert await shop.advance(seconds=60) == 0
        await shop.advance(seconds=60 * 86_400)
        row = await shop.row("DH-1")
        assert (row["status"], row["is_at_rest"]) == (11, True)
        times = [datetime.fromisoformat(entry["at"]) for entry in row["history"]]
        assert times == sorted(times)
        assert timedelta(days=3) < times[-1] - times[0] < timedelta(days=40)


async def test_moving_time_reports_the_changes_of_all_shipments_in_order() -> None:
    async with open_shop(settings=SimulatorSettings(callback_concurrency=1)) as shop:
        for number in range(20):
            await shop.created(f"DH-{number}")
        await shop.advance(seconds=60 * 86_400)
        times = [form["action_time"] for form in shop.receiver.forms]
        assert times == sorted(times)


async def test_a_speed_moves_shipments_by_itself_to_their_end() -> None:
    async with open_shop(settings=DELIVERED) as shop:
        await shop.created("DH-1")
        await shop.control("PATCH", "settings", {"speed": 50})
        await shop.created("DH-2")
        await shop.receiver.wait_for(2 * len(HAPPY_ROAD))
        assert {(await shop.row(each))["status"] for each in ("DH-1", "DH-2")} == {6}


async def test_a_speed_of_zero_stops_the_movement() -> None:
    async with open_shop(settings=DELIVERED.model_copy(update={"speed": 50.0})) as shop:
        await shop.created("DH-1")
        await shop.receiver.wait_for(1)
        await shop.control("PATCH", "settings", {"speed": 0})
        before = await shop.row("DH-1")
        await shop.created("DH-2")
        assert await shop.row("DH-1") == before


@pytest.mark.parametrize(("status", "onward"), [(9, [20, 21, 11]), (49, [10, 4, 45, 5, 6]), (4, [45, 5, 6])])
async def test_a_shipment_put_into_a_status_goes_on_from_there(status: int, onward: list[int]) -> None:
    async with open_shop(settings=DELIVERED) as shop:
        await shop.created("DH-1")
        await shop.push("DH-1", status)
        await shop.advance(steps=WHOLE_LIFE)
        assert shop.receiver.statuses == [status, *onward]
