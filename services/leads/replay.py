"""Decides recorded rounds again: the record of a decision is complete exactly when this gives the same owners."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg

from services.leads.distribution import Member, Round, Waiting, distribute
from services.leads.driver import Connection
from services.leads.rounds import members_of, skill_sets_in, skills_of

_ROUNDS: Final = """
SELECT sequence, members::text AS members FROM distribution_rounds
WHERE pool_id = $1 AND sequence > $2 ORDER BY sequence LIMIT $3
"""
_MEMBERS: Final = "SELECT members::text FROM distribution_rounds WHERE pool_id = $1 AND sequence = $2"
_DECISIONS: Final = """
SELECT round, lead_id, owner_id, sticky_id, excluded, topic FROM assignments
WHERE pool_id = $1 AND round = ANY($2::bigint[]) ORDER BY round, position
"""


@dataclass(frozen=True, slots=True)
class RecordedRound:
    """A round as it was written down: whom there was to choose from, and who got what, in order."""

    sequence: int
    members: tuple[Member, ...]
    queue: tuple[Waiting, ...]
    owners: tuple[UUID, ...]

    def again(self) -> Round:
        """The same round, decided from its record alone."""
        return distribute(self.members, self.queue)

    @property
    def differing(self) -> list[UUID]:
        """Leads that would now get another owner than they got."""
        decided = {decision.waiting.lead_id: decision.owner_id for decision in self.again().decisions}
        return [
            waiting.lead_id
            for waiting, owner in zip(self.queue, self.owners, strict=True)
            if decided.get(waiting.lead_id) != owner
        ]


def waiting_of(
    lead_id: UUID, *, sticky_id: UUID | None, excluded: Sequence[UUID], topic: Sequence[str] | None
) -> Waiting:
    """The lead of a recorded decision as the rules saw it."""
    asked = None if topic is None else (topic[0], topic[1], topic[2])
    return Waiting(lead_id, sticky_id, tuple(excluded), topic=asked)


async def recorded_rounds(
    connection: Connection, pool_id: UUID, *, after: int = 0, limit: int = 1_000
) -> list[RecordedRound]:
    """Rounds of a pool in their order.

    Args:
        after: sequence of the last round already known.
    """
    rounds = await connection.fetch(_ROUNDS, pool_id, after, limit)
    decisions = await connection.fetch(_DECISIONS, pool_id, [row["sequence"] for row in rounds])
    by_round: dict[int, list[asyncpg.Record]] = {row["sequence"]: [] for row in rounds}
    for row in decisions:
        by_round[row["round"]].append(row)
    skill_sets = await skills_of(connection, skill_sets_in(row["members"] for row in rounds))
    return [
        _recorded(row["sequence"], members_of(row["members"], skill_sets), by_round[row["sequence"]]) for row in rounds
    ]


def _recorded(sequence: int, members: Iterable[Member], decisions: Sequence[asyncpg.Record]) -> RecordedRound:
    return RecordedRound(
        sequence,
        tuple(members),
        tuple(
            waiting_of(row["lead_id"], sticky_id=row["sticky_id"], excluded=row["excluded"], topic=row["topic"])
            for row in decisions
        ),
        tuple(row["owner_id"] for row in decisions),
    )


async def recorded_round(connection: Connection, pool_id: UUID, sequence: int, *, until: int) -> RecordedRound:
    """One round up to, without, the decision at a position."""
    members = await connection.fetchval(_MEMBERS, pool_id, sequence)
    decisions = await connection.fetch(_DECISIONS, pool_id, [sequence])
    skill_sets = await skills_of(connection, skill_sets_in([members]))
    return _recorded(sequence, members_of(members, skill_sets), decisions[:until])
