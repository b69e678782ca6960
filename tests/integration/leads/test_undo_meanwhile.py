"""An import is undone while colleagues go on working: what is chosen is theirs no more until orders has answered."""

from __future__ import annotations

import asyncio
from uuid import UUID

import httpx

from services.leads.imports.undo import Undo
from shared.contracts.activities import UndoBatch, UndoPlace
from tests.harness import Running, eventually
from tests.integration.leads.company import hire, post
from tests.integration.leads.facebook_support import Shop
from tests.integration.leads.imports_support import all_rows, upload, work, workbook
from tests.integration.leads.test_import_life import read, undo
from tests.integration.leads.test_messenger import talk

PHONE = "0912345678"


async def imported(leads: Running, client: httpx.AsyncClient, *phones: str) -> tuple[str, list[str]]:
    """An import of these numbers, and the ids of their leads and duplicates."""
    made = (await upload(client, workbook([(phone, "Lan") for phone in phones]))).json()
    await work(leads, made["id"])
    return made["id"], [row["lead_id"] for row in await all_rows(client, made["id"])]


async def chosen(leads: Running, client: httpx.AsyncClient, import_id: str) -> UndoBatch:
    """The first batch of an undo that orders has not answered yet."""
    answer = await client.post(f"/v1/imports/{import_id}/undo", json={"reason": "nhầm tệp"})
    assert answer.status_code == 200, answer.text
    return await Undo(leads.db).choose(UndoPlace(import_id=UUID(import_id), before_row=0))


async def ended(leads: Running, batch: UndoBatch) -> None:
    """Removes a batch, and all that is behind it."""
    steps = Undo(leads.db)
    while (await steps.remove(batch))["state"] != "undone":
        batch = await steps.choose(UndoPlace(import_id=batch.import_id, before_row=batch.first_row))


async def somebody_waits(leads: Running) -> None:
    """Returns when a transaction waits for another."""

    async def waits() -> bool:
        waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        return bool(await leads.rows(waiting))

    await eventually(waits)


async def tag_of(client: httpx.AsyncClient) -> str:
    group = (await client.post("/v1/tag-groups", json={"name": "Nhu cầu"})).json()["id"]
    made = await client.post("/v1/tags", json={"group_id": group, "name": "Hẹn lương", "colour": "green"})
    return str(made.json()["id"])


async def test_nothing_is_decided_or_written_about_a_lead_that_is_taken_back(leads: Running) -> None:
    client = await leads.client()
    (lan,) = await hire(leads, "NV101")
    other = await post(client, "0987654321")
    import_id, (lead, duplicate) = await imported(leads, client, PHONE, PHONE)
    tag = await tag_of(client)
    etag = (await client.get(f"/v1/leads/{lead}")).headers["etag"]
    batch = await chosen(leads, client, import_id)
    why = {"reason": "khách đọc lại số"}
    refused = [
        await client.post(f"/v1/leads/{lead}/notes", json={"text": "hẹn chiều"}),
        await client.post(f"/v1/leads/{lead}/tags", json={"add": [tag]}),
        await client.post(f"/v1/leads/{lead}/spam", json={"kind": "test", **why}),
        await client.post(f"/v1/leads/{lead}/merge", json={"other_id": other["id"], **why}),
        await client.post(f"/v1/leads/{duplicate}/release-duplicate", json=why),
        await client.post(f"/v1/leads/{lead}/assign", json={"owner_id": str(lan.id), **why}),
        await client.patch(f"/v1/leads/{lead}", json={"phone": "0912345679", **why}, headers={"If-Match": etag}),
    ]
    assert [(answer.status_code, answer.json()["title"]) for answer in refused] == [(409, "lead-being-undone")] * 7
    assert "đang được hoàn tác" in refused[0].json()["detail"]
    for action in (
        {"kind": "tag", "tags": [tag]},
        {"kind": "spam", "spam": "test", **why},
        {"kind": "reassign", "owner_id": str(lan.id), **why},
    ):
        told = (await client.post("/v1/leads/bulk", json={"action": action, "ids": [lead, other["id"]]})).json()
        assert [(row["result"], row["reason"]) for row in told["rows"]] == [("refused", "not-found"), ("done", "")]
    await ended(leads, batch)
    assert (await read(client, import_id))["undone"] == 2
    assert (await client.post(f"/v1/leads/{lead}/notes", json={"text": "hẹn chiều"})).status_code == 404


