"""The one timeline of a shipment, and what follows from it. Pure: no clock, no database.

Callbacks get lost, repeated and overtaken, and a poll may know something first. So every report is an entry, and the
state is computed from all entries in the order of the carrier's time, never by 'the last one that arrived'. A report
that is older than the present state stays on the timeline and moves nothing; one with a later time moves the state,
also backwards (a correction).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from shared.contracts.events.shipping import CodSettled, ShipmentChanged, ShipmentStatus

Source = Literal["creation", "callback", "poll", "file", "person"]

_ORDER: Final[tuple[ShipmentStatus, ...]] = (
    "accepted",
    "pickup_failed",
    "cancelled",
    "picked_up",
    "out_for_delivery",
    "delivery_failed",
    "returning",
    "returned",
    "delivered",
    "lost",
)
"""Which of two reports of the same second counts as the later one: the one further along."""
RANK: Final = {status: rank for rank, status in enumerate(_ORDER)}
HANDED_OVER: Final = frozenset(
    {"picked_up", "out_for_delivery", "delivery_failed", "returning", "returned", "delivered", "lost"}
)
"""The parcel is or was in the carrier's hands, also where the report of the pick-up itself was lost."""
FINAL: Final = frozenset({"delivered", "returned", "lost", "cancelled", "pickup_failed"})
"""Leaving one of these is a correction."""
BEFORE_CARRIER: Final = frozenset({"draft", "refused"})

UNKNOWN_STATUS: Final = "unknown_status"
"""The carrier used a code that no table has."""
CANCEL_TOO_LATE: Final = "cancel_too_late"
"""A cancellation was asked for, but the carrier has the parcel."""
CANCELLED_IN_TRANSIT: Final = "cancelled_in_transit"
"""The carrier calls a parcel cancelled that it holds: it has to come back."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One report on the timeline. Money in đồng."""

    waybill: str
    raw_status: str
    at: datetime
    """The carrier's time."""
    received_at: datetime
    seen_by: tuple[Source, ...]
    """Every source that told it, in the order of arrival: the first knew first."""
    status: ShipmentStatus | None
    """None: a code that no table has."""
    provisional: bool = False
    settles: bool = False
    either_way: bool = False
    """It does not end a return that has begun."""
    reason_code: str = ""
    reason: str = ""
    partial: bool = False
    collected: int | None = None
    """COD in the carrier's own table, where the source may be trusted with money."""
    fee: int | None = None

    @property
    def fact(self) -> tuple[str, str, datetime]:
        return self.waybill, self.raw_status, self.at

    @property
    def key(self) -> tuple[str, str, datetime, str]:
        """What makes two reports one (GHTK sends no event id)."""
        return *self.fact, self.reason_code


@dataclass(frozen=True, slots=True)
class Merged:
    """A timeline after new reports: all entries, and which of them are new or changed."""

    entries: tuple[Entry, ...]
    added: tuple[Entry, ...]
    changed: tuple[tuple[Entry, Entry], ...]
    """(as stored, as it is now)"""


def merge(held: Sequence[Entry], reports: Iterable[Entry]) -> Merged:
    """Adds reports to a timeline. A repeated one adds nothing; one that another source told adds the source.

    A status request knows no reasons, so its report is the same fact as a callback with a reason, whoever came first.
    """
    stored = {entry.key: entry for entry in held}
    now: dict[tuple[str, str, datetime, str], Entry] = dict(stored)
    origin = {key: key for key in stored}
    for report in reports:
        key = _same_fact(now, report)
        if key is None:
            now[report.key] = report
            continue
        joined = _join(now[key], report)
        if joined.key != key:
            del now[key]
            if key in origin:
                origin[joined.key] = origin.pop(key)
        now[joined.key] = joined
    changed = tuple((stored[origin[key]], entry) for key, entry in now.items() if key in origin)
    return Merged(
        entries=tuple(now.values()),
        added=tuple(entry for key, entry in now.items() if key not in origin),
        changed=tuple((before, after) for before, after in changed if before != after),
    )


def _same_fact(
    entries: dict[tuple[str, str, datetime, str], Entry], report: Entry
) -> tuple[str, str, datetime, str] | None:
    if report.key in entries:
        return report.key
    if _knows_reasons(report):
        bare = (*report.fact, "")
        return bare if bare in entries and not _knows_reasons(entries[bare]) else None
    return min((key for key in entries if key[:3] == report.fact), default=None)


def _knows_reasons(entry: Entry) -> bool:
    return entry.reason_code != "" or "callback" in entry.seen_by


def _join(held: Entry, report: Entry) -> Entry:
    return replace(
        held,
        seen_by=held.seen_by + tuple(source for source in report.seen_by if source not in held.seen_by),
        reason_code=held.reason_code or report.reason_code,
        reason=held.reason or report.reason,
        partial=held.partial or report.partial,
        collected=report.collected if report.collected is not None else held.collected,
        fee=report.fee if report.fee is not None else held.fee,
    )


@dataclass(frozen=True, slots=True)
class State:
    """What a timeline says. Money in đồng."""

    status: ShipmentStatus
    at: datetime | None
    """Since when, by the carrier's time; None while no report is confirmed."""
    reason_code: str = ""
    provisional: Entry | None = None
    """A courier's report that is newer than everything confirmed."""
    handed_over_at: datetime | None = None
    delivered_at: datetime | None = None
    settled_at: datetime | None = None
    partial: bool = False
    collected: int | None = None
    fee: int | None = None
    raw_status: str = ""
    """The carrier's code of the newest confirmed report."""
    attention: frozenset[str] = frozenset()


