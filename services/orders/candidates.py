"""What may be on a page, by everything that an index knows, before its rows are looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class Candidates:
    """Ids that may be meant, the newest first."""

    ids: Sequence[UUID]
    place: UUID | None
    """Whatever may be meant from there on is in `ids`; None: all."""

    def but(self, others: Sequence[Candidates]) -> Candidates:
        """Without what is in the span of another list, and not on it."""
        ids = list(self.ids)
        for other in others:
            known = set(other.ids)
            ids = [id for id in ids if id in known or (other.place is not None and id < other.place)]
        return Candidates(ids, self.place)

    def __or__(self, other: Candidates) -> Candidates:
        """What is on either, as far back as both reach."""
        place = max((each.place for each in (self, other) if each.place is not None), default=None)
        ids = {id for each in (self, other) for id in each.ids if place is None or id >= place}
        return Candidates(sorted(ids, reverse=True), place)


def full(ids: Sequence[UUID], *, enough: int) -> Candidates:
    """A list that was read until it had enough, or to its end."""
    return Candidates(ids, ids[-1] if len(ids) == enough else None)


def narrowest(lists: Sequence[Candidates]) -> Candidates:
    """Those of the list that reaches furthest back, which no other list leaves out."""
    best = min(lists, key=lambda each: (each.place or UUID(int=0), len(each.ids)))
    return best.but([each for each in lists if each is not best])
