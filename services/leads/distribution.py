"""Who gets which lead: weighted turns with an exact memory of who is owed how much. Pure.

For each lead every candidate is credited with their share of it, weight ÷ weights of all candidates, and whoever gets
the lead pays one. Of those who are owed something, the one gets it who would first be owed a whole lead (earliest
deadline first). As long as the same people are there, nobody is ever a whole lead away from their share: that is the
schedulability of earliest deadline first on one resource (Liu and Layland 1973; Tijdeman's chairman assignment problem
1980). Credits outlive absences, so whoever comes back goes on where they left, without a flood of leads to catch up.

Candidates of a lead are those who are present, below all their limits and skilled; only they are credited, so nobody's
absence, full hands or missing skill makes others owe them anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal
from uuid import UUID

LEAD: Final = 10**12
"""Credit for one lead. Fine enough that rounding shares down costs less than one lead in 10^9 leads of 50 people."""
UNBOUNDED: Final = 2**31
"""Room of a person without limits: more leads than there are."""

Cause = Literal["distribution", "sticky"]
TURN: Final[Cause] = "distribution"
STICKY: Final[Cause] = "sticky"

CLOSER: Final = "closer"
"""Reason of a decision: a returning customer for whoever closed their last order (rule D24)."""
RETURNING: Final = "returning"
"""Reason of a decision: a returning customer for the pool that cares for them (rule D24)."""

Topic = tuple[str, str, str]
"""Channel, product and landing page of a lead: what skills are about."""


class Standing(StrEnum):
    """Whether a member of a pool is there to be given leads, apart from limits and skills."""

    ON_DUTY = "on_duty"
    OFF_DUTY = "off_duty"
    PAUSED = "paused"
    OFF_SHIFT = "off_shift"
    HOLIDAY = "holiday"
    """They would be in their shift, were it not a holiday."""
    INACTIVE = "inactive"
    """The account is locked, or not known here yet."""


Obstacle = Literal[
    "off_duty", "paused", "off_shift", "holiday", "inactive", "full", "day_full", "shift_full", "excluded", "unskilled"
]
"""Why somebody is not a candidate for a lead."""


@dataclass(frozen=True, slots=True)
class Skills:
    """What a member takes; an empty set takes everything.

    A product that ends in * is a product group, all codes that begin so; case does not matter. A lead without a product
    asks for no skill in products, but one without a landing page comes from none of the pages named.
    """

    products: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    landing_pages: frozenset[str] = frozenset()

    def take(self, topic: Topic) -> bool:
        """Whether a lead of this topic is theirs."""
        channel, product, landing_page = topic
        return (
            (not self.channels or channel in self.channels)
            and (not self.landing_pages or landing_page in self.landing_pages)
            and (not self.products or not product or self._knows(product))
        )

    def _knows(self, product: str) -> bool:
        code = product.casefold()
        return any(
            code.startswith(known[:-1]) if known.endswith("*") else code == known
            for known in map(str.casefold, self.products)
        )


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a pool at the start of a round. What is counted is counted of all pools.

    Args:
        load: leads in care; only looked at, as the other counts, when it is limited.
        capacity: leads in care at most.
        today, in_shift: leads that distribution gave them in the day and in the present shift.
        day_quota, shift_quota: the same at most.
        skill_set: number under which their skills are kept; None with everybody who takes everything.
    """

    account_id: UUID
    weight: int
    credit: int
    standing: Standing
    load: int = 0
    capacity: int | None = None
    today: int = 0
    day_quota: int | None = None
    in_shift: int = 0
    shift_quota: int | None = None
    skill_set: int | None = None
    skills: Skills | None = None

    @property
    def room(self) -> int:
        """How many more leads this person can be given now."""
        if self.standing is not Standing.ON_DUTY:
            return 0
        room = UNBOUNDED
        if self.capacity is not None:
            room = self.capacity - self.load
        if self.day_quota is not None:
            room = min(room, self.day_quota - self.today)
        if self.shift_quota is not None:
            room = min(room, self.shift_quota - self.in_shift)
        return max(0, room)

    @property
    def free(self) -> bool:
        """Whether this person can be given another lead, of a topic that they take."""
        return self.room > 0

    def takes(self, topic: Topic | None) -> bool:
        """Whether this person is skilled for a lead."""
        return self.skills is None or topic is None or self.skills.take(topic)

    def obstacle(self, waiting: Waiting) -> Obstacle | None:
        """Why this person cannot be given a lead now; None for a candidate."""
        if self.standing is not Standing.ON_DUTY:
            return self.standing.value  # type: ignore[return-value]  # the values are among the obstacles
        if self.capacity is not None and self.load >= self.capacity:
            return "full"
        if self.day_quota is not None and self.today >= self.day_quota:
            return "day_full"
        if self.shift_quota is not None and self.in_shift >= self.shift_quota:
            return "shift_full"
        if self.account_id in waiting.excluded:
            return "excluded"
        return None if self.takes(waiting.topic) else "unskilled"

    def given(self, count: int, *, credit: int | None = None) -> Member:
        """The same person after this many leads more, and with what they are owed then, if that changed."""
        if not count and (credit is None or credit == self.credit):
            return self
        # Written out: this runs for everybody in each round, and `replace` takes twice as long.
        return Member(
            self.account_id,
            self.weight,
            self.credit if credit is None else credit,
            self.standing,
            self.load + count,
            self.capacity,
            self.today + count,
            self.day_quota,
            self.in_shift + count,
            self.shift_quota,
            self.skill_set,
            self.skills,
        )


