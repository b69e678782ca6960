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

from services.shipping import rows, schedule, timeline
from services.shipping.carriers.answers import Report
from services.shipping.carriers.capabilities import AdoptBy, Settlement
from services.shipping.carriers.codes import CodeTable, StatusMeaning
from services.shipping.carriers.registry import CARRIERS
from services.shipping.cod import books
from services.shipping.cod.books import MONEY_DIFFERS
from services.shipping.codes import catalogue
from services.shipping.codes.catalogue import Codes, Met
from services.shipping.rescue import following as rescues
from services.shipping.rescue.failures import FAILED
from services.shipping.rescue.following import Failed
from services.shipping.statuses import move
from services.shipping.timeline import Changes, Entry, Source, State
from services.shipping.work import Work
from shared.contracts.events.shipping import COD_SETTLED
from shared.identity import new_id
from shared.telemetry import logger

if TYPE_CHECKING:
    import asyncpg

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


@dataclass(slots=True)
class Fact:
    """A report about a shipment of ours. Nothing changes one; see `Entry`."""

    shipment_id: UUID
    source: Source
    received_at: datetime
    report: Report


async def apply(
    work: Work,
    facts: Sequence[Fact],
    *,
    now: datetime,
    pace: float,
    again: Collection[UUID] = (),
    shipments: Mapping[UUID, asyncpg.Record] | None = None,
) -> set[UUID]:
    """Puts facts onto the timelines and lets everything follow, in the transaction of `work`.

    Shipments that have no waybill yet keep their entries; they count from the moment the waybill is known.

    Args:
        again: shipments whose entries are others than when they were last read, and whose state is made anew.
        shipments: those that the facts are about, locked already (`rows.locked`); None: they are locked here.
        now: the present, UTC.
        pace: factor of the pauses between polls.

    Returns:
        The shipments that really changed; their workflows are nudged.
    """
    about: dict[UUID, list[Fact]] = {shipment_id: [] for shipment_id in again}
    for fact in facts:
        about.setdefault(fact.shipment_id, []).append(fact)
    if shipments is None:
        shipments = {row["id"]: row for row in await rows.locked(work.connection, sorted(about))}
    present = [shipments[shipment_id] for shipment_id in about if shipment_id in shipments]
    behind = {row["id"]: rows.state_of(row) for row in present if _follows(row, about[row["id"]], again)}
    read = [shipment_id for shipment_id in about if shipment_id not in behind]
    entries = await rows.entries_of(work.connection, read) if read else []
    codes_of = await _codes(work, present, about, entries)
    held: dict[UUID, list[tuple[UUID, Entry]]] = defaultdict(list)
    for row in entries:
        held[row["shipment_id"]].append((row["id"], rows.entry_of(row, codes_of[row["shipment_id"]])))
    added: list[tuple[UUID, UUID, Entry, int | None]] = []
    changed: list[tuple[UUID, Entry]] = []
    moved: list[asyncpg.Record] = []
    updates: list[tuple[Any, ...]] = []
    real: set[UUID] = set()
    told_of: list[asyncpg.Record] = []
    failed: list[Failed] = []
    for row in present:
        shipment_id: UUID = row["id"]
        codes = codes_of[shipment_id]
        told = about[shipment_id]
        stored = held.get(shipment_id, ())
        merged = timeline.merge([entry for _, entry in stored], [_read(fact, codes) for fact in told])
        added += [(new_id(), shipment_id, entry, codes.versions.get(entry.raw_status)) for entry in merged.added]
        if merged.changed:
            id_of = {entry.key: entry_id for entry_id, entry in stored}
            changed += [(id_of[before.key], after) for before, after in merged.changed]
        nothing_new = not merged.added and not merged.changed and row["status"] not in timeline.BEFORE_CARRIER
        looked = _looked(row, told)
        if not row["waybill"]:
            if merged.added and row["status"] == "refused":
                told_of.append(row)
            continue
        if nothing_new and not looked and shipment_id not in again:
            continue
        state = timeline.fold(merged.entries, waybill=row["waybill"], cod=row["cod"], behind=behind.get(shipment_id))
        ordinary_until = timeline.ordinary_until(merged.entries, state, waybill=row["waybill"])
        outcome = timeline.changes(rows.known_of(row), state)
        if not row["status_is_proof"]:
            outcome = replace(outcome, settled=None)
        _tell(work, row, outcome)
        if shipment_id in again or rescues.has_failed(merged.entries):
            failed.append(Failed(row, merged.entries, codes))
        if outcome.real:
            real.add(shipment_id)
            work.nudge_shipment(shipment_id, round=row["round"])
        moved.append(row)
        following = _following(row, state, outcome, told, codes, looked=looked, now=now, pace=pace)
        updates.append((*following, ordinary_until))
    await _look_again(work, told_of, now=now)
    if added:
        await rows.add_entries(work.connection, added)
    if changed:
        await rows.change_entries(work.connection, changed)
    if moved:
        await rows.update(work.connection, moved, updates)
    await rescues.follow(work, failed, now=now)
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
        if catalogue.is_strange(carrier, fact.report.raw_status, fact.report.reason_code)
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


