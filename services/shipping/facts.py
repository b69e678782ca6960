"""Writes what carriers reported: onto the timelines, into the shipments' rows, out to the other services.

Every source goes this way, callbacks, polls and the answer to a creation, in batches: the statements are as many for
one report as for five hundred.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid5

from services.shipping import schedule, timeline
from services.shipping.carriers.answers import Report
from services.shipping.carriers.capabilities import AdoptBy, Settlement
from services.shipping.carriers.codes import CodeTable, StatusMeaning
from services.shipping.carriers.registry import CARRIERS
from services.shipping.cod import books
from services.shipping.cod.books import MONEY_DIFFERS
from services.shipping.codes import catalogue
from services.shipping.codes.catalogue import Codes, Met
from services.shipping.statuses import move
from services.shipping.timeline import Changes, Entry, Known, Source, State
from services.shipping.work import Work
from shared.contracts.events.shipping import COD_SETTLED, SHIPMENT_CHANGED
from shared.identity import new_id
from shared.telemetry import logger

if TYPE_CHECKING:
    import asyncpg

    from services.shipping.work import Connection

log = logger(__name__)

CARRIER_DISAGREES: Final = "carrier_disagrees"
"""The carrier's table says another status than its own reports in the order of their times."""
MISSING_AT_CARRIER: Final = "missing_at_carrier"
"""The carrier does not know a shipment that it has accepted."""
COD_DIFFERS: Final = "cod_differs"
"""An adopted shipment asks the customer for another amount than the order."""
CANCEL_REFUSED: Final = "cancel_refused"
NEEDS_PERSON: Final = "needs_person"
"""The carrier says that the parcel goes no further by itself."""
CARRIER_SILENT: Final = "carrier_silent"
"""The carrier was asked to call back several times, and nothing came: its callbacks do not reach us."""
STICKY: Final = frozenset(
    {CARRIER_DISAGREES, MISSING_AT_CARRIER, COD_DIFFERS, CANCEL_REFUSED, CARRIER_SILENT, MONEY_DIFFERS}
)
"""Marks that do not follow from the timeline; whoever set one takes it away."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A report about a shipment of ours."""

    shipment_id: UUID
    source: Source
    received_at: datetime
    report: Report


async def apply(
    work: Work, facts: Sequence[Fact], *, now: datetime, pace: float, again: Collection[UUID] = ()
) -> set[UUID]:
    """Puts facts onto the timelines and lets everything follow, in the transaction of `work`.

    Shipments that have no waybill yet keep their entries; they count from the moment the waybill is known.

    Args:
        again: shipments whose entries are others than when they were last read, and whose state is made anew.
        now: the present, UTC.
        pace: factor of the pauses between polls.

    Returns:
        The shipments that really changed; their workflows are nudged.
    """
    about: dict[UUID, list[Fact]] = {shipment_id: [] for shipment_id in again}
    for fact in facts:
        about.setdefault(fact.shipment_id, []).append(fact)
    ids = sorted(about)
    # Locked in one order, so that two batches wait for one another instead of blocking each other for ever.
    shipments = await work.connection.fetch(_LOCK, ids)
    entries = await entries_of(work.connection, ids)
    codes_of = await _codes(work, shipments, about, entries)
    held: dict[UUID, list[tuple[UUID, Entry]]] = defaultdict(list)
    for row in entries:
        held[row["shipment_id"]].append((row["id"], entry_of(row, codes_of[row["shipment_id"]])))
    added: list[tuple[Any, ...]] = []
    changed: list[tuple[Any, ...]] = []
    updates: list[tuple[Any, ...]] = []
    real: set[UUID] = set()
    told_of: list[asyncpg.Record] = []
    for row in shipments:
        shipment_id: UUID = row["id"]
        codes = codes_of[shipment_id]
        stored = {entry.key: entry_id for entry_id, entry in held[shipment_id]}
        merged = timeline.merge(
            [entry for _, entry in held[shipment_id]], [_read(fact, codes) for fact in about[shipment_id]]
        )
        added += [
            (new_id(), shipment_id, *_values(entry), codes.versions.get(entry.raw_status)) for entry in merged.added
        ]
        changed += [(stored[before.key], *_changed(after)) for before, after in merged.changed]
        nothing_new = not merged.added and not merged.changed and row["status"] not in timeline.BEFORE_CARRIER
        heard = shipment_id in again or _looked(row, about[shipment_id])
        if not row["waybill"]:
            if merged.added and row["status"] == "refused":
                told_of.append(row)
            continue
        if nothing_new and not heard:
            continue
        state = timeline.fold(merged.entries, waybill=row["waybill"], cod=row["cod"])
        outcome = timeline.changes(_known(row), state)
        if not row["status_is_proof"]:
            outcome = replace(outcome, settled=None)
        _tell(work, row, outcome)
        if outcome.real:
            real.add(shipment_id)
        updates.append(_update(row, state, outcome, about[shipment_id], codes, now=now, pace=pace))
    await _look_again(work, told_of, now=now)
    if added:
        await work.connection.copy_records_to_table("timeline_entries", records=added, columns=_COLUMNS)
    if changed:
        await work.connection.execute(_CHANGE, *zip(*changed, strict=True))
    if updates:
        await work.connection.execute(_UPDATE, *zip(*updates, strict=True))
    await books.compare_named(work, real, now=now)
    return real


