"""Transactions that take numbers in one behind the other: when each may take its locks, and whom it tells that it has them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Locking:
    """The place of a transaction among others of the same work.

    Args:
        turn: returns when the one before has all its locks, so that two of them never wait for one another.
        done: told when all that others may want is locked and decided, and only writing is left.
    """

    turn: Callable[[], Awaitable[None]]
    done: Callable[[], None]


async def _at_once() -> None:
    """Nobody is before it."""


def _nobody_waits() -> None:
    """Nobody is behind it."""


ALONE: Final = Locking(_at_once, _nobody_waits)
