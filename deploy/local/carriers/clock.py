"""Simulated time: real time plus what a test or an operator has skipped."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta


def wall_clock() -> datetime:
    return datetime.now(UTC)


class SimulatedClock:
    """A clock that can be moved forward.

    Parameters: `wall` returns real time (timezone-aware); tests give their own.
    """

    def __init__(self, wall: Callable[[], datetime] = wall_clock) -> None:
        self._wall = wall
        self._skipped = timedelta()

    def now(self) -> datetime:
        return self._wall() + self._skipped

    def skip(self, duration: timedelta) -> None:
        self._skipped += duration

    def reset(self) -> None:
        self._skipped = timedelta()
