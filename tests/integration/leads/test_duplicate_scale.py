"""The duplicate check among many leads: a few pages a number, found by index, however many leads there are.

Plans and buffers are asserted, never time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from services.leads.changes import passing
from services.leads.intake import numbers
from tests.harness import Running
from tests.integration.leads.company import post

ARRIVALS = 200
"""A batch."""
LOOK_UP = 20
"""Pages that one number may cost a statement: the way down the trees, the row read, locked and written. Twelve were
measured among 50,000 leads, seventeen among 5,000,000, whose trees are a level or two deeper."""

# Every tenth lead has a second number.
_FILL = """
INSERT INTO raw_items (id, channel, received_at, content_type, body, verdict)
SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'api', now() - interval '30 days', '', '', 'lead'
FROM generate_series($1::integer, $2::integer) AS n;
"""
_LEADS = """
INSERT INTO leads (id, verdict, phone, other_phones, phone_typed, name, product, note, address, channel, campaign,
    landing_page, marketer, received_at, returning_customer, level, in_care)
SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'lead', '+8490' || lpad(n::text, 7, '0'),
    CASE WHEN n % 10 = 0 THEN ARRAY['+8470' || lpad(n::text, 7, '0')] ELSE '{}' END, '', '', '', '', '', 'api', '', '', '',
    now() - interval '30 days', false, 'L1', false
FROM generate_series($1::integer, $2::integer) AS n;
"""
_WINDOWS = """
INSERT INTO duplicate_windows (phone, anchor_id, opened_at, closes_at)
SELECT '+8490' || lpad(n::text, 7, '0'), ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
    now() - interval '30 days', now() - interval '23 days'
FROM generate_series($1::integer, $2::integer) AS n;
"""


async def fill(connection: asyncpg.Connection[asyncpg.Record], first: int, last: int) -> None:
    """Leads first to last with their windows, as an earlier month left them."""
    # Without the checks of foreign keys, row by row, that these rows pass by the way they are made.
    await connection.execute("SET session_replication_role = replica")
    for start in range(first, last + 1, 250_000):
        for statement in (_FILL, _LEADS, _WINDOWS):
            await connection.execute(statement, start, min(last, start + 249_999))
    await connection.execute("RESET session_replication_role")
    for table in ("raw_items", "leads", "duplicate_windows"):
        await connection.execute(f"ANALYZE {table}")


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


async def explain(connection: asyncpg.Connection[asyncpg.Record], statement: str, *values: Any) -> tuple[set[str], int]:
    """How the tables of a statement are read, as 'node table', and the pages it touched. What it does is undone."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        found = await connection.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", *values)
    finally:
        await transaction.rollback()
    plan = json.loads(found)[0]["Plan"]
    reads = {f"{node['Node Type']} {node['Relation Name']}" for node in nodes(plan) if "Relation Name" in node}
    return reads, plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]


async def check(connection: asyncpg.Connection[asyncpg.Record], leads: int) -> dict[str, int]:
    """Looks at every statement that judges; returns the pages of each for a batch of known numbers."""
    known = [f"+8490{1 + place * (leads // ARRIVALS):07}" for place in range(ARRIVALS)]
    lead_id = "00000000-0000-7000-8000-000000000001"
    claims = lead_id, "1", "2"  # the window's anchor, and which of the instants it opens and closes at
    instants = [datetime(2026, 11, 21, 2, tzinfo=UTC), datetime(2026, 11, 28, 2, tzinfo=UTC)]
    statements: dict[str, tuple[str, tuple[Any, ...]]] = {
        "lock": (numbers._LOCK, (known,)),
        "claim": (
            numbers._CLAIM,
            (" ".join(known), *(" ".join([text] * ARRIVALS) for text in claims), [""] * ARRIVALS, instants),
        ),
        "product groups": (numbers._OTHERS, (known,)),
        "other leads of a number": (passing._OTHERS, (known[:2], lead_id, passing.OTHERS)),
    }
    pages = {}
    for name, (statement, values) in statements.items():
        reads, pages[name] = await explain(connection, statement, *values)
        assert not [read for read in reads if read.startswith("Seq Scan")], (name, reads)
    return pages


async def pages_among(leads: Running, many: int) -> dict[str, int]:
    """The pages that each statement touches for a batch of known numbers among so many leads."""
    pool = await leads.db.driver()
    async with pool.acquire() as held:
        connection: Any = held
        await fill(connection, 1, many)
        return await check(connection, many)


def assert_look_ups(pages: dict[str, int]) -> None:
    for name, touched in pages.items():
        assert touched <= LOOK_UP * ARRIVALS, (name, pages)


async def test_the_check_reads_by_index_alone_and_costs_a_few_pages_a_number(leads: Running) -> None:
    assert_look_ups(await pages_among(leads, 50_000))

    client = await leads.client()
    assert (await post(client, "0900000007"))["verdict"] == "lead"
    assert (await post(client, "0900000007"))["verdict"] == "duplicate"


@pytest.mark.soak
async def test_the_check_among_five_million_leads(leads: Running) -> None:
    pool = await leads.db.driver()
    async with pool.acquire() as held:
        await held.execute("SET statement_timeout = 0")
        # Indexes that the check does not use would cost most of the time of filling.
        rows = await held.fetch(
            "SELECT indexrelid::regclass::text AS name FROM pg_index i LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid "
            "WHERE indrelid = 'leads'::regclass AND c.oid IS NULL "
            "AND indexrelid::regclass::text NOT IN ('leads_phone_idx', 'leads_other_phones_idx')"
        )
        for row in rows:
            await held.execute(f"DROP INDEX {row['name']}")
    pages = await pages_among(leads, 5_000_000)
    print(f"pages a batch of {ARRIVALS} among 5,000,000 leads: {pages}")

    assert_look_ups(pages)