async def _codes(
    work: Work, shipments: Sequence[asyncpg.Record], about: Mapping[UUID, list[Fact]], entries: Sequence[asyncpg.Record]
) -> dict[UUID, Codes]:
    """Shipment → what its carrier's codes mean, those that are told and those that are held."""
    carrier_of: dict[UUID, str] = {row["id"]: row["carrier"] for row in shipments}
    told = [
        Met(carrier, fact.report.raw_status, fact.report.reason_code, shipment_id)
        for shipment_id, carrier in carrier_of.items()
        for fact in about[shipment_id]
    ]
    held = {
        (carrier_of[row["shipment_id"]], row["raw_status"]) for row in entries if row["meaning_version"] is not None
    }
    found = await catalogue.tables(work.connection, told, carriers=set(carrier_of.values()), held=held)
    return {shipment_id: found[carrier] for shipment_id, carrier in carrier_of.items()}


async def _look_again(work: Work, told_of: Sequence[asyncpg.Record], *, now: datetime) -> None:
    """The carrier has parcels that it seemed to refuse: their workflows find and adopt them. A handful in a year."""
    for row in told_of:
        if CARRIERS[row["carrier"]].capabilities.adopt_by is AdoptBy.REPEAT:
            await move(work, row["id"], "draft", now=now)
            work.nudge_shipment(row["id"], round=row["round"])


def _looked(row: asyncpg.Record, facts: Sequence[Fact]) -> bool:
    """Whether somebody asked, and this is the answer: also one that says nothing new."""
    if row["asked_at"] is not None:
        return any(fact.source == "callback" for fact in facts)
    return any(fact.source == "poll" for fact in facts)


def _read(fact: Fact, codes: CodeTable) -> Entry:
    report = fact.report
    meaning = codes.statuses.get(report.raw_status)
    return Entry(
        waybill=report.waybill,
        raw_status=report.raw_status,
        at=report.at,
        received_at=fact.received_at,
        seen_by=(fact.source,),
        status=meaning.status if meaning else None,
        provisional=meaning.provisional if meaning else False,
        settles=meaning.settles if meaning else False,
        either_way=meaning.either_way if meaning else False,
        reason_code=report.reason_code,
        reason=report.reason,
        partial=report.partial,
        collected=report.collected,
        fee=report.fee,
    )


def _tell(work: Work, row: asyncpg.Record, outcome: Changes) -> None:
    shipment_id: UUID = row["id"]
    for event in outcome.events:
        work.tell(SHIPMENT_CHANGED, event, subject=shipment_id)
    if outcome.settled is not None:
        # A fixed id, so that not even a bug could settle the same money twice.
        work.tell(COD_SETTLED, outcome.settled, subject=shipment_id, event_id=uuid5(shipment_id, "cod settled"))
    if outcome.real:
        work.nudge_shipment(shipment_id, round=row["round"])


