"""Carrier callbacks applied: from the stored body to the timeline, the shipment's state, the event and the nudge of its
workflow, against the bare insertion of the same timeline rows.

Every callback of the run changes something: each parcel is picked up, taken out, delivered and paid for, thousands of
them side by side. So ours writes five rows where the limit writes one: the entry, the shipment, the event, the nudge, and
that the callback is done. Both write 500 in a transaction. Repetitions, which carriers send a lot of, cost less.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from bench.machine import Machine, migrate
from bench.pairs import ROUNDS, in_turns, median
from bench.result import Result
from services.shipping.callbacks.processing import BATCH, CallbackProcessor
from shared.db import Database
from shared.vault import KEY_BYTES, Vault

STEPS = (3, 4, 5, 6)
"""GHTK's codes: picked up, out for delivery, delivered, settled."""
START = datetime(2026, 11, 21, 1, tzinfo=UTC)
LIMIT_LONGER: Final = 6
"""The limit writes so many times as many rows, so that its turn is about as long as ours: in a few hundredths of a second
one slow write to the disk decided what it was, and it was anything from 30,000 to 120,000."""

_CONNECTION = """
INSERT INTO carrier_connections
    (id, carrier, shop_name, base_url, credentials, callback_secret_hash, pick_up, requests_per_second)
VALUES ($1, 'ghtk', 'bench', 'http://127.0.0.1:9', '', $2, '{}', 1)
"""
_ORDERS = """
INSERT INTO shippable_orders (order_id, version, code, cod, closed_at)
SELECT id, 1, 'DH-' || number, 350000, $3 FROM unnest($1::uuid[], $2::text[]) AS t (id, number)
"""
_SHIPMENTS = """
INSERT INTO shipments (id, order_id, connection_id, reference, waybill, status, status_at, cod, sequence, accepted_at)
SELECT id, order_id, $5, 'DH-' || number || '-1', 'S1.A1.' || number, 'accepted', $4, 350000, 1, $4
FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS t (id, order_id, number)
"""
_ATTEMPTS = """
INSERT INTO creation_attempts (reference, shipment_id, order_id, number, state, calls, waybill)
SELECT 'DH-' || number || '-1', id, order_id, 1, 'accepted', 1, 'S1.A1.' || number
FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS t (id, order_id, number)
"""
_BARE = """
CREATE TABLE entries (id uuid PRIMARY KEY, shipment_id uuid NOT NULL, waybill text NOT NULL, seen_by text NOT NULL,
    carrier_time timestamptz NOT NULL, received_at timestamptz NOT NULL, raw_status text NOT NULL,
    reason_code text NOT NULL, reason text NOT NULL, status text, provisional boolean NOT NULL, settles boolean NOT NULL,
    partial boolean NOT NULL, collected bigint, fee bigint)
"""
_BARE_INSERT = """
INSERT INTO entries SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[],
    $6::timestamptz[], $7::text[], $8::text[], $9::text[], $10::text[], $11::boolean[], $12::boolean[], $13::boolean[],
    $14::bigint[], $15::bigint[])
"""


def _at(step: int) -> datetime:
    return START + timedelta(hours=5 * step)


def _body(number: str, step: int) -> bytes:
    """A callback with the fields that GHTK documents."""
    fields: dict[str, Any] = {
        "label_id": f"S1.A1.{number}",
        "partner_id": f"DH-{number}-1",
        "status_id": STEPS[step],
        "action_time": _at(step).astimezone().isoformat(timespec="seconds"),
        "reason_code": "",
        "reason": "",
        "weight": 0.4,
        "fee": 22_000,
        "pick_money": 350_000,
        "return_part_package": 0,
    }
    return json.dumps(fields).encode()