@dataclass(slots=True)
class Waiting:
    """A lead that waits for an owner.

    Args:
        sticky_id: is asked first.
        excluded: must not get it.
        topic: asks for skills; None when nobody in the pool is limited to some.
        only_sticky: nobody of this pool but `sticky_id` may have it: another pool takes it if they cannot.
    """

    lead_id: UUID
    sticky_id: UUID | None = None
    excluded: tuple[UUID, ...] = ()
    topic: Topic | None = None
    only_sticky: bool = False


@dataclass(slots=True)
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
    free = {seat.id: seat for seat in seats.values() if seat.room > 0}
    skilled: dict[Topic | None, _Turns] = {}
    decisions: list[Decision] = []
    left: list[Waiting] = []
    for waiting in queue:
        turns = skilled.get(waiting.topic)
        if turns is None:
            turns = skilled[waiting.topic] = _Turns([seat for seat in free.values() if seat.takes(waiting.topic)])
        if waiting.excluded:
            turns = _Turns([seat for seat in turns.seats if seat.id not in waiting.excluded])
        sticky = free.get(waiting.sticky_id) if waiting.sticky_id else None
        if sticky is not None and sticky in turns.seats:
            chosen, cause = sticky, STICKY
        elif turns.seats and not waiting.only_sticky:
            chosen, cause = turns.take(), TURN
        else:
            left.append(waiting)
            continue
        chosen.get()
        if not chosen.room:
            del free[chosen.id]
            skilled.clear()
        decisions.append(Decision(waiting, chosen.id, cause))
    return Round(tuple(decisions), tuple(left), tuple(seat.member() for seat in seats.values()))


class _Seat:
    """A member while a round goes on."""

    __slots__ = ("_given", "_member", "credit", "id", "room", "takes", "weight")

    def __init__(self, member: Member) -> None:
        self._member = member
        self.id = member.account_id
        self.weight = member.weight
        self.credit = member.credit
        self.room = member.room
        self.takes = member.takes
        self._given = 0

    def get(self) -> None:
        """One lead more."""
        self.room -= 1
        self._given += 1

    def member(self) -> Member:
        return self._member.given(self._given, credit=self.credit)


class _Turns:
    """Turns among those who can take a lead."""

    __slots__ = ("_shares", "seats")

    def __init__(self, seats: Sequence[_Seat]) -> None:
        self.seats = seats
        weights = sum(seat.weight for seat in seats)
        self._shares = [(seat, LEAD * seat.weight // weights) for seat in seats]

    def take(self) -> _Seat:
        """Credits everybody with their share and charges the one whose turn it is."""
        first: _Seat | None = None
        earliest = 0
        most = self.seats[0]
        for seat, share in self._shares:
            seat.credit = credit = seat.credit + share
            if credit > 0:
                # Leads until the credit reaches a whole one, up to the factor that all share; ties go by account id.
                deadline = (LEAD - credit) // seat.weight
                if first is None or deadline < earliest:
                    first, earliest = seat, deadline
            elif first is None and credit > most.credit:
                most = seat
        # When only those who are absent are owed something, whoever received ahead by least goes on.
        chosen = first or most
        chosen.credit -= LEAD
        return chosen
