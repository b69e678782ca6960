"""Polling: what is overdue is asked, within the carrier's patience; what is not, is not."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta

import asyncpg

from deploy.local.ghtk import Faults, Status
from services.shipping import polling, schedule
from services.shipping.carriers.answers import Report
from services.shipping.work import work
from tests.harness import eventually
from tests.integration.shipping.support import Shop

HOLD = "SELECT FROM shipments WHERE id = $1 FOR UPDATE"
WAITING = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


async def calls(shop: Shop) -> int:
    return shop.ghtk.stats.calls.get("track", 0)


async def test_only_overdue_shipments_are_asked(shop: Shop) -> None:
    await shop.ship_many(5)
    done = await shop.poll()
    assert (done.asked, done.open, await calls(shop)) == (0, 5, 0)
    shop.skip(schedule.PAUSES["accepted"] + timedelta(seconds=1))
    assert (await shop.poll()).asked == 5
    assert (await shop.poll()).asked == 0


async def test_a_round_works_through_more_than_a_batch(shop: Shop) -> None:
    await shop.ship_many(polling.BATCH + 15)
    shop.skip(timedelta(days=1))
    assert (await shop.poll()).asked == polling.BATCH + 15


async def test_two_pollers_ask_about_each_shipment_once(shop: Shop) -> None:
    await shop.ship_many(60)
    shop.skip(timedelta(days=1))
    rounds = await asyncio.gather(shop.poll(), shop.poll())
    assert sum(done.asked for done in rounds) == 60
    assert await calls(shop) == 60


async def test_a_poll_that_knows_first_says_so_and_the_callback_joins_it(shop: Shop) -> None:
    shipment_id = await shop.ship()
    view = await shop.get(shipment_id)
    shop.ghtk.push(view["reference"], Status.DELIVERY_DELAYED, reason_code="122", callback=False)
    await shop.poll_everything()
    at = shop.ghtk.shipment(view["reference"]).latest.at.isoformat(timespec="seconds")
    form = f"label_id={view['waybill']}&status_id=10&reason_code=122&action_time={at.replace('+', '%2B')}"
    await shop.call_back(form)
    await shop.apply_callbacks()
    entry = (await shop.get(shipment_id))["timeline"][-1]
    assert entry["known_first_by"] == "Hệ thống hỏi hãng"
    assert entry["sources"] == ["poll", "callback"]
    assert entry["reason"] == "Không gọi được người nhận"


async def test_a_parcel_at_rest_is_never_asked_about_again(shop: Shop) -> None:
    for code, status in (("DH-DONE0001", Status.SETTLED), ("DH-DONE0002", Status.RETURNED)):
        await shop.ship(code)
        shop.ghtk.push(f"{code}-1", Status.PICKED_UP)
        shop.ghtk.push(f"{code}-1", status)
    await shop.poll_everything()
    asked = await calls(shop)
    await shop.poll_everything()
    assert await calls(shop) == asked == 2


async def test_a_carrier_that_is_away_is_left_alone_after_a_few_failures_and_asked_again_later(shop: Shop) -> None:
    await shop.ship_many(40)
    shop.skip(timedelta(days=1))
    shop.ghtk.set_faults(Faults(error_before=1.0))
    done = await shop.poll()
    assert done.away
    assert await calls(shop) < 20
    [connection] = (await shop.client.get("/v1/connections")).json()["items"]
    assert connection["failing_since"] is not None
    shop.ghtk.set_faults(Faults())

    async def asked_again() -> bool:
        shop.skip(timedelta(minutes=5))
        async with work(shop.context.db) as current:  # for the gate, which goes by the database's clock, as well
            await current.connection.execute("UPDATE carrier_gates SET shut_until = now() WHERE shut_until > now()")
        away = (await shop.poll()).away
        [row] = await shop.running.rows("SELECT count(*) AS asked FROM shipments WHERE unchanged_polls > 0")
        return not away and row.asked == 40

    await eventually(asked_again, within=90)
    [connection] = (await shop.client.get("/v1/connections")).json()["items"]
    assert (connection["failing_since"], connection["last_error"]) == (None, "")


async def test_single_failures_do_not_stop_a_round(shop: Shop) -> None:
    await shop.ship_many(60)
    shop.ghtk.set_faults(Faults(error_before=0.1))
    shop.skip(timedelta(days=1))
    assert 40 < (await shop.poll()).asked < 60
    shop.ghtk.set_faults(Faults())
    shop.skip(timedelta(minutes=2))
    await shop.poll()
    [row] = await shop.running.rows("SELECT count(*) AS asked FROM shipments WHERE unchanged_polls = 1")
    assert row.asked == 60


async def test_credentials_that_are_refused_do_not_make_parcels_disappear(shop: Shop) -> None:
    shipment_id = await shop.ship()
    shop.skip(timedelta(days=1))
    shop.ghtk.simulation.settings = shop.ghtk.simulation.settings.model_copy(update={"token": "another"})
    assert (await shop.poll()).away
    assert (await shop.get(shipment_id))["attention"] == []
    [connection] = (await shop.client.get("/v1/connections")).json()["items"]
    assert "refused" in connection["last_error"]


async def test_a_parcel_that_the_carrier_does_not_know_is_raised(shop: Shop) -> None:
    shipment_id = await shop.ship()
    await shop.ghtk.simulation.reset()
    shop.skip(timedelta(days=1))
    await shop.poll()
    view = await shop.get(shipment_id)
    assert (view["status"], view["attention"]) == ("accepted", ["missing_at_carrier"])


async def test_a_round_locks_its_parcels_in_one_order_with_everybody_else(shop: Shop) -> None:
    unknown, known = sorted(await shop.ship_many(2))
    report = Report((await shop.get(known))["waybill"], "", raw_status="2", at=shop.context.now())
    answers = polling._Answers(reports={known: [report]}, missing=[unknown])
    shop.skip(timedelta(days=1))
    leased = await polling._lease(shop.context, await shop.context.connection(shop.connection_id))
    other = await asyncpg.connect(shop.running.db.url)
    try:
        transaction = other.transaction()
        await transaction.start()
        await other.execute(HOLD, unknown)
        async with asyncio.TaskGroup() as group:
            group.create_task(polling._write(shop.context, leased, answers))
            # Not by the other's connection: within a transaction these views stand still.
            await eventually(lambda: shop.running.rows(WAITING), what="the round waits for the parcel that is held")
            await other.execute(HOLD, known)
            await transaction.commit()
    finally:
        await other.close()
    assert [(await shop.get(each))["attention"] for each in (unknown, known)] == [["missing_at_carrier"], []]


async def test_a_carrier_s_table_that_contradicts_its_own_reports_is_raised(shop: Shop) -> None:
    shipment_id = await shop.ship()
    view = await shop.get(shipment_id)
    form = f"label_id={view['waybill']}&status_id=5&reason_code=&action_time=2031-01-01T00:00:00%2B07:00"
    await shop.call_back(form)
    await shop.apply_callbacks()
    shop.skip(timedelta(days=1))
    await shop.poll()
    view = await shop.get(shipment_id)
    assert (view["status"], view["attention"]) == ("delivered", ["carrier_disagrees"])


async def test_a_dead_poller_s_lease_runs_out(shop: Shop) -> None:
    await shop.ship_many(3)
    shop.skip(timedelta(days=1))
    assert len(await polling._lease(shop.context, await shop.context.connection(shop.connection_id))) == 3
    assert (await shop.poll()).asked == 0
    shop.skip(polling.LEASE + timedelta(seconds=1))
    assert (await shop.poll()).asked == 3


async def test_the_rate_of_the_connection_is_kept(shop: Shop) -> None:
    await shop.client.patch(
        f"/v1/connections/{shop.connection_id}", json={"requests_per_second": 20}, headers={"If-Match": '"1"'}
    )
    await shop.ship_many(21)
    shop.skip(timedelta(days=1))
    started = time.monotonic()
    assert (await shop.poll()).asked == 21
    assert time.monotonic() - started >= 1.0


async def test_a_deleted_connection_ends_its_polling_and_an_idle_disabled_one_sleeps(shop: Shop) -> None:
    await shop.client.patch(
        f"/v1/connections/{shop.connection_id}", json={"state": "disabled"}, headers={"If-Match": '"1"'}
    )
    assert (await shop.poll()).next_due is None
    assert (await shop.client.delete(f"/v1/connections/{shop.connection_id}")).status_code == 204
    assert (await shop.poll()).connection is None


async def test_a_courier_s_report_that_is_not_confirmed_is_asked_about_soon(shop: Shop) -> None:
    shipment_id = await shop.ship()
    view = await shop.get(shipment_id)
    for _ in range(3):
        await shop.poll_everything()
    late = (await shop.get(shipment_id))["next_poll_at"]
    form = f"label_id={view['waybill']}&status_id=123&reason_code=&action_time=2031-01-01T00:00:00%2B07:00"
    await shop.call_back(form)
    await shop.apply_callbacks()
    view = await shop.get(shipment_id)
    assert (view["status"], view["provisional_status"]) == ("accepted", "picked_up")
    soon = datetime.fromisoformat(view["next_poll_at"]) - shop.context.now()
    assert soon <= schedule.PROVISIONAL_PAUSE
    assert view["next_poll_at"] < late