class Ours:
    """The product's processor over a database with parcels that the carrier has accepted."""

    def __init__(self, connection: asyncpg.Connection[asyncpg.Record], database: Database, carrier: UUID) -> None:
        self._connection = connection
        self._database = database
        self._carrier = carrier
        self._parcels = 0
        self.applied = 0

    async def measure(self, callbacks: int) -> float:
        """Callbacks a second."""
        parcels = callbacks // len(STEPS)
        numbers = [f"{self._parcels + place:08d}" for place in range(parcels)]
        self._parcels += parcels
        ids, orders = [uuid7() for _ in numbers], [uuid7() for _ in numbers]
        await self._connection.execute(_ORDERS, orders, numbers, START)
        await self._connection.execute(_SHIPMENTS, ids, orders, numbers, START, self._carrier)
        await self._connection.execute(_ATTEMPTS, ids, orders, numbers)
        headers = json.dumps({"content-type": "application/json"})
        await self._connection.copy_records_to_table(
            "callbacks_raw",
            columns=("id", "connection_id", "headers", "body", "received_at"),
            records=[
                (uuid7(), self._carrier, headers, _body(number, step), _at(step))
                for step in range(len(STEPS))
                for number in numbers
            ],
        )
        processor = CallbackProcessor(
            self._database,
            vault=Vault(bytes(range(KEY_BYTES)), service="shipping"),
            direct_url=self._database.url,
            wake=asyncio.Event(),
            now=lambda: _at(len(STEPS)),
            pace=1.0,
        )
        started = time.perf_counter()
        await processor.drain()
        elapsed = time.perf_counter() - started
        self.applied += parcels * len(STEPS)
        return parcels * len(STEPS) / elapsed

    async def check(self) -> None:
        """Everything that was applied is there, once."""
        row = await self._connection.fetchrow(
            """
            SELECT (SELECT count(*) FROM timeline_entries) AS entries,
                (SELECT count(*) FROM callbacks_raw WHERE state = 'applied') AS applied,
                (SELECT count(*) FROM shipments WHERE status = 'delivered' AND settled_amount = 350000) AS settled,
                (SELECT sum(CASE destination WHEN 'event' THEN 1 ELSE json_array_length(payload -> 'told') END)
                    FROM outbox WHERE destination IN ('event', 'events')) AS events,
                (SELECT sum(sequence - 1) FROM shipments) AS changes
            """
        )
        assert row is not None
        # Three changes of state and one settlement a parcel; one change less where a later callback was applied first.
        expected = (self.applied, self.applied, self._parcels, row["changes"] + self._parcels)
        if tuple(row)[:4] != expected or row["changes"] < self._parcels:
            raise RuntimeError(f"entries, callbacks, settled parcels and events are {tuple(row)}, not {expected}")


async def run(machine: Machine, size: int) -> Result:
    """`size` callbacks each way, in turns."""
    url = await machine.database("bench_applied")
    await migrate(
        "shipping", {"CHOT_DATABASE_URL": url, "CHOT_CREDENTIALS_KEY": "q0TtyUo1Gn7xv2kS9cLr5wZb8eHj4pMd3fAiXgQyVNE="}
    )
    bare_url = await machine.database("bench_applied_bare", _BARE)
    connection, bare = await asyncpg.connect(url), await asyncpg.connect(bare_url)
    database = Database(url)
    try:
        carrier = uuid7()
        await connection.execute(_CONNECTION, carrier, hashlib.sha256(b"bench").digest())
        ours = Ours(connection, database, carrier)
        each = size // ROUNDS
        await ours.measure(BATCH * len(STEPS))
        await _bare(bare, BATCH * len(STEPS))
        pairs = await in_turns(ours=lambda: ours.measure(each), limit=lambda: _bare(bare, each * LIMIT_LONGER))
        await ours.check()
    finally:
        await database.close()
        await connection.close()
        await bare.close()
    shown = median(pairs, float)
    return Result(
        job="callbacks applied",
        ours=shown.ours,
        limit=shown.limit,
        unit="rows/s",
        limit_is="INSERT … unnest of the same timeline rows, 500 in a transaction",
        budget=0.1,
        note="a batch is ten statements or so whatever its size; looked up by index, so the same at ten times the parcels",
    )


async def _bare(connection: asyncpg.Connection[asyncpg.Record], rows: int) -> float:
    """Rows a second."""
    batches: list[Sequence[Sequence[Any]]] = []
    for start in range(0, rows, BATCH):
        records = [
            (
                *(uuid7(), uuid7(), f"S1.A1.{number:08d}", "{callback}", _at(number % 4), START, "5", "", ""),
                *("delivered", False, False, False, None, 22_000),
            )
            for number in range(start, min(start + BATCH, rows))
        ]
        batches.append([list(column) for column in zip(*records, strict=True)])
    started = time.perf_counter()
    for columns in batches:
        await connection.execute(_BARE_INSERT, *columns)
    return rows / (time.perf_counter() - started)
