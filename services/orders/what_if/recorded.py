"""What is known of one order, and what became of it: the facts that a replay is made of, and the life that it makes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from services.orders.care.facts import Interaction
from services.orders.care.grounds import Known
from services.orders.what_if.presence import Presence


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    version: int
    owner_id: UUID | None
    owner_code: str
    team: str
    at: datetime
    cause: str
    known_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """An interaction, when it was recorded, and when its author took it back, if so."""

    made: Interaction
    known_at: datetime
    staff_id: UUID | None = None
    undone_at: datetime | None = None

    def stands(self, now: datetime) -> bool:
        return self.undone_at is None or now < self.undone_at


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelSet:
    """A level that somebody else than care gave the order."""

    level: str
    at: datetime
    known_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """What an operator ordered: a step in the process, or a pause."""

    number: int
    at: datetime
    kind: Literal["skip", "repeat", "bring_forward", "pause", "resume"]
    to: str | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A call that was open to the team, and who took it."""

    task_key: str
    by_id: UUID
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """A call or message to the number that is about another order."""

    kind: str
    at: datetime
    known_at: datetime


Version = tuple[str, int]
"""Key and number of a published process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """The care was moved from one version of a process to another; `steps`: what was said of where steps lead."""

    at: datetime
    before: Version
    steps: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """The facts of one order.

    Args:
        level, level_since: with which its care began.
        known, no_messages_since: on which ground the number may be called, and whether it may be written to.
        decided: when something was decided about it.
        late: instant at which something was owed → when it was decided, where that was later.
        do_not_call: since when others forbid calls to the number, and when that was known.
        presence: of those who held the number.
        ways: the moves of its care between versions, the first one first.
        until: up to when the real care has been looked at.
    """

    order_id: UUID
    level: str
    level_since: datetime
    known: Known
    no_messages_since: datetime | None = None
    assignments: tuple[Assignment, ...]
    interactions: tuple[Logged, ...] = ()
    levels: tuple[LevelSet, ...] = ()
    commands: tuple[Ordered, ...] = ()
    arrivals: tuple[tuple[datetime, datetime], ...] = ()
    elsewhere: tuple[Elsewhere, ...] = ()
    do_not_call: tuple[datetime, datetime] | None = None
    claims: tuple[Claim, ...] = ()
    presence: Presence = field(default_factory=Presence)
    ways: tuple[Way, ...] = ()
    decided: tuple[datetime, ...] = ()
    late: Mapping[datetime, datetime] = field(default_factory=dict)
    until: datetime


@dataclass(slots=True, kw_only=True)
class TaskLife:
    """A task with its promise, from its opening to its end."""

    key: str
    step: str
    kind: str
    promise: str
    owner_id: UUID | None
    due_at: datetime
    deadline_at: datetime
    opened_at: datetime
    closed_at: datetime | None = None
    outcome: str = ""
    cause: str = ""
    promised: str = ""  # kept, broken, cancelled; '' while it is open
    promise_cause: str = ""
    promise_at: datetime | None = None
    late_seconds: int = 0
    void: bool = False  # of a result that was taken back: it counts nowhere


@dataclass(slots=True, kw_only=True)
class Life:
    """What a process made of an order."""

    tasks: dict[str, TaskLife] = field(default_factory=dict)
    levels: list[tuple[str, datetime, str]] = field(default_factory=list)
    level: str = ""
    outcome: str = ""  # how care ended; '' while it goes on
    unplaced: int = 0  # results that no step knew
