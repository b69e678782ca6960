"""Leads of forms: pushed or found by reading, each in the raw inbox once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from deploy.local.facebook import Faults, Lead
from services.leads.inbox.replays import Replayer
from services.leads.state import parts_of
from tests.integration.leads.facebook_support import Shop


async def lead_of(page: Shop, number: int = 0) -> dict[str, Any]:
    """The lead that became of the newest that Facebook told of, or of an earlier one."""
    seen = (await page.leads_seen())[number]
    assert (seen["state"], seen["verdict"]) == ("fetched", "lead"), seen
    return dict((await page.client.get(f"/v1/leads/{seen['id']}")).json())


async def test_a_pushed_lead_becomes_a_lead_with_its_campaign_and_answers(page: Shop) -> None:
    await page.listen()
    await page.round()
    sent = page.world.submit(
        page.form,
        phone="+84 912 345 678",
        name="Trần Thị Mai",
        fields={"email": "mai@example.com", "bạn_muốn_tư_vấn_gì?": "Trị nám", "city": "Hà Nội"},
    )
    await page.world.sender.drain()
    await page.apply()
    assert (await page.figures())["pending"] == 1
    await page.round()

    lead = await lead_of(page)
    assert (lead["name"], lead["channel"], lead["campaign"]) == ("Trần Thị Mai", "facebook_form", "Serum tháng 11")
    assert lead["note"] == "Email: mai@example.com\nbạn muốn tư vấn gì?: Trị nám"
    (row,) = await page.leads.rows("SELECT phone, address, received_at FROM leads")
    assert (row.phone, row.address) == ("+84912345678", "Hà Nội")
    (seen,) = await page.leads_seen()
    assert (seen["leadgen_id"], seen["campaign_id"]) == (sent.id, "120210000000000003")
    assert row.received_at.isoformat() == datetime.fromisoformat(seen["pushed_at"]).isoformat()
    (raw,) = (await page.client.get("/v1/raw-items")).json()["items"]
    assert orjson.loads(raw["body"])["field_data"][0] == {"name": "full_name", "values": ["Trần Thị Mai"]}
    figures = await page.figures()
    assert (figures["pushed"], figures["polled_only"], figures["fetched"], figures["pending"]) == (1, 0, 1, 0)


async def test_leads_that_no_push_brought_are_found_page_by_page(page: Shop) -> None:
    for number in range(230):
        page.world.submit(page.form, phone=f"09{number:08d}")
    await page.round()
    figures = await page.figures()
    assert (figures["pushed"], figures["polled_only"], figures["fetched"]) == (0, 230, 230)
    assert len({row.id for row in await page.leads.rows("SELECT id FROM leads WHERE verdict = 'lead'")}) == 230
    assert page.world.stats.calls["leads"] == 3
    assert "object" not in page.world.stats.calls or page.world.stats.calls["object"] == 1, (
        "none is asked for by itself"
    )


async def test_what_a_push_and_a_reading_both_show_is_one_lead(page: Shop) -> None:
    await page.listen()
    await page.round()
    for number in range(20):
        page.world.submit(page.form, phone=f"0912000{number:03d}")
    page.world.set_faults(Faults(duplicate_push=1))
    for number in range(20, 40):
        page.world.submit(page.form, phone=f"0912000{number:03d}")
    await page.world.sender.drain()
    await page.read_again()
    await page.apply()
    await page.read_again()
    figures = await page.figures()
    assert (figures["pushed"], figures["polled_only"], figures["fetched"]) == (40, 0, 40)
    assert len(await page.leads.rows("SELECT 1 FROM raw_items")) == 40


async def test_a_lead_that_the_list_shows_late_is_not_skipped(page: Shop) -> None:
    page.world.set_faults(Faults(late_listing=1, late_listing_seconds=600))
    late = page.world.submit(page.form, phone="0912000001")
    page.world.set_faults(Faults())
    await page.round()
    page.world.submit(page.form, phone="0912000002", created=late.created + timedelta(seconds=30))
    await page.read_again()
    assert (await page.figures())["fetched"] == 1
    page.form.leads[0] = page.world.leads[late.id] = replace_listed(late)
    page.skip(timedelta(hours=2))
    await page.round()
    assert {seen["leadgen_id"] for seen in await page.leads_seen()} == set(page.world.leads)


def replace_listed(lead: Lead) -> Lead:
    """The same lead, shown by its form's list from now on."""
    return replace(lead, listed_at=datetime.now(UTC))


