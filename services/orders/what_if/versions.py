"""Which version of its process a care is in while it lives once more: that in which it was, until it was moved for the last
time; from then on, and from its beginning if it never was, the one that is tried. Pure.

So a move is a fact like any other: the process that was in force gives what was recorded before it and after it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from services.orders.care.decide import decide
from services.orders.care.effects import Decision
from services.orders.care.facts import Facts
from services.orders.care.process import CareProcess
from services.orders.care.relocate import relocate
from services.orders.what_if.recorded import Version, Way

ProcessAt = Callable[[datetime, str], CareProcess]
"""The process in the business time of an instant, for a team."""
Published = Mapping[Version, ProcessAt]
"""Versions in which care was until it was moved."""


class Versions:
    """Decides in the version of the moment; takes the care along where it was moved.

    Args:
        tried: the process that is tried.
        published: at least those that it was moved from.
        ways: the moves of the care, the first one first.
    """

    def __init__(self, tried: ProcessAt, published: Published, ways: tuple[Way, ...]) -> None:
        self._in = [*(published[way.before] for way in ways), tried]
        self._ways = ways
        self._place = 0

    def process(self, now: datetime, team: str) -> CareProcess:
        """The version in which the care is, in the business time of now."""
        return self._in[self._place](now, team)

    def decide(self, facts: Facts, now: datetime, *, team: str) -> Decision:
        """
        Raises:
            UnknownResult, NeverOpen: as `decide`.
        """
        if facts.state is None:
            while self._is_moved(now):  # before it had begun
                self._place += 1
        if not self._is_moved(now):
            return decide(self.process(now, team), facts, now)
        new = self._in[self._place + 1](now, team)
        steps = {old: step for old, step in self._ways[self._place].steps.items() if step in new.steps}
        done = relocate(self.process(now, team), new, facts, steps=steps, now=now)
        self._place += 1
        return done.decision

    def _is_moved(self, now: datetime) -> bool:
        return self._place < len(self._ways) and self._ways[self._place].at <= now