def fold(entries: Iterable[Entry], *, waybill: str, cod: int) -> State:
    """The state of an accepted shipment from its timeline; the order of arrival and repetitions do not matter.

    Args:
        waybill: reports about another one (a cancelled twin) do not count.
        cod: what the courier was told to collect; a carrier's table with less means a partial delivery (rule D18).
    """
    ordered = sorted((entry for entry in entries if entry.waybill == waybill), key=_position)
    confirmed = _directed([entry for entry in ordered if entry.status is not None and not entry.provisional])
    status: ShipmentStatus = confirmed[-1].status or "accepted" if confirmed else "accepted"
    run = _last_run(confirmed)
    provisional = next((entry for entry in reversed(ordered) if entry.provisional), None)
    if provisional is not None and confirmed and provisional.at <= confirmed[-1].at:
        provisional = None
    handed_over_at = min((entry.at for entry in confirmed if entry.status in HANDED_OVER), default=None)
    delivered = status == "delivered"
    collected = _last(entry.collected for entry in run) if delivered else None
    attention = set()
    if any(entry.status is None for entry in ordered):
        attention.add(UNKNOWN_STATUS)
    if status == "cancelled" and handed_over_at is not None:
        attention.add(CANCELLED_IN_TRANSIT)
    return State(
        status=status,
        at=run[0].at if run else None,
        reason_code=next((entry.reason_code for entry in reversed(run) if entry.reason_code), ""),
        provisional=provisional,
        handed_over_at=handed_over_at,
        delivered_at=run[0].at if delivered else None,
        settled_at=next((entry.at for entry in run if entry.settles), None),
        partial=delivered and (any(entry.partial for entry in run) or (collected is not None and collected < cod)),
        collected=collected,
        fee=_last(entry.fee for entry in ordered),
        raw_status=confirmed[-1].raw_status if confirmed else "",
        attention=frozenset(attention),
    )


def _directed(confirmed: Iterable[Entry]) -> list[Entry]:
    """On its way back a parcel passes offices and couriers as before (ViettelPost tells them by the same codes)."""
    told: list[Entry] = []
    for entry in confirmed:
        back = entry.either_way and bool(told) and told[-1].status == "returning"
        told.append(replace(entry, status="returning") if back else entry)
    return told


def _position(entry: Entry) -> tuple[datetime, bool, int, bool, str, str]:
    rank = RANK[entry.status] if entry.status is not None else -1
    return entry.at, not entry.provisional, rank, entry.settles, entry.raw_status, entry.reason_code


def _last_run(confirmed: Sequence[Entry]) -> list[Entry]:
    """The entries at the end that all say the present status, oldest first."""
    run: list[Entry] = []
    for entry in reversed(confirmed):
        if entry.status != confirmed[-1].status:
            break
        run.append(entry)
    return run[::-1]


def _last(values: Iterable[int | None]) -> int | None:
    found = None
    for value in values:
        found = value if value is not None else found
    return found


@dataclass(frozen=True, slots=True)
class Known:
    """What was known of a shipment before: its row."""

    shipment_id: UUID
    order_id: UUID
    carrier: str
    waybill: str
    status: ShipmentStatus
    sequence: int
    cod: int
    fee: int
    accepted_at: datetime
    handed_over_at: datetime | None
    partial: bool
    settled_at: datetime | None
    cancel_requested: bool


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be told and kept when a timeline has a new state."""

    events: tuple[ShipmentChanged, ...]
    settled: CodSettled | None
    sequence: int
    attention: frozenset[str]
    owes_amount: bool
    """The money is settled or partly delivered, but the carrier's table has not told how much: ask it."""

    @property
    def real(self) -> bool:
        """Somebody has to hear of it."""
        return bool(self.events) or self.settled is not None


def changes(known: Known, state: State) -> Changes:
    """Compares a state with what was known before.

    A shipment that is first heard of further along is accepted first, so that readers see every parcel enter L7. COD
    is settled once; a partial delivery only with the amount from the carrier's own table.
    """
    events: list[ShipmentChanged] = []
    previous, sequence = known.status, known.sequence
    amount = state.collected if state.collected is not None else known.cod
    steps: list[tuple[ShipmentStatus, datetime]] = []
    if previous in BEFORE_CARRIER and state.status != "accepted":
        steps.append(("accepted", known.accepted_at))
    moved = state.status != previous
    if moved or state.partial != known.partial or state.handed_over_at != known.handed_over_at:
        steps.append((state.status, state.at or known.accepted_at))
    for status, at in steps:
        sequence += 1
        last = status == state.status
        events.append(
            ShipmentChanged(
                shipment_id=known.shipment_id,
                order_id=known.order_id,
                sequence=sequence,
                status=status,
                previous=previous,
                at=at,
                carrier=known.carrier,
                waybill=known.waybill,
                reason_code=state.reason_code if last else "",
                handed_over_at=state.handed_over_at if last else None,
                correction=previous in FINAL and status != previous,
                partial=state.partial if last else False,
                cod=amount if last else known.cod,
            )
        )
        previous = status
    settles = state.settled_at is not None and known.settled_at is None
    owes_amount = state.partial and state.collected is None
    settled = None
    if settles and not owes_amount:
        assert state.settled_at is not None
        settled = CodSettled(
            shipment_id=known.shipment_id,
            order_id=known.order_id,
            at=state.settled_at,
            amount=amount,
            fee=state.fee if state.fee is not None else known.fee,
            carrier=known.carrier,
            evidence="status",
        )
    attention = set(state.attention)
    if known.cancel_requested and state.handed_over_at is not None:
        attention.add(CANCEL_TOO_LATE)
    return Changes(tuple(events), settled, sequence, frozenset(attention), owes_amount)
