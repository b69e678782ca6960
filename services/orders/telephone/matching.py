"""One call, told twice: by whoever logged it and by the telephone system. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

BEFORE: Final = timedelta(minutes=3)
"""Clocks differ, and some people log while it still rings: so long before its start a call may seem to have been made."""
AFTER: Final = timedelta(minutes=15)
"""Who gives no time logs when the call is over; so long they may take."""


@dataclass(frozen=True, slots=True)
class Span:
    """A call as the telephone system measured it; `ended_at` is None while it goes on."""

    started_at: datetime
    ended_at: datetime | None


SpanT = TypeVar("SpanT", bound=Span)


def distance(logged_at: datetime, span: Span) -> timedelta | None:
    """How far a logged time lies from a call; None if they are not the same call."""
    end = span.ended_at or logged_at
    if not span.started_at - BEFORE <= logged_at <= end + AFTER:
        return None
    if logged_at < span.started_at:
        return span.started_at - logged_at
    return max(logged_at - end, timedelta())


def nearest(logged_at: datetime, spans: Iterable[SpanT]) -> SpanT | None:
    """The call that somebody logged with this time; of two that are as near, the later one."""
    found = [(gap, span) for span in spans if (gap := distance(logged_at, span)) is not None]
    return min(found, key=lambda pair: (pair[0], -pair[1].started_at.timestamp()))[1] if found else None


@dataclass(frozen=True, slots=True)
class LoggedCall:
    """An interaction that nobody has matched yet."""

    at: datetime


LoggedT = TypeVar("LoggedT", bound=LoggedCall)


def nearest_log(span: Span, logged: Iterable[LoggedT]) -> LoggedT | None:
    """The logged call that is this one; of two that are as near, the earlier one."""
    found = [(gap, each) for each in logged if (gap := distance(each.at, span)) is not None]
    return min(found, key=lambda pair: (pair[0], pair[1].at))[1] if found else None
