"""The legal gate and the caps: when a number may be called or written to (rule D38).

Who asked to be contacted (`grounds`) is called within the company's calling hours; everybody else within the limits for
advertising (Decree 91/2020: calls 08:00-17:00, one in 24 hours; messages 07:00-22:00, three in 24 hours). The caps count
every product of the company, and attempts that nobody answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from services.orders.care.facts import Facts, Pause
from services.orders.care.grounds import By
from services.orders.care.process import CareProcess

Refusal = Literal["do_not_call", "consent_withdrawn", "paused", "outside_hours", "too_soon", "daily_limit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """Whether a number may be contacted. If not, why, and from when on it may (None: never as things stand)."""

    allowed: bool
    refusal: Refusal | None = None
    next_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the gate has to know.

    Args:
        by: a call or a message.
        asked: there is a ground for it beyond the limits for advertising (`grounds.ground_for`).
        made: every outgoing call, or message, to the number, about whatever product, answered or not.
        forbidden: why it must not be contacted at all.
        pause: an operator stopped the care.
    """

    by: By
    asked: bool
    made: tuple[datetime, ...]
    forbidden: Refusal | None = None
    pause: Pause | None = None


def window_name(process: CareProcess, *, task: Literal["call", "message"], asked: bool) -> str:
    """The calendar inside which such a task may be done."""
    if task == "message":
        return process.windows.messages
    return process.windows.asked if asked else process.windows.adverts


def call_gap(process: CareProcess, *, asked: bool) -> timedelta:
    """The least time between two calls to a number."""
    return process.caps.min_gap if asked else max(process.caps.min_gap, process.caps.advert_call_gap)


def earliest_call(process: CareProcess, *, asked: bool, calls: Sequence[datetime], at: datetime) -> datetime:
    """The first instant from `at` on when the number may be called.

    Args:
        calls: every outgoing call to the number in order; those later than an instant do not bear upon it.

    Raises:
        NeverOpen: the window has no time left.
    """
    calendar = process.calendar(window_name(process, task="call", asked=asked))
    gap = call_gap(process, asked=asked)
    while True:
        at = calendar.next_open(at)
        made = [call for call in calls if call <= at]
        if not made:
            return at
        if at < made[-1] + gap:
            at = made[-1] + gap
            continue
        today = calendar.local(at).date()
        midnight = calendar.midnight(today)
        if sum(call >= midnight for call in made) < process.caps.calls_per_number_per_day:
            return at
        at = calendar.midnight(today + timedelta(days=1))


def earliest_message(process: CareProcess, *, asked: bool, messages: Sequence[datetime], at: datetime) -> datetime:
    """The first instant from `at` on when the number may be written to; arguments and errors as `earliest_call`."""
    calendar = process.calendar(window_name(process, task="message", asked=asked))
    while True:
        at = calendar.next_open(at)
        sent = [message for message in messages if message <= at]
        if asked or len(sent) < process.caps.advert_messages:
            return at
        free_at = sent[-process.caps.advert_messages] + process.caps.advert_call_gap
        if at >= free_at:
            return at
        at = free_at


def may_contact(process: CareProcess, standing: Standing, at: datetime) -> Permission:
    """Whether a number may be contacted at an instant; if not, why, and from when on.

    Ask before each outgoing call and message, also before showing a number for dialling by hand. What took place
    nevertheless is a fact and must be logged; the gate is asked before, not after.

    Raises:
        shared.calendar.NeverOpen: the window has no time left.
    """
    if standing.forbidden is not None:
        return Permission(allowed=False, refusal=standing.forbidden)
    pause = standing.pause
    if pause is not None and (pause.until is None or at < pause.until):
        return Permission(allowed=False, refusal="paused", next_at=pause.until)
    made = sorted(each for each in standing.made if each <= at)
    asked, is_call = standing.asked, standing.by == "call"
    if is_call:
        next_at = earliest_call(process, asked=asked, calls=made, at=at)
    else:
        next_at = earliest_message(process, asked=asked, messages=made, at=at)
    if next_at == at:
        return Permission(allowed=True)
    refusal: Refusal = "daily_limit"
    if not process.calendar(window_name(process, task=standing.by, asked=asked)).is_open(at):
        refusal = "outside_hours"
    elif is_call and made and at < made[-1] + call_gap(process, asked=asked):
        refusal = "too_soon"
    return Permission(allowed=False, refusal=refusal, next_at=next_at)


def may_call(process: CareProcess, facts: Facts, at: datetime) -> Permission:
    """`may_contact` for a call about an order."""
    forbidden: Refusal | None = "do_not_call" if facts.must_not_be_called() else None
    standing = Standing(
        by="call",
        asked=facts.asked_to_be_called,
        made=tuple(facts.calls()),
        forbidden=forbidden,
        pause=facts.pause,
    )
    return may_contact(process, standing, at)


def may_write(process: CareProcess, facts: Facts, at: datetime) -> Permission:
    """`may_contact` for a message about an order."""
    forbidden: Refusal | None = "do_not_call" if facts.must_not_be_written_to() else None
    standing = Standing(
        by="message",
        asked=facts.asked_for_messages,
        made=tuple(facts.messages()),
        forbidden=forbidden,
        pause=facts.pause,
    )
    return may_contact(process, standing, at)
