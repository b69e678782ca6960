"""What the rows of a file would do to one parcel, by the rules of its timeline. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from services.shipping import timeline
from services.shipping.status_files.words import Dictionary
from services.shipping.timeline import Entry, State
from shared.contracts.events.shipping import ShipmentStatus

Verdict = Literal[
    "moves",
    "confirms",
    "older",
    "known",
    "doubled",
    "contradicts",
    "unknown_code",
    "ambiguous",
    "not_at_carrier",
    "superseded",
    "status_missing",
    "unknown_status",
    "tells_money",
    "settled",
    "time_unreadable",
    "time_in_future",
]
APPLIED: Final[frozenset[Verdict]] = frozenset({"moves", "confirms", "older"})
"""Verdicts of rows that become entries of a timeline."""
CLOCKS_DIFFER: Final = timedelta(minutes=5)
"""How far ahead of ours the clock may be that wrote a file."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row about a parcel that was found.

    Args:
        told: its status as it is written; '' = that of the whole file.
        at: its own time, UTC; None = that of the whole file.
        time_unreadable: there is a time, but not one that can be read.
    """

    number: int
    told: str
    at: datetime | None
    time_unreadable: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is known of the parcel. `entries` are its timeline."""

    waybill: str
    status: ShipmentStatus
    cod: int
    superseded: bool
    settled: bool
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Whole:
    """What holds for rows that do not say it themselves."""

    status: ShipmentStatus | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Judged:
    """A row with its verdict.

    Args:
        code: the carrier's, '' where there is none.
        before, after: our statuses, where the row moves the parcel.
    """

    row: Row
    verdict: Verdict
    at: datetime
    code: str = ""
    before: ShipmentStatus | None = None
    after: ShipmentStatus | None = None


def judge(parcel: Parcel, rows: Sequence[Row], words: Dictionary, whole: Whole, *, now: datetime) -> list[Judged]:
    """The verdicts on all rows about one parcel, as if they came one after the other in the order of their times."""
    judged = [_read(parcel, row, words, whole, now=now) for row in rows]
    codes = {each.code for each in judged if each.verdict in APPLIED and each.row.at is None}
    found: list[Judged] = []
    held = list(parcel.entries)
    seen: set[tuple[str, datetime]] = set()
    for each in sorted(judged, key=lambda each: (each.at, each.row.number)):
        if each.verdict not in APPLIED:
            found.append(each)
        elif len(codes) > 1 and each.row.at is None:
            # Without a time nobody knows which of them is the later one.
            found.append(_with(each, "contradicts"))
        elif (each.code, each.at) in seen:
            found.append(_with(each, "doubled"))
        else:
            seen.add((each.code, each.at))
            found.append(_effect(parcel, held, each, words))
    return sorted(found, key=lambda each: each.row.number)


def _read(parcel: Parcel, row: Row, words: Dictionary, whole: Whole, *, now: datetime) -> Judged:
    at = row.at or whole.at
    verdict: Verdict = "confirms"
    code: str | None = None
    if not parcel.waybill:
        verdict = "not_at_carrier"
    elif parcel.superseded:
        verdict = "superseded"
    elif row.time_unreadable:
        verdict = "time_unreadable"
    elif at > now + CLOCKS_DIFFER:
        verdict = "time_in_future"
    elif not row.told and whole.status is None:
        verdict = "status_missing"
    else:
        code = words.code(row.told) if row.told else words.code_of(whole.status) if whole.status else None
        if code is None:
            verdict = "unknown_status"
        elif words.meaning(code).settles:
            verdict = "tells_money"
    return Judged(row, verdict, at, code or "")


def entry_of(waybill: str, judged: Judged, words: Dictionary) -> Entry:
    """The entry that a row becomes."""
    meaning = words.meaning(judged.code)
    return Entry(
        waybill=waybill,
        raw_status=judged.code,
        at=judged.at,
        received_at=judged.at,
        seen_by=("file",),
        status=meaning.status,
        provisional=meaning.provisional,
        either_way=meaning.either_way,
        reason=judged.row.reason,
    )


def _effect(parcel: Parcel, held: list[Entry], each: Judged, words: Dictionary) -> Judged:
    """The verdict on a row behind those in `held`, which it joins if it counts."""
    entry = entry_of(parcel.waybill, each, words)
    merged = timeline.merge(held, [entry])
    if not merged.added:
        return _with(each, "known")
    before, after = _state(parcel, held), _state(parcel, merged.entries)
    moves = before.status != after.status
    if moves and parcel.settled:
        return _with(each, "settled")
    held.append(entry)
    if moves:
        return Judged(each.row, "moves", each.at, each.code, before.status, after.status)
    return _with(each, "older" if before.at is not None and each.at < before.at else "confirms")


def _state(parcel: Parcel, entries: Iterable[Entry]) -> State:
    return timeline.fold(entries, waybill=parcel.waybill, cod=parcel.cod)


def _with(each: Judged, verdict: Verdict) -> Judged:
    return Judged(each.row, verdict, each.at, each.code)