async def test_leads_that_facebook_counts_and_never_shows_raise_an_alarm_until_they_are_shown(page: Shop) -> None:
    await page.round()
    page.world.set_faults(Faults(late_listing=1, late_listing_seconds=600))
    hidden = page.world.submit(page.form, phone="0912000001")
    page.world.set_faults(Faults())
    standing = await page.read_again()
    assert standing.gap == 1
    figures = await page.figures()
    assert figures["gap"] == 1
    assert figures["gap_since"] is not None
    page.form.leads[0] = page.world.leads[hidden.id] = replace_listed(hidden)
    await page.read_again()
    assert (await page.figures())["gap"] == 0
    assert (await page.figures())["fetched"] == 1


async def test_leads_older_than_facebook_shows_are_no_gap(page: Shop) -> None:
    page.world.set_faults(Faults(late_listing=1, late_listing_seconds=600))
    for number in range(5):
        page.world.submit(page.form, phone=f"0912000{number:03d}")
    page.world.set_faults(Faults())
    page.world.submit(page.form, phone="0912000999")
    assert (await page.round()).gap == 0
    page.world.submit(page.form, phone="0912000998")
    assert (await page.read_again()).gap == 0
    assert (await page.figures())["fetched"] == 2


async def test_a_form_with_nothing_new_is_not_read_again_before_an_hour(page: Shop) -> None:
    page.world.submit(page.form, phone="0912000001")
    await page.round()
    await page.read_again()
    assert page.world.stats.calls["leads"] == 1
    page.skip(timedelta(hours=2))
    await page.round()
    assert page.world.stats.calls["leads"] == 2


async def test_a_token_that_ended_stops_the_calls_and_a_new_one_starts_them_again(page: Shop) -> None:
    await page.listen()
    await page.round()
    page.world.renew_token(page.page)
    page.world.submit(page.form, phone="0912000001")
    await page.world.sender.drain()
    await page.apply()
    standing = await page.round()
    assert (standing.problem, standing.pending) == ("token_invalid", 1)
    calls = sum(page.world.stats.calls.values())
    await page.round()
    assert sum(page.world.stats.calls.values()) == calls, "Facebook is left alone"
    figures = await page.figures()
    assert figures["problem"] == "token_invalid"
    assert "190" in figures["problem_detail"]

    change = {"app_id": figures["app_id"], "access_token": page.page.token}
    etag = {"If-Match": f'"{figures["version"]}"'}
    answer = await page.client.put(f"/v1/facebook/pages/{page.id}", json=change, headers=etag)
    assert answer.status_code == 200, answer.text
    assert page.page.token not in answer.text
    standing = await page.round()
    assert (standing.problem, standing.pending) == ("", 0)
    assert (await lead_of(page))["name"] == "Nguyễn Thị Lan"


@pytest.mark.parametrize("fault", ["rate_limit", "server_error"])
async def test_facebook_that_is_busy_or_away_costs_no_attempt_of_a_lead(page: Shop, fault: str) -> None:
    await page.listen()
    await page.round()
    page.world.submit(page.form, phone="0912000001")
    await page.world.sender.drain()
    await page.apply()
    page.world.set_faults(Faults(**{fault: 1}))
    standing = await page.round()
    assert standing.problem == ("rate_limited" if fault == "rate_limit" else "away")
    assert standing.next_due is not None
    assert standing.next_due > page.context.now() + timedelta(seconds=10)
    (seen,) = await page.leads_seen()
    assert (seen["state"], seen["attempts"]) == ("pending", 0)
    page.world.set_faults(Faults())
    page.skip(timedelta(hours=1))
    assert (await page.round()).problem == ""
    assert (await lead_of(page))["name"] == "Nguyễn Thị Lan"


