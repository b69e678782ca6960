"""Who gets which lead: weighted turns with an exact memory of who is owed how much. Pure.

For each lead every candidate is credited with their share of it, weight ÷ weights of all candidates, and whoever gets
the lead pays one. Of those who are owed something, the one gets it who would first be owed a whole lead (earliest
deadline first). As long as the same people are there, nobody is ever a whole lead away from their share: that is the
schedulability of earliest deadline first on one resource (Liu and Layland 1973; Tijdeman's chairman assignment problem
1980). Credits outlive absences, so whoever comes back goes on where they left, without a flood of leads to catch up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Literal
from uuid import UUID

LEAD: Final = 10**12
"""Credit for one lead. Fine enough that rounding shares down costs less than one lead in 10^9 leads of 50 people."""

Cause = Literal["distribution", "sticky"]
TURN: Final[Cause] = "distribution"
STICKY: Final[Cause] = "sticky"


class Standing(StrEnum):
    """Whether a member of a pool can be given leads, apart from the bound on leads in care."""

    ON_DUTY = "on_duty"
    OFF_DUTY = "off_duty"
    INACTIVE = "inactive"
    """The account is locked, or not known here yet."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a pool at the start of a round. `load` counts leads in care; without capacity it is not looked at."""

    account_id: UUID
    weight: int
    credit: int
    standing: Standing
    load: int = 0
    capacity: int | None = None

    @property
    def free(self) -> bool:
        """Whether this person can be given another lead."""
        return self.standing is Standing.ON_DUTY and (self.capacity is None or self.load < self.capacity)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A lead that waits for an owner: `sticky_id` is asked first, `excluded` must not get it."""

    lead_id: UUID
    sticky_id: UUID | None = None
    excluded: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    waiting: Waiting
    owner_id: UUID
    cause: Cause


@dataclass(frozen=True, slots=True)
class Round:
    """What came of a round: decisions in order, the leads nobody could take, and the members afterwards."""

    decisions: tuple[Decision, ...]
    left: tuple[Waiting, ...]
    members: tuple[Member, ...]


def distribute(members: Iterable[Member], queue: Iterable[Waiting]) -> Round:
    """Decides for the leads of a queue in their order; the same arguments always give the same round."""
    seats = {member.account_id: _Seat(member) for member in sorted(members, key=lambda member: member.account_id)}
    free = {seat.id: seat for seat in seats.values() if seat.free}
    decisions: list[Decision] = []
    left: list[Waiting] = []
    for waiting in queue:
        candidates = (
            [seat for seat in free.values() if seat.id not in waiting.excluded]
            if waiting.excluded
            else [*free.values()]
        )
        if not candidates:
            left.append(waiting)
            continue
        sticky = free.get(waiting.sticky_id) if waiting.sticky_id else None
        if sticky is not None and sticky in candidates:
            chosen, cause = sticky, STICKY
        else:
            chosen, cause = _take_turn(candidates), TURN
        chosen.load += 1
        if not chosen.free:
            del free[chosen.id]
        decisions.append(Decision(waiting, chosen.id, cause))
    return Round(tuple(decisions), tuple(left), tuple(seat.member() for seat in seats.values()))


class _Seat:
    """A member while a round goes on."""

    __slots__ = ("_member", "can_work", "capacity", "credit", "id", "load", "weight")

    def __init__(self, member: Member) -> None:
        self._member = member
        self.id = member.account_id
        self.weight = member.weight
        self.credit = member.credit
        self.load = member.load
        self.capacity = member.capacity
        self.can_work = member.standing is Standing.ON_DUTY

    @property
    def free(self) -> bool:
        return self.can_work and (self.capacity is None or self.load < self.capacity)

    def member(self) -> Member:
        return replace(self._member, credit=self.credit, load=self.load)


def _take_turn(candidates: Sequence[_Seat]) -> _Seat:
    """Credits everybody with their share and charges the one whose turn it is."""
    weights = sum(seat.weight for seat in candidates)
    for seat in candidates:
        seat.credit += LEAD * seat.weight // weights
    owed = [seat for seat in candidates if seat.credit > 0]
    if owed:
        # Leads until a credit reaches a whole one, up to the factor that all share; ties go by account id.
        chosen = min(owed, key=lambda seat: (LEAD - seat.credit) // seat.weight)
    else:
        # Only those who are absent are owed something.
        chosen = max(candidates, key=lambda seat: seat.credit)
    chosen.credit -= LEAD
    return chosen