def _update(
    row: asyncpg.Record,
    state: State,
    outcome: Changes,
    facts: Sequence[Fact],
    codes: CodeTable,
    *,
    now: datetime,
    pace: float,
) -> tuple[Any, ...]:
    """The new values of a shipment's row, in the order of `_UPDATE`."""
    looked = _looked(row, facts)
    capabilities = CARRIERS[row["carrier"]].capabilities
    # A courier's report moves nothing, but what confirms it is due soon.
    moved = outcome.real or (state.provisional is not None and state.provisional.at != row["provisional_at"])
    unchanged = 0 if moved else row["unchanged_polls"] + int(looked)
    settled_at = row["settled_at"] or (outcome.settled.at if outcome.settled else None)
    promised_at = _promised(row, facts)
    next_poll_at = row["next_poll_at"]
    if moved or looked or outcome.owes_amount or next_poll_at is None:
        tells_money = capabilities.settlement is not Settlement.STATEMENT
        next_poll_at = schedule.next_poll(
            state.status,
            settled=settled_at is not None or state.settled_at is not None or row["cod"] == 0 or not tells_money,
            provisional=state.provisional is not None,
            owes_amount=outcome.owes_amount and capabilities.track,
            unchanged=unchanged,
            promised_at=promised_at,
            now=now,
            pace=pace,
        )
    return (
        row["id"],
        state.status,
        state.at or row["accepted_at"],
        state.reason_code,
        state.provisional.status if state.provisional else None,
        state.provisional.at if state.provisional else None,
        state.collected,
        state.fee if state.fee is not None else row["fee"],
        state.partial,
        _attention(row, state, outcome, facts, codes),
        outcome.sequence,
        row["revision"] + int(outcome.real),
        state.handed_over_at,
        state.delivered_at,
        settled_at,
        row["settled_amount"] if row["settled_at"] else (outcome.settled.amount if outcome.settled else None),
        next_poll_at,
        unchanged,
        None if looked else row["claimed_until"],
        promised_at,
        None if looked else row["asked_at"],
        0 if looked else row["unanswered"],
    )


def _promised(row: asyncpg.Record, facts: Sequence[Fact]) -> datetime | None:
    """What the carrier promised last, by its own times."""
    told = [fact.report for fact in facts if fact.report.promised_at is not None]
    kept: datetime | None = row["promised_at"]
    return max(told, key=lambda report: report.at).promised_at if told else kept


def _attention(row: asyncpg.Record, state: State, outcome: Changes, facts: Sequence[Fact], codes: CodeTable) -> str:
    """The marks that a person should look at, as the text of a PostgreSQL array (unnest cannot take nested arrays)."""
    marks = set(outcome.attention) | (set(row["attention"]) & STICKY)
    if state.status == "cancelled":
        marks.discard(CANCEL_REFUSED)  # a repeated cancellation is refused because the first one was done
    present = codes.statuses.get(state.raw_status)
    if present is not None and present.needs_person:
        marks.add(NEEDS_PERSON)
    if row["asked_at"] is not None and _looked(row, facts):
        marks -= {CARRIER_SILENT, MISSING_AT_CARRIER}
    for fact in facts:
        if fact.source == "poll":  # of a journey the last one is how it stands now
            marks -= {MISSING_AT_CARRIER, CARRIER_DISAGREES}
            meaning = codes.statuses.get(fact.report.raw_status)
            if meaning is not None and not meaning.provisional and not _agree(meaning, state):
                marks.add(CARRIER_DISAGREES)
    return "{" + ",".join(sorted(marks)) + "}"


def _agree(meaning: StatusMeaning, state: State) -> bool:
    return meaning.status == state.status or (meaning.either_way and state.status == "returning")


async def entries_of(connection: Connection, ids: Sequence[UUID]) -> list[asyncpg.Record]:
    """The stored entries of the timelines of shipments, for `entry_of`."""
    return await connection.fetch(_ENTRIES, list(ids))


def entry_of(row: asyncpg.Record, codes: CodeTable) -> Entry:
    """A stored entry."""
    meaning = codes.statuses.get(row["raw_status"])
    return Entry(
        waybill=row["waybill"],
        raw_status=row["raw_status"],
        at=row["carrier_time"],
        received_at=row["received_at"],
        seen_by=tuple(row["seen_by"]),
        status=row["status"],
        provisional=row["provisional"],
        settles=row["settles"],
        either_way=meaning.either_way if meaning else False,
        reason_code=row["reason_code"],
        reason=row["reason"],
        partial=row["partial"],
        collected=row["collected"],
        fee=row["fee"],
    )


def _values(entry: Entry) -> tuple[Any, ...]:
    """In the order of `_COLUMNS`, behind the ids."""
    return (
        entry.waybill,
        entry.seen_by,
        entry.at,
        entry.received_at,
        entry.raw_status,
        entry.reason_code,
        entry.reason,
        entry.status,
        entry.provisional,
        entry.settles,
        entry.partial,
        entry.collected,
        entry.fee,
    )


