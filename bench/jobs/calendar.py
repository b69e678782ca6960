"""Deadlines in business time, in one process, against bare arithmetic with instants of one zone.

Ours: for random instants of a year, when so much working time of the standard calling hours has passed: noon rests,
Sundays, every public holiday of eleven years, and a thousand special days besides. The limit: the same instants to the
wall clock of the zone, a duration added, and back.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from bench.machine import Machine
from bench.pairs import in_turns, median
from bench.result import Result
from shared.calendar import VIETNAM, Calendar
from shared.public_holidays import vietnam

WANTED = 50_000
"""Computations a second that one process has to do; an absolute figure, told besides the ratio."""


async def run(machine: Machine, size: int) -> Result:
    """`size` deadlines and as many bare sums, in turns."""
    random = Random(1)
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    asked = [
        (
            begin + timedelta(seconds=random.randrange(365 * 86_400)),
            timedelta(minutes=random.choice([5, 15, 60, 240, 960])),
        )
        for _ in range(size)
    ]
    calendar = Calendar.of(
        weekly=[["08:00-12:00", "13:30-20:30"]] * 6 + [["08:30-12:00", "13:30-17:30"]],
        closed=vietnam(range(2025, 2036)),
        extra={date(2025, 1, 1) + timedelta(days=3 * n): ["09:00-15:00"] for n in range(1_000)},
    )
    zone = ZoneInfo(VIETNAM)

    async def ours() -> float:
        return _rate(calendar.add, asked)

    async def limit() -> float:
        return _rate(lambda at, delay: (at.astimezone(zone) + delay).astimezone(UTC), asked)

    await ours()  # the clock changes of the zone are looked up once
    shown = median(await in_turns(ours=ours, limit=limit), lambda rate: rate)
    return Result(
        job="deadlines",
        ours=shown.ours,
        limit=shown.limit,
        unit="deadlines/s",
        limit_is="the same instants to the wall clock, a duration added, and back",
        budget=0.08,
        note=f"asked for: {WANTED:,} a second; binary searches, so ten times the special days cost a few % more",
    )


def _rate(compute: Callable[[datetime, timedelta], datetime], asked: list[tuple[datetime, timedelta]]) -> float:
    """A second of this process's own time: whatever else the machine does meanwhile is not counted."""
    begun = time.process_time()
    for at, delay in asked:
        compute(at, delay)
    return len(asked) / (time.process_time() - begun)
