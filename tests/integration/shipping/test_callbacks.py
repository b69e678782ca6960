"""Callbacks: durable and answered at once whatever they say, applied afterwards, once, in the carrier's order."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import urlencode

import orjson
import pytest

from deploy.local.ghtk import Faults, Status
from services.shipping import creation, rows
from services.shipping.app import callback_processor
from services.shipping.callbacks import processing
from services.shipping.callbacks.processing import CallbackProcessor
from services.shipping.carriers.answers import CallbackMessage, Report
from services.shipping.carriers.errors import UnknownOutcome
from services.shipping.carriers.ghtk import Ghtk
from services.shipping.timeline import FINAL
from tests.harness import eventually
from tests.integration.shipping.support import Shop, connection_body, moves

CHANGED = "shipping.shipment.changed.v1"
SETTLED = "shipping.cod.settled.v1"
SAMPLES = Path(__file__).parents[2] / "contracts" / "ghtk"


def body(waybill: str, status: int, *, at: str = "2030-01-02T08:00:00+07:00", **fields: str) -> str:
    return urlencode({"label_id": waybill, "partner_id": "", "action_time": at, "status_id": status, **fields})


async def test_a_callback_is_durable_when_it_is_answered(shop: Shop) -> None:
    assert await shop.call_back(b"label_id=whatever") == 200
    [row] = await shop.running.rows("SELECT body, state FROM callbacks_raw")
    assert (bytes(row.body), row.state) == (b"label_id=whatever", "received")


async def test_forms_and_json_move_the_shipment_and_its_timeline_tells_it(shop: Shop) -> None:
    shipment_id = await shop.ship()
    waybill = (await shop.get(shipment_id))["waybill"]
    picked_up = body(waybill, 3)
    delayed = {"label_id": waybill, "status_id": 10, "action_time": "2030-01-03T09:00:00+07:00", "reason_code": 122}
    assert await shop.call_back(picked_up) == 200
    assert await shop.call_back(orjson.dumps(delayed), content_type="application/json") == 200
    assert await shop.apply_callbacks() == 2
    view = await shop.get(shipment_id)
    assert (view["status"], view["reason"]) == ("delivery_failed", "Không gọi được người nhận")
    assert [item["label"] for item in view["timeline"]] == [
        "Đã tiếp nhận",
        "Đã lấy hàng/Đã nhập kho",
        "Delay giao hàng",
    ]
    assert view["timeline"][1]["known_first_by"] == "Hãng gọi báo"
    assert view["handed_over_at"] == "2030-01-02T01:00:00Z"
    english = await shop.client.get(f"/v1/shipments/{shipment_id}", headers={"accept-language": "en"})
    assert english.json()["timeline"][1]["label"] == "Picked up, in the warehouse"


async def test_a_wrong_secret_looks_like_any_path_that_does_not_exist(shop: Shop) -> None:
    caller = await shop.running.anonymous()
    wrong = await caller.post("/v1/hooks/carriers/" + "x" * 43, content=body("A", 3))
    nowhere = await caller.post("/v1/nowhere/at/all", content=body("A", 3))
    assert wrong.status_code == nowhere.status_code == 404
    assert {**wrong.json(), "correlation_id": ""} == {**nowhere.json(), "correlation_id": ""}
    assert await shop.running.rows("SELECT 1 FROM callbacks_raw") == []


async def test_a_renewed_address_takes_the_place_of_the_former(shop: Shop) -> None:
    assert await shop.call_back(body("A", 3)) == 200
    renewed = await shop.client.post(f"/v1/connections/{shop.connection_id}/callback-address")
    assert await shop.call_back(body("A", 3)) == 404
    shop.callback_url = renewed.json()["callback_url"]
    assert await shop.call_back(body("A", 3)) == 200


UNREADABLE = [
    *(path.read_bytes().strip() for path in sorted(SAMPLES.glob("unreadable_*"))),
    b"",
    b"\xff\xfe\x00",
    b"{",
    b'{"label_id": "A", "status_id": 1e400, "action_time": "2030-01-02T08:00:00+07:00"}',
    b'{"label_id": "A", "status_id": 5, "action_time": "0001-01-01T00:00:00+14:00"}',
    b'{"label_id": {"a": 1}, "status_id": 5, "action_time": "2030-01-02T08:00:00+07:00"}',
    b'{"label_id": "\\ud800", "status_id": 5, "action_time": "2030-01-02T08:00:00+07:00"}',
    b"&".join(b"a=%d" % number for number in range(500)),
]


async def test_unreadable_bodies_are_kept_answered_and_raised(shop: Shop) -> None:
    statuses = [await shop.call_back(each) for each in UNREADABLE]
    assert set(statuses) == {200}
    assert await shop.apply_callbacks() == len(UNREADABLE)
    raised = (await shop.client.get("/v1/callbacks", params={"state": "failed"})).json()["items"]
    assert len(raised) == len(UNREADABLE)
    assert all(item["error"] for item in raised)
    assert await shop.apply_callbacks() == 0


async def test_bodies_are_kept_for_a_quarter_and_those_that_somebody_has_to_look_at_for_good(shop: Shop) -> None:
    waybill = (await shop.get(await shop.ship()))["waybill"]
    await shop.call_back(body(waybill, 3))
    await shop.call_back(UNREADABLE[0])
    while await shop.apply_callbacks():
        pass
    pool = await shop.running.db.driver()
    await pool.execute(
        """
        INSERT INTO callbacks_raw (id, connection_id, headers, body, state)
        SELECT uuidv7(-make_interval(days => age)), connection_id, headers, body, state
        FROM callbacks_raw CROSS JOIN unnest(ARRAY[89, 91]) AS t (age)
        """
    )
    await callback_processor(shop.running.runtime).purge()
    kept = await shop.running.rows("SELECT state, count(*) AS n FROM callbacks_raw GROUP BY state")
    assert {row.state: row.n for row in kept} == {"applied": 2, "failed": 3}


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("variant_callback*")), ids=lambda path: path.stem)
def test_other_forms_of_the_documentation_are_read_too(path: Path) -> None:
    [report] = Ghtk.read_callback(CallbackMessage(path.read_bytes().strip()))
    assert report.waybill == "S100001.H14-A1.1375000000"
    assert report.at.isoformat().endswith("+00:00")
    assert report.raw_status in ("4", "5", "49")


@pytest.mark.parametrize("many", [1, rows.MANY], ids=["what is alike once", "each row"])
async def test_an_unknown_code_is_kept_on_the_timeline_and_raised(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    monkeypatch.setattr(rows, "MANY", many)
    shipment_id = await shop.ship()
    waybill = (await shop.get(shipment_id))["waybill"]
    await shop.call_back(body(waybill, 77))
    await shop.apply_callbacks()
    view = await shop.get(shipment_id)
    assert (view["status"], view["attention"]) == ("accepted", ["unknown_status"])
    assert view["timeline"][-1]["raw_status"] == "77"
    listed = (await shop.client.get("/v1/shipments", params={"attention": True})).json()["items"]
    assert [item["id"] for item in listed] == [str(shipment_id)]


async def test_a_callback_about_a_parcel_that_is_not_ours_is_raised_as_such(shop: Shop) -> None:
    await shop.call_back(body("S1.NOT.OURS", 3))
    await shop.apply_callbacks()
    [item] = (await shop.client.get("/v1/callbacks", params={"state": "unmatched"})).json()["items"]
    assert "S1.NOT.OURS" in item["body"]


async def test_one_shop_s_address_cannot_move_another_shop_s_parcel(shop: Shop) -> None:
    shipment_id = await shop.ship()
    view = await shop.get(shipment_id)
    other = await shop.client.post("/v1/connections", json=connection_body(shop.ghtk, shop_name="Shop khác"))
    shop.callback_url = other.json()["callback_url"]
    await shop.call_back(body(view["waybill"], 5, partner_id=view["reference"]))
    await shop.apply_callbacks()
    assert (await shop.get(shipment_id))["status"] == "accepted"


async def test_a_callback_that_overtakes_the_answer_to_the_creation_counts_once_it_is_known(shop: Shop) -> None:
    shop.ghtk.set_faults(Faults(create_timeout=1.0))
    shipment_id = await shop.open(await shop.close_order("DH-QUICK001"))
    prepared = await creation.prepare(shop.context, shipment_id)
    with pytest.raises(UnknownOutcome):
        await creation.create_or_adopt(shop.context, shipment_id, prepared.reference)
    [parcel] = shop.ghtk.shipments
    picked_up = body(parcel.waybill, 3, partner_id=prepared.reference)
    await shop.call_back(picked_up)
    await shop.apply_callbacks()
    assert (await shop.get(shipment_id))["status"] == "draft"
    assert await shop.create(shipment_id) == "accepted"
    assert (await shop.get(shipment_id))["status"] == "picked_up"
    told = [event["status"] for event in await shop.events(CHANGED)]
    assert told == ["accepted", "picked_up"]


async def test_a_callback_found_by_reference_is_left_while_somebody_holds_its_parcel_and_holds_up_no_other(
    shop: Shop,
) -> None:
    known, early = await shop.ship(), await shop.open(await shop.close_order("DH-EARLY001"))
    prepared = await creation.prepare(shop.context, early)
    waybill = (await shop.get(known))["waybill"]
    await shop.call_back(body("S1.TOO.EARLY", 3, partner_id=prepared.reference))
    await shop.call_back(body(waybill, 3))
    pool = await shop.running.db.driver()
    async with pool.acquire() as elsewhere, elsewhere.transaction():
        await elsewhere.execute("SELECT FROM shipments WHERE id = $1 FOR UPDATE", early)
        assert await shop.apply_callbacks() == 1
    assert (await shop.states())[waybill] == "picked_up"
    waiting = "SELECT convert_from(body, 'utf8') AS body FROM callbacks_raw WHERE state = 'received'"
    [left] = await shop.running.rows(waiting)
    assert "S1.TOO.EARLY" in left.body
    assert await shop.apply_callbacks() == 1
    assert await shop.running.rows(waiting) == []
    assert [item["raw_status"] for item in (await shop.get(early))["timeline"]] == ["3"]


async def test_one_callback_that_cannot_be_stored_takes_no_other_down(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = [(await shop.get(each))["waybill"] for each in await shop.ship_many(2)]
    read = Ghtk.read_callback.__func__  # type: ignore[attr-defined]  # a class method's function

    def poisoned(cls: type[Ghtk], message: CallbackMessage) -> tuple[Report]:
        [report] = read(cls, message)
        return (Report(report.waybill, "", report.raw_status, report.at, "\0" if report.waybill == bad else ""),)

    monkeypatch.setattr(Ghtk, "read_callback", classmethod(poisoned))
    await shop.call_back(body(bad, 3))
    await shop.call_back(body(good, 3))
    await shop.apply_callbacks()
    states = await shop.states()
    assert (states[good], states[bad]) == ("picked_up", "accepted")
    assert len((await shop.client.get("/v1/callbacks", params={"state": "failed"})).json()["items"]) == 1


async def test_a_processor_in_another_process_is_woken_at_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processing, "POLL", 60.0)  # so that only the wake-up can be what wakes it
    shipment_id = await shop.ship()
    waybill = (await shop.get(shipment_id))["waybill"]
    elsewhere = CallbackProcessor(
        shop.running.db,
        vault=shop.context.vault,
        direct_url=shop.running.url,
        wake=asyncio.Event(),
        now=shop.context.now,
        pace=1,
    )
    task = asyncio.create_task(elsewhere.run())
    try:
        # Repeated, because the processor may not listen yet when the first one comes.
        async def applied() -> bool:
            await shop.call_back(body(waybill, 3))
            return (await shop.states())[waybill] == "picked_up"

        await eventually(applied, within=10, every=0.1)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_repeated_callbacks_change_nothing(shop: Shop) -> None:
    shipment_id = await shop.ship()
    waybill = (await shop.get(shipment_id))["waybill"]
    for _ in range(3):
        await shop.call_back(body(waybill, 3))
    await shop.apply_callbacks()
    await shop.call_back(body(waybill, 3))
    await shop.apply_callbacks()
    assert [event["status"] for event in await shop.events(CHANGED)] == ["accepted", "picked_up"]
    assert len((await shop.get(shipment_id))["timeline"]) == 2


async def test_a_report_older_than_one_that_a_process_of_the_version_before_has_written_moves_nothing(
    shop: Shop,
) -> None:
    shipment_id = await shop.ship()
    waybill = (await shop.get(shipment_id))["waybill"]
    await shop.call_back(body(waybill, 3))
    await shop.apply_callbacks()
    pool = await shop.running.db.driver()
    await pool.execute(
        """
        INSERT INTO timeline_entries (id, shipment_id, waybill, seen_by, carrier_time, received_at, raw_status, status,
            provisional, settles, partial)
        SELECT uuidv7(), id, waybill, '{callback}', '2030-01-04T08:00:00+07:00', now(), '5', 'delivered', false, false, false
        FROM shipments WHERE id = $1
        """,
        shipment_id,
    )
    await pool.execute(
        "UPDATE shipments SET status = 'delivered', status_at = '2030-01-04T08:00:00+07:00', "
        "delivered_at = '2030-01-04T08:00:00+07:00', updated_at = now() WHERE id = $1",
        shipment_id,
    )
    await shop.call_back(body(waybill, 4, at="2030-01-03T08:00:00+07:00"))
    await shop.apply_callbacks()
    view = await shop.get(shipment_id)
    assert view["status"] == "delivered"
    assert [item["raw_status"] for item in view["timeline"]][-3:] == ["3", "4", "5"]


async def test_two_processors_apply_every_callback_once(shop: Shop) -> None:
    shipments = await shop.ship_many(30)
    for shipment in shop.ghtk.shipments:
        for status in (3, 4):
            await shop.call_back(body(shipment.waybill, status, at=f"2030-01-0{status}T08:00:00+07:00"))
    processors = [callback_processor(shop.running.runtime) for _ in range(3)]
    await asyncio.gather(*(processor.apply_batch() for processor in processors))
    while await shop.apply_callbacks():
        pass
    assert set((await shop.states()).values()) == {"out_for_delivery"}
    told = moves(await shop.events(CHANGED))
    assert set(told) == set(map(str, shipments))
    for events in told.values():
        assert [event["sequence"] for event in events] == sorted({event["sequence"] for event in events})
        assert events[-1]["status"] == "out_for_delivery"


@pytest.mark.parametrize("many", [1, rows.MANY], ids=["what is alike once", "each row"])
async def test_everything_that_waits_is_drained_by_lanes_that_meet_at_the_same_parcels(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    monkeypatch.setattr(rows, "MANY", many)
    monkeypatch.setattr(processing, "BATCH", 7)
    await shop.ship_many(10)
    for status in (6, 3, 5, 4, 5):
        for shipment in shop.ghtk.shipments:
            await shop.call_back(body(shipment.waybill, status, at=f"2030-01-0{status}T08:00:00+07:00"))
    await callback_processor(shop.running.runtime).drain()
    assert set((await shop.states()).values()) == {"delivered"}
    assert await shop.running.rows("SELECT 1 FROM callbacks_raw WHERE state <> 'applied'") == []
    assert len(await shop.events(SETTLED)) == 10
    for events in moves(await shop.events(CHANGED)).values():
        assert events[-1]["status"] == "delivered"


def assert_nothing_moved_backwards(events: list[dict[str, object]]) -> None:
    for changes in moves(events).values():
        times = [str(change["at"]) for change in changes[1:]]
        assert times == sorted(times)
        assert not any(change["previous"] in FINAL and not change["correction"] for change in changes)
        assert not any(change["correction"] for change in changes)


async def test_the_receiver_away_for_a_while_loses_nothing(shop: Shop) -> None:
    await shop.listen()
    await shop.ship_many(10)
    shop.ghtk.send_callbacks_to("http://127.0.0.1:9/away")
    await shop.ghtk.advance(steps=4)
    await shop.ghtk.drain()
    assert shop.ghtk.stats.callbacks_given_up > 0
    await shop.poll_everything()
    assert await shop.states() == shop.carrier_states()


async def test_a_partial_delivery_settles_what_the_carrier_s_own_table_says(shop: Shop) -> None:
    shipment_id = await shop.ship("DH-PARTIAL1", cod=500_000)
    view = await shop.get(shipment_id)
    for status in (Status.PICKED_UP, Status.DELIVERING):
        shop.ghtk.push(view["reference"], status)
    shop.ghtk.push(view["reference"], Status.DELIVERED, partial=True, cod=380_000)
    shop.ghtk.push(view["reference"], Status.SETTLED)
    # The callback may claim any amount: it is not believed.
    delivered = shop.ghtk.shipment(view["reference"]).history[-2]
    told = body(
        view["waybill"], 5, at=delivered.at.isoformat(timespec="seconds"), return_part_package="1", pick_money="1"
    )
    settled = body(view["waybill"], 6, at=shop.ghtk.shipment(view["reference"]).latest.at.isoformat(timespec="seconds"))
    for each in (told, settled):
        await shop.call_back(each)
    await shop.apply_callbacks()
    assert await shop.events(SETTLED) == []
    await shop.poll()
    [event] = await shop.events(SETTLED)
    assert event["amount"] == 380_000
    view = await shop.get(shipment_id)
    assert (view["partial"], view["collected"], view["settled_amount"]) == (True, 380_000, 380_000)


async def test_a_database_that_is_away_answers_503_so_that_the_carrier_sends_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await shop.call_back(body("A", 3)) == 200

    async def away(*_: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(shop.context.intake, "_insert", away)
    assert await shop.call_back(body("A", 3)) == 503
