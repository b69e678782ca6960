"""Engines stop, crash and lose their stores while leads flow in: nothing is lost, nothing happens twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final

import pytest

from deploy.local.member import Member
from tests.faults.whole.ledger import PATIENCE, Flow, Ledger
from tests.harness import eventually

_PENDING: Final = "SELECT 1 FROM outbox WHERE status = 'pending' LIMIT 1"
_SENT_BEFORE: Final = "SELECT 1 FROM outbox WHERE destination = 'event' AND sent_at < $1 LIMIT 1"
_NUDGED_SINCE: Final = """
SELECT DISTINCT subject FROM outbox WHERE destination = 'command' AND type = 'CareWorkflow' AND created_at > $1
"""

# Some: what is on its way when something dies is decided by how many come in a second, and only the time before and
# after it by how many come at all.
pytestmark = pytest.mark.parametrize(
    "leads", [pytest.param(60, id="some"), pytest.param(5_000, id="many", marks=pytest.mark.soak)]
)


@asynccontextmanager
async def half_way(ledger: Ledger, leads: int) -> AsyncIterator[Flow]:
    """Leads flow in; the block begins when half of them are answered."""
    async with ledger.flow(leads) as flow:
        await flow.reach(0.5)
        yield flow


async def back(member: Member, *, before: int) -> None:
    """Waits until an engine runs again as another process."""

    async def runs() -> bool:
        return member.running and member.pid != before

    await eventually(runs, within=60, what=f"{member.name} runs again")


async def test_leads_are_taken_in_without_a_refusal_while_nats_is_away(ledger: Ledger, leads: int) -> None:
    nats = ledger.shop.stack.nats
    async with ledger.flow(leads) as flow:
        await nats.stop()
        # As long as it takes: NATS comes back only when all are answered.
        await flow.reach(1.0)
        assert not nats.running
        assert flow.repeated == 0
        await nats.start()
    await ledger.balance()


async def test_a_killed_postgresql_loses_nothing_that_was_answered(ledger: Ledger, leads: int) -> None:
    postgres = ledger.shop.stack.postgres
    async with half_way(ledger, leads):
        before = postgres.pid
        await postgres.kill()
        await back(postgres, before=before)
    await ledger.balance()


async def test_a_killed_temporal_server_loses_no_care(ledger: Ledger, leads: int) -> None:
    temporal = ledger.shop.stack.temporal
    async with half_way(ledger, leads) as flow:
        before, repeated = temporal.pid, flow.repeated
        await temporal.kill()
        await back(temporal, before=before)
    assert flow.repeated == repeated, "nobody who sends leads notices"
    await ledger.balance()


async def test_reconcile_brings_every_open_order_back_into_care_after_temporals_store_is_lost(
    ledger: Ledger, leads: int
) -> None:
    shop = ledger.shop
    async with ledger.flow(leads // 2):
        pass
    await ledger.balance()
    in_care = {f"care/{lead_id}" for lead_id in ledger.leads}
    async with half_way(ledger, leads // 2):
        wiped_at = datetime.now(UTC)
        await shop.stack.temporal.wipe()
    await shop.quiet(within=PATIENCE)
    # The relay may have reconciled by itself meanwhile: then there is nothing left for an operator to bring back.
    await shop.admin.ask("orders", "POST", "/v1/operations/reconcile")
    await ledger.balance()
    nudged = {row["subject"] for row in await shop.rows("orders", _NUDGED_SINCE, wiped_at)}
    assert in_care <= nudged


async def test_the_relay_sends_again_what_jetstream_lost(ledger: Ledger, leads: int) -> None:
    stack = ledger.shop.stack
    await ledger.shop.quiet(within=PATIENCE)
    await stack.child("orders-consumer").stop()
    async with ledger.flow(leads // 2) as only_in_jetstream:
        pass
    assert only_in_jetstream.answered == leads // 2

    async def published() -> bool:
        return not await ledger.shop.rows("leads", _PENDING)

    await eventually(published, within=PATIENCE)
    async with half_way(ledger, leads // 2):
        wiped_at = datetime.now(UTC)
        await stack.nats.wipe()
        await stack.child("orders-consumer").start()

    async def sent_again() -> bool:
        return not await ledger.shop.rows("leads", _SENT_BEFORE, wiped_at)

    await eventually(sent_again, within=PATIENCE, what="every event is in the new store")
    await ledger.balance()
