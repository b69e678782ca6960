"""A person's due list with 100,000 open promises in the database, against a bare indexed query of the same rows.

Ours is what `GET /v1/tasks` asks of the service: visibility, the first page of 50 in the order of the list, how many tasks
of the person are overdue, due, due today and later, each item with its countdown, its priority and a number that is shown
or masked. The limit reads the tasks of that person with their orders by one prepared statement on the driver, from tables
with nothing but these columns and the index that the query wants, and makes nothing of the rows.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
from uuid_utils.compat import uuid7

from bench.machine import Machine, migrate
from bench.pairs import in_turns, median
from bench.result import Result
from services.orders.promises.due_list import Asked, page
from shared.auth import Principal
from shared.contracts.permissions import SEED_GROUPS
from shared.db import Database

PEOPLE: Final = 50
READS: Final = 100
"""Lists of a round, each person's twice."""
PAGE: Final = 50

# Half are due or overdue, half are to come over the next weeks.
_DUE: Final = "now() + (place % 4000 - 2000) * interval '10 minutes'"
_STAFF: Final = """
INSERT INTO staff_members (account_id, version, code, team) SELECT account_id, 1, 'NV' || place, 'Sale ' || place % 5
FROM unnest($1::uuid[]) WITH ORDINALITY AS a (account_id, place)
"""
_CUSTOMERS: Final = "INSERT INTO customers (id) SELECT unnest($1::uuid[])"
_ORDERS: Final = """
INSERT INTO orders (id, code, customer_id, phone, name, product, cohort_at, level, level_since, sequence, owner_id, owner_code,
    team, assignment, assigned_at)
SELECT id, 'DH-' || place, id, '+84' || 900000000 + place, 'Khách ' || place, 'KEM-01', now(), 'L1', now(), 1,
    ($2::uuid[])[1 + place % $3], 'NV' || 1 + place % $3, 'Sale ' || (1 + place % $3) % 5, 1, now()
FROM unnest($1::uuid[]) WITH ORDINALITY AS a (id, place)
"""
_TASKS: Final = f"""
INSERT INTO tasks (id, order_id, key, step, kind, promise, name_vi, name_en, owner_id, team, due_at, deadline_at, opened_at)
SELECT gen_random_uuid(), id, 'first_call:1', 'first_call', 'call',
    (ARRAY['first_call', 'retry', 'callback', 'follow_up'])[1 + place % 4], 'Gọi', 'Call', ($2::uuid[])[1 + place % $3],
    'Sale ' || (1 + place % $3) % 5, {_DUE}, {_DUE} + interval '15 minutes', now()
FROM unnest($1::uuid[]) WITH ORDINALITY AS a (id, place)
"""
_PROMISES: Final = """
INSERT INTO promises (id, order_id, task_key, kind, owner_id, due_at, deadline_at, made_at)
SELECT gen_random_uuid(), order_id, key, promise, owner_id, due_at, deadline_at, opened_at FROM tasks
"""
_BARE: Final = (
    """
CREATE SCHEMA bare;
CREATE TABLE bare.tasks AS SELECT id, order_id, kind, step, name_vi, name_en, promise, priority, due_at, deadline_at,
    shown_at, reminded_at, snoozed_until, owner_id, team FROM tasks
""",
    """
CREATE TABLE bare.orders AS SELECT id, code, name, phone, level, product, returning_customer, owner_id, closer_id,
    level_since FROM orders
""",
    "CREATE INDEX ON bare.tasks (owner_id, shown_at)",
    "ALTER TABLE bare.orders ADD PRIMARY KEY (id)",
)
_BARE_LIST: Final = """
SELECT t.*, o.code, o.name, o.phone, o.level, o.product, o.returning_customer, o.closer_id, o.level_since
FROM bare.tasks t JOIN bare.orders o ON o.id = t.order_id WHERE t.owner_id = $1 ORDER BY t.shown_at
"""


async def run(machine: Machine, size: int) -> Result:
    """`size` open promises of fifty people."""
    url = await machine.database("bench_due_list")
    await migrate("orders", {"CHOT_DATABASE_URL": url})
    connection = await asyncpg.connect(url)
    people: list[UUID] = [uuid7() for _ in range(PEOPLE)]
    await _fill(connection, people, size)
    prepared = await connection.prepare(_BARE_LIST)
    db = Database(url, pool_size=1)
    zone = ZoneInfo("Asia/Ho_Chi_Minh")
    times: list[float] = []

    async def bare(person: UUID) -> None:
        rows = await prepared.fetch(person)
        if len(rows) != size // PEOPLE:
            raise RuntimeError(f"the bare list has {len(rows)} rows")

    async def ours(person: UUID) -> None:
        who = Principal(person, "NV", frozenset(SEED_GROUPS["sale"]), department="sale", team="Sale 1")
        async with db.read() as session:
            found = await page(
                session, who=who, asked=Asked(), limit=PAGE, after=None, now=datetime.now(UTC), zone=zone
            )
        if (
            found.counts is None
            or sum(found.counts.model_dump().values()) != size // PEOPLE
            or len(found.items) != PAGE
        ):
            raise RuntimeError(f"the list is wrong: {found.counts}")

    pairs = await in_turns(ours=lambda: _timed(ours, people, times), limit=lambda: _timed(bare, people, []))
    shown = median(pairs, float)
    await db.close()
    await connection.close()
    ranks = statistics.quantiles(times, n=100)
    return Result(
        job="due list of a person",
        ours=shown.ours,
        limit=shown.limit,
        unit="ms",
        limit_is="one prepared, indexed query of the person's open tasks with their orders",
        budget=1.0,
        better="lower",
        p50=ranks[49],
        p99=ranks[98],
        note=f"{size:,} open promises of {PEOPLE} people; a page of {PAGE} with counts over all {size // PEOPLE:,} of the "
        "person; O(tasks of the person) in the index for the counts, O(page) otherwise",
    )


async def _fill(connection: asyncpg.Connection[Any], people: list[UUID], size: int) -> None:
    orders = [uuid7() for _ in range(size)]
    async with connection.transaction():
        await connection.execute(_STAFF, people)
        await connection.execute(_CUSTOMERS, orders)
        await connection.execute(_ORDERS, orders, people, PEOPLE)
        await connection.execute(_TASKS, orders, people, PEOPLE)
        await connection.execute(_PROMISES)
        for statement in _BARE:
            for part in statement.split(";\n"):
                await connection.execute(part)
    await connection.execute("VACUUM ANALYZE")


async def _timed(read: Callable[[UUID], Awaitable[None]], people: list[UUID], times: list[float]) -> float:
    """Milliseconds of a read in the middle of a round."""
    mine = []
    for number in range(READS):
        began = time.perf_counter()
        await read(people[number % PEOPLE])
        mine.append((time.perf_counter() - began) * 1000)
    times += mine
    return statistics.median(mine)
