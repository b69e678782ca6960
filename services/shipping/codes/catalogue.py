"""What a carrier's codes mean: its own table, and behind it what people of the company have said of further codes.

A code that nobody knows is a question: it is counted where it is met, its shipments are marked, and it stays on the list
until a person says what it means. A code of the carrier's own table cannot be given another meaning: the table is the
carrier's documentation, and two meanings of one code would make two histories of one parcel.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal
from uuid import UUID

from services.shipping.carriers.codes import CodeTable, ReasonMeaning, StatusMeaning
from services.shipping.carriers.registry import CARRIERS
from shared.telemetry import logger

if TYPE_CHECKING:
    import asyncpg

    from services.shipping.work import Connection

log = logger(__name__)

Kind = Literal["status", "reason"]
Key = tuple[str, Kind, str]
"""Carrier, kind, code."""


@dataclass(frozen=True, slots=True)
class Met:
    """A code that a carrier used, and where."""

    carrier: str
    status: str
    reason: str
    shipment_id: UUID


@dataclass(frozen=True)
class Codes(CodeTable):
    """A carrier's table with the company's meanings behind it.

    Args:
        versions: status code that the carrier's table lacks → version of its meaning, 0 while it has none.
    """

    versions: Mapping[str, int]


async def tables(
    connection: Connection, told: Sequence[Met], *, carriers: Collection[str], held: Collection[tuple[str, str]]
) -> dict[str, Codes]:
    """Each carrier's codes, those of the company as far as a batch needs them.

    Codes without a meaning are noted. The rows of all stay locked until the transaction ends: whoever gives one a meaning
    meanwhile waits, and then finds the entries that were written without it.

    Args:
        told: what a batch tells, as far as `is_strange`; the locks of its shipments are held.
        carriers: whose tables are wanted.
        held: (carrier, status code) of entries on the timelines whose codes stand in no table.
    """
    strange = _strange(told)
    if not strange and not held:
        return {carrier: _codes(carrier, {}) for carrier in carriers}
    wanted = sorted({*strange, *((carrier, "status", code) for carrier, code in held)})
    meanings = {_key(row): row for row in await connection.fetch(_MAPPED, *_columns(wanted))}
    unknown = sorted(strange.keys() - meanings.keys())
    if unknown:
        counts = Counter(key for one in told for key in _keys(one))
        rows = await connection.fetch(
            _NOTE, *_columns(unknown), [counts[key] for key in unknown], [strange[key] for key in unknown]
        )
        meanings |= {_key(row): row for row in rows}
        for carrier, kind, code in unknown:
            log.warning("unknown carrier code", carrier=carrier, kind=kind, code=code)
    return {carrier: _codes(carrier, meanings) for carrier in carriers}


@lru_cache(maxsize=1000)
def is_strange(carrier: str, status: str, reason: str) -> bool:
    """Whether one of the codes stands in no table of the carrier. Asked of every report, and a few hundred answers are
    nearly all."""
    return _strange_status(CARRIERS[carrier].codes, status) or _strange_reason(CARRIERS[carrier].codes, reason)


def _strange_status(codes: CodeTable, status: str) -> bool:
    return status not in codes.statuses


def _strange_reason(codes: CodeTable, reason: str) -> bool:
    # A carrier that documents no reasons has none that could be strange.
    return reason != "" and len(codes.reasons) > 0 and reason not in codes.reasons


def _strange(told: Iterable[Met]) -> dict[Key, UUID]:
    """Codes that stand in no carrier's table → a shipment that has it."""
    found: dict[Key, UUID] = {}
    for one in told:
        codes = CARRIERS[one.carrier].codes
        if _strange_status(codes, one.status):
            found.setdefault((one.carrier, "status", one.status), one.shipment_id)
        if _strange_reason(codes, one.reason):
            found.setdefault((one.carrier, "reason", one.reason), one.shipment_id)
    return found


def _keys(met: Met) -> tuple[Key, Key]:
    return (met.carrier, "status", met.status), (met.carrier, "reason", met.reason)


def _columns(keys: Iterable[Key]) -> list[list[str]]:
    return [list(column) for column in zip(*keys, strict=True)]


def _key(row: asyncpg.Record) -> Key:
    return row["carrier"], row["kind"], row["code"]


def _codes(carrier: str, rows: Mapping[Key, asyncpg.Record]) -> Codes:
    table = CARRIERS[carrier].codes
    mine = {(kind, code): row for (of, kind, code), row in rows.items() if of == carrier}
    if not mine:
        return Codes(table.statuses, table.reasons, {})
    known = {key: row for key, row in mine.items() if row["mapped"]}
    return Codes(
        {**table.statuses, **{code: meaning_of(row) for (kind, code), row in known.items() if kind == "status"}},
        {
            **table.reasons,
            **{code: ReasonMeaning(row["vi"], row["en"]) for (kind, code), row in known.items() if kind == "reason"},
        },
        {code: row["version"] for (kind, code), row in mine.items() if kind == "status"},
    )


def meaning_of(row: asyncpg.Record) -> StatusMeaning:
    """A row of `carrier_codes` that has a meaning, as a row of a carrier's table."""
    return StatusMeaning(
        row["status"],
        row["vi"],
        row["en"],
        provisional=row["provisional"],
        settles=row["settles"],
        either_way=row["either_way"],
        awaits_decision=row["awaits_decision"],
        needs_person=row["needs_person"],
    )


_FIELDS: Final = (
    "k.carrier, k.kind, k.code, k.status, k.vi, k.en, k.provisional, k.settles, k.either_way, k.awaits_decision, "
    "k.needs_person, k.version, k.mapped_at IS NOT NULL AS mapped"
)
_MAPPED: Final = f"""
SELECT {_FIELDS} FROM unnest($1::text[], $2::text[], $3::text[]) AS r(carrier, kind, code)
JOIN carrier_codes k USING (carrier, kind, code) WHERE k.mapped_at IS NOT NULL
ORDER BY k.carrier, k.kind, k.code FOR SHARE OF k
"""
# In the order of the key, so that two batches wait for one another instead of blocking each other for ever.
_NOTE: Final = f"""
INSERT INTO carrier_codes AS k (carrier, kind, code, seen, shipment_id)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::uuid[])
ON CONFLICT (carrier, kind, code) DO UPDATE SET seen = k.seen + excluded.seen, last_seen_at = now()
RETURNING {_FIELDS}
"""