def _follows(row: asyncpg.Record, facts: Sequence[Fact], again: Collection[UUID]) -> bool:
    """Whether what is told of a shipment follows from its row, so that nobody has to read its timeline: everything is
    later than what was told before, confirmed, and ordinary (`timeline.ordinary_until`)."""
    until = row["ordinary_until"]
    # Whoever wrote the row without this column, a process of the version before, has moved `updated_at` alone.
    if until is None or not row["followed"] or row["id"] in again:
        return False
    carrier, waybill = row["carrier"], row["waybill"]
    statuses = CARRIERS[carrier].codes.statuses
    for report in [fact.report for fact in facts]:
        if report.at <= until or report.waybill != waybill:
            return False
        if catalogue.is_strange(carrier, report.raw_status, report.reason_code):
            return False
        meaning = statuses[report.raw_status]
        if meaning.provisional or meaning.status == FAILED:
            return False
    return True


def _looked(row: asyncpg.Record, facts: Sequence[Fact]) -> bool:
    """Whether somebody asked, and this is the answer: also one that says nothing new."""
    answer = "poll" if row["asked_at"] is None else "callback"
    return answer in [fact.source for fact in facts]


def _read(fact: Fact, codes: CodeTable) -> Entry:
    report = fact.report
    meaning = codes.statuses.get(report.raw_status)
    # By place, as everything that is made for each of thousands: by name it takes three times as long.
    return Entry(
        report.waybill,
        report.raw_status,
        report.at,
        fact.received_at,
        (fact.source,),
        meaning.status if meaning else None,
        meaning.provisional if meaning else False,
        meaning.settles if meaning else False,
        meaning.either_way if meaning else False,
        report.reason_code,
        report.reason,
        report.partial,
        report.collected,
        report.fee,
    )


def _tell(work: Work, row: asyncpg.Record, outcome: Changes) -> None:
    shipment_id: UUID = row["id"]
    for event in outcome.events:
        work.tell_change(event)
    if outcome.settled is not None:
        # A fixed id, so that not even a bug could settle the same money twice.
        work.tell(COD_SETTLED, outcome.settled, subject=shipment_id, event_id=uuid5(shipment_id, "cod settled"))


def _following(
    row: asyncpg.Record,
    state: State,
    outcome: Changes,
    facts: Sequence[Fact],
    codes: CodeTable,
    *,
    looked: bool,
    now: datetime,
    pace: float,
) -> tuple[Any, ...]:
    """The new values of `rows.FOLLOWING` in their order, without the last."""
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
        state.status,
        state.at or row["accepted_at"],
        state.reason_code,
        state.provisional.status if state.provisional else None,
        state.provisional.at if state.provisional else None,
        state.collected,
        state.fee if state.fee is not None else row["fee"],
        state.partial,
        _attention(row, state, outcome, facts, codes, looked=looked),
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


def _attention(
    row: asyncpg.Record, state: State, outcome: Changes, facts: Sequence[Fact], codes: CodeTable, *, looked: bool
) -> list[str]:
    """The marks that a person should look at."""
    held: list[str] = row["attention"]
    marks = outcome.attention | STICKY.intersection(held)
    if state.status == "cancelled":
        marks -= {CANCEL_REFUSED}  # a repeated cancellation is refused because the first one was done
    present = codes.statuses.get(state.raw_status)
    if present is not None and present.needs_person:
        marks |= {NEEDS_PERSON}
    if looked and row["asked_at"] is not None:
        marks -= {CARRIER_SILENT, MISSING_AT_CARRIER}
    for fact in facts:
        if fact.source == "poll":  # of a journey the last one is how it stands now
            marks -= {MISSING_AT_CARRIER, CARRIER_DISAGREES}
            meaning = codes.statuses.get(fact.report.raw_status)
            if meaning is not None and not meaning.provisional and not _agree(meaning, state):
                marks |= {CARRIER_DISAGREES}
    return held if marks == set(held) else sorted(marks)


def _agree(meaning: StatusMeaning, state: State) -> bool:
    return meaning.status == state.status or (meaning.either_way and state.status == "returning")
