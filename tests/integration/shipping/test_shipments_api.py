"""What people see of shipments, and what they can ask for."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO
from uuid import UUID

from pypdf import PdfReader
from uuid_utils.compat import uuid7

from deploy.local.ghtk import Faults, Status
from services.shipping import following
from services.shipping.cancelling import cancel_at_carrier
from shared.contracts.events.orders import ORDER_CLOSED, OWNER_CHANGED, OwnerChanged
from shared.contracts.events.staff import ACCOUNT_CHANGED, AccountChanged
from shared.contracts.permissions import SHIPPING_READ, SHIPPING_WRITE
from tests.integration.shipping.support import CLOSER, Shop, closed

CHANGED = "shipping.shipment.changed.v1"


async def account(shop: Shop, account_id: UUID, *, superior_id: UUID | None = None) -> None:
    event = AccountChanged.model_validate(
        {
            "account_id": account_id,
            "version": 1,
            "code": f"NV{account_id.hex[-3:]}",
            "name": "x",
            "department": "sale",
            "group": "sale",
            "superior_id": superior_id,
            "at": "2026-11-21T00:00:00Z",
        }
    )
    await shop.running.receive(ACCOUNT_CHANGED, event, subject=account_id)


async def test_the_list_goes_page_by_page_newest_first(shop: Shop) -> None:
    shipments = await shop.ship_many(7)
    found: list[str] = []
    after = None
    while True:
        page = (
            await shop.client.get("/v1/shipments", params={"limit": 3, **({"after": after} if after else {})})
        ).json()
        found += [item["id"] for item in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert found == sorted(map(str, shipments), reverse=True)


async def test_the_list_is_filtered(shop: Shop) -> None:
    first, second = await shop.ship("DH-FIRST001"), await shop.ship("DH-SECOND01")
    shop.ghtk.push("DH-FIRST001-1", Status.PICKED_UP)
    await shop.poll_everything()
    waybill = (await shop.get(second))["waybill"]
    for params, wanted in (
        ({"status": "picked_up"}, [first]),
        ({"status": ["picked_up", "accepted"]}, [second, first]),
        ({"code": waybill}, [second]),
        ({"code": "DH-FIRST001"}, [first]),
        ({"code": "DH-SECOND01-1"}, [second]),
        ({"connection_id": str(uuid7())}, []),
    ):
        items = (await shop.client.get("/v1/shipments", params=params)).json()["items"]
        assert [item["id"] for item in items] == [str(each) for each in wanted], params
    assert (await shop.client.get("/v1/shipments", params={"status": "gone"})).status_code == 422


async def test_one_sees_the_parcels_of_the_orders_that_one_closed_or_holds_and_of_those_below(shop: Shop) -> None:
    shipment_id = await shop.ship()
    manager, stranger = uuid7(), uuid7()
    await account(shop, manager)
    await account(shop, CLOSER, superior_id=manager)
    holder = uuid7()
    order_id = UUID((await shop.get(shipment_id))["order_id"])
    moved = OwnerChanged(
        order_id=order_id,
        assignment=2,
        level="L7",
        from_owner_id=CLOSER,
        to_owner_id=holder,
        at=datetime(2026, 11, 22, tzinfo=UTC),
    )
    await shop.running.receive(OWNER_CHANGED, moved, subject=order_id)
    for viewer, count, status in ((CLOSER, 1, 200), (manager, 1, 200), (holder, 1, 200), (stranger, 0, 404)):
        client = await shop.running.client(SHIPPING_READ, account_id=viewer)
        assert len((await client.get("/v1/shipments")).json()["items"]) == count
        assert (await client.get(f"/v1/shipments/{shipment_id}")).status_code == status
        assert (await client.get("/v1/cod/summary")).json()["total"]["expected_shipments"] == count


async def test_the_label_is_the_carrier_s_own(shop: Shop) -> None:
    shipment_id = await shop.ship()
    answer = await shop.client.get(f"/v1/shipments/{shipment_id}/label", params={"size": "A5"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    assert len(PdfReader(BytesIO(answer.content)).pages) == 1


async def test_without_a_waybill_there_is_no_label(shop: Shop) -> None:
    shipment_id = await shop.open(await shop.close_order())
    answer = await shop.client.get(f"/v1/shipments/{shipment_id}/label")
    assert (answer.status_code, answer.json()["title"]) == (409, "shipment-without-label")


async def test_no_label_is_given_of_a_parcel_that_is_not_to_be_sent(shop: Shop) -> None:
    shipment_id = await shop.ship()
    asked = await shop.client.post(f"/v1/shipments/{shipment_id}/cancel", json={"reason": "khách đổi ý"})
    assert asked.status_code == 202, asked.text
    answer = await shop.client.get(f"/v1/shipments/{shipment_id}/label")
    assert (answer.status_code, answer.json()["title"]) == (409, "shipment-not-to-be-sent")


async def test_a_label_that_the_carrier_refuses_is_explained(shop: Shop) -> None:
    shipment_id = await shop.ship()
    shop.ghtk.push("DH-AAAA1111-1", Status.CANCELLED)
    answer = await shop.client.get(f"/v1/shipments/{shipment_id}/label")
    assert (answer.status_code, answer.json()["title"]) == (409, "carrier-refused")
    assert "Không tìm thấy đơn hàng" in answer.json()["detail"]
    shop.ghtk.set_faults(Faults(error_before=1.0))
    assert (await shop.client.get(f"/v1/shipments/{shipment_id}/label")).status_code == 502


async def test_the_label_shows_the_receiver_so_reading_alone_is_not_enough(shop: Shop) -> None:
    shipment_id = await shop.ship()
    reader = await shop.running.client(SHIPPING_READ, account_id=CLOSER)
    assert (await reader.get(f"/v1/shipments/{shipment_id}/label")).status_code == 403


async def test_a_shipment_is_cancelled_before_pick_up(shop: Shop) -> None:
    shipment_id = await shop.ship()
    desk = await shop.running.client(SHIPPING_READ, SHIPPING_WRITE, account_id=CLOSER, code="COD01")
    asked = await desk.post(f"/v1/shipments/{shipment_id}/cancel", json={"reason": "Khách đổi ý"})
    assert (asked.status_code, asked.json()["cancel_requested_by"]) == (202, "COD01")
    assert (await following.advance(shop.context, shipment_id)).action == "cancel"
    assert await cancel_at_carrier(shop.context, shipment_id, asked.json()["reference"])
    assert shop.ghtk.shipments[0].status == Status.CANCELLED
    view = await shop.get(shipment_id)
    assert view["status"] == "cancelled"
    advance = await following.advance(shop.context, shipment_id)
    assert (advance.done, advance.outcome, advance.action) == (True, "cancelled", "")
    assert (await desk.post(f"/v1/shipments/{shipment_id}/cancel", json={"reason": "x"})).status_code == 202
    assert [event["status"] for event in await shop.events(CHANGED)] == ["accepted", "cancelled"]


async def test_after_pick_up_a_shipment_cannot_be_cancelled(shop: Shop) -> None:
    shipment_id = await shop.ship()
    shop.ghtk.push("DH-AAAA1111-1", Status.PICKED_UP)
    await shop.poll_everything()
    answer = await shop.client.post(f"/v1/shipments/{shipment_id}/cancel", json={"reason": "Khách đổi ý"})
    assert (answer.status_code, answer.json()["title"]) == (409, "shipment-not-cancellable")
    assert "Đã lấy hàng" in answer.json()["detail"]


async def test_a_cancellation_that_the_pick_up_overtook_is_raised(shop: Shop) -> None:
    shipment_id = await shop.ship()
    await shop.client.post(f"/v1/shipments/{shipment_id}/cancel", json={"reason": "Khách đổi ý"})
    shop.ghtk.push("DH-AAAA1111-1", Status.PICKED_UP)
    await cancel_at_carrier(shop.context, shipment_id, "DH-AAAA1111-1")
    view = await shop.get(shipment_id)
    assert (view["status"], view["attention"]) == ("picked_up", ["cancel_refused"])
    assert (await following.advance(shop.context, shipment_id)).action == ""


async def test_a_cancelled_order_cancels_its_parcel(shop: Shop) -> None:
    order_id = await shop.close_order()
    shipment_id = await shop.open(order_id)
    await shop.create(shipment_id)
    await shop.cancel_order(order_id)
    assert (await following.advance(shop.context, shipment_id)).action == "cancel"
    await cancel_at_carrier(shop.context, shipment_id, "DH-AAAA1111-1")
    assert (await shop.get(shipment_id))["status"] == "cancelled"


async def test_an_older_cancellation_than_the_closing_counts_for_nothing(shop: Shop) -> None:
    order_id = await shop.close_order()
    shipment_id = await shop.open(order_id)
    await shop.create(shipment_id)
    await shop.running.receive(ORDER_CLOSED, closed(order_id, "DH-AAAA1111", version=5), subject=order_id)
    await shop.cancel_order(order_id, version=4)
    assert (await following.advance(shop.context, shipment_id)).action == ""


async def test_an_order_edited_after_the_carrier_had_it_is_marked(shop: Shop) -> None:
    order_id = await shop.close_order()
    shipment_id = await shop.open(order_id)
    await shop.create(shipment_id)
    assert not (await shop.get(shipment_id))["order_changed"]
    await shop.running.receive(ORDER_CLOSED, closed(order_id, "DH-AAAA1111", version=2, cod=1), subject=order_id)
    assert (await shop.get(shipment_id))["order_changed"]


async def test_cod_is_expected_then_delivered_then_settled(shop: Shop) -> None:
    await shop.ship("DH-COD00001", cod=300_000)
    await shop.ship("DH-COD00002", cod=200_000)

    async def totals() -> tuple[int, int, int, int]:
        await shop.poll_everything()
        total = (await shop.client.get("/v1/cod/summary")).json()["total"]
        return total["expected"], total["delivered"], total["settled"], total["difference"]

    assert await totals() == (500_000, 0, 0, 0)
    for code in ("DH-COD00001-1", "DH-COD00002-1"):
        shop.ghtk.push(code, Status.DELIVERED)
    assert await totals() == (0, 500_000, 0, 500_000)
    shop.ghtk.push("DH-COD00001-1", Status.SETTLED)
    assert await totals() == (0, 500_000, 300_000, 200_000)
    [connection] = (await shop.client.get("/v1/cod/summary")).json()["connections"]
    assert (connection["carrier"], connection["settled_shipments"]) == ("ghtk", 1)


async def test_the_operator_s_sentence_says_what_is_waited_for(shop: Shop) -> None:
    shipment_id = await shop.ship("DH-4F7K2M9Q")
    waybill = (await shop.get(shipment_id))["waybill"]
    view = (await following.advance(shop.context, shipment_id)).view
    assert view.sentence_vi == f"DH-4F7K2M9Q · GHTK {waybill}: Đã đăng đơn, chờ lấy hàng."
    assert (view.level, view.carrier, view.overdue) == ("L7", "ghtk", False)
    assert "Mẫu" not in view.model_dump_json()
    assert "912345678" not in view.model_dump_json()
