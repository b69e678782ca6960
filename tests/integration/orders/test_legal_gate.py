"""A dialler asks before each dial; every yes is kept with its ground, and care keeps to what the gate says."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import pytest
from sqlalchemy import text
from uuid_utils.compat import uuid7

from shared.contracts.events.leads import LEAD_ASSIGNED, LeadAssigned
from shared.contracts.events.leads_everyday import (
    CONSENT_RECORDED,
    DO_NOT_CALL_CHANGED,
    ConsentRecorded,
    DoNotCallChanged,
    DoNotCallEntry,
)
from tests.integration.orders.support import MORNING, Person, Shop

PHONE = "+84987650001"
TYPED = "0987 650 001"


async def ask(shop: Shop, order_id: UUID, *, who: Person | None = None, **query: str) -> dict[str, Any]:
    answer = await (who or shop.sale).client.get(f"/v1/orders/{order_id}/may-contact", params=query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def ask_number(shop: Shop, *, who: Person | None = None, **fields: str) -> dict[str, Any]:
    answer = await (who or shop.sale).client.post("/v1/may-contact", json={"phone": TYPED, **fields})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def said(
    shop: Shop,
    act: Literal["given", "withdrawn"],
    purpose: Literal["requested_call", "advertising_call", "message"],
    *,
    at: datetime | None = None,
    how: str = "nói qua điện thoại",
) -> UUID:
    """Leads tells of an act of consent."""
    consent_id = uuid7()
    fact = ConsentRecorded(
        consent_id=consent_id,
        phone=PHONE,
        purpose=purpose,
        act=act,
        at=at or shop.clock.now,
        how=how,
        text="Đồng ý nhận ưu đãi",
        page="uudai.vn",
        by="QL01",
    )
    await shop.service.receive(CONSENT_RECORDED, fact, subject=consent_id, event_id=consent_id)
    return consent_id


async def checks(shop: Shop, order_id: UUID) -> list[dict[str, Any]]:
    answer = await shop.sale.client.get(f"/v1/orders/{order_id}/contact-checks")
    return list(answer.json()["items"])


async def test_a_yes_names_its_ground_and_is_kept_as_proof(shop: Shop) -> None:
    order_id = await shop.number(phone=PHONE, consent_text="Đồng ý để shop gọi", consent_page="serum.vn")
    yes = await ask(shop, order_id)
    assert (yes["allowed"], yes["refusal"], yes["next_at"]) == (True, None, None)
    assert yes["ground"] == {
        "kind": "requested",
        "how": "left_number",
        "since": MORNING.isoformat().replace("+00:00", "Z"),
        "consent_id": str(order_id),
        "text": "Đồng ý để shop gọi",
        "page": "serum.vn",
    }
    assert yes["vi"] == "Được gọi: khách đã để lại số."

    (kept,) = await checks(shop, order_id)
    assert (kept["id"], kept["asked_code"], kept["ground"]) == (yes["check_id"], "NV01", "requested")
    assert (kept["consent_text"], kept["consent_page"], kept["process"]) == (
        "Đồng ý để shop gọi",
        "serum.vn",
        "cod_standard",
    )
    proof = (await shop.admin.client.get("/v1/contact-checks", params={"phone": TYPED})).json()
    assert [item["id"] for item in proof["items"]] == [yes["check_id"]]
    assert (await shop.sale.client.get("/v1/contact-checks", params={"phone": TYPED})).status_code == 403
    with pytest.raises(Exception, match="append-only"):
        async with shop.service.db.transaction() as session:
            await session.execute(text("UPDATE contact_checks SET ground = 'consented'"))


async def test_a_no_says_why_and_from_when_and_is_no_proof(shop: Shop) -> None:
    order_id = await shop.number(phone=PHONE)
    await shop.call(order_id, "no_answer")
    soon = await ask(shop, order_id)
    assert (soon["refusal"], soon["next_at"], soon["today"], soon["check_id"]) == (
        "too_soon",
        "2026-11-23T02:15:00Z",
        1,
        None,
    )
    assert "23/11/2026 09:15" in soon["vi"]
    assert "23/11/2026 09:15" in soon["en"]
    shop.clock.forward(hours=3)
    assert (await ask(shop, order_id))["refusal"] == "outside_hours"
    assert await checks(shop, order_id) == []


async def test_calls_about_every_product_of_the_company_count_and_undone_ones_do_not(shop: Shop) -> None:
    first, second = await shop.number(phone=PHONE), await shop.number(phone=PHONE)
    for _ in range(3):
        logged = await shop.call(first, "busy")
        assert logged.status_code == 201, logged.text
        shop.clock.forward(minutes=20)
    full = await ask(shop, second)
    assert (full["refusal"], full["next_at"], full["today"]) == (
        "daily_limit",
        "2026-11-25T01:00:00Z",
        3,
    )
    shop.clock.forward(minutes=-15)
    path = f"/v1/orders/{first}/interactions/{logged.json()['interaction_id']}/undo"
    assert (await shop.sale.client.post(path)).status_code == 200
    assert (await ask(shop, second))["today"] == 2


async def test_a_bought_number_is_called_once_in_24_hours_in_the_advertising_hours(shop: Shop) -> None:
    order_id = await shop.number(phone=PHONE, asked_to_be_called=False)
    yes = await ask(shop, order_id)
    assert (yes["allowed"], yes["ground"]["kind"], yes["ground"]["consent_id"]) == (True, "advertising_limits", None)
    await shop.call(order_id, "no_answer")
    shop.clock.forward(hours=2)
    assert (await ask(shop, order_id))["next_at"] == "2026-11-25T01:00:00Z"
    shop.clock.forward(days=2)
    assert (await ask(shop, order_id))["allowed"] is True


async def test_consent_that_leads_recorded_opens_the_companys_own_hours_and_is_named(shop: Shop) -> None:
    order_id = await shop.number(phone=PHONE, asked_to_be_called=False)
    consent_id = await said(shop, "given", "advertising_call")
    shop.clock.forward(hours=10)  # 19:00
    yes = await ask(shop, order_id)
    assert (yes["allowed"], yes["ground"]["kind"], yes["ground"]["consent_id"]) == (True, "consented", str(consent_id))
    assert (yes["ground"]["text"], yes["ground"]["page"]) == ("Đồng ý nhận ưu đãi", "uudai.vn")


async def test_another_purpose_than_the_order_needs_its_own_consent(shop: Shop) -> None:
    order_id = await shop.number(phone=PHONE)
    shop.clock.forward(hours=10)
    assert (await ask(shop, order_id))["allowed"] is True
    upsell = await ask(shop, order_id, purpose="advertising")
    assert (upsell["refusal"], upsell["ground"]["kind"]) == ("outside_hours", "advertising_limits")
    await said(shop, "given", "advertising_call")
    assert (await ask(shop, order_id, purpose="advertising"))["ground"]["kind"] == "consented"


async def test_who_takes_the_request_back_is_not_called_and_care_ends(shop: Shop) -> None:
    order_id = await shop.number(phone=PHONE)
    shop.clock.forward(minutes=3)
    await said(shop, "withdrawn", "requested_call")
    no = await ask(shop, order_id)
    assert (no["allowed"], no["refusal"], no["next_at"], no["ground"]) == (False, "consent_withdrawn", None, None)
    await shop.look(order_id)
    order = await shop.order(order_id)
    assert (order["level"]["code"], order["care"]["is_open"], order["tasks"]) == ("L1.3", False, [])

    shop.clock.forward(hours=1)
    await shop.came_again(order_id)
    await shop.look(order_id)
    assert (await ask(shop, order_id))["ground"]["how"] == "came_again"
    assert (await shop.order(order_id))["care"]["is_open"] is True


async def test_consent_counts_once_and_by_its_own_time_whenever_it_is_told(shop: Shop) -> None:
    order_id = await shop.number(phone=PHONE, asked_to_be_called=False)
    shop.clock.forward(hours=2)
    await said(shop, "withdrawn", "advertising_call")
    await said(shop, "given", "advertising_call", at=MORNING)
    assert (await ask(shop, order_id))["refusal"] == "consent_withdrawn"


async def test_a_refusal_that_leads_repeats_does_not_outlive_its_undoing(shop: Shop) -> None:
    order_id = await shop.number(phone=PHONE)
    refused = (await shop.call(order_id, "refuses_contact")).json()
    assert (await ask(shop, order_id))["refusal"] == "do_not_call"
    path = f"/v1/orders/{order_id}/interactions/{refused['interaction_id']}/undo"
    assert (await shop.sale.client.post(path)).status_code == 200
    await said(shop, "withdrawn", "requested_call", how="refusal")
    assert (await ask(shop, order_id))["allowed"] is True


async def test_a_listed_number_is_not_contacted_and_one_listed_for_messages_is_called(shop: Shop) -> None:
    order_id = await shop.number(phone=PHONE)

    async def listed(version: int, kind: str) -> None:
        entry = DoNotCallEntry.model_validate({"source": "complaint", "kind": kind, "since": shop.clock.now})
        change = DoNotCallChanged(phone=PHONE, version=version, at=shop.clock.now, entries=(entry,))
        await shop.service.receive(DO_NOT_CALL_CHANGED, change, subject=uuid7())

    await listed(1, "messages")
    assert (await ask(shop, order_id))["allowed"] is True
    assert (await ask(shop, order_id, by="message"))["refusal"] == "do_not_call"
    missed = await shop.call(order_id, "no_answer")
    assert [task["kind"] for task in missed.json()["tasks"]] == ["call"]
    await listed(2, "all")
    assert (await ask(shop, order_id))["refusal"] == "do_not_call"
    assert (await ask_number(shop))["refusal"] == "do_not_call"


async def test_messages_are_legal_from_seven_to_ten_at_night(shop: Shop) -> None:
    order_id = await shop.number(phone=PHONE)
    shop.clock.forward(hours=12, minutes=59)
    assert (await ask(shop, order_id, by="message"))["allowed"] is True
    assert (await ask(shop, order_id))["refusal"] == "outside_hours"
    shop.clock.forward(minutes=1)
    no = await ask(shop, order_id, by="message")
    assert (no["refusal"], no["next_at"]) == ("outside_hours", "2026-11-24T00:00:00Z")


async def test_consent_is_over_30_days_after_care_has_ended(shop: Shop) -> None:
    order_id = await shop.number(phone=PHONE)
    await shop.call(order_id, "not_buying", reason="giá cao")
    shop.clock.forward(days=29)
    assert (await ask(shop, order_id))["ground"]["kind"] == "requested"
    shop.clock.forward(days=1)
    assert (await ask(shop, order_id))["ground"]["kind"] == "advertising_limits"


async def test_an_archived_number_that_is_given_out_again_is_called_as_a_campaign(shop: Shop) -> None:
    order_id = await shop.number(phone=PHONE)
    await shop.assign(order_id, None)
    await shop.look(order_id)
    shop.clock.forward(days=31)
    await shop.look(order_id)
    assert (await ask(shop, order_id, who=shop.admin))["ground"]["kind"] == "requested"
    shop.clock.forward(days=31)
    await shop.assign(order_id, shop.colleague)
    await shop.look(order_id)
    assert (await shop.order(order_id, by=shop.colleague))["care"]["is_open"] is True
    assert (await ask(shop, order_id, who=shop.colleague))["ground"]["kind"] == "advertising_limits"


async def test_a_number_claimed_from_the_pool_is_called_as_a_campaign_until_the_customer_agrees_to_a_call(
    shop: Shop,
) -> None:
    order_id = await shop.number(phone=PHONE)
    await shop.assign(order_id, None)
    await shop.look(order_id)
    shop.clock.forward(hours=1)
    claim = LeadAssigned(
        lead_id=order_id,
        assignment=9,
        owner_id=shop.colleague.id,
        owner_code=shop.colleague.code,
        team="S1",
        assigned_at=shop.clock.now,
        cause="claim",
    )
    await shop.service.receive(LEAD_ASSIGNED, claim, subject=order_id)
    await shop.look(order_id)
    assert (await ask(shop, order_id, who=shop.colleague))["ground"]["kind"] == "advertising_limits"

    shop.clock.forward(minutes=5)
    evening = MORNING + timedelta(hours=9, minutes=30)
    agreed = await shop.call(order_id, "call_later", by=shop.colleague, promised_at=evening.isoformat())
    assert agreed.status_code == 201, agreed.text
    assert agreed.json()["tasks"][0]["due_at"] == "2026-11-23T11:30:00Z"
    shop.clock.now = evening
    assert (await ask(shop, order_id, who=shop.colleague))["ground"]["how"] == "agreed"


async def test_a_number_is_asked_about_the_order_that_allows_it_and_about_none_it_is_advertising(shop: Shop) -> None:
    nothing = await ask_number(shop)
    assert (nothing["allowed"], nothing["purpose"], nothing["order_id"]) == (True, "advertising", None)
    order_id = await shop.number(phone=PHONE)
    own = await ask_number(shop)
    assert (own["order_id"], own["ground"]["kind"]) == (str(order_id), "requested")
    others = await ask_number(shop, who=shop.colleague)
    assert (others["order_id"], others["purpose"]) == (None, "advertising")
    shop.clock.forward(hours=10)
    assert (await ask_number(shop, who=shop.colleague))["refusal"] == "outside_hours"


async def test_wrong_questions_are_refused(shop: Shop) -> None:
    order_id = await shop.number(phone=PHONE)
    client = shop.sale.client
    assert (await shop.colleague.client.get(f"/v1/orders/{order_id}/may-contact")).status_code == 404
    assert (await client.get(f"/v1/orders/{uuid7()}/may-contact")).status_code == 404
    assert (await client.get(f"/v1/orders/{order_id}/may-contact", params={"by": "visit"})).status_code == 422
    for phone in ("", "abc", "12", "1900 1234"):
        refused = await client.post("/v1/may-contact", json={"phone": phone})
        assert (refused.status_code, refused.json()["title"]) == (422, "invalid"), phone
    assert await shop.service.rows("SELECT 1 FROM contact_checks") == []


async def test_proofs_come_in_pages(shop: Shop) -> None:
    order_id = await shop.number(phone=PHONE)
    for _ in range(3):
        await ask(shop, order_id)
    path = f"/v1/orders/{order_id}/contact-checks"
    first = (await shop.sale.client.get(path, params={"limit": 2})).json()
    rest = (await shop.sale.client.get(path, params={"limit": 2, "after": first["next"]})).json()
    assert (len(first["items"]), len(rest["items"]), rest["next"]) == (2, 1, None)
