"""Fake, test and competitors' leads."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from services.leads.distributor import Distributor
from shared.contracts.events.orders import REASSIGNMENT_REQUESTED
from tests.harness import Running
from tests.integration.leads.company import hire, owner_of, pool, post, reassignment
from tests.integration.leads.test_levels import reach


async def mark(client: httpx.AsyncClient, lead: dict[str, Any], kind: str) -> httpx.Response:
    return await client.post(f"/v1/leads/{lead['id']}/spam", json={"kind": kind, "reason": "số của công ty khác"})


async def unmark(client: httpx.AsyncClient, lead: dict[str, Any]) -> httpx.Response:
    return await client.post(f"/v1/leads/{lead['id']}/not-spam", json={"reason": "nhầm"})


async def test_spam_is_told_and_no_longer_counts_as_in_care(leads: Running) -> None:
    client = await leads.client(code="NV01")
    (nv1,) = await hire(leads, "NV01")
    await pool(client, [nv1], capacity=1)
    lead = await post(client, "0912345678")
    waiting = await post(client, "0987654321")

    answer = await mark(client, lead, "fake")

    assert (answer.status_code, answer.json()["spam"]) == (200, "fake")
    (event,) = await leads.outbox("leads.spam.marked.v1")
    assert (event["payload"]["kind"], event["payload"]["by"], event["subject"]) == ("fake", "NV01", lead["id"])
    await nv1.duty(False)
    await nv1.duty(True)
    assert await owner_of(client, waiting) == "NV01"


async def test_spam_waits_for_nobody(leads: Running) -> None:
    client = await leads.client()
    (nv1,) = await hire(leads, "NV01", on_duty=False)
    await pool(client, [nv1])
    lead = await post(client, "0912345678")

    await mark(client, lead, "test")
    await nv1.duty(True)

    assert await owner_of(client, lead) is None


@pytest.mark.parametrize("target", ["another", "floating_pool"])
async def test_care_that_asked_for_somebody_else_before_it_heard_of_the_mark_moves_nothing(
    leads: Running, target: str
) -> None:
    client = await leads.client()
    nv1, nv2 = await hire(leads, "NV01", "NV02")
    await pool(client, [nv1])
    lead = await post(client, "0912345678")
    await pool(client, [nv2], name="Nhóm khác", position=1)

    await mark(client, lead, "fake")
    await leads.receive(REASSIGNMENT_REQUESTED, reassignment(lead, 1, target), subject=lead["id"])
    await Distributor(leads.db).step()

    assert await owner_of(client, lead) == "NV01"
    assert len(await leads.rows("SELECT 1 FROM assignments")) == 1
    assert await leads.rows("SELECT 1 FROM reassignment_requests") == []


@pytest.mark.parametrize(("kind", "flag"), [("competitor", "competitor"), ("test", "test"), ("fake", "")])
async def test_a_number_marked_as_competitor_or_test_is_recognised_when_it_comes_again(
    leads: Running, kind: str, flag: str
) -> None:
    client = await leads.client()
    lead = await post(client, "0912345678 / 0987654321")
    await mark(client, lead, kind)

    again = await post(client, "0987654321")

    seen = (await client.get(f"/v1/leads/{again['id']}")).json()
    assert (seen["verdict"], seen["flag"]) == ("duplicate", flag)
    (event,) = await leads.outbox("leads.lead.duplicated.v1")
    assert (event["payload"]["flag"], event["payload"]["anchor_asked_again"]) == (flag, not flag)


async def test_a_flagged_number_that_comes_after_its_window_is_a_lead_with_the_flag(leads: Running) -> None:
    client = await leads.client()
    await client.put("/v1/settings/duplicates", json={"days": 0}, headers={"If-Match": '"0"'})
    await mark(client, await post(client, "0912345678"), "competitor")

    again = await post(client, "0912345678")

    assert again["verdict"] == "lead"
    assert (await leads.outbox("leads.lead.accepted.v1"))[-1]["payload"]["flag"] == "competitor"


async def test_the_mark_is_taken_away_and_the_lead_gets_an_owner_and_the_number_loses_its_flag(leads: Running) -> None:
    client = await leads.client()
    (nv1,) = await hire(leads, "NV01", on_duty=False)
    await pool(client, [nv1])
    lead = await post(client, "0912345678")
    await mark(client, lead, "competitor")
    await nv1.duty(True)

    answer = await unmark(client, lead)

    assert (answer.json()["spam"], answer.json()["owner"]["code"]) == ("", "NV01")
    assert [event["payload"]["kind"] for event in await leads.outbox("leads.spam.marked.v1")] == ["competitor", ""]
    again = await post(client, "0912345678")
    assert (await client.get(f"/v1/leads/{again['id']}")).json()["flag"] == ""


async def test_a_number_keeps_its_flag_while_another_lead_with_it_is_marked(leads: Running) -> None:
    client = await leads.client()
    lead = await post(client, "0912345678")
    duplicate = await post(client, "0912345678")
    await mark(client, lead, "competitor")
    await mark(client, duplicate, "test")

    await unmark(client, duplicate)

    again = await post(client, "0912345678")
    assert (await client.get(f"/v1/leads/{again['id']}")).json()["flag"] == "competitor"


async def test_marking_twice_has_one_effect_and_a_duplicate_is_marked_without_an_order(leads: Running) -> None:
    client = await leads.client()
    lead = await post(client, "0912345678")
    duplicate = await post(client, "0912345678")
    for one in (lead, lead, duplicate):
        assert (await mark(client, one, "fake")).status_code == 200

    assert [event["subject"] for event in await leads.outbox("leads.spam.marked.v1")] == [lead["id"]]
    rows = await leads.rows("SELECT verdict, count(*) AS spam FROM leads WHERE spam <> '' GROUP BY verdict ORDER BY 1")
    assert [(row.verdict, row.spam) for row in rows] == [("duplicate", 1), ("lead", 1)]


async def test_a_closed_order_is_no_spam_and_what_is_not_marked_is_not_unmarked(leads: Running) -> None:
    client = await leads.client()
    lead = await post(client, "0912345678")
    never = await unmark(client, lead)
    await reach(leads, lead, "L5")

    closed = await mark(client, lead, "fake")

    assert (never.status_code, never.json()["title"]) == (409, "lead-not-spam")
    assert (closed.status_code, closed.json()["title"]) == (409, "lead-past-care")


async def test_marking_needs_leads_edit_and_taking_it_back_leads_correct(leads: Running) -> None:
    client = await leads.client()
    lead = await post(client, "0912345678")
    reader = await leads.client("leads.read", "visibility.all")
    editor = await leads.client("leads.read", "leads.edit", "visibility.all")

    assert (await mark(reader, lead, "fake")).status_code == 403
    assert (await mark(editor, lead, "fake")).status_code == 200
    assert (await unmark(editor, lead)).status_code == 403
    assert (await mark(editor, lead, "boring")).status_code == 422