async def test_a_lead_that_facebook_never_gives_fails_with_its_reason_and_can_be_tried_again(page: Shop) -> None:
    await page.listen()
    await page.round()
    lead = page.world.submit(page.form, phone="0912000001")
    await page.world.sender.drain()
    await page.apply()
    del page.world.leads[lead.id]
    page.form.leads.clear()
    for _ in range(8):
        page.skip(timedelta(hours=2))
        await page.round()
    (seen,) = await page.leads_seen(state="failed")
    assert seen["attempts"] == 8
    assert "does not exist" in seen["reason"]
    page.world.leads[lead.id] = lead
    assert (await page.client.post(f"/v1/facebook/pages/{page.id}/retry")).status_code == 202
    await page.round()
    assert (await page.figures())["fetched"] == 1


async def test_an_app_that_was_dropped_is_subscribed_again(page: Shop) -> None:
    await page.round()
    assert "leadgen" in page.page.subscribed_fields
    assert (await page.figures())["resubscribed"] == 0
    page.page.subscribed_fields = ()
    page.skip(timedelta(minutes=20))
    await page.round()
    assert "messages" in page.page.subscribed_fields
    figures = await page.figures()
    assert (figures["subscribed"], figures["resubscribed"]) == (True, 1)


async def test_a_lead_without_a_number_is_a_rejection_that_says_why(page: Shop) -> None:
    page.world.submit(page.form, phone="<test lead: dummy data for phone_number>")
    page.world.submit(page.form, fields={"email": "lan@example.com"})
    await page.round()
    answer = await page.client.get("/v1/raw-items", params={"verdict": "rejected"})
    reasons = {item["reason"] for item in answer.json()["items"]}
    assert reasons == {"phone_no_digits", "phone_field_missing"}
    assert {seen["verdict"] for seen in await page.leads_seen()} == {"rejected"}


async def test_a_form_of_its_own_has_its_own_source_product_and_questions(page: Shop) -> None:
    source = {"name": "FB serum", "channel": "facebook_form", "marketer": "MKT01", "product": "SERUM-30"}
    made = (await page.client.post("/v1/sources", json=source)).json()
    path = f"/v1/facebook/pages/{page.id}/forms/{page.form.id}"
    rules = {
        "source_id": made["id"],
        "product": "SERUM-50",
        "field_map": {"zalo_của_bạn": "other_phone", "nhận_hàng_ở_đâu": "address", "mã_giảm_giá": "ignore"},
    }
    assert (await page.client.put(path, json=rules, headers={"If-Match": '"1"'})).status_code == 200
    page.world.submit(
        page.form,
        phone="0912000001",
        fields={"zalo_của_bạn": "0912000002", "nhận_hàng_ở_đâu": "12 Lê Lợi", "mã_giảm_giá": "X"},
        organic=True,
        disclaimers={"nhận_tin": True},
    )
    await page.round()
    lead = await lead_of(page)
    assert (lead["product"], lead["marketer"], lead["note"]) == ("SERUM-50", "MKT01", "")
    (row,) = await page.leads.rows("SELECT other_phones, address FROM leads")
    assert (row.other_phones, row.address) == (["+84912000002"], "12 Lê Lợi")
    (event,) = await page.leads.outbox("leads.lead.accepted.v1")
    assert event["payload"]["consent_text"] == "nhận_tin: đồng ý"
    assert event["payload"]["source"]["channel"] == "facebook_form"


