"""What a salesperson reads when something is refused: names as on the screen, and what to do next, in both languages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.integration.orders.support import MORNING, Shop

VI = {"Accept-Language": "vi"}


async def in_both(shop: Shop, path: str, body: dict[str, Any]) -> tuple[httpx.Response, str, str]:
    """The same refused twice: the answer, and its sentence in Vietnamese and English."""
    answers = [
        await shop.sale.client.post(path, json=body, headers={"Accept-Language": language}) for language in ("vi", "en")
    ]
    assert answers[0].status_code == answers[1].status_code >= 400, answers[0].text
    return answers[0], answers[0].json()["detail"], answers[1].json()["detail"]


async def test_a_result_that_the_step_does_not_know_is_told_by_names(shop: Shop) -> None:
    order_id = await shop.number()
    answer, vi, en = await in_both(shop, f"/v1/orders/{order_id}/interactions", {"kind": "call", "result": "sold_out"})
    assert vi.startswith("Bước “Gọi lần đầu” không có kết quả sold_out. Chọn một trong: “Chốt đơn”, “Hẹn gọi lại”, ")
    assert en.startswith("The step “First call” knows no result sold_out. Choose one of: “Closed”, “Call later”, ")
    assert answer.json()["allowed"].startswith("closed, call_later, ")


async def test_a_level_out_of_reach_is_told_with_those_within(shop: Shop) -> None:
    order_id = await shop.number()
    _, vi, en = await in_both(shop, f"/v1/orders/{order_id}/level", {"to": "L8", "reason": "x"})
    assert vi.startswith(
        "Đơn đang ở “Đã lọc trùng” (L1), không chuyển sang “Giao thành công” (L8) được. Chọn một trong: "
    )
    assert "“Không mua” (L1.5)" in vi
    assert "cannot go to “Delivered” (L8). Choose one of: “Wrong number” (L1.1), " in en
    _, vi, _ = await in_both(shop, f"/v1/orders/{order_id}/level", {"to": "L1.5"})
    assert vi == "Cần ghi lý do khi chuyển từ “Đã lọc trùng” (L1) sang “Không mua” (L1.5). Điền lý do rồi gửi lại."


async def test_a_call_about_an_order_that_left_care_says_how_to_go_on(shop: Shop) -> None:
    await shop.stocked()
    wrong, closed = await shop.number(), await shop.number()
    await shop.call(wrong, "wrong_number")
    await shop.close(closed)
    body = {"kind": "call", "result": "no_answer"}
    _, vi, en = await in_both(shop, f"/v1/orders/{wrong}/interactions", body)
    assert vi.startswith("Đơn đang ở “Sai số” (L1.1), không còn trong chăm sóc")
    assert vi.endswith("Muốn chăm lại, chuyển đơn về “Chăm sóc lại” (L1.2) kèm lý do trước.")
    assert en.endswith("To care for it again, move it to “Care again” (L1.2) with a reason first.")
    _, vi, _ = await in_both(shop, f"/v1/orders/{closed}/interactions", body)
    assert vi.endswith("Tải lại đơn; điều khách nói thì ghi vào trao đổi nội bộ.")


async def test_a_time_in_a_sentence_is_written_as_people_here_write_it(shop: Shop) -> None:
    order_id = await shop.number()
    shop.clock.forward(hours=1)
    began = (MORNING + timedelta(minutes=30)).isoformat()
    await shop.call(order_id, "no_answer", at=began, seconds=300)
    body = {"kind": "call", "result": "busy", "at": (MORNING + timedelta(minutes=32)).isoformat(), "seconds": 60}
    answer, vi, _ = await in_both(shop, f"/v1/orders/{order_id}/interactions", body)
    assert "(bắt đầu 23/11/2026 09:30)" in vi
    assert answer.json()["at"] == "2026-11-23T02:30:00+00:00"


async def test_a_promise_for_next_year_is_refused_with_how_far_one_may_promise(shop: Shop) -> None:
    order_id = await shop.number()
    path, days = f"/v1/orders/{order_id}/interactions", shop.service.runtime.settings.promise_days
    later = MORNING + timedelta(days=days)
    body = {"kind": "call", "result": "call_later", "promised_at": (later + timedelta(minutes=1)).isoformat()}
    answer, vi, en = await in_both(shop, path, body)
    assert (answer.status_code, answer.json()["title"]) == (422, "promise-too-far")
    assert vi.startswith("Hẹn xa nhất 35 ngày, đến 28/12/2026 09:00.")
    assert en.startswith("A customer is promised something 35 days ahead at most")
    assert (await shop.call(order_id, "call_later", promised_at=later.isoformat())).status_code == 201
    drafts = "/v1/care-processes/cod_standard/drafts"
    draft = (await shop.admin.client.post(drafts, json={})).json()
    shown = (await shop.admin.client.get(f"{drafts}/{draft['id']}")).json()
    assert shown["defaults"]["promise_days"] == days, "who edits the process sees what holds where it says nothing"


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ({"kind": "fax"}, "kind", "danh sách cho phép: 'call', 'message', 'email' hoặc 'visit'"),
        ({"kind": "call", "result": "busy", "seconds": -4}, "seconds", "nhỏ quá, phải từ 0 trở lên"),
        ({"kind": "call", "result": "busy", "note": "a" * 2001}, "note", "dài quá, tối đa 2000 ký tự"),
        ({"kind": "call", "result": "call_later", "promised_at": "mai"}, "promised_at", "phải là thời điểm ISO 8601"),
        ({"kind": "call", "result": "call_later", "promised_at": "2026-11-24T09:00"}, "promised_at", "thiếu múi giờ"),
    ],
)
async def test_a_wrong_field_is_told_with_its_limit(shop: Shop, body: dict[str, Any], field: str, message: str) -> None:
    order_id = await shop.number()
    answer = await shop.sale.client.post(f"/v1/orders/{order_id}/interactions", json=body, headers=VI)
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["field"]) == (422, f"body.{field}")
    assert message in error["message"]


async def test_an_address_that_is_not_there_is_told_in_words(shop: Shop) -> None:
    missing = await shop.sale.client.get("/v1/don-hang", headers=VI)
    assert (missing.status_code, missing.json()["title"]) == (404, "no-such-path")
    assert missing.json()["detail"].startswith("Không có địa chỉ này.")
    wrong = await shop.sale.client.delete("/v1/tasks", headers=VI)
    assert (wrong.status_code, wrong.json()["title"]) == (405, "wrong-method")


async def test_what_cannot_be_done_earlier_says_why(shop: Shop) -> None:
    order_id = await shop.number()
    await shop.call(order_id, "busy")
    body = {"kind": "bring_forward", "reason": "khách nhờ"}
    path = f"/v1/orders/{order_id}/care/commands"
    early = await shop.manager.client.post(path, json=body, headers=VI)
    assert early.status_code == 409
    assert early.json()["detail"] == (
        "Không có việc nào của bước “Gọi lại vì máy bận” làm sớm hơn được. "
        "Chưa được gọi: vừa gọi số này; được từ 23/11/2026 09:15."
    )


async def test_an_operator_is_told_the_steps_by_their_names(shop: Shop) -> None:
    order_id = await shop.number()
    answer = await shop.manager.client.post(
        f"/v1/orders/{order_id}/care/commands", json={"kind": "skip", "to": "nowhere", "reason": "x"}, headers=VI
    )
    assert answer.status_code == 422
    assert "“Gọi lại theo hẹn” (callback)" in answer.json()["detail"]
