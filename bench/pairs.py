"""Ours and the limit in turns: whatever else the machine is doing meets both, and one bad moment decides nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

T = TypeVar("T")

ROUNDS: Final = 5
"""Odd, so that one of the rounds is the median."""


@dataclass(frozen=True)
class Pair(Generic[T]):
    """What one round showed."""

    ours: T
    limit: T


async def in_turns(
    *, ours: Callable[[], Awaitable[T]], limit: Callable[[], Awaitable[T]], rounds: int = ROUNDS
) -> list[Pair[T]]:
    """Measures both in every round, each round in the other order.

    Args:
        ours, limit: measure one round.
    """
    pairs = []
    for number in range(rounds):
        if number % 2:
            mine = await ours()
            pairs.append(Pair(mine, await limit()))
        else:
            bare = await limit()
            pairs.append(Pair(await ours(), bare))
    return pairs


def median(pairs: Sequence[Pair[T]], value: Callable[[T], float]) -> Pair[T]:
    """The round whose ratio of ours to the limit is the median."""
    ordered = sorted(pairs, key=lambda pair: value(pair.ours) / value(pair.limit))
    return ordered[len(ordered) // 2]
