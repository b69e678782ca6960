"""Settings of the leads service."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field, field_validator

from services.leads.floating.limits import Limits
from services.leads.waiting.hours import calendar
from shared.settings import Settings


class LeadsSettings(Settings):
    """Also read: how long a number that comes again counts as the same lead, and the bounds of the floating pool."""

    duplicate_window_days: int = Field(
        default=7, ge=0, le=365, description="N: the same phone within N x 24 hours of its first arrival is a duplicate"
    )
    claims_per_day: int = Field(default=20, ge=0, le=10_000, description="numbers a person may claim in a day")
    claims_uncalled: int = Field(
        default=30, ge=1, le=10_000, description="claimed numbers a person may hold without having called them"
    )
    claim_own_release_days: int = Field(
        default=7, ge=0, le=365, description="days in which nobody claims what was released from them"
    )
    viewing_lock_minutes: int = Field(
        default=3, ge=1, le=60, description="minutes for which one person alone looks at a number of the floating pool"
    )
    floating_days: int = Field(
        default=30, ge=1, le=3650, description="days after which a number that nobody claims is archived"
    )
    unassigned_alarm_minutes: int = Field(
        default=15, ge=1, le=10_000, description="business minutes after which a new number without owner is raised"
    )
    business_hours: str = Field(
        default="mon-sat 08:00-12:00 13:30-20:30; sun 08:30-12:00 13:30-17:30",
        description="hours in which customers are called; public holidays are closed",
    )
    reveal_after_end_days: int = Field(
        default=30,
        ge=0,
        le=3650,
        description="days after the end of an order in which its owner may still see the number",
    )

    @field_validator("business_hours")
    @classmethod
    def _is_a_calendar(cls, written: str) -> str:
        calendar(written, zone="UTC")
        return written

    @property
    def duplicate_window(self) -> timedelta:
        """From the first arrival on, half open (rule D9)."""
        return timedelta(days=self.duplicate_window_days)

    @property
    def unassigned_alarm(self) -> timedelta:
        """In business time (rule D7)."""
        return timedelta(minutes=self.unassigned_alarm_minutes)

    @property
    def floating_limits(self) -> Limits:
        """The floating pool's bounds (rules D14, D40)."""
        return Limits(
            per_day=self.claims_per_day,
            uncalled=self.claims_uncalled,
            own_release=timedelta(days=self.claim_own_release_days),
            viewing=timedelta(minutes=self.viewing_lock_minutes),
            stay=timedelta(days=self.floating_days),
        )
