"""Repeatable randomness for switches that make things go wrong.

Rates are probabilities from 0 to 1. Whether a fault hits is decided by the seed, the fault's name, the thing it would
hit (a reference, a callback) and how often that was tried, so that a run is repeatable whatever the order of calls.
"""

from collections import Counter
from random import Random
from typing import Annotated

from pydantic import Field

Rate = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0, le=600)]


class Dice:
    """The n-th throw for one fault and one key always falls alike for one seed."""

    def __init__(self, *, seed: int) -> None:
        self._seed = seed
        self._throws: Counter[tuple[str, str]] = Counter()

    def hits(self, fault: str, *, rate: float, key: str) -> bool:
        """Whether the fault named `fault` hits `key` this time."""
        return rate > 0 and self.fraction(fault, key=key) < rate

    def fraction(self, name: str, *, key: str) -> float:
        """A number in [0, 1)."""
        throw = self._throws[name, key]
        self._throws[name, key] += 1
        return Random(f"{self._seed}:{name}:{key}:{throw}").random()