def _changed(entry: Entry) -> tuple[Any, ...]:
    """In the order of `_CHANGE`. Sources as the text of an array, because unnest takes nested arrays apart."""
    sources = "{" + ",".join(entry.seen_by) + "}"
    return sources, entry.reason_code, entry.reason, entry.partial, entry.collected, entry.fee


def _known(row: asyncpg.Record) -> Known:
    return Known(
        shipment_id=row["id"],
        order_id=row["order_id"],
        carrier=row["carrier"],
        waybill=row["waybill"],
        status=row["status"],
        sequence=row["sequence"],
        cod=row["cod"],
        fee=row["fee"],
        accepted_at=row["accepted_at"],
        handed_over_at=row["handed_over_at"],
        partial=row["partial"],
        settled_at=row["settled_at"],
        cancel_requested=row["cancel_requested_at"] is not None,
    )


_LOCK: Final = """
SELECT s.id, s.order_id, c.carrier, s.waybill, s.status, s.sequence, s.revision, s.round, s.cod, s.fee, s.accepted_at,
    s.handed_over_at, s.provisional_at, s.partial, s.settled_at, s.settled_amount, s.cancel_requested_at, s.attention,
    s.next_poll_at, s.claimed_until, s.unchanged_polls, s.promised_at, s.asked_at, s.unanswered,
    coalesce(k.proof, 'status') = 'status' AS status_is_proof
FROM shipments s JOIN carrier_connections c ON c.id = s.connection_id
LEFT JOIN cod_contracts k ON k.connection_id = s.connection_id
WHERE s.id = ANY($1::uuid[]) ORDER BY s.id FOR UPDATE OF s
"""
_ENTRIES: Final = """
SELECT id, shipment_id, waybill, seen_by, carrier_time, received_at, raw_status, reason_code, reason, status, provisional,
    settles, partial, collected, fee, meaning_version
FROM unnest($1::uuid[]) AS s(wanted) CROSS JOIN LATERAL (
    SELECT * FROM timeline_entries e WHERE e.shipment_id = s.wanted OFFSET 0  -- by index, whatever the statistics say
) AS e
"""
_COLUMNS: Final = (
    *("id", "shipment_id", "waybill", "seen_by", "carrier_time", "received_at", "raw_status", "reason_code", "reason"),
    *("status", "provisional", "settles", "partial", "collected", "fee", "meaning_version"),
)
_CHANGE: Final = """
UPDATE timeline_entries e SET seen_by = r.seen_by::text[], reason_code = r.reason_code, reason = r.reason,
    partial = r.partial, collected = r.collected, fee = r.fee
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::boolean[], $6::bigint[], $7::bigint[])
    AS r(id, seen_by, reason_code, reason, partial, collected, fee)
WHERE e.id = r.id
"""
_UPDATE: Final = """
UPDATE shipments s SET status = r.status, status_at = r.status_at, reason_code = r.reason_code,
    provisional_status = r.provisional_status, provisional_at = r.provisional_at, collected = r.collected, fee = r.fee,
    partial = r.partial, attention = r.attention::text[], sequence = r.sequence, revision = r.revision,
    handed_over_at = r.handed_over_at, delivered_at = r.delivered_at, settled_at = r.settled_at,
    settled_amount = r.settled_amount, next_poll_at = r.next_poll_at, unchanged_polls = r.unchanged_polls,
    claimed_until = r.claimed_until, promised_at = r.promised_at, asked_at = r.asked_at, unanswered = r.unanswered,
    updated_at = now()
FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::timestamptz[], $7::bigint[],
    $8::bigint[], $9::boolean[], $10::text[], $11::integer[], $12::integer[], $13::timestamptz[], $14::timestamptz[],
    $15::timestamptz[], $16::bigint[], $17::timestamptz[], $18::integer[], $19::timestamptz[], $20::timestamptz[],
    $21::timestamptz[], $22::integer[])
    AS r(id, status, status_at, reason_code, provisional_status, provisional_at, collected, fee, partial, attention,
    sequence, revision, handed_over_at, delivered_at, settled_at, settled_amount, next_poll_at, unchanged_polls,
    claimed_until, promised_at, asked_at, unanswered)
WHERE s.id = r.id
"""
