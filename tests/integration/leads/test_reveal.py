"""Masked numbers that somebody asks to see."""

from __future__ import annotations

from typing import Any

from shared.contracts.events.orders import LEVEL_CHANGED
from tests.harness import Running
from tests.integration.leads.company import Colleague, hire, level, pool, post
from tests.integration.leads.floating import seller

REASON = {"reason": "khách gọi lại hỏi đơn"}


async def ask(leads: Running, viewer: Colleague, lead: dict[str, Any], *granted: str, body: Any = REASON) -> Any:
    client = await leads.client("leads.read", *granted, account_id=viewer.id, code=viewer.code)
    return await client.post(f"/v1/leads/{lead['id']}/reveal-phone", json=body)


async def test_each_number_shown_is_kept_and_told_without_the_number(leads: Running) -> None:
    (leader,) = await hire(leads, "TN001", on_duty=False)
    (person,) = await hire(leads, "NV001", superior=leader)
    admin = await leads.client()
    await pool(admin, [person])
    lead = await post(admin, "0912345678 - 0987654321")

    own = await ask(leads, person, lead)
    theirs = await ask(leads, leader, lead, "phones.reveal")

    assert (own.json()["phone"], own.json()["other_phones"], own.json()["basis"]) == (
        "0912345678",
        ["0987654321"],
        "owner",
    )
    assert theirs.json()["basis"] == "permission"
    kept = (await admin.get(f"/v1/leads/{lead['id']}/reveals")).json()["items"]
    assert [(one["code"], one["basis"], one["reason"]) for one in kept] == [
        ("TN001", "permission", REASON["reason"]),
        ("NV001", "owner", REASON["reason"]),
    ]
    events = await leads.outbox("leads.phone.revealed.v1")
    assert [event["payload"]["code"] for event in events] == ["NV001", "TN001"]
    assert "912345678" not in str(events)


async def test_without_the_permission_others_numbers_stay_masked(leads: Running) -> None:
    (leader,) = await hire(leads, "TN001", on_duty=False)
    person, stranger = await hire(leads, "NV001", "NV002", superior=leader)
    admin = await leads.client()
    await pool(admin, [person])
    lead = await post(admin, "0912345678")

    superior = await ask(leads, leader, lead)
    other = await ask(leads, stranger, lead, "phones.reveal")
    without_reason = await ask(leads, leader, lead, "phones.reveal", body={"reason": " "})

    assert (superior.status_code, superior.json()["title"]) == (403, "forbidden")
    assert other.status_code == 404, "who may not see a lead may not reveal it"
    assert without_reason.status_code == 422
    assert await leads.rows("SELECT 1 FROM phone_reveals") == []


async def test_a_number_that_a_customer_repeats_in_words_is_masked_like_the_leads_own(leads: Running) -> None:
    words = {"name": "Lan 0912345678", "note": "gọi em số 0912 345 678 nhé", "address": "12 Lê Lợi, ĐT 0987654321"}
    masks = {"name": "Lan 0912***678", "note": "gọi em số 0912***678 nhé", "address": "12 Lê Lợi, ĐT 0987***321"}
    (leader,) = await hire(leads, "TN001", on_duty=False)
    (person,) = await hire(leads, "NV001", superior=leader)
    admin = await leads.client()
    await pool(admin, [person])
    lead = await post(admin, "0912345678", **words)
    await post(admin, "0912345678", note="0912345678 chưa ai gọi")
    theirs = await seller(leads, person, "leads.edit")
    above = await leads.client("leads.read", "leads.edit", account_id=leader.id, code=leader.code)
    path = f"/v1/leads/{lead['id']}"
    await theirs.post(f"{path}/notes", json={"text": "số Zalo 0903111222"})

    own, seen = (await theirs.get(path)).json(), (await above.get(path)).json()
    (listed,) = (await above.get("/v1/leads", params={"verdict": "lead"})).json()["items"]
    said = (await above.get(f"{path}/history")).json()["items"]
    (note,) = (await above.get(f"{path}/notes")).json()["items"]

    assert {name: own[name] for name in words} == words
    assert {name: seen[name] for name in words} == masks == {name: listed[name] for name in words}
    assert note["text"] == "số Zalo 0903***222"
    assert [number for number in ("345678", "654321", "111222") if number in str(said).replace(" ", "")] == []
    # Whoever saves what they were shown has not changed it.
    saved = await above.patch(path, json={**masks, "product": "KEM"}, headers={"If-Match": f'"{seen["version"]}"'})
    assert saved.status_code == 200, saved.text
    kept = (await theirs.get(path)).json()
    assert {name: kept[name] for name in words} == words
    assert kept["product"] == "KEM"


async def test_an_owner_sees_the_number_until_thirty_days_after_the_end(leads: Running) -> None:
    (person,) = await hire(leads, "NV001")
    admin = await leads.client()
    await pool(admin, [person])
    lead = await post(admin, "0912345678")
    await leads.receive(LEVEL_CHANGED, level(lead, "L8"), subject=lead["id"])
    async with leads.db.transaction() as session:
        connection = await session.connection()
        await connection.exec_driver_sql("UPDATE leads SET ended_at = now() - interval '29 days'")

    in_time = await ask(leads, person, lead)
    async with leads.db.transaction() as session:
        connection = await session.connection()
        await connection.exec_driver_sql("UPDATE leads SET ended_at = now() - interval '30 days'")
    late = await ask(leads, person, lead)
    allowed = await ask(leads, person, lead, "phones.reveal")
    await leads.receive(LEVEL_CHANGED, level(lead, "L7.2", 3), subject=lead["id"])  # open again
    again = await ask(leads, person, lead)

    assert in_time.json()["basis"] == "owner"
    assert (late.status_code, late.json()["title"]) == (403, "phone-hidden")
    assert allowed.json()["basis"] == "permission"
    assert again.json()["basis"] == "owner"
