"""Arrivals that another transaction is in the way of."""

from __future__ import annotations

import asyncio

import asyncpg
from structlog.testing import capture_logs

from tests.harness import Running, eventually
from tests.integration.leads.company import post

_WAITING = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


async def test_an_arrival_that_meets_a_deadlock_becomes_one_lead(leads: Running) -> None:
    admin = await leads.client()
    await post(admin, "0900000001", name="Người đến trước")
    other = await asyncpg.connect(leads.db.url)
    try:
        # Of two that lock one another out, the database ends the one that has waited for this long: not this one.
        await other.execute("SET deadlock_timeout = '1min'")
        end = other.transaction()
        await end.start()
        await other.execute("INSERT INTO duplicate_windows (phone) VALUES ('+84987654321')")
        with capture_logs() as logged:
            arriving = asyncio.create_task(post(admin, "0912345678 - 0987654321"))
            # Not by the other's connection: within a transaction these views stand still.
            await eventually(lambda: leads.rows(_WAITING), what="the arrival holds the first number, wants the other")
            await other.execute("INSERT INTO duplicate_windows (phone) VALUES ('+84912345678')")
            await end.commit()
            lead = await arriving
    finally:
        await other.close()

    assert "another transaction in the way, arrivals wait" in [entry["event"] for entry in logged]
    assert (lead["verdict"], lead["anchor_id"]) == ("lead", None)
    assert len(await leads.rows("SELECT 1 FROM leads WHERE phone = '+84912345678'")) == 1
    assert len(await leads.rows("SELECT 1 FROM raw_items WHERE verdict = 'rejected'")) == 0
    assert len(await leads.outbox("leads.lead.accepted.v1")) == 2
