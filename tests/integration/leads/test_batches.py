"""Leads by the batch, external ids, and numbers that a colleague types or takes down on the phone."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from tests.harness import Running


async def send(client: httpx.AsyncClient, rows: list[Any], *, key: str | None = "b1", **headers: str) -> httpx.Response:
    named = {"Idempotency-Key": key} if key else {}
    return await client.post("/v1/leads/batch", json={"leads": rows}, headers={**named, **headers})


async def integrator(leads: Running, name: str = "CRM") -> httpx.AsyncClient:
    """A system with a source of its own."""
    admin = await leads.client()
    source = (await admin.post("/v1/sources", json={"name": name, "channel": "api"})).json()
    key = (await admin.post(f"/v1/sources/{source['id']}/key")).json()["key"]
    client = await leads.anonymous()
    client.headers["X-Api-Key"] = key
    return client


async def test_each_row_of_a_batch_has_its_result_in_order(leads: Running) -> None:
    client = await leads.client("leads.create")

    answer = await send(
        client,
        [
            {"phone": "0912345678", "name": "Lan"},
            {"phone": "+84 912 345 678"},
            {"phone": "091234567"},
            {"name": "Hoa"},
            "0987654321",
            {"phone": "0987654321", "name": "\u202eHùng\u0000 🙂", "note": "=cmd|' /C calc'!A0"},
        ],
    )

    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert [one["verdict"] for one in told["results"]] == [
        "lead",
        "duplicate",
        "rejected",
        "rejected",
        "rejected",
        "lead",
    ]
    assert [one["index"] for one in told["results"]] == list(range(6))
    assert told["results"][1]["anchor_id"] == told["results"][0]["id"]
    assert [one["reason"] for one in told["results"][2:5]] == ["phone_missing_digits", "row_invalid", "row_invalid"]
    assert "phone" in told["results"][3]["message"]
    assert (told["leads"], told["duplicates"], told["rejected"]) == (2, 1, 3)
    assert len(await leads.rows("SELECT 1 FROM raw_items")) == 6
    (kept,) = await leads.rows("SELECT name, note FROM leads WHERE phone = '+84987654321'")
    assert (kept.name, kept.note) == ("Hùng 🙂", "=cmd|' /C calc'!A0")


async def test_a_repeated_batch_has_one_effect_and_the_same_results(leads: Running) -> None:
    client = await leads.client("leads.create")
    rows = [{"phone": f"09123456{place:02}"} for place in range(50)] + [{"phone": "x"}]

    answers = await asyncio.gather(*(send(client, rows) for _ in range(5)))
    late = await send(client, rows)
    longer = await send(client, [*rows, {"phone": "0987654321"}])
    shorter = await send(client, rows[:3])

    assert {answer.status_code for answer in answers} == {200}
    assert {answer.text for answer in answers} == {late.text}
    assert late.headers["idempotent-replayed"] == "true"
    assert [longer.json()["title"], shorter.json()["title"]] == ["idempotency-key-reused"] * 2
    assert len(await leads.rows("SELECT 1 FROM raw_items")) == 51


async def test_a_batch_is_refused_whole_when_it_cannot_be_repeated_or_is_no_list(leads: Running) -> None:
    client = await leads.client("leads.create")
    row = {"phone": "0912345678"}

    answers = [
        await send(client, [row], key=None),
        await send(client, []),
        await send(client, [row] * 501),
        await client.post("/v1/leads/batch", content=b"{", headers={"Idempotency-Key": "k"}),
        await client.post("/v1/leads/batch", json=[row], headers={"Idempotency-Key": "k"}),
    ]
    reader = await send(await leads.client("leads.read"), [row])
    large = await client.post(
        "/v1/leads/batch", content=b'{"leads":[' + b" " * 2**20 + b"]}", headers={"Idempotency-Key": "k"}
    )

    assert [answer.status_code for answer in answers] == [422] * 5
    assert answers[0].json()["title"] == "batch-key-missing"
    assert [answer.json()["errors"][0]["message"] for answer in answers[1:3]] == [
        "ít quá, cần ít nhất 1 mục",
        "nhiều quá, tối đa 500 mục",
    ]
    assert (reader.status_code, large.status_code) == (403, 413)
    assert await leads.rows("SELECT 1 FROM raw_items") == []


async def test_a_row_that_breaks_us_is_kept_and_takes_no_other_down(leads: Running, monkeypatch: Any) -> None:
    from services.leads import events

    original = events.accepted

    def accepted(items: Any, candidates: Any, *args: Any, **kwargs: Any) -> Any:
        if any(candidate.name == "poison" for candidate in candidates):
            raise ValueError("a mistake of ours")
        return original(items, candidates, *args, **kwargs)

    monkeypatch.setattr(events, "accepted", accepted)
    client = await leads.client("leads.create")
    rows = [{"phone": f"09123456{n:02}", "name": "poison" if n == 3 else "Lan"} for n in range(8)]

    told = (await send(client, rows)).json()

    assert [one["verdict"] for one in told["results"]] == ["rejected" if n == 3 else "lead" for n in range(8)]
    assert told["results"][3]["reason"] == "internal"
    monkeypatch.undo()
    admin = await leads.client()
    again = await admin.post(f"/v1/raw-items/{told['results'][3]['id']}/correct", json={"reason": "đã sửa lỗi"})
    assert (again.status_code, again.json()["verdict"]) == (200, "lead")


async def test_an_external_id_sent_again_is_answered_with_what_became_of_the_first(leads: Running) -> None:
    client = await integrator(leads)
    other = await integrator(leads, "CRM 2")
    lead = {"phone": "0912345678", "external_id": "KH-17"}

    answers = await asyncio.gather(*(client.post("/v1/leads", json=lead) for _ in range(10)))
    changed = await client.post("/v1/leads", json={**lead, "phone": "0987654321"})
    batch = await send(client, [{**lead, "name": "Lan"}, {"phone": "0900000001", "external_id": "a"}] * 2)
    elsewhere = await other.post("/v1/leads", json=lead)

    told = [*answers, changed]
    assert sorted(answer.status_code for answer in told) == [200] * 10 + [201]
    assert len({answer.json()["id"] for answer in told}) == 1
    assert all(answer.headers["idempotent-replayed"] for answer in told if answer.status_code == 200)
    rows = batch.json()["results"]
    assert [row["repeated"] for row in rows] == [True, False, True, True]
    assert rows[0]["id"] == changed.json()["id"]
    assert rows[1]["id"] == rows[3]["id"]
    assert elsewhere.json()["verdict"] == "duplicate", "another sender's id is another id"
    assert len(await leads.rows("SELECT 1 FROM raw_items")) == 3


@pytest.mark.parametrize("empty", ["", "  ", "\u200e"])
async def test_an_external_id_that_says_nothing_is_none(leads: Running, empty: str) -> None:
    client = await integrator(leads)

    answers = [
        await client.post("/v1/leads", json={"phone": phone, "external_id": empty})
        for phone in ("0912345678", "0987654321")
    ]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert len(await leads.rows("SELECT 1 FROM leads WHERE verdict = 'lead'")) == 2


async def test_who_was_rejected_may_send_again_under_the_same_external_id(leads: Running) -> None:
    client = await integrator(leads)

    refused = await client.post("/v1/leads", json={"phone": "091234567", "external_id": "KH-17"})
    made = await client.post("/v1/leads", json={"phone": "0912345678", "external_id": "KH-17"})
    again = await client.post("/v1/leads", json={"phone": "0912345678", "external_id": "KH-17"})

    assert [answer.status_code for answer in (refused, made, again)] == [422, 201, 200]
    assert made.json()["id"] == again.json()["id"]


async def test_a_hotline_call_is_taken_down_with_who_took_it(leads: Running) -> None:
    agent = await leads.client("leads.create", code="NV007")

    made = await agent.post(
        "/v1/leads",
        json={"phone": "0912345678", "channel": "hotline", "note": "hỏi giá sỉ", "asked_to_be_called": False},
    )
    wrong = await agent.post("/v1/leads", json={"phone": "0912345679", "channel": "landing_page"})

    assert (made.status_code, wrong.status_code) == (201, 422)
    (event,) = await leads.outbox()
    data = event["payload"]
    assert (data["source"]["channel"], data["note"], data["asked_to_be_called"]) == ("hotline", "hỏi giá sỉ", False)
    (row,) = await leads.rows("SELECT created_by FROM leads")
    assert row.created_by is not None


async def test_an_integrator_cannot_choose_its_channel(leads: Running) -> None:
    client = await integrator(leads)

    await client.post("/v1/leads", json={"phone": "0912345678", "channel": "hotline", "asked_to_be_called": False})

    (event,) = await leads.outbox()
    assert (event["payload"]["source"]["channel"], event["payload"]["asked_to_be_called"]) == ("api", True)
