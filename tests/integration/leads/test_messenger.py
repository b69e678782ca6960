"""Conversations: one lead each while its window is open, and everything that was written kept with it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from deploy.local.facebook import Faults
from services.leads.facebook import conversations
from services.leads.facebook.chat import phones_in
from shared.phone import Phone
from tests.integration.leads.facebook_support import Shop

LAN = "24680135790000001"


async def talk(page: Shop, *texts: str, psid: str = LAN) -> None:
    """A customer writes; everything is pushed and applied."""
    if page.world.sender.callback_url is None:
        await page.listen()
        await page.round()
    for text in texts:
        page.world.write(page.page, psid, text)
        await page.world.sender.drain()
    await page.apply()


async def leads(page: Shop) -> list[dict[str, Any]]:
    return list((await page.client.get("/v1/leads")).json()["items"])


async def told(page: Shop) -> list[dict[str, Any]]:
    """Messages that orders is told of."""
    return [row["payload"] for row in await page.leads.outbox("leads.message.received.v1")]


async def test_a_number_in_a_message_makes_the_lead_of_its_conversation(page: Shop) -> None:
    await talk(page, "Chào shop, còn serum không?", "Số em o912.345.678 gọi giúp em nha")
    (lead,) = await leads(page)
    # Whoever may not see the number does not read it in the words either.
    assert (lead["channel"], lead["note"]) == ("facebook_chat", "Số em 0912***678 gọi giúp em nha")
    (row,) = await page.leads.rows("SELECT phone FROM leads")
    assert row.phone == "+84912345678"
    (before,) = await told(page)
    assert (before["text"], before["order_id"]) == ("Chào shop, còn serum không?", lead["id"])
    (raw,) = (await page.client.get("/v1/raw-items")).json()["items"]
    assert orjson.loads(raw["body"])["message"]["text"].startswith("Số em")


async def test_what_is_written_afterwards_belongs_to_the_same_lead(page: Shop) -> None:
    await talk(page, "0912345678")
    await talk(page, "Giao trong hôm nay được không?", "À gọi số 0987654321 của chồng em nhé")
    (lead,) = await leads(page)
    assert [(each["text"], each["order_id"]) for each in await told(page)] == [
        ("Giao trong hôm nay được không?", lead["id"]),
        ("À gọi số 0987654321 của chồng em nhé", lead["id"]),
    ]


async def test_a_message_without_a_number_waits(page: Shop) -> None:
    await talk(page, "Còn hàng không?")
    assert (await leads(page), await told(page)) == ([], [])
    assert (await page.figures())["waiting_messages"] == 1


async def test_a_message_that_is_pushed_twice_counts_once(page: Shop) -> None:
    page.world.set_faults(Faults(duplicate_push=1))
    await talk(page, "0912345678", "Gọi em sau 17h")
    assert len(await leads(page)) == 1
    assert len(await told(page)) == 1
    assert len(await page.leads.rows("SELECT 1 FROM facebook_messages")) == 2


async def test_conversations_of_two_customers_do_not_mix(page: Shop) -> None:
    await talk(page, "0912345678")
    await talk(page, "0987654321", psid="7")
    await talk(page, "Em là Hoa", psid="7")
    by_phone = {row.phone: str(row.id) for row in await page.leads.rows("SELECT id, phone FROM leads")}
    (message,) = await told(page)
    assert message["order_id"] == by_phone["+84987654321"]


async def test_a_number_that_came_by_a_form_leads_the_conversation_to_that_order(page: Shop) -> None:
    page.world.submit(page.form, phone="0912345678")
    await page.round()
    (anchor,) = await leads(page)
    await talk(page, "em vừa điền form, số 0912345678", "gọi em sớm nhé")
    verdicts = sorted(row.verdict for row in await page.leads.rows("SELECT verdict FROM leads"))
    assert verdicts == ["duplicate", "lead"]
    (message,) = await told(page)
    assert message["order_id"] == anchor["id"]


async def test_when_the_window_is_over_a_number_makes_a_new_lead(page: Shop) -> None:
    await talk(page, "0912345678")
    page.skip(timedelta(days=8))
    await talk(page, "cho em đặt thêm, vẫn số 0912345678 nhé")
    assert [row.verdict for row in await page.leads.rows("SELECT verdict FROM leads ORDER BY id")] == ["lead", "lead"]


async def test_without_a_number_even_a_late_message_stays_with_the_last_lead(page: Shop) -> None:
    await talk(page, "0912345678")
    page.skip(timedelta(days=8))
    await talk(page, "hàng tốt lắm shop")
    (lead,) = await leads(page)
    assert [each["order_id"] for each in await told(page)] == [lead["id"]]


async def test_pictures_and_echoes(page: Shop) -> None:
    await talk(page, "0912345678")
    page.world.write(page.page, LAN, attachments=[{"type": "image", "payload": {"url": "https://x.test/1.jpg"}}])
    page.world.write(page.page, LAN, "Shop chào bạn, số shop 0911111111", is_echo=True)
    page.world.tell_event(page.page, LAN, {"read": {"watermark": 1}}, key="read")
    await page.world.sender.drain()
    await page.apply()
    (message,) = await told(page)
    assert (message["text"], message["attachments"]) == ("", ["image"])
    assert len(await leads(page)) == 1


async def test_the_advertisement_of_a_conversation_is_its_campaign(page: Shop) -> None:
    await talk(page, "Chào shop")
    event = {"referral": {"source": "ADS", "type": "OPEN_THREAD", "ad_id": "120210000000000001"}}
    page.world.tell_event(page.page, LAN, dict(event), key="referral")
    await page.world.sender.drain()
    await talk(page, "0912345678")
    (lead,) = await leads(page)
    assert lead["campaign"] == "120210000000000001"


async def test_a_conversation_has_the_source_of_its_page(page: Shop) -> None:
    source = {"name": "Inbox", "channel": "facebook_chat", "marketer": "MKT02", "product": "SERUM-30"}
    made = (await page.client.post("/v1/sources", json=source)).json()
    body = {"app_id": page.world.settings.app_id, "chat_source_id": made["id"]}
    changed = await page.client.put(f"/v1/facebook/pages/{page.id}", json=body, headers={"If-Match": '"1"'})
    assert changed.status_code == 200, changed.text
    await talk(page, "0912345678")
    (lead,) = await leads(page)
    assert (lead["marketer"], lead["product"]) == ("MKT02", "SERUM-30")
    (row,) = await page.leads.rows("SELECT source_id FROM leads")
    assert str(row.source_id) == made["id"]


async def test_many_messages_at_once_of_many_customers_are_settled_in_their_order(page: Shop) -> None:
    await page.listen()
    await page.round()
    for customer in range(40):
        psid = f"9{customer:05d}"
        for text in ("còn hàng không?", f"số em 09120{customer:05d}", "gọi em nhé"):
            page.world.write(page.page, psid, text)
    await page.world.sender.drain()
    await asyncio.gather(*(page.apply() for _ in range(3)))
    assert len(await page.leads.rows("SELECT 1 FROM leads WHERE verdict = 'lead'")) == 40
    messages = await told(page)
    assert len(messages) == 80
    per_order: dict[str, list[str]] = {}
    for each in messages:
        per_order.setdefault(each["order_id"], []).append(each["text"])
    assert {frozenset(texts) for texts in per_order.values()} == {frozenset({"còn hàng không?", "gọi em nhé"})}
    assert all(datetime.fromisoformat(each["at"]) <= datetime.now(UTC) for each in messages)


async def test_a_conversation_follows_its_lead_into_the_one_that_it_was_merged_with(page: Shop) -> None:
    await talk(page, "0912345678", psid="1")
    await talk(page, "0987654321", psid="2")
    older, younger = sorted(str(row.id) for row in await page.leads.rows("SELECT id FROM leads"))
    merged = await page.client.post(f"/v1/leads/{older}/merge", json={"other_id": younger, "reason": "cùng một khách"})
    assert merged.status_code < 300, merged.text
    await talk(page, "gọi em nhé", psid="2")
    assert [each["order_id"] for each in await told(page)] == [older]


async def test_a_conversation_that_we_fail_at_keeps_no_other_waiting(
    page: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(text: str) -> tuple[Phone, ...]:
        if "hỏng" in text:
            raise ValueError(text)
        return phones_in(text)

    monkeypatch.setattr(conversations, "phones_in", failing)
    await page.listen()
    await page.round()
    page.world.write(page.page, "1", "hỏng 0912345678")
    page.world.write(page.page, "2", "0987654321")
    await page.world.sender.drain()
    await page.apply()
    assert [row.phone for row in await page.leads.rows("SELECT phone FROM leads")] == ["+84987654321"]
    (aside,) = await page.leads.rows("SELECT psid, body FROM facebook_messages WHERE state = 'rejected'")
    assert aside.psid == "1"
    monkeypatch.undo()
    assert (await page.client.post("/v1/facebook/pushes/apply")).status_code == 202
    await page.apply()
    assert len(await page.leads.rows("SELECT phone FROM leads")) == 2
