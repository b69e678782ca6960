"""Events of a call, and the call that follows from them. Pure.

Telephone systems send each event at least once, in any order, some never. So a call is a function of the set of its
events: whoever reads the same set gets the same call, whatever came first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator

from services.orders.telephone.numbers import outside_number

What = Literal["started", "ringing", "answered", "ended", "recorded"]
Direction = Literal["out", "in"]

_STAGES: Final[tuple[What, ...]] = ("started", "ringing", "answered", "ended", "recorded")
LONGEST: Final = 86_400
"""Seconds. A call that seems to last longer than a day was not hung up properly; so much of it is believed."""


class CallEvent(BaseModel):
    """Something that happened to a call, as a telephone system told it.

    Args:
        call_id: of the call in that system.
        phone: the customer's number as told.
        extension: of the colleague; in an event `answered`, who took the call.
        cause: how it ended, in the system's words.
        talk_seconds: from answer to end; None where the event does not say.
        request: our id of the click to call that started it.
    """

    model_config = ConfigDict(frozen=True)

    call_id: str = Field(min_length=1, max_length=200)
    what: What
    at: AwareDatetime
    direction: Direction | None = None
    phone: str = Field(default="", max_length=40)
    extension: str = Field(default="", max_length=60)
    cause: str = Field(default="", max_length=100)
    started_at: AwareDatetime | None = None
    answered_at: AwareDatetime | None = None
    talk_seconds: int | None = Field(default=None, ge=0)
    recording: str = Field(default="", max_length=1000)
    request: str = Field(default="", max_length=60)

    @field_validator("recording")
    @classmethod
    def _is_a_link(cls, link: str) -> str:
        """People click on it: anything but an address of the web is dropped."""
        return link if link.startswith(("https://", "http://")) else ""

    def digest(self) -> bytes:
        """The same for the same event, however often and in which zone it is told."""
        return hashlib.sha256(self.in_utc().model_dump_json().encode()).digest()

    def in_utc(self) -> CallEvent:
        times = {
            name: value.astimezone(UTC)
            for name in ("at", "started_at", "answered_at")
            if (value := getattr(self, name)) is not None
        }
        return self.model_copy(update=times)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What is known of a call.

    Args:
        phone: E.164; empty if no number can be read out of what was told (a hidden caller).
        answered: None while nothing says whether it was.
        ended_at: None while it goes on, as far as we know.
    """

    direction: Direction | None
    phone: str
    extension: str
    started_at: datetime
    answered_at: datetime | None
    answered: bool | None
    ended_at: datetime | None
    cause: str
    talk_seconds: int
    recording: str
    request: str


def call_of(events: Iterable[CallEvent]) -> Call:
    """The call that its events tell of, in whatever order they come and however often.

    Raises:
        ValueError: there is no event.
    """
    ordered = sorted({event.in_utc() for event in events}, key=_place)
    if not ordered:
        raise ValueError("a call without events")
    by = {what: [event for event in ordered if event.what == what] for what in _STAGES}
    end = by["ended"][-1] if by["ended"] else None
    answers = [event.at for event in by["answered"]] + [event.answered_at for event in ordered if event.answered_at]
    answered_at = min(answers, default=None)
    told = [event.talk_seconds for event in ordered if event.talk_seconds is not None]
    answered = True if answered_at is not None or any(told) else False if told else None
    talk = max(told, default=None)
    if talk is None:
        talk = _seconds(answered_at, end.at if end else None)
    starts = [event.started_at for event in ordered if event.started_at]
    starts += [event.at for event in ordered if event.what in ("started", "ringing")] or [ordered[0].at]
    return Call(
        direction=next((event.direction for event in ordered if event.direction), None),
        phone=next((phone for event in ordered if (phone := outside_number(event.phone))), ""),
        extension=_extension(by),
        started_at=min(starts),
        answered_at=answered_at,
        answered=answered,
        ended_at=end.at if end else None,
        cause=end.cause if end else "",
        talk_seconds=min(talk, LONGEST),
        recording=next((event.recording for event in reversed(ordered) if event.recording), ""),
        request=next((event.request for event in ordered if event.request), ""),
    )


def _place(event: CallEvent) -> tuple[datetime, int, str]:
    return event.at, _STAGES.index(event.what), event.model_dump_json()


def _extension(by: dict[What, list[CallEvent]]) -> str:
    """Who took it; else whom it rang at last."""
    stages: Sequence[What] = ("answered", "ended", "ringing", "started")
    return next((event.extension for stage in stages for event in reversed(by[stage]) if event.extension), "")


def _seconds(since: datetime | None, until: datetime | None) -> int:
    if since is None or until is None:
        return 0
    return int(max(until - since, timedelta()).total_seconds())
