"""Care that falls due at one moment, like five thousand reminders at 08:00, against bare workflows.

Ours is what stands between the moment and the owner who is reminded: the sweep reads what is due, 25 orders at a time, with
all their facts, decides, and writes the reminder, the notice and where each care stands. The limit: as many workflows with
one activity that does nothing. A look that only workflows took could never be faster than that.
"""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from bench.jobs.care import bare_workflows
from bench.machine import Machine, migrate
from bench.pairs import in_turns, median
from bench.result import Result
from services.orders import record
from services.orders.care import service as care_service
from services.orders.care.processes import Processes
from services.orders.care.reading import lock_care
from services.orders.care.sweep import Sweep
from shared.db import Database

ROUNDS: Final = 3
WARM_UP: Final = 50
WANTED: Final = 5_000
"""Orders that fall due at one moment, and in how many seconds each of them has to be looked at; told in the note."""
WITHIN: Final = 90
ASSIGNED: Final = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
"""A Monday at 09:00 in Vietnam."""
REMINDED: Final = timedelta(minutes=10)
"""After the assignment, by the process that is shipped."""

_CUSTOMERS: Final = "INSERT INTO customers (id) SELECT unnest($1::uuid[])"
_ORDERS: Final = """
INSERT INTO orders (id, code, customer_id, phone, cohort_at, level, level_since, sequence, owner_id, owner_code, team,
    assignment, assigned_at)
SELECT id, 'DH-' || $2 + place, id, '+84' || 900000000 + $2 + place, $3, 'L1', $3, 1, $4, 'NV001', 'Sale 1', 1, $3
FROM unnest($1::uuid[]) WITH ORDINALITY AS a (id, place)
"""
_ASSIGNMENTS: Final = """
INSERT INTO assignments (order_id, assignment, owner_id, owner_code, team, at, cause)
SELECT id, 1, $2, 'NV001', 'Sale 1', $3, 'distribution' FROM unnest($1::uuid[]) AS id
"""


async def run(machine: Machine, size: int) -> Result:
    """`size` orders and as many bare workflows, in turns."""
    async with AsyncExitStack() as stack:
        limit = await bare_workflows(machine, stack)
        url = await machine.database("bench_due_at_once")
        await migrate("orders", {"CHOT_DATABASE_URL": url})
        connection = await asyncpg.connect(url)
        stack.push_async_callback(connection.close)
        db = Database(url, pool_size=2)
        stack.push_async_callback(db.close)
        mornings = (ASSIGNED + timedelta(days=7 * week) for week in count())
        made = 0

        async def ours(orders: int) -> float:
            nonlocal made
            assigned = next(mornings)
            await _begin(connection, db, orders, made=made, at=assigned)
            made += orders
            sweep = Sweep(db, Processes(), now=lambda: assigned + REMINDED)
            began = time.perf_counter()
            looked = await sweep.step()
            took = time.perf_counter() - began
            if looked != orders or await connection.fetchval("SELECT count(*) FROM notices") != made:
                raise RuntimeError(f"{looked} of {orders} orders were looked at")
            await connection.execute("UPDATE care SET is_open = false")
            return orders / took

        await limit(WARM_UP)
        await ours(WARM_UP)
        each = size // ROUNDS
        pairs = await in_turns(ours=lambda: ours(each), limit=lambda: limit(each), rounds=ROUNDS)
        shown = median(pairs, lambda rate: rate)
        return Result(
            job="due at once",
            ours=shown.ours,
            limit=shown.limit,
            unit="orders/s",
            limit_is="a workflow with one activity that does nothing, on the same Temporal server",
            budget=1.0,
            note=f"{WANTED:,} orders take {WANTED / shown.ours:.0f} s, of {WITHIN} s asked for; one process, so another one "
            "of the role relay doubles it; O(orders that fall due), however many others are in care",
        )


async def _begin(connection: asyncpg.Connection[Any], db: Database, orders: int, *, made: int, at: datetime) -> None:
    """Numbers that somebody holds, with the task of their first call."""
    ids: list[UUID] = [uuid7() for _ in range(orders)]
    owner = uuid7()
    async with connection.transaction():
        await connection.execute(_CUSTOMERS, ids)
        await connection.execute(_ORDERS, ids, made, at, owner)
        await connection.execute(_ASSIGNMENTS, ids, owner, at)
    processes = Processes()
    async with db.transaction() as session:
        await care_service.begin(session, ids)
        for id in ids:
            order, care = await record.lock(session, id), await lock_care(session, id)
            if order is None or care is None:
                raise RuntimeError("an order has no care")
            await care_service.advance(session, processes, order, care, now=at)
    await connection.execute("VACUUM ANALYZE")
