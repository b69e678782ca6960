"""Failed deliveries follow from the timelines: written with them, in one transaction, whoever told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from uuid_utils.compat import uuid7

from services.shipping.carriers.codes import CodeTable
from services.shipping.rescue import store
from services.shipping.rescue.failures import FAILED, Failure, Journey, journey
from services.shipping.rescue.standing import Rescue, followed, gone, step_of
from services.shipping.rescue.store import Carried, Change
from services.shipping.rescue.terms import terms_of
from services.shipping.timeline import Entry
from services.shipping.work import Work

if TYPE_CHECKING:
    import asyncpg

SOME_REASON: Final = ("Hãng không nói lý do", "The carrier gives no reason")


@dataclass(frozen=True, slots=True)
class Failed:
    """A parcel with a failed delivery on its timeline.

    Args:
        row: of the shipment, locked: its id, order, carrier and waybill.
        codes: of its carrier.
    """

    row: asyncpg.Record
    entries: Sequence[Entry]
    codes: CodeTable


def has_failed(entries: Sequence[Entry]) -> bool:
    """Whether a delivery failed at some time; for most parcels none ever does, and they cost nothing more."""
    return FAILED in [entry.status for entry in entries if not entry.provisional]


async def follow(work: Work, parcels: Sequence[Failed], *, now: datetime) -> None:
    """Lets the failed deliveries of parcels follow from their timelines, and tells of what changed.

    Args:
        parcels: those with a failed delivery on the timeline, and those that had one before.
    """
    if not parcels:
        return
    rows = await store.held(work, [parcel.row["id"] for parcel in parcels])
    changes: list[Change] = []
    for parcel in parcels:
        changes += _changes(parcel, rows.get(parcel.row["id"], []), now=now)
    await store.write(work, changes, now=now)


def _changes(parcel: Failed, rows: Sequence[asyncpg.Record], *, now: datetime) -> list[Change]:
    shipment = Carried.of(parcel.row)
    went = journey(parcel.entries, waybill=shipment.waybill, codes=parcel.codes, held=terms_of(shipment.carrier).held)
    before = {row["id"]: (row, store.read(row)) for row in rows}
    free = dict(before)
    pairs: list[tuple[Rescue | None, Rescue, Failure | None]] = []
    for failure in went.failures:
        known = next((id for id, (row, _) in free.items() if failure.at <= row["failed_at"] <= failure.last_at), None)
        known = known or next((id for id, (row, _) in free.items() if _overlap(failure, row)), None)
        was = free.pop(known)[1] if known is not None else None
        pairs.append((was, followed(was, failure, went, id=uuid7()), failure))
    pairs += [(was, gone(was), None) for _, was in free.values() if was.outcome != "withdrawn"]
    changes = []
    for was, after, of in _with_saved(pairs, went):
        sequence = before[was.id][0]["sequence"] if was is not None else 0
        if was == after:
            continue
        changes.append(
            Change(
                shipment,
                was,
                after,
                step=step_of(was, after),
                sequence=sequence + 1,
                reason=_reason(parcel.codes, after, of),
                at=_happened_at(was, after, now=now),
            )
        )
    return changes


def _overlap(failure: Failure, row: asyncpg.Record) -> bool:
    """An earlier report of a failed delivery that is known by a later one, which another report has since cut off."""
    return failure.ended_at is not None and failure.at <= row["failed_at"] < failure.ended_at


def _with_saved(
    pairs: Sequence[tuple[Rescue | None, Rescue, Failure | None]], went: Journey
) -> list[tuple[Rescue | None, Rescue, Failure | None]]:
    """A parcel is saved once: by the last rescue that asked for a delivery."""
    saving = None
    if went.status == "delivered":
        asked = [after for _, after, failure in pairs if failure is not None and after.asked_for_delivery]
        saving = asked[-1].id if asked else None
    return [(was, replace(after, saved=after.id == saving), failure) for was, after, failure in pairs]


def _reason(codes: CodeTable, after: Rescue, failure: Failure | None) -> tuple[str, str]:
    """The carrier's words for why; those for its status where it gave no reason."""
    meaning = codes.reasons.get(after.reason_code)
    if meaning is not None:
        return meaning.vi, meaning.en
    status = codes.statuses.get(failure.raw_status) if failure is not None else None
    return (status.vi, status.en) if status is not None else SOME_REASON


def _happened_at(was: Rescue | None, after: Rescue, *, now: datetime) -> datetime:
    """By the carrier's time, where it is the carrier that something happened at."""
    if was is None:
        return after.failed_at
    return after.closed_at if after.closed_at is not None and was.state != "closed" else now
