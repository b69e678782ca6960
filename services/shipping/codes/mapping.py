"""A person says what a strange code means; the timelines that hold it are read again."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.shipping import facts
from services.shipping.carriers.registry import CARRIERS
from services.shipping.codes.catalogue import Kind
from services.shipping.work import work
from shared.db import Database

BATCH: Final = 500
"""Shipments that are read again in a transaction."""

CarrierStatus = Literal[
    "accepted",
    "picked_up",
    "out_for_delivery",
    "delivery_failed",
    "delivered",
    "returning",
    "returned",
    "lost",
    "pickup_failed",
    "cancelled",
]
"""What a carrier can say of a parcel that it has."""


class Words(BaseModel):
    """What people read for a code."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    vi: str = Field(min_length=1, max_length=200, examples=["Đang kiểm tra hàng"])
    en: str = Field(min_length=1, max_length=200, examples=["Goods being inspected"])


class StatusMapping(Words):
    """What a status code means."""

    status: CarrierStatus
    provisional: bool = Field(default=False, description="a courier's report that a later status confirms")
    settles: bool = Field(default=False, description="the carrier has paid the COD out")
    either_way: bool = Field(default=False, description="a step of the way back as well: it ends no return")
    awaits_decision: bool = Field(default=False, description="the carrier waits for 'deliver again' or 'return'")
    needs_person: bool = Field(default=False, description="nothing goes on without a person")


@dataclass(frozen=True)
class Mapped:
    """What came of it.

    Args:
        version: of the code's row, also its ETag.
        shipments: whose timelines were read again.
    """

    version: int
    shipments: int


class InTheTable(Exception):
    """The carrier's own table has this code."""


class NeverSeen(Exception):
    """No carrier has used this code so far."""


class ChangedMeanwhile(Exception):
    """Somebody else has given it a meaning since it was read."""


async def map_code(
    db: Database,
    carrier: str,
    kind: Kind,
    code: str,
    meaning: Words,
    *,
    by: UUID,
    expected_version: int,
    now: datetime,
    pace: float,
) -> Mapped:
    """Gives a code a meaning, or another one. What a process that dies leaves is finished by `settle`.

    Args:
        meaning: a `StatusMapping` for a status.
        expected_version: of the row that the person has seen.

    Raises:
        InTheTable, NeverSeen, ChangedMeanwhile
    """
    table = CARRIERS[carrier].codes
    if code in (table.statuses if kind == "status" else table.reasons):
        raise InTheTable(code)
    fields = meaning.model_dump()
    async with work(db) as current:
        version = await current.connection.fetchval(
            "SELECT version FROM carrier_codes WHERE (carrier, kind, code) = ($1, $2, $3) FOR UPDATE",
            carrier,
            kind,
            code,
        )
        if version is None:
            raise NeverSeen(code)
        if version != expected_version:
            raise ChangedMeanwhile(code)
        await current.connection.execute(
            _MAP, carrier, kind, code, by, fields["vi"], fields["en"], fields.get("status"), *_flags(fields)
        )
    return Mapped(version + 1, await settle(db, now=now, pace=pace) if kind == "status" else 0)


def _flags(fields: dict[str, Any]) -> list[bool]:
    return [
        fields.get(name, False) for name in ("provisional", "settles", "either_way", "awaits_decision", "needs_person")
    ]


async def settle(db: Database, *, now: datetime, pace: float) -> int:
    """Reads the timelines again that hold a code whose meaning is another than when they were written, in batches.
    Returns how many there were; safe to repeat and to run beside itself."""
    done = 0
    while True:
        async with work(db) as current:
            ids = [row["shipment_id"] for row in await current.connection.fetch(_OUTDATED, BATCH)]
            if not ids:
                return done
            await current.connection.execute(_LOCK, ids)
            await current.connection.execute(_REREAD, ids)
            await facts.apply(current, [], again=ids, now=now, pace=pace)
        done += len(ids)


async def absorb(db: Database) -> int:
    """Gives codes the meaning that a carrier's table has for them since it was last extended; returns how many."""
    async with work(db) as current:
        rows = await current.connection.fetch(_OPEN)
        absorbed = 0
        for row in rows:
            table = CARRIERS[row["carrier"]].codes
            meaning = (table.statuses if row["kind"] == "status" else table.reasons).get(row["code"])
            if meaning is None:
                continue
            fields = asdict(meaning)
            key = (row["carrier"], row["kind"], row["code"])
            await current.connection.execute(
                _MAP, *key, None, fields["vi"], fields["en"], fields.get("status"), *_flags(fields)
            )
            absorbed += 1
    return absorbed


_OPEN: Final = "SELECT carrier, kind, code FROM carrier_codes WHERE mapped_at IS NULL ORDER BY 1, 2, 3 FOR UPDATE"
_MAP: Final = """
UPDATE carrier_codes SET mapped_at = now(), mapped_by = $4, vi = $5, en = $6, status = $7, provisional = $8, settles = $9,
    either_way = $10, awaits_decision = $11, needs_person = $12, version = version + 1
WHERE (carrier, kind, code) = ($1, $2, $3)
"""
_HELD: Final = """
FROM timeline_entries e JOIN shipments s ON s.id = e.shipment_id JOIN carrier_connections c ON c.id = s.connection_id
JOIN carrier_codes k ON k.carrier = c.carrier AND k.kind = 'status' AND k.code = e.raw_status
WHERE e.meaning_version < k.version
"""
_OUTDATED: Final = f"SELECT DISTINCT e.shipment_id {_HELD} ORDER BY e.shipment_id LIMIT $1"
_LOCK: Final = "SELECT FROM shipments WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE"
_REREAD: Final = f"""
UPDATE timeline_entries t SET status = r.status, provisional = r.provisional, settles = r.settles,
    meaning_version = r.version
FROM (SELECT e.id, k.status, k.provisional, k.settles, k.version {_HELD} AND e.shipment_id = ANY($1::uuid[])) AS r
WHERE t.id = r.id
"""
