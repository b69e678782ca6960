"""The failed deliveries of a parcel, out of its timeline. Pure.

Like the state of a parcel they follow from all reports in the order of the carrier's time, so neither repetitions nor the
order of arrival make another one. A failed delivery is a run of reports that all say so (ViettelPost 506, then 505; GHN
`delivery_fail`, then `waiting_to_return`). A carrier that reports the next failure without having told that the courier
set out again (GHTK 10 on Monday and on Tuesday) has tried again on another day.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.shipping.carriers.codes import CodeTable
from services.shipping.timeline import RANK, Entry
from shared.contracts.events.shipping import ShipmentStatus
from shared.errors import ZONE

FAILED: Final = "delivery_failed"


@dataclass(slots=True)
class Failure:
    """One failed delivery, by the carrier's times."""

    attempt: int
    at: datetime
    """Of the first report of it."""
    last_at: datetime
    """Of the last one."""
    raw_status: str
    """Of the last report."""
    reason_code: str = ""
    reason: str = ""
    held_since: datetime | None = None
    """When the carrier began to wait for what the shop says."""
    ended_at: datetime | None = None
    """When the parcel went on, or failed again."""


@dataclass(frozen=True, slots=True)
class Journey:
    """The failed deliveries of a parcel, oldest first, and its status after them."""

    failures: tuple[Failure, ...]
    status: ShipmentStatus


def journey(entries: Iterable[Entry], *, waybill: str, codes: CodeTable, held: Collection[str]) -> Journey:
    """The failed deliveries of the parcel under a waybill.

    Args:
        held: the carrier's statuses in which it keeps the parcel until the shop decides, beside those of which its table
            says so.
    """
    status: ShipmentStatus = "accepted"
    found: list[Failure] = []
    present: Failure | None = None
    for entry in sorted((each for each in entries if _counts(each, waybill)), key=_position):
        assert entry.status is not None
        told = status if entry.either_way and status == "returning" else entry.status
        if told != FAILED:
            if present is not None:
                present.ended_at, present = entry.at, None
            status = told
            continue
        meaning = codes.statuses.get(entry.raw_status)
        waits = entry.raw_status in held or (meaning is not None and meaning.awaits_decision)
        stuck = meaning is not None and meaning.needs_person
        again = present is not None and not waits and not stuck and _day(entry.at) > _day(present.last_at)
        if present is None or again:
            if present is not None:
                present.ended_at = entry.at
            present = Failure(len(found) + 1, entry.at, entry.at, entry.raw_status)
            found.append(present)
        status = told
        present.last_at, present.raw_status = entry.at, entry.raw_status
        if entry.reason_code or not present.reason_code:
            present.reason_code = entry.reason_code or present.reason_code
            present.reason = entry.reason or present.reason
        if waits and present.held_since is None:
            present.held_since = entry.at
    return Journey(tuple(found), status)


def _counts(entry: Entry, waybill: str) -> bool:
    return entry.waybill == waybill and entry.status is not None and not entry.provisional


def _position(entry: Entry) -> tuple[datetime, int, bool, str, str]:
    assert entry.status is not None
    return entry.at, RANK[entry.status], entry.settles, entry.raw_status, entry.reason_code


def _day(at: datetime) -> int:
    return at.astimezone(ZONE).toordinal()
