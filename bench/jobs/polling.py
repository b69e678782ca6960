"""Polling at 100,000 open parcels: leasing what is overdue, reading the answers and writing them, against the bare update.

The carrier answers at once and says nothing new, which is what most looks bring: ours takes a batch through the index of
100,000 open parcels, reads the timelines of its parcels, folds them and writes when to look again. The limit reads the
same timeline rows and updates the same parcels, as many in a transaction. How many requests a day that is for is reckoned
beside it (`bench/polling_load.py`).
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from bench.machine import Machine, migrate
from bench.pairs import ROUNDS, in_turns, median
from bench.polling_load import requests_a_day
from bench.result import Result
from deploy.local.ghn.life import ROAD as GHN_ROAD
from deploy.local.ghtk.life import ROAD as GHTK_ROAD
from deploy.local.viettelpost.life import ROAD as VIETTELPOST_ROAD
from services.shipping import polling
from services.shipping.callbacks.intake import CallbackIntake
from services.shipping.callbacks.secrets import callback_secrets
from services.shipping.carriers.access import Access
from services.shipping.carriers.answers import Report
from services.shipping.carriers.base import Carrier
from services.shipping.carriers.gate import Gates, Passage
from services.shipping.carriers.ghn import Ghn
from services.shipping.carriers.ghtk import Ghtk
from services.shipping.carriers.registry import CarrierClients
from services.shipping.carriers.viettelpost import ViettelPost
from services.shipping.context import Context
from services.shipping.settings import ShippingSettings
from shared.db import Database
from shared.vault import Vault, decode_key

KEY = "q0TtyUo1Gn7xv2kS9cLr5wZb8eHj4pMd3fAiXgQyVNE="
NOW = datetime(2026, 11, 21, 1, tzinfo=UTC)
JOURNEY = (2, 12, 123, 3, 4, 10)
"""GHTK's codes of a parcel that was picked up and not delivered at the first attempt."""
OVERDUE = 2_000
"""Parcels that are asked about in a round; the others are open and not due."""

_CONNECTION = """
INSERT INTO carrier_connections
    (id, carrier, shop_name, base_url, credentials, callback_secret_hash, pick_up, requests_per_second)
VALUES ($1, 'ghtk', 'bench', 'http://127.0.0.1:9', $3, $2, $4, 100)
"""
_PICK_UP = '{"name": "Kho", "phone": "0900000001", "province": "Hà Nội", "detail": "1"}'
_PARCELS = """
WITH numbers AS (
    SELECT n, lpad(n::text, 8, '0') AS number, gen_random_uuid() AS order_id, gen_random_uuid() AS id
    FROM generate_series(1, $1) AS n
), orders AS (
    INSERT INTO shippable_orders (order_id, version, code, cod, closed_at)
    SELECT order_id, 1, 'DH-' || number, 350000, $3 FROM numbers
)
INSERT INTO shipments (id, order_id, connection_id, reference, waybill, status, status_at, cod, sequence, accepted_at,
    handed_over_at, next_poll_at)
SELECT id, order_id, $2, 'DH-' || number || '-1', 'S1.A1.' || number, 'delivery_failed', $4, 350000, 4, $3, $3,
    $4::timestamptz + interval '1 day'
FROM numbers
"""
_ENTRIES = """
INSERT INTO timeline_entries (id, shipment_id, waybill, seen_by, carrier_time, received_at, raw_status, status, provisional,
    settles, partial)
SELECT gen_random_uuid(), s.id, s.waybill, '{callback}', $2::timestamptz + c.step * interval '3 hours', $2, c.code, c.status,
    c.provisional, false, false
FROM shipments s CROSS JOIN unnest($1::integer[], $3::text[], $4::text[], $5::boolean[]) AS c(step, code, status, provisional)
"""
_DUE = """
UPDATE shipments SET next_poll_at = $2, claimed_until = NULL WHERE id IN (SELECT id FROM shipments ORDER BY random() LIMIT $1)
RETURNING id
"""
_BARE_READ = "SELECT * FROM timeline_entries WHERE shipment_id = ANY($1::uuid[])"
_BARE_WRITE = """
UPDATE shipments s SET next_poll_at = r.at, unchanged_polls = s.unchanged_polls + 1, updated_at = now()
FROM unnest($1::uuid[], $2::timestamptz[]) AS r(id, at) WHERE s.id = r.id
"""
QUIET = 20.0
"""Milliseconds of statements in 1.5 s below which nobody works any more: a look itself takes one or two."""
_ACTIVE = "SELECT active_time FROM pg_stat_database WHERE datname = current_database()"


class _Instant(Ghtk):
    """Answers at once with how the parcel stood before."""

    async def track(self, waybill: str) -> Sequence[Report]:
        at = NOW - timedelta(days=2) + (len(JOURNEY) - 1) * timedelta(hours=3)
        return (Report(waybill, "", str(JOURNEY[-1]), at, collected=350_000, fee=22_000),)


class _Clients(CarrierClients):
    @asynccontextmanager
    async def open(self, carrier: str, access: Access, *, passage: Passage | None = None) -> AsyncIterator[Carrier]:
        async with super().open(carrier, access, passage=passage) as real:
            yield _Instant(access, real.client)


