"""What somebody may take from the floating pool (rule D40). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from services.leads.errors import ClaimOfOwnRelease, ClaimsOfDayUsed, ClaimsUncalled
from shared.errors import Problem


@dataclass(frozen=True, slots=True)
class Limits:
    """A company's bounds. `own_release`: for so long nobody takes back what was taken from them. `zone`: whose midnight
    begins a day, and whose clock people are told."""

    per_day: int
    uncalled: int
    own_release: timedelta
    viewing: timedelta
    stay: timedelta
    """A number that lies in the pool for so long is archived (rule D14)."""
    zone: ZoneInfo

    def midnight(self, now: datetime) -> datetime:
        """When the present day began."""
        return now.astimezone(self.zone).replace(hour=0, minute=0, second=0, microsecond=0)

    def clock(self, at: datetime) -> str:
        """An instant as people read it."""
        return f"{at.astimezone(self.zone):%H:%M:%S %d/%m/%Y}"


@dataclass(frozen=True, slots=True)
class Claimer:
    """What somebody has taken so far: claims of the present day, and claimed numbers they hold without having called."""

    today: int
    uncalled: int


def refusal(limits: Limits, claimer: Claimer, *, released_at: datetime | None, now: datetime) -> Problem | None:
    """Why somebody may not take another number, with the figures and what to do; None = they may.

    Args:
        released_at: when the number was last taken from this person, or put into the pool by them.
    """
    if claimer.today >= limits.per_day:
        return ClaimsOfDayUsed(used=claimer.today, limit=limits.per_day)
    if claimer.uncalled >= limits.uncalled:
        return ClaimsUncalled(uncalled=claimer.uncalled, limit=limits.uncalled)
    if released_at is not None and now < released_at + limits.own_release:
        free_from = released_at + limits.own_release
        return ClaimOfOwnRelease(
            days=limits.own_release.days, free_from=free_from.isoformat(), free_clock=limits.clock(free_from)
        )
    return None


def leaves_at(limits: Limits, floating_since: datetime) -> datetime:
    """When a number that nobody claims is archived."""
    return floating_since + limits.stay
