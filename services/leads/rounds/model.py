"""What goes into rounds and what comes of them, and the record of who there was to choose from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import orjson

from services.leads.distribution import Decision, Member, Standing, Waiting


@dataclass(frozen=True, slots=True)
class Fresh:
    """A lead that asks for an owner in this transaction and is not in the backlog.

    `pool_id` is None when no pool's rules fit. `holder_id` loses it (a reassignment); None for a new lead.
    """

    lead_id: UUID
    pool_id: UUID | None
    received_at: datetime
    cause: str = "distribution"
    sticky_id: UUID | None = None
    excluded: tuple[UUID, ...] = ()
    holder_id: UUID | None = None
    reason: str = ""

    @property
    def waiting(self) -> Waiting:
        return Waiting(self.lead_id, self.sticky_id, self.excluded)


@dataclass(frozen=True, slots=True)
class Release:
    """A lead that is to be taken from its holder; without one it waits, or lies in the floating pool already."""

    lead_id: UUID
    holder_id: UUID | None
    cause: str
    reason: str


@dataclass(frozen=True, slots=True)
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


def snapshot_of(members: Sequence[Member]) -> str:
    """The members as they stand at the start of a round, to be kept."""
    return orjson.dumps(
        [
            (str(one.account_id), one.weight, one.credit, one.standing, one.load, one.capacity)
            for one in sorted(members, key=lambda member: member.account_id)
        ]
    ).decode()


def members_of(snapshot: str) -> list[Member]:
    """The members as they stood at the start of a recorded round."""
    return [
        Member(UUID(account), weight, credit, Standing(standing), load, capacity)
        for account, weight, credit, standing, load, capacity in orjson.loads(snapshot)
    ]