def _context(database: Database, url: str) -> Context:
    return Context(
        settings=ShippingSettings.model_validate({"database_url": url, "credentials_key": KEY}),
        db=database,
        vault=Vault(decode_key(KEY), service="shipping"),
        carriers=_Clients(timeout=1),
        gates=Gates(database, pace=1.0),
        intake=CallbackIntake(database, on_stored=lambda: None),
        secrets=callback_secrets(database),
        now=lambda: NOW,
        statements=asyncio.Semaphore(1),
    )


class Ours:
    """The product's round over a database of open parcels."""

    def __init__(self, context: Context, connection: asyncpg.Connection[asyncpg.Record], carrier: UUID) -> None:
        self._context = context
        self._connection = connection
        self._carrier = carrier
        self.asked = 0
        self.database_seconds = 0.0
        self.own_seconds = 0.0

    async def measure(self) -> float:
        """Parcels a second."""
        await self._connection.execute(_DUE, OVERDUE, NOW)
        before = await self._active()
        started, worked = time.perf_counter(), time.process_time()
        done = await polling.poll_overdue(self._context, self._carrier)
        elapsed = time.perf_counter() - started
        self.own_seconds += time.process_time() - worked
        if done.asked != OVERDUE:
            raise RuntimeError(f"{done.asked} were asked about, not {OVERDUE}")
        self.database_seconds += await self._active() - before
        self.asked += done.asked
        return OVERDUE / elapsed

    async def _active(self) -> float:
        """Seconds that sessions have spent in statements, once all of them have reported, this one's looks left aside."""
        seen, now = 0.0, float(await self._connection.fetchval(_ACTIVE))
        while now - seen > QUIET:
            await asyncio.sleep(1.5)
            seen, now = now, float(await self._connection.fetchval(_ACTIVE))
        return now / 1000


async def _bare(connection: asyncpg.Connection[asyncpg.Record]) -> float:
    """Parcels a second."""
    ids = [row["id"] for row in await connection.fetch(_DUE, OVERDUE, NOW)]
    started = time.perf_counter()
    for start in range(0, len(ids), polling.BATCH):
        batch = ids[start : start + polling.BATCH]
        async with connection.transaction():
            await connection.fetch(_BARE_READ, batch)
            await connection.execute(_BARE_WRITE, batch, [NOW + timedelta(hours=9)] * len(batch))
    return len(ids) / (time.perf_counter() - started)


async def _fill(connection: asyncpg.Connection[asyncpg.Record], vault: Vault, carrier: UUID, parcels: int) -> None:
    sealed = vault.seal({"token": "t", "client_source": "s"}, owner_id=carrier)
    await connection.execute(_CONNECTION, carrier, hashlib.sha256(b"bench").digest(), sealed, _PICK_UP)
    accepted = NOW - timedelta(days=2)
    await connection.execute(_PARCELS, parcels, carrier, accepted, NOW)
    meanings = [Ghtk.codes.statuses[str(code)] for code in JOURNEY]
    await connection.execute(
        _ENTRIES,
        list(range(len(JOURNEY))),
        accepted,
        list(map(str, JOURNEY)),
        [meaning.status for meaning in meanings],
        [meaning.provisional for meaning in meanings],
    )
    await connection.execute("VACUUM ANALYZE shipments")
    await connection.execute("VACUUM ANALYZE timeline_entries")


def _load() -> Mapping[str, Any]:
    """Requests a day for 100,000 open parcels."""
    return {
        f"{carrier.title}{', every callback lost' if lost else ''}": round(requests_a_day(carrier, road, lost=lost), -3)
        for carrier, road in ((Ghtk, GHTK_ROAD), (Ghn, GHN_ROAD), (ViettelPost, VIETTELPOST_ROAD))
        for lost in (0.0, 1.0)
    }


async def run(machine: Machine, size: int) -> Result:
    """`size` open parcels, `OVERDUE` of which are asked about in each round."""
    url = await machine.database("bench_polling")
    await migrate("shipping", {"CHOT_DATABASE_URL": url, "CHOT_CREDENTIALS_KEY": KEY})
    connection = await asyncpg.connect(url)
    database = Database(url)
    try:
        carrier = uuid7()
        context = _context(database, url)
        await _fill(connection, context.vault, carrier, size)
        ours = Ours(context, connection, carrier)
        await ours.measure()
        pairs = await in_turns(ours=ours.measure, limit=lambda: _bare(connection), rounds=ROUNDS)
    finally:
        await database.close()
        await connection.close()
    shown = median(pairs, float)
    spent, own = (seconds / ours.asked * 1000 for seconds in (ours.database_seconds, ours.own_seconds))
    load = "; ".join(f"{name} {requests:,.0f}" for name, requests in _load().items())
    return Result(
        job="parcels polled",
        ours=shown.ours,
        limit=shown.limit,
        unit="parcels/s",
        limit_is=f"the same timeline rows read and the same rows updated, {polling.BATCH} in a transaction",
        budget=0.05,
        note=f"{own:.2f} ms of our CPU and {spent:.2f} ms of database time a parcel; requests a day for 100,000 open parcels: "
        f"{load}",
    )
