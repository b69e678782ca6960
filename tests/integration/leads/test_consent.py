"""Consent, the do-not-call list, and lists that come as files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from sqlalchemy import text

from services.leads.consent.acts import Act, standing
from tests.harness import Running
from tests.integration.leads.company import post, put_on_list
from tests.integration.leads.test_everyday import move
from tests.integration.leads.test_landing_pages import landing_page
from tests.integration.leads.test_waiting import upkeep

NOW = datetime.now(UTC)


async def consents(client: httpx.AsyncClient, phone: str) -> dict[str, Any]:
    answer = await client.get(f"/v1/consents/{phone}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_who_leaves_a_number_consents_with_time_page_and_wording(leads: Running) -> None:
    client = await leads.client()
    _, hook = await landing_page(client, consent_text="Tôi đồng ý được gọi tư vấn.")
    visitor = await leads.anonymous()
    sent = await visitor.post(hook, json={"phone": "0912345678", "link": "https://serum.example/a"})
    assert sent.status_code == 200, sent.text

    kept = await consents(client, "0912 345 678")

    (act,) = kept["acts"]
    assert (act["purpose"], act["act"], act["how"], act["channel"]) == (
        "requested_call",
        "given",
        "left_number",
        "landing_page",
    )
    assert (act["text"], act["page"]) == ("Tôi đồng ý được gọi tư vấn.", "https://serum.example/a")
    assert {one["purpose"]: one["state"] for one in kept["standing"]} == {
        "requested_call": "given",
        "advertising_call": "none",
        "message": "none",
    }


async def test_one_wording_is_kept_once_for_all_its_leads(leads: Running) -> None:
    client = await leads.client()
    source = (
        await client.post("/v1/sources", json={"name": "Hội chợ", "channel": "event", "consent_text": "Đồng ý gọi."})
    ).json()
    for place in range(3):
        await post(client, f"091234567{place}", source_id=source["id"])

    assert [row.text for row in await leads.rows("SELECT text FROM consent_texts")] == ["Đồng ý gọi."]
    assert (await consents(client, "0912345672"))["acts"][0]["text"] == "Đồng ý gọi."


async def test_refusal_ends_consent_and_lists_every_number_and_undoing_it_takes_it_back(leads: Running) -> None:
    client = await leads.client()
    lead = await post(client, "0912345678", other_phone="0987654321")

    await move(leads, lead, 2, "L1.3", actor="NV012")

    for phone in ("0912345678", "0987654321"):
        kept = await consents(client, phone)
        assert {one["state"] for one in kept["standing"]} == {"withdrawn"}
        (entry,) = kept["do_not_call"]
        assert (entry["source"], entry["kind"], entry["lead_id"]) == ("customer", "all", lead["id"])
    assert (await client.get(f"/v1/leads/{lead['id']}")).json()["do_not_call"] is True
    told = [event["payload"] for event in await leads.outbox("leads.do_not_call.changed.v1")]
    assert {one["phone"] for one in told} == {"+84912345678", "+84987654321"}
    assert all(one["entries"][0]["source"] == "customer" for one in told)

    await move(leads, lead, 3, "L1", was="L1.3", cause="undo")

    assert (await consents(client, "0912345678"))["do_not_call"] == []
    assert (await client.get(f"/v1/leads/{lead['id']}")).json()["do_not_call"] is False
    last = (await leads.outbox("leads.do_not_call.changed.v1"))[-1]["payload"]
    assert last["entries"] == []
    assert last["version"] > max(one["version"] for one in told)


async def test_an_order_that_care_ended_because_of_the_list_is_no_refusal(leads: Running) -> None:
    client = await leads.client()
    lead = await post(client, "0912345678")

    await move(leads, lead, 2, "L1.3", cause="care")

    kept = await consents(client, "0912345678")
    assert (kept["do_not_call"], kept["standing"][0]["state"]) == ([], "given")


async def test_an_undo_that_is_told_before_its_refusal_leaves_nothing_listed(leads: Running) -> None:
    client = await leads.client()
    lead = await post(client, "0912345678")

    await move(leads, lead, 3, "L1", was="L1.3", cause="undo")
    await move(leads, lead, 2, "L1.3")

    assert (await consents(client, "0912345678"))["do_not_call"] == []


async def test_a_listed_number_is_taken_in_with_a_warning_and_told_with_the_lead(leads: Running) -> None:
    client = await leads.client()
    await put_on_list(client, "0912 345 678", "0987654321", kind="calls", source="authority")
    await put_on_list(client, "0900000001", kind="messages")
    assert await leads.outbox("leads.do_not_call.changed.v1") == []  # nobody knows these numbers yet

    lead, quiet = await post(client, "0912345678"), await post(client, "0900000001")

    assert (lead["verdict"], quiet["verdict"]) == ("lead", "lead")
    assert (await client.get(f"/v1/leads/{lead['id']}")).json()["do_not_call"] is True
    assert (await client.get(f"/v1/leads/{quiet['id']}")).json()["do_not_call"] is False
    listed = (await client.get("/v1/leads", params={"do_not_call": True})).json()["items"]
    assert [item["id"] for item in listed] == [lead["id"]]
    (event, _) = await leads.outbox("leads.lead.accepted.v1")
    (told,) = event["payload"]["do_not_call"]
    assert (told["phone"], told["entries"][0]["source"]) == ("+84912345678", "authority")


async def test_each_source_takes_back_only_its_own_word_and_every_change_is_kept(leads: Running) -> None:
    client = await leads.client(code="NV001")
    lead = await post(client, "0912345678")
    await put_on_list(client, "0912345678", kind="calls", source="complaint")
    await put_on_list(client, "0912345678", kind="messages", source="authority")

    async def remove(source: str) -> httpx.Response:
        body = {"phone": "+84912345678", "source": source, "reason": "đã giải quyết"}
        return await client.post("/v1/do-not-call/remove", json=body)

    assert (await remove("complaint")).status_code == 200
    assert (await remove("complaint")).json()["title"] == "not-on-do-not-call-list"

    kept = await consents(client, "0912345678")
    assert [entry["source"] for entry in kept["do_not_call"]] == ["authority"]
    assert [(one["source"], one["act"], one["by"]) for one in kept["do_not_call_changes"]] == [
        ("complaint", "added", "NV001"),
        ("authority", "added", "NV001"),
        ("complaint", "removed", "NV001"),
    ]
    assert (await client.get(f"/v1/leads/{lead['id']}")).json()["do_not_call"] is False
    told = [event["payload"] for event in await leads.outbox("leads.do_not_call.changed.v1")]
    assert [[entry["source"] for entry in one["entries"]] for one in told] == [
        ["complaint"],
        ["authority", "complaint"],
        ["authority"],
    ]
    assert [one["version"] for one in told] == sorted(one["version"] for one in told)


async def test_numbers_are_checked_many_at_once(leads: Running) -> None:
    client = await leads.client()
    await put_on_list(client, "0912345678", kind="calls")
    await put_on_list(client, "0912345679", kind="all", until=(NOW + timedelta(days=1)).isoformat())
    async with leads.db.transaction() as session:
        await session.execute(
            text("UPDATE do_not_call SET until = now() - interval '1 s' WHERE phone = '+84912345679'")
        )

    asked = {"phones": ["0912 345 678", "0912345679", "0900000001", "abc"]}
    items = (await client.post("/v1/do-not-call/check", json=asked)).json()["items"]

    assert [(one["readable"], one["calls"], one["messages"], one["sources"]) for one in items] == [
        (True, False, True, ["customer"]),
        (True, True, True, []),
        (True, True, True, []),
        (False, True, True, []),
    ]


async def test_an_entry_that_ends_by_itself_takes_the_mark_off_its_leads_and_is_told(leads: Running) -> None:
    client = await leads.client()
    lead = await post(client, "0912345678")
    await put_on_list(client, "0912345678", kind="all", until=(NOW + timedelta(days=1)).isoformat())
    assert (await client.get(f"/v1/leads/{lead['id']}")).json()["do_not_call"] is True
    async with leads.db.transaction() as session:
        await session.execute(text("UPDATE do_not_call SET until = now() - interval '1 s'"))

    for _ in range(2):
        await upkeep(leads).step()

    assert (await client.get(f"/v1/leads/{lead['id']}")).json()["do_not_call"] is False
    told = [event["payload"] for event in await leads.outbox("leads.do_not_call.changed.v1")]
    assert [len(fact["entries"]) for fact in told] == [1, 0]
    await put_on_list(client, "0912345678", kind="all", until=(NOW + timedelta(days=1)).isoformat())
    assert (await client.get(f"/v1/leads/{lead['id']}")).json()["do_not_call"] is True
    async with leads.db.transaction() as session:
        await session.execute(text("UPDATE do_not_call SET until = now() - interval '1 s'"))
    await upkeep(leads).step()
    assert (await client.get(f"/v1/leads/{lead['id']}")).json()["do_not_call"] is False, "prolonged, and over again"


async def test_the_list_has_pages_and_filters(leads: Running) -> None:
    client = await leads.client()
    await put_on_list(client, *(f"091234567{place}" for place in range(5)), source="authority")
    await put_on_list(client, "0987654321", kind="calls")
    seen, after = [], None
    while True:
        query = {"limit": 2, **({"after": after} if after else {})}
        page = (await client.get("/v1/do-not-call", params=query)).json()
        assert "91234567" not in str(page), "where a page ends tells no number either"
        seen += [item["phone"] for item in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert seen == ["0987***321", *(f"0912***67{place}" for place in range(4, -1, -1))]
    for end in ("0001-01-01T00:00:00+14:00~1", "9999-12-31T23:59:59-14:00~1"):
        refused = await client.get("/v1/do-not-call", params={"after": end})
        assert (refused.status_code, refused.json()["title"]) == (422, "cursor-unreadable")
    only = (await client.get("/v1/do-not-call", params={"kind": "calls"})).json()["items"]
    assert [item["phone"] for item in only] == ["0987***321"]
    one = (await client.get("/v1/do-not-call", params={"phone": "0912.345.672", "source": "authority"})).json()["items"]
    assert [item["phone"] for item in one] == ["0912***672"]


async def test_consent_is_recorded_and_withdrawn_and_the_last_word_holds(leads: Running) -> None:
    client = await leads.client(code="NV001")
    body = {"phone": "0912 345 678", "purposes": ["advertising_call", "message"], "how": "nói qua điện thoại"}
    given = await client.post("/v1/consents", json={**body, "act": "given", "text": "Đồng ý nhận tin"})
    assert given.status_code == 201, given.text
    taken = await client.post("/v1/consents", json={**body, "act": "withdrawn", "purposes": ["message"]})

    assert {one["purpose"]: one["state"] for one in taken.json()["standing"]} == {
        "requested_call": "none",
        "advertising_call": "given",
        "message": "withdrawn",
    }
    assert [(one["purpose"], one["act"], one["by"]) for one in taken.json()["acts"]] == [
        ("advertising_call", "given", "NV001"),
        ("message", "given", "NV001"),
        ("message", "withdrawn", "NV001"),
    ]
    told = [event["payload"] for event in await leads.outbox("leads.consent.recorded.v1")]
    assert [(one["phone"], one["purpose"], one["act"], one["text"]) for one in told] == [
        ("+84912345678", "advertising_call", "given", "Đồng ý nhận tin"),
        ("+84912345678", "message", "given", "Đồng ý nhận tin"),
        ("+84912345678", "message", "withdrawn", ""),
    ]
    later = (NOW + timedelta(days=1)).isoformat()
    assert (await client.post("/v1/consents", json={**body, "act": "given", "at": later})).status_code == 422


def test_what_was_asked_for_ends_thirty_days_after_care_and_is_given_anew_by_asking_again() -> None:
    asked = Act(
        "requested_call", "given", NOW - timedelta(days=90), "left_number", care_ended_at=NOW - timedelta(days=30)
    )
    assert [one.state for one in standing([asked], now=NOW)] == ["ended", "none", "none"]
    assert standing([asked], now=NOW - timedelta(seconds=1))[0].state == "given"
    again = Act("requested_call", "given", NOW - timedelta(days=1), "left_number")
    refused = Act("requested_call", "withdrawn", NOW - timedelta(days=2), "refusal")
    assert standing([again, refused, asked], now=NOW)[0].state == "given"
    assert standing([refused, asked], now=NOW)[0].state == "withdrawn"
