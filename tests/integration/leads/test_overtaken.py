"""Numbers that came after their first order was sent, before that was known here."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from services.leads.changes.overtaken import OvertakenReleaser
from shared.contracts.events.orders import LEVEL_CHANGED, LevelChanged
from tests.harness import Running, eventually
from tests.integration.leads.company import hire, owner_of, pool, post


async def reach(leads: Running, lead: dict[str, Any], level: str, *, at: datetime, sequence: int = 2) -> None:
    change = LevelChanged(
        transition_id=uuid7(),
        order_id=UUID(lead["id"]),
        sequence=sequence,
        from_level="L5",
        to_level=level,
        at=at,
        recorded_at=at,
        cause="carrier",
        cohort_at=at,
    )
    await leads.receive(LEVEL_CHANGED, change, subject=lead["id"])


async def settle(leads: Running) -> None:
    releaser = OvertakenReleaser(leads.db, window=leads.runtime.settings.duplicate_window)
    while await releaser.step():
        pass


async def test_what_came_after_the_order_was_sent_is_a_new_lead_for_the_last_owner_however_late_the_fact(
    leads: Running,
) -> None:
    client = await leads.client()
    nv1, nv2 = await hire(leads, "NV01", "NV02")
    await pool(client, [nv1, nv2])
    first = await post(client, "0912345678")
    before = await post(client, "0912345678")
    sent_at = datetime.now(UTC)
    after = await post(client, "0912345678")
    again = await post(client, "0912345678")

    await reach(leads, first, "L7.1", at=sent_at)
    await settle(leads)

    seen = [(await client.get(f"/v1/leads/{one['id']}")).json() for one in (before, after, again)]
    assert [one["verdict"] for one in seen] == ["duplicate", "lead", "duplicate"]
    assert seen[1]["returning_customer"] is True
    assert await owner_of(client, after) == await owner_of(client, first)
    (event,) = await leads.outbox("leads.duplicate.released.v1")
    assert (event["subject"], event["payload"]["by"]) == (after["id"], "")
    assert (await post(client, "0912345678"))["anchor_id"] == after["id"]


async def test_told_again_it_has_no_second_effect(leads: Running) -> None:
    client = await leads.client()
    first = await post(client, "0912345678")
    sent_at = datetime.now(UTC)
    await post(client, "0912345678")
    for sequence in (2, 3):
        await reach(leads, first, "L7", at=sent_at, sequence=sequence)
        await settle(leads)

    assert len(await leads.outbox("leads.duplicate.released.v1")) == 1


async def test_the_running_service_does_it_by_itself(leads: Running) -> None:
    client = await leads.client()
    releaser = OvertakenReleaser(leads.db, window=leads.runtime.settings.duplicate_window)
    leads.roles["overtaken"] = [asyncio.create_task(releaser.run())]
    first = await post(client, "0912345678")
    sent_at = datetime.now(UTC)
    after = await post(client, "0912345678")
    await reach(leads, first, "L5.3", at=sent_at)

    async def released() -> bool:
        return bool((await client.get(f"/v1/leads/{after['id']}")).json()["verdict"] == "lead")

    await eventually(released, what="the release")
