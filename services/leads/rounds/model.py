"""What goes into rounds and what comes of them, and the record of who there was to choose from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Final
from uuid import UUID

import orjson

from services.leads.distribution import RETURNING, Decision, Member, Skills, Standing, Topic, Waiting

NO_TOPIC: Final[Topic] = ("", "", "")
_UNLIMITED: Final = (0, None, 0, None, None)
"""What an entry of a snapshot leaves out."""
_SKILL_SET: Final = 10
"""Place of the skill set in an entry of a snapshot."""


@dataclass(slots=True)
class Fresh:
    """A lead that asks for an owner in this transaction and is not in the backlog.

    `pool_id` is None when no pool's rules fit. `holder_id` loses it (a reassignment); None for a new lead. With
    `fallback_id` nobody of the pool but `sticky_id` may have it: when they cannot, it is that other pool's (rule D24).
    """

    lead_id: UUID
    pool_id: UUID | None
    received_at: datetime
    cause: str = "distribution"
    sticky_id: UUID | None = None
    excluded: tuple[UUID, ...] = ()
    holder_id: UUID | None = None
    reason: str = ""
    topic: Topic = NO_TOPIC
    fallback_id: UUID | None = None

    def waiting(self, *, skills: bool) -> Waiting:
        """As the rules see it, with its topic if somebody's skills are to be looked at."""
        return Waiting(
            self.lead_id,
            self.sticky_id,
            self.excluded,
            topic=self.topic if skills else None,
            only_sticky=self.fallback_id is not None,
        )

    def fallen_back(self) -> Fresh:
        """The same lead for the pool that takes it when its last closer cannot."""
        if self.fallback_id is None:
            return self
        return replace(self, pool_id=self.fallback_id, fallback_id=None, reason=RETURNING)


@dataclass(frozen=True, slots=True)
class Release:
    """A lead that is to be taken from its holder; without one it waits, or lies in the floating pool already."""

    lead_id: UUID
    holder_id: UUID | None
    cause: str
    reason: str


@dataclass(slots=True)
class Placed:
    """A decision, with what it takes to write it down."""

    decision: Decision
    pool_id: UUID
    round: int
    position: int
    cause: str
    code: str
    team: str
    previous_owner_id: UUID | None
    reason: str

    @property
    def lead_id(self) -> UUID:
        return self.decision.waiting.lead_id


@dataclass(slots=True)
class Decided:
    """The rounds of one transaction, decided but not yet written."""

    at: datetime
    placed: list[Placed] = field(default_factory=list)
    unplaced: list[Fresh] = field(default_factory=list)
    """Fresh leads that nobody could take."""
    more: bool = False
    """Whether a backlog may have further leads that somebody could take."""
    rounds: list[tuple[UUID, int, str]] = field(default_factory=list)
    credits: list[tuple[UUID, UUID, int]] = field(default_factory=list)
    uses: list[tuple[UUID, date, int, str]] = field(default_factory=list)
    """What is counted of people afterwards: account, day, leads given in it, and in their present shift (as JSON)."""


def snapshot_of(members: Sequence[Member]) -> str:
    """The members as they stand at the start of a round, to be kept: without what nobody limited."""
    return orjson.dumps([_entry(one) for one in sorted(members, key=lambda member: member.account_id)]).decode()


def _entry(one: Member) -> list[object]:
    entry: list[object] = [str(one.account_id), one.weight, one.credit, one.standing, one.load, one.capacity]
    if one.day_quota is not None or one.shift_quota is not None or one.skill_set is not None:
        entry += [one.today, one.day_quota, one.in_shift, one.shift_quota, one.skill_set]
    return entry


def members_of(snapshot: str, skill_sets: Mapping[int, Skills]) -> list[Member]:
    """The members as they stood at the start of a recorded round."""
    members = []
    for account, weight, credit, standing, *counts in orjson.loads(snapshot):
        load, capacity, today, day_quota, in_shift, shift_quota, skill_set = (*counts, *_UNLIMITED)[:7]
        members.append(
            Member(
                UUID(account),
                weight,
                credit,
                Standing(standing),
                load=load,
                capacity=capacity,
                today=today,
                day_quota=day_quota,
                in_shift=in_shift,
                shift_quota=shift_quota,
                skill_set=skill_set,
                skills=None if skill_set is None else skill_sets[skill_set],
            )
        )
    return members


def skill_sets_in(snapshots: Iterable[str]) -> set[int]:
    """The skill sets that snapshots name."""
    return {
        entry[_SKILL_SET]
        for snapshot in snapshots
        for entry in orjson.loads(snapshot)
        if len(entry) > _SKILL_SET and entry[_SKILL_SET] is not None
    }
