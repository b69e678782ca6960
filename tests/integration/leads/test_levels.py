"""What the levels of orders mean for the numbers behind them."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from shared.contracts.events.orders import LEVEL_CHANGED
from tests.harness import Running
from tests.integration.leads.company import level, post


async def reach(
    leads: Running, lead: dict[str, Any], *levels: str, first: int = 2, event_id: UUID | None = None
) -> None:
    """The order of a lead passes through these levels."""
    for sequence, to in enumerate(levels, first):
        await leads.receive(LEVEL_CHANGED, level(lead, to, sequence), subject=lead["id"], event_id=event_id)


@pytest.mark.parametrize("level", ["L5.3", "L7", "L7.4", "L7.6", "L8"])
async def test_a_sent_or_ended_order_ends_the_window_of_its_number(leads: Running, level: str) -> None:
    client = await leads.client()
    first = await post(client, "0912345678")
    await reach(leads, first, level)

    assert (await post(client, "0912345678"))["verdict"] == "lead"


@pytest.mark.parametrize("level", ["L1", "L1.1", "L1.3", "L1.5", "L1.9", "L5"])
async def test_an_order_in_care_or_refused_does_not_end_the_window(leads: Running, level: str) -> None:
    client = await leads.client()
    first = await post(client, "0912345678")
    await reach(leads, first, level)

    again = await post(client, "0912345678")

    assert (again["verdict"], again["anchor_id"]) == ("duplicate", first["id"])


@pytest.mark.parametrize(
    ("level", "returning"), [("L7.1", True), ("L7.3", True), ("L8", True), ("L7.4", False), ("L5.3", False)]
)
async def test_only_a_number_to_which_something_was_handed_over_is_a_returning_customer(
    leads: Running, level: str, returning: bool
) -> None:
    client = await leads.client()
    await reach(leads, await post(client, "0912345678 / 0987654321"), level)

    by_first = await post(client, "0912345678")
    by_second = await post(client, "0987654321")

    assert (by_first["returning_customer"], by_second["returning_customer"]) == (returning, returning)


async def test_late_and_repeated_facts_about_an_old_order_leave_the_new_window_alone(leads: Running) -> None:
    client = await leads.client()
    old = await post(client, "0912345678")
    event_id = uuid7()
    await reach(leads, old, "L7", event_id=event_id)
    new = await post(client, "0912345678")

    await reach(leads, old, "L7", event_id=event_id)
    await reach(leads, old, "L8", first=3)

    again = await post(client, "0912345678")
    assert (again["verdict"], again["anchor_id"]) == ("duplicate", new["id"])


async def test_the_level_shown_is_the_latest_whatever_the_order_of_the_facts(leads: Running) -> None:
    client = await leads.client()
    lead = await post(client, "0912345678")

    await reach(leads, lead, "L5", first=4)
    await reach(leads, lead, "L1.4", first=3)

    assert (await client.get(f"/v1/leads/{lead['id']}")).json()["level"] == "L5"


async def test_an_order_that_never_was_a_lead_is_ignored(leads: Running) -> None:
    await reach(leads, {"id": str(uuid7())}, "L5", "L7", "L8")

    assert await leads.rows("SELECT 1 FROM leads") == []


async def test_levels_and_arrivals_of_the_same_numbers_do_not_block_one_another(leads: Running) -> None:
    client = await leads.client()
    made = [await post(client, f"09123456{place:02}") for place in range(20)]

    async def send(place: int) -> dict[str, Any]:
        return await post(client, f"09123456{place:02}", other_phone=f"09123456{(place + 1) % 20:02}")

    await asyncio.gather(
        *(reach(leads, lead, "L7", "L8") for lead in reversed(made)), *(send(place % 20) for place in range(60))
    )

    held = await leads.rows("SELECT count(*) AS windows FROM duplicate_windows")
    assert held[0].windows == 20
    assert len(await leads.rows("SELECT 1 FROM leads")) == 80
