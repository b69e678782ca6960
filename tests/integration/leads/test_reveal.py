"""Masked numbers that somebody asks to see."""

from __future__ import annotations

from typing import Any

from shared.contracts.events.orders import LEVEL_CHANGED
from tests.harness import Running
from tests.integration.leads.company import Colleague, hire, pool, post
from tests.integration.leads.test_distribution import level

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