async def test_leads_that_a_form_s_map_was_missing_for_come_in_when_they_are_replayed(page: Shop) -> None:
    page.world.submit(page.form, fields={"số_zalo_của_mình": "0912000001", "màu": "đỏ"})
    page.world.submit(page.form, fields={"số_zalo_của_mình": "không có"})
    await page.round()
    path = f"/v1/facebook/pages/{page.id}/forms/{page.form.id}"
    rules = {"product": "SERUM-30", "field_map": {"số_zalo_của_mình": "phone"}}
    assert (await page.client.put(path, json=rules, headers={"If-Match": '"1"'})).status_code == 200
    now = datetime.now(UTC)
    wanted = {
        "since": (now - timedelta(hours=1)).isoformat(),
        "until": (now + timedelta(hours=1)).isoformat(),
        "dry_run": False,
    }
    assert (await page.client.post("/v1/raw-items/replays", json=wanted)).status_code == 201
    parts = parts_of(page.leads.runtime)
    while await Replayer(page.leads.db, sources=parts.sources, window=page.context.window).step():
        pass
    (lead,) = (await page.client.get("/v1/leads")).json()["items"]
    assert (lead["product"], lead["note"]) == ("SERUM-30", "màu: đỏ")
    assert sorted(seen["verdict"] for seen in await page.leads_seen()) == ["lead", "rejected"]


async def test_half_an_emoji_in_an_answer_keeps_nobody_out(page: Shop) -> None:
    await page.listen()
    await page.round()
    page.world.submit(page.form, phone="0912000001", name="Lan \ud83d")
    await page.world.sender.drain()
    await page.apply()
    page.page.subscribed_fields = ()
    page.world.submit(page.form, phone="0912000002", name="Hoa \ud83d")
    page.world.submit(page.form, phone="0912000003")
    await page.read_again()
    assert {seen["verdict"] for seen in await page.leads_seen()} == {"lead"}
    names = {lead["name"] for lead in (await page.client.get("/v1/leads")).json()["items"]}
    assert names == {"Lan ?", "Hoa ?", "Nguyễn Thị Lan"}


async def test_a_crowd_of_announced_leads_is_read_a_hundred_at_a_time(page: Shop) -> None:
    await page.listen()
    await page.round()
    for number in range(250):
        page.world.submit(page.form, phone=f"09{number:08d}")
    await page.world.sender.drain()
    await page.apply()
    calls = page.world.stats.calls["leads"]
    assert (await page.round()).pending == 0
    assert page.world.stats.calls["leads"] == calls + 3
    assert page.world.stats.calls["object"] == 1, "the live test of the connection alone"
    figures = await page.figures()
    assert (figures["pushed"], figures["polled_only"], figures["fetched"]) == (250, 0, 250)


@pytest.mark.parametrize(("fault", "problem"), [("server_error", ""), ("rate_limit", "rate_limited")])
async def test_whoever_mended_something_need_not_wait_but_limits_are_kept(page: Shop, fault: str, problem: str) -> None:
    page.world.set_faults(Faults.model_validate({fault: 1}))
    assert (await page.round()).problem
    page.world.set_faults(Faults())
    assert (await page.read_again()).problem == problem


@pytest.mark.parametrize(("allowed", "heard"), [({"leadgen"}, ["leadgen"]), (set(), [])])
async def test_an_app_that_may_not_hear_of_messages_or_of_anything_still_brings_leads(
    page: Shop, allowed: set[str], heard: list[str]
) -> None:
    page.page.allowed_fields = frozenset(allowed)
    page.world.submit(page.form, phone="0912000001")
    for _ in range(2):
        page.skip(page.skipped + timedelta(minutes=20))
        assert (await page.round()).problem == ""
    assert list(page.page.subscribed_fields) == heard
    figures = await page.figures()
    assert (figures["fetched"], figures["subscribed"], figures["hears_chats"]) == (1, bool(heard), False)
    assert "(#200)" in figures["subscription_problem"]
    page.page.allowed_fields = None
    await page.read_again()
    figures = await page.figures()
    assert (figures["subscribed"], figures["hears_chats"], figures["subscription_problem"]) == (True, True, "")
