"""A delivery fails, the COD desk calls in time, and the order is saved: over all services, on real engines."""

from __future__ import annotations

from typing import Any

from deploy.local.ghtk import Status
from tests.e2e.test_path import PRICE
from tests.harness import eventually
from tests.shop import WITHIN, Shop


async def test_a_failed_delivery_is_called_about_decided_and_saved_and_the_report_says_so(shop: Shop) -> None:
    order_id = await shop.lead(product="LOC-KHI")
    await shop.close(order_id, sku="LOC-KHI")
    await shop.post(order_id)
    shipment = await shop.accepted(order_id)
    waybill = shipment["waybill"]
    await shop.carried_to(waybill, Status.DELIVERING)
    await shop.at_level(order_id, "L7.1")
    before = await saved(shop)
    desk = shop.company.cod_desk
    await who_calls_first(shop, "desk")

    for _ in range(2):  # and its callback is repeated
        await shop.carrier("POST", f"shipments/{waybill}/status", status=Status.DELIVERY_DELAYED, reason_code="122")
    order = await shop.at_level(order_id, "L7.2")
    owner = shop.holder(order)

    async def called_for() -> dict[str, Any] | None:
        found = [each async for each in desk.pages("orders", "/v1/tasks", desk=True) if each["order_id"] == order_id]
        assert len(found) <= 1
        return found[0] if found else None

    task = await eventually(called_for, within=WITHIN)
    assert task is not None
    assert task["name_vi"] == "Cứu đơn, giao thất bại lần 1: Không gọi được người nhận"
    assert task["desk"]["why_vi"] == "bộ phận COD gọi trước"
    assert order_id in [item["order_id"] async for item in owner.pages("orders", "/v1/tasks")], "the closer sees it"
    await who_calls_first(shop, "closer")
    rescue = await desk.get("shipping", f"/v1/rescues/{task['subject_id']}")
    assert task["deadline_at"] <= rescue["cut_off_at"]

    # GHTK has no call for it: its hotline was rung.
    await desk.ask(
        "shipping",
        "POST",
        f"/v1/rescues/{rescue['id']}/requests",
        wish="deliver_again",
        note="Khách ở nhà sau 17 giờ",
        by_hand=True,
    )

    async def done() -> bool:
        return await called_for() is None

    await eventually(done, within=WITHIN)
    await shop.carried_to(waybill, Status.DELIVERED)
    await shop.at_level(order_id, "L8")

    async def reported() -> bool:
        after = await saved(shop)
        return {key: after[key] - before[key] for key in after} == {
            "failed": 1,
            "in_time": 1,
            "saved": 1,
            "saved_value": PRICE,
            "handed_over": 1,
            "saved_by_desk": 1,
        }

    await eventually(reported, within=WITHIN)
    told = [item async for item in owner.pages("orders", f"/v1/orders/{order_id}/timeline")]
    # The carrier's clock runs ahead of ours when it is told to work, so their order is not asked for.
    sentences = {entry["note"] for entry in told if entry["kind"] == "rescue"}
    assert {
        "Giao không thành công lần 1: Không gọi được người nhận",
        "Chuyển bộ phận COD gọi khách: bộ phận COD gọi trước",
        "Yêu cầu hãng giao lại, báo qua tổng đài hoặc trang của hãng",
    } < sentences
    assert any(sentence.startswith("Hãng đã làm theo yêu cầu giao lại: ") for sentence in sentences)


async def who_calls_first(shop: Shop, caller: str) -> None:
    path = "/v1/settings/rescue"
    present = await shop.admin.get("orders", path)
    headers = {"If-Match": f'"{present["version"]}"'}
    await shop.admin.request("orders", "PUT", path, json={"first_caller": caller, "call_hours": 2}, headers=headers)


async def saved(shop: Shop) -> dict[str, int]:
    """Figures of the report, over all days."""
    names = ("failed", "in_time", "saved", "saved_value", "handed_over", "saved_by_desk")
    rows = (await shop.admin.get("reporting", "/v1/reports/rescues", group_by="total"))["rows"]
    return {name: sum(row[name] for row in rows) for name in names}
