"""'Bỏ đánh trùng': a duplicate that was none becomes a lead of its own."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from tests.harness import Running
from tests.integration.leads.company import hire, owner_of, pool, post
from tests.integration.leads.test_levels import reach

WHY = {"reason": "Hai người dùng chung một số"}


async def release(client: httpx.AsyncClient, lead: dict[str, Any]) -> httpx.Response:
    return await client.post(f"/v1/leads/{lead['id']}/release-duplicate", json=WHY)


async def test_a_released_duplicate_is_a_lead_with_an_owner_and_is_told_whole(leads: Running) -> None:
    client = await leads.client(code="QL01")
    (nv1,) = await hire(leads, "NV01")
    await pool(client, [nv1])
    first = await post(client, "0912345678")
    duplicate = await post(client, "0912 345 678", name="Hoa", product="TRA", note="đặt cho mẹ")

    answer = await release(client, duplicate)

    assert answer.status_code == 200, answer.text
    lead = answer.json()
    assert (lead["verdict"], lead["level"], lead["anchor_id"], lead["held"]) == ("lead", "L1", None, "owned")
    assert lead["released_at"] is not None
    (event,) = await leads.outbox("leads.duplicate.released.v1")
    data = event["payload"]
    assert (data["lead_id"], data["anchor_id"], data["by"]) == (duplicate["id"], first["id"], "QL01")
    assert (data["phone"], data["name"], data["product"], data["note"]) == (
        "+84912345678",
        "Hoa",
        "TRA",
        "đặt cho mẹ",
    )
    assert data["reason"] == WHY["reason"]
    assigned = await leads.outbox("leads.lead.assigned.v1")
    assert [event["subject"] for event in assigned] == [first["id"], duplicate["id"]]


async def test_whoever_held_the_number_last_is_asked_first(leads: Running) -> None:
    client = await leads.client()
    nv1, nv2 = await hire(leads, "NV01", "NV02")
    await pool(client, [nv1, nv2])
    first = await post(client, "0912345678")
    duplicate = await post(client, "0912345678")

    await release(client, duplicate)

    assert await owner_of(client, duplicate) == await owner_of(client, first)


async def test_releasing_again_or_many_times_at_once_has_one_effect(leads: Running) -> None:
    client = await leads.client()
    (nv1,) = await hire(leads, "NV01")
    await pool(client, [nv1])
    await post(client, "0912345678")
    duplicate = await post(client, "0912345678")

    answers = await asyncio.gather(*(release(client, duplicate) for _ in range(8)))
    again = await release(client, duplicate)

    assert {answer.status_code for answer in (*answers, again)} <= {200, 409}
    assert again.status_code == 200
    assert len(await leads.outbox("leads.duplicate.released.v1")) == 1
    assert len(await leads.outbox("leads.lead.assigned.v1")) == 2
    rows = await leads.rows("SELECT assignment FROM leads WHERE id = :id", id=duplicate["id"])
    assert rows[0].assignment == 1


async def test_a_lead_that_never_was_a_duplicate_is_not_released(leads: Running) -> None:
    client = await leads.client()
    lead = await post(client, "0912345678")

    answer = await release(client, lead)

    assert (answer.status_code, answer.json()["title"]) == (409, "lead-not-duplicate")


async def test_a_release_needs_the_permission_and_a_reason(leads: Running) -> None:
    client = await leads.client()
    await post(client, "0912345678")
    duplicate = await post(client, "0912345678")
    seller = await leads.client("leads.read", "leads.edit", "visibility.all")

    forbidden = await release(seller, duplicate)
    silent = await client.post(f"/v1/leads/{duplicate['id']}/release-duplicate", json={"reason": "  "})

    assert (forbidden.status_code, silent.status_code) == (403, 422)
    assert (await client.get(f"/v1/leads/{duplicate['id']}")).json()["verdict"] == "duplicate"


async def test_the_next_arrival_is_a_duplicate_of_the_released_lead(leads: Running) -> None:
    client = await leads.client()
    first = await post(client, "0912345678")
    duplicate = await post(client, "0912345678", other_phone="0987654321")
    between = await post(client, "0912345678")
    await release(client, duplicate)

    same = await post(client, "0912345678")
    other = await post(client, "0987654321")

    assert between["anchor_id"] == first["id"]
    assert (same["anchor_id"], other["anchor_id"]) == (duplicate["id"], duplicate["id"])


async def test_the_end_of_the_first_order_does_not_end_the_window_of_the_released_one(leads: Running) -> None:
    client = await leads.client()
    first = await post(client, "0912345678")
    duplicate = await post(client, "0912345678")
    await release(client, duplicate)

    await reach(leads, first, "L5", "L7")

    again = await post(client, "0912345678")
    assert (again["verdict"], again["anchor_id"]) == ("duplicate", duplicate["id"])


async def test_a_released_lead_without_anybody_on_duty_waits_in_the_backlog(leads: Running) -> None:
    client = await leads.client()
    (nv1,) = await hire(leads, "NV01", on_duty=False)
    await pool(client, [nv1])
    await post(client, "0912345678")
    duplicate = await post(client, "0912345678")

    await release(client, duplicate)
    assert (await client.get(f"/v1/leads/{duplicate['id']}")).json()["held"] == "waiting"
    await nv1.duty(True)

    assert await owner_of(client, duplicate) == "NV01"


async def test_the_history_keeps_that_it_was_a_duplicate_who_released_it_and_why(leads: Running) -> None:
    client = await leads.client(code="QL01")
    first = await post(client, "0912345678")
    duplicate = await post(client, "0912345678")
    await release(client, duplicate)

    (change,) = await leads.rows("SELECT kind, by, reason, before FROM lead_changes")

    assert (change.kind, change.by, change.reason) == ("duplicate_released", "QL01", WHY["reason"])
    assert change.before == {"level": "C3.1", "anchor_id": first["id"]}


async def test_arrivals_of_the_number_and_its_release_at_once_neither_deadlock_nor_lose_anything(
    leads: Running,
) -> None:
    client = await leads.client()
    people = await hire(leads, "NV01", "NV02")
    await pool(client, people)
    await post(client, "0912345678", other_phone="0987654321")
    duplicates = [await post(client, "0912345678", other_phone=f"09123456{place:02}") for place in range(10)]

    async def send(place: int) -> dict[str, Any]:
        return await post(client, f"09123456{place % 10:02}", other_phone="0987654321")

    released, _ = await asyncio.gather(
        asyncio.gather(*(release(client, duplicate) for duplicate in duplicates)),
        asyncio.gather(*(send(place) for place in range(40))),
    )

    assert [answer.status_code for answer in released] == [200] * 10
    clean = await leads.rows("SELECT id FROM leads WHERE verdict = 'lead' AND owner_id IS NULL")
    assert clean == []
    assert len(await leads.rows("SELECT 1 FROM leads")) == 51
