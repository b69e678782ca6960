"""Rules D8, D9, D11 and D12: which arrivals of a number are new leads and which are duplicates. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Policy:
    """The company's setting.

    Args:
        length: of a window, from the first arrival on, half open.
        by_product: the same number for another product group is a new lead (rule D11).
        groups: product code in lower case → name of its group; a product without one is a group of its own.
    """

    length: timedelta
    by_product: bool = False
    groups: Mapping[str, str] = field(default_factory=dict)

    def group_of(self, product: str) -> str:
        """The group of a product code; empty if there is none, which may be any."""
        code = product.casefold()
        return self.groups.get(code, code)

    def concerns(self, anchor_product: str, product: str) -> bool:
        """Whether an arrival for a product may be a duplicate of an anchor. An unknown product is not another one."""
        if not self.by_product:
            return True
        group, other = self.group_of(anchor_product), self.group_of(product)
        return group == other or not group or not other


@dataclass(slots=True)
class Window:
    """The duplicate window that a lead opened for one of its numbers."""

    anchor_id: UUID
    opened_at: datetime
    closes_at: datetime
    product: str = ""
    """Of the anchor."""
    ended: bool = False
    """Before its time: the anchor was sent or has ended."""
    product_group: str = ""
    """The key under which it is kept beside others of the number."""

    def holds(self, at: datetime) -> bool:
        """Whether an arrival at this moment is a duplicate; the end itself is outside."""
        return not self.ended and at < self.closes_at


@dataclass(slots=True)
class Number:
    """What is known of a number."""

    phone: str
    windows: tuple[Window, ...] = ()
    handed_over: bool = False
    """Something was once handed over to it."""
    flag: str = ""
    """It was marked as a competitor's or a test."""

    def with_window(self, window: Window) -> Number:
        kept = tuple(one for one in self.windows if one.product_group != window.product_group)
        return replace(self, windows=(*kept, window))


@dataclass(slots=True)
class Arrival:
    """A lead's id, its numbers (the first identifies the customer), when it reached us, and for what."""

    id: UUID
    phones: tuple[str, ...]
    received_at: datetime
    product: str = ""
    window: Window | None = None
    """What it opens if it is a clean lead, where that is known already."""


@dataclass(slots=True)
class Judgement:
    """Duplicate of `anchor_id`, or a clean lead, whose number was last held by the owner of `previous_id`."""

    anchor_id: UUID | None = None
    previous_id: UUID | None = None
    returning_customer: bool = False
    flag: str = ""


_NEW: Final = Judgement()
"""What a clean lead is judged to be of whose numbers nothing is known."""


@dataclass(frozen=True, slots=True)
class Judged:
    judgements: dict[UUID, Judgement]
    opened: dict[tuple[str, str], Window]
    """The windows that clean leads opened, by number and key group."""


def judge(arrivals: Iterable[Arrival], numbers: Mapping[str, Number], *, policy: Policy) -> Judged:
    """Judges arrivals in their order, so that of two with one number the first is the lead.

    Args:
        arrivals: those that have a window have it by the same policy.
        numbers: what is known of every number among the arrivals; an unknown number may be left out.
    """
    known = dict(numbers)
    firsts: dict[str, Window] = {}
    """What was opened for numbers of which nothing else is known: nearly all of a long list."""
    judgements: dict[UUID, Judgement] = {}
    opened: dict[tuple[str, str], Window] = {}
    for arrival in arrivals:
        phones = arrival.phones
        if firsts.keys().isdisjoint(phones) and known.keys().isdisjoint(phones):
            judgements[arrival.id] = _NEW
            window = arrival.window or window_of(arrival, policy=policy)
            group = window.product_group
            for phone in phones:
                firsts[phone] = window
                opened[phone, group] = window
            continue
        for phone in phones:
            if first := firsts.pop(phone, None):
                known[phone] = Number(phone, (first,))
        of_phones = [known.get(phone) or Number(phone) for phone in phones]
        flag = next((number.flag for number in of_phones if number.flag), "")
        anchor = anchor_of(of_phones, at=arrival.received_at, product=arrival.product, policy=policy)
        if anchor is not None:
            judgements[arrival.id] = Judgement(anchor_id=anchor.anchor_id, flag=flag)
            continue
        judgements[arrival.id] = Judgement(
            previous_id=previous_of(of_phones),
            returning_customer=any(number.handed_over for number in of_phones),
            flag=flag,
        )
        window = window_of(arrival, policy=policy)
        for number in of_phones:
            known[number.phone] = number.with_window(window)
            opened[number.phone, window.product_group] = window
    return Judged(judgements, opened)


def anchor_of(numbers: Iterable[Number], *, at: datetime, product: str, policy: Policy) -> Window | None:
    """The window that makes a duplicate of an arrival; of several the one whose anchor came first (rule D12)."""
    holding = (
        window
        for number in numbers
        for window in number.windows
        if window.holds(at) and policy.concerns(window.product, product)
    )
    return min(holding, key=lambda window: (window.opened_at, window.anchor_id), default=None)


def previous_of(numbers: Iterable[Number]) -> UUID | None:
    """The lead that came last with one of these numbers: its owner is asked first."""
    windows = (window for number in numbers for window in number.windows)
    last = max(windows, key=lambda window: (window.opened_at, window.anchor_id), default=None)
    return last.anchor_id if last is not None else None


def window_of(lead: Arrival, *, policy: Policy) -> Window:
    """The window of a clean lead, anchored at its arrival, for each of its numbers."""
    return windows_of([lead], policy=policy)[0]


def windows_of(leads: Iterable[Arrival], *, policy: Policy) -> list[Window]:
    """The same of each of many. Those that close at one instant share its object: a new one is hashed and compared digit by
    digit."""
    closings: dict[datetime, datetime] = {}
    windows = []
    for lead in leads:
        opened = lead.received_at
        closes = closings.get(opened)
        if closes is None:
            closes = closings[opened] = opened + policy.length
        group = policy.group_of(lead.product) if policy.by_product else ""
        windows.append(Window(lead.id, opened, closes, lead.product, False, group))
    return windows
