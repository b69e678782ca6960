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

from shared.contracts.events.shipping import CodSettled, ShipmentStatus

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


@dataclass(slots=True)
class Entry:
    """One report on the timeline. Money in đồng.

    Nothing changes one; it is not frozen because that makes it several times as dear to make, and there are thousands
    a second.
    """

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
        return self.waybill, self.raw_status, self.at, self.reason_code


@dataclass(slots=True)
class Merged:
    """A timeline after new reports: all entries, and which of them are new or changed."""

    entries: tuple[Entry, ...]
    added: tuple[Entry, ...]
    changed: tuple[tuple[Entry, Entry], ...]
    """(as stored, as it is now)"""


def merge(held: Sequence[Entry], reports: Sequence[Entry]) -> Merged:
    """Adds reports to a timeline. A repeated one adds nothing; one that another source told adds the source.

    A status request knows no reasons, so its report is the same fact as a callback with a reason, whoever came first.
    """
    if not held and len(reports) == 1:  # nearly every callback is the only one that its parcel has in its batch
        only = tuple(reports)
        return Merged(only, only, ())
    stored = {entry.key: entry for entry in held}
    now: dict[tuple[str, str, datetime, str], Entry] = dict(stored)
    origin = {key: key for key in stored}
    for report in reports:
        told = report.key
        key = _same_fact(now, report, told)
        if key is None:
            now[told] = report
            continue
        joined = _join(now[key], report)
        if joined.key != key:
            del now[key]
            if key in origin:
                origin[joined.key] = origin.pop(key)
        now[joined.key] = joined
    added, changed = [], []
    for key, entry in now.items():
        if key not in origin:
            added.append(entry)
        elif (before := stored[origin[key]]) is not entry and before != entry:
            changed.append((before, entry))
    return Merged(tuple(now.values()), tuple(added), tuple(changed))


def _same_fact(
    entries: dict[tuple[str, str, datetime, str], Entry], report: Entry, told: tuple[str, str, datetime, str]
) -> tuple[str, str, datetime, str] | None:
    """
    Args:
        told: the key of the report.
    """
    if told in entries:
        return told
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


@dataclass(slots=True)
class State:
    """What a timeline says. Money in đồng."""

    status: ShipmentStatus = "accepted"
    at: datetime | None = None
    """Since when, by the carrier's time; None while no report is confirmed."""
    reason_code: str = ""
    provisional: Entry | None = None
    """A courier's report that is newer than everything confirmed."""
    handed_over_at: datetime | None = None
    settled_at: datetime | None = None
    partial: bool = False
    collected: int | None = None
    fee: int | None = None
    raw_status: str = ""
    """The carrier's code of the newest confirmed report."""
    attention: frozenset[str] = frozenset()

    @property
    def delivered_at(self) -> datetime | None:
        return self.at if self.status == "delivered" else None


def fold(entries: Iterable[Entry], *, waybill: str, cod: int, behind: State | None = None) -> State:
    """The state of an accepted shipment from its timeline; the order of arrival and repetitions do not matter.

    Args:
        waybill: reports about another one (a cancelled twin) do not count.
        cod: what the courier was told to collect; a carrier's table with less means a partial delivery (rule D18).
        behind: what earlier entries say, of which all these are later; it is moved on. None: these are all.
    """
    state = State() if behind is None else behind
    for entry in sorted([entry for entry in entries if entry.waybill == waybill], key=_position):
        _move(state, entry)
    if state.status == "cancelled" and state.handed_over_at is not None:
        state.attention |= {CANCELLED_IN_TRANSIT}
    if state.collected is not None and state.collected < cod:
        state.partial = True
    return state


def _move(state: State, entry: Entry) -> None:
    """Lets the next entry in the order of the carrier's time count."""
    if entry.fee is not None:
        state.fee = entry.fee
    if entry.status is None:
        state.attention |= {UNKNOWN_STATUS}
        return
    if entry.provisional:
        state.provisional = entry
        return
    state.provisional = None
    # On its way back a parcel passes offices and couriers as before (ViettelPost tells them by the same codes).
    told = state.status if entry.either_way and state.status == "returning" else entry.status
    if told != state.status:
        # What was told with an earlier status, its reason or its money, does not hold of this one.
        state.status, state.at, state.reason_code = told, None, ""
        state.settled_at, state.partial, state.collected = None, False, None
    if state.at is None:
        state.at = entry.at
    state.raw_status = entry.raw_status
    state.reason_code = entry.reason_code or state.reason_code
    if entry.settles and state.settled_at is None:
        state.settled_at = entry.at
    if told == "delivered":
        state.partial = state.partial or entry.partial
        state.collected = entry.collected if entry.collected is not None else state.collected
    if state.handed_over_at is None and told in HANDED_OVER:
        state.handed_over_at = entry.at


def ordinary_until(entries: Iterable[Entry], state: State, *, waybill: str) -> datetime | None:
    """The carrier's time of the newest entry, where the shipment's row says all that a later one needs to be followed;
    None where the whole timeline has to be read again: for parcels with a failed delivery, whose rescue follows from all
    of it, with money, with a courier's report that waits, with a code that nobody knows or a cancelled twin.

    Args:
        state: what the entries say, those `behind` included, which were ordinary as well.
    """
    if state.provisional is not None or state.settled_at is not None or state.collected is not None:
        return None
    newest = None
    for entry in entries:
        if entry.status is None or entry.status == "delivery_failed" or entry.waybill != waybill:
            return None
        if newest is None or entry.at > newest:
            newest = entry.at
    return newest


def _position(entry: Entry) -> tuple[datetime, bool, int, bool, str, str]:
    rank = RANK[entry.status] if entry.status is not None else -1
    return entry.at, not entry.provisional, rank, entry.settles, entry.raw_status, entry.reason_code


@dataclass(slots=True)
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


@dataclass(slots=True)
class Change:
    """The fields of the event `ShipmentChanged`, in its order. Making the model and writing it takes five times as long,
    and there are thousands a second."""

    shipment_id: UUID
    order_id: UUID
    sequence: int
    status: ShipmentStatus
    previous: ShipmentStatus
    at: datetime
    carrier: str
    waybill: str
    reason_code: str
    handed_over_at: datetime | None
    correction: bool
    partial: bool
    cod: int


@dataclass(slots=True)
class Changes:
    """What is to be told and kept when a timeline has a new state."""

    events: tuple[Change, ...]
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
    events: list[Change] = []
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
            Change(
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