async def test_a_lead_that_orders_keeps_is_worked_on_again(leads: Running) -> None:
    client = await leads.client()
    import_id, (first, second) = await imported(leads, client, PHONE, "0987654321")
    batch = await chosen(leads, client, import_id)
    await ended(leads, batch.model_copy(update={"kept": (UUID(first),)}))
    assert (await client.post(f"/v1/leads/{first}/notes", json={"text": "hẹn chiều"})).status_code == 201
    assert (await client.get(f"/v1/leads/{second}")).status_code == 404
    assert (await post(client, PHONE))["anchor_id"] == first
    assert await leads.rows("SELECT 1 FROM import_leaving") == []


async def test_who_was_faster_than_the_undo_keeps_the_lead(leads: Running) -> None:
    client = await leads.client()
    import_id, (lead,) = await imported(leads, client, PHONE)
    async with (await leads.db.driver()).acquire() as colleague, colleague.transaction():
        # A note is about to be committed.
        await colleague.execute("SELECT 1 FROM leads WHERE id = $1 FOR NO KEY UPDATE", UUID(lead))
        choosing = asyncio.create_task(chosen(leads, client, import_id))
        await somebody_waits(leads)
        await colleague.execute(
            "INSERT INTO lead_notes (id, lead_id, at, by_id, by, text) VALUES (uuidv7(), $1, now(), uuidv7(), 'NV101', 'x')",
            UUID(lead),
        )
    batch = await choosing
    assert batch.lead_ids == ()
    await ended(leads, batch)
    (row,) = await all_rows(client, import_id, verdict="kept")
    assert (row["lead_id"], row["reason"]) == (lead, "changed")


async def test_a_decision_that_waited_for_the_undo_is_told_of_a_conflict(leads: Running) -> None:
    client = await leads.client()
    _, (lead,) = await imported(leads, client, PHONE)
    etag = (await client.get(f"/v1/leads/{lead}")).headers["etag"]
    body = {"phone": "0912345679", "reason": "khách đọc lại số"}
    async with (await leads.db.driver()).acquire() as undoing, undoing.transaction():
        await undoing.execute("SELECT 1 FROM duplicate_windows FOR UPDATE")
        correcting = asyncio.create_task(client.patch(f"/v1/leads/{lead}", json=body, headers={"If-Match": etag}))
        await somebody_waits(leads)
        await undoing.execute("UPDATE duplicate_windows SET anchor_id = NULL, opened_at = NULL, closes_at = NULL")
        await undoing.execute("DELETE FROM backlog")
        await undoing.execute("DELETE FROM leads")
    answer = await correcting
    assert (answer.status_code, answer.json()["title"]) == (409, "conflict")


async def test_a_number_that_a_conversation_led_to_stays_though_its_duplicate_was_released(page: Shop) -> None:
    import_id, (lead,) = await imported(page.leads, page.client, PHONE)
    await talk(page, f"Gọi em số {PHONE}")
    (duplicate,) = (await page.client.get("/v1/leads", params={"verdict": "duplicate"})).json()["items"]
    released = await page.client.post(f"/v1/leads/{duplicate['id']}/release-duplicate", json={"reason": "hai người"})
    assert released.status_code == 200, released.text
    await undo(page.leads, page.client, import_id)
    (row,) = await all_rows(page.client, import_id, verdict="kept")
    assert (row["lead_id"], row["reason"]) == (lead, "came_again")
