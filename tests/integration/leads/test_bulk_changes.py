"""Bulk actions that judge or move leads: spam, product, to a colleague, back to the pool or into the floating pool."""

from __future__ import annotations

from typing import Any

import httpx
from uuid_utils.compat import uuid7

from tests.harness import Running
from tests.integration.leads.company import hire, owner_of, pool, post
from tests.integration.leads.test_levels import reach

WHY = "rà lại danh sách"


async def bulk(client: httpx.AsyncClient, action: dict[str, Any], ids: list[str]) -> dict[str, Any]:
    answer = await client.post("/v1/leads/bulk", json={"action": action, "ids": ids}, headers={"Idempotency-Key": "b"})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def results(done: dict[str, Any]) -> list[tuple[str, str]]:
    return [(row["result"], row["reason"]) for row in done["rows"]]


async def test_bulk_marks_spam_but_for_what_was_closed_with_a_customer(leads: Running) -> None:
    client = await leads.client(code="NV01")
    made = [await post(client, f"091234567{place}", product="KEM") for place in range(4)]
    ids = [lead["id"] for lead in made]
    await reach(leads, made[1], "L5")
    await bulk(client, {"kind": "spam", "spam": "test", "reason": WHY}, [ids[2]])
    told = len(await leads.outbox("leads.spam.marked.v1"))

    spam = {"kind": "spam", "spam": "test", "reason": WHY}
    answers = [
        await client.post("/v1/leads/bulk", json={"action": spam, "ids": ids}, headers={"Idempotency-Key": "again"})
        for _ in range(2)
    ]

    done = answers[0].json()
    assert results(done) == [("done", ""), ("refused", "lead-past-care"), ("unchanged", ""), ("done", "")]
    assert answers[1].json() == done
    assert len(await leads.outbox("leads.spam.marked.v1")) == told + 2
    shown = [(await client.get(f"/v1/leads/{lead_id}")).json()["spam"] for lead_id in ids]
    assert shown == ["test", "", "test", "test"]
    history = (await client.get(f"/v1/leads/{ids[0]}/history")).json()["items"]
    assert [entry["by"] for entry in history if entry["kind"] == "changed"] == ["NV01"]
    (flag,) = await leads.rows("SELECT DISTINCT flag FROM duplicate_windows WHERE phone = '+84912345673'")
    assert flag.flag == "test", "the number is recognised when it comes again"


async def test_bulk_sets_the_product_of_leads_and_of_their_windows(leads: Running) -> None:
    client = await leads.client()
    ids = [
        (await post(client, f"091234567{place}", product=product))["id"] for place, product in enumerate(("", "KEM"))
    ]

    done = await bulk(client, {"kind": "product", "product": " KEM ", "reason": WHY}, ids)

    assert results(done) == [("done", ""), ("unchanged", "")]
    assert {(await client.get(f"/v1/leads/{lead_id}")).json()["product"] for lead_id in ids} == {"KEM"}
    (told,) = await leads.outbox("leads.lead.corrected.v1")
    assert (told["subject"], told["payload"]["product"], told["payload"]["number_changed"]) == (ids[0], "KEM", False)
    assert {row.product for row in await leads.rows("SELECT product FROM duplicate_windows")} == {"KEM"}


async def test_bulk_gives_leads_to_a_colleague_and_takes_them_back(leads: Running) -> None:
    boss = await leads.client(code="NV00")
    nam, hoa = await hire(leads, "NV12", "NV13")
    await pool(boss, [nam])
    made = [await post(boss, f"091234567{place}") for place in range(3)]
    repeated = await post(boss, "0912345670")
    ids = [lead["id"] for lead in made]

    given = await bulk(boss, {"kind": "reassign", "owner_id": str(hoa.id), "reason": WHY}, [*ids, repeated["id"]])
    assert results(given) == [*[("done", "")] * 3, ("refused", "duplicate")]
    assert {await owner_of(boss, lead) for lead in made} == {"NV13"}

    body = {"action": {"kind": "release", "to": "floating_pool", "reason": WHY}, "ids": ids[:1]}
    assert results((await boss.post("/v1/leads/bulk", json=body)).json()) == [("done", "")]
    assert results((await boss.post("/v1/leads/bulk", json=body)).json()) == [("unchanged", "")]
    (fact,) = await leads.outbox("leads.lead.released.v1")
    assert (fact["payload"]["cause"], fact["payload"]["previous_owner_id"]) == ("floating_pool", str(hoa.id))

    await nam.duty(False)
    body = {"action": {"kind": "release", "to": "pools", "reason": WHY}, "ids": ids[1:]}
    assert results((await boss.post("/v1/leads/bulk", json=body)).json()) == [("done", "waiting")] * 2
    assert {await owner_of(boss, lead) for lead in made} == {None}


async def test_bulk_asks_for_the_permission_of_what_is_done_and_keeps_its_bounds(leads: Running) -> None:
    boss = await leads.client()
    nam, hoa = await hire(leads, "NV12", "NV13")
    await pool(boss, [nam])
    lead = await post(boss, "0912345678")
    editor = await leads.client("leads.read", "leads.edit", account_id=nam.id, code="NV12")
    stranger = await leads.client("leads.read", "leads.edit", account_id=hoa.id, code="NV13")
    move = {"kind": "release", "to": "pools", "reason": WHY}
    spam = {"kind": "spam", "spam": "fake", "reason": WHY}

    forbidden = await editor.post("/v1/leads/bulk", json={"action": move, "ids": [lead["id"]]})
    assert (forbidden.status_code, forbidden.json()["permission"]) == (403, "leads.distribute")
    assert results(await bulk(stranger, spam, [lead["id"]])) == [("refused", "not-found")]
    for action, most in ((move, 500), (spam, 1_000), ({"kind": "product", "product": "KEM"}, 1_000)):
        many = {"action": action, "ids": [str(uuid7()) for _ in range(most + 1)]}
        answer = await boss.post("/v1/leads/bulk", json=many)
        assert (answer.status_code, answer.json()["title"]) == (422, "invalid"), action
        assert str(most) in answer.text
    unknown = {"kind": "reassign", "owner_id": str(uuid7()), "reason": WHY}
    nobody = await boss.post("/v1/leads/bulk", json={"action": unknown, "ids": [lead["id"]]})
    assert nobody.json()["title"] == "staff-unknown"
    assert (await boss.get(f"/v1/leads/{lead['id']}")).json()["spam"] == ""
