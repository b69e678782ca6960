"""Rules D8, D9 and D12: which arrivals of a number are new leads and which are duplicates. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Window:
    """What is known of a number: the lead that opened its last duplicate window, if it ever had one."""

    phone: str
    anchor_id: UUID | None = None
    opened_at: datetime | None = None
    closes_at: datetime | None = None
    ended: bool = False
    """Before its time: the anchor was sent or has ended."""
    handed_over: bool = False
    """Something was once handed over to this number."""

    def holds(self, at: datetime) -> bool:
        """Whether an arrival at this moment is a duplicate; the end itself is outside."""
        return self.closes_at is not None and not self.ended and at < self.closes_at


@dataclass(frozen=True, slots=True)
class Arrival:
    """A lead's id, its numbers (the first identifies the customer), and when it reached us."""

    id: UUID
    phones: tuple[str, ...]
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Judgement:
    """Duplicate of `anchor_id`, or a clean lead, whose number was last held by the owner of `previous_id`."""

    anchor_id: UUID | None = None
    previous_id: UUID | None = None
    returning_customer: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    judgements: dict[UUID, Judgement]
    opened: dict[str, Window]
    """The windows that clean leads opened, by number."""


def judge(arrivals: Iterable[Arrival], windows: Mapping[str, Window], *, length: timedelta) -> Judged:
    """Judges arrivals in their order, so that of two with one number the first is the lead.

    Args:
        windows: what is known of every number among the arrivals; an unknown number may be left out.
        length: of the windows that clean leads open, for each of their numbers.
    """
    known = dict(windows)
    judgements: dict[UUID, Judgement] = {}
    opened: dict[str, Window] = {}
    for arrival in arrivals:
        of_phones = [known.get(phone) or Window(phone) for phone in arrival.phones]
        anchor = next((window.anchor_id for window in of_phones if window.holds(arrival.received_at)), None)
        if anchor is not None:
            judgements[arrival.id] = Judgement(anchor_id=anchor)
            continue
        judgements[arrival.id] = Judgement(
            previous_id=next((window.anchor_id for window in of_phones if window.anchor_id), None),
            returning_customer=any(window.handed_over for window in of_phones),
        )
        for window in of_phones:
            known[window.phone] = opened[window.phone] = Window(
                window.phone,
                anchor_id=arrival.id,
                opened_at=arrival.received_at,
                closes_at=arrival.received_at + length,
                handed_over=window.handed_over,
            )
    return Judged(judgements, opened)
