"""Settings of the leads service."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, field_validator

from services.leads.floating.limits import Limits
from services.leads.waiting.hours import calendar
from shared.settings import Settings, WebAddress
from shared.vault import OptionalCredentialsKey


class LeadsSettings(Settings):
    """Also read: how long a number that comes again counts as the same lead, the bounds of the floating pool, and how
    Facebook is reached."""

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

    credentials_key: OptionalCredentialsKey = Field(
        default=SecretStr(""),
        description="32 random bytes in urlsafe base64, which encrypt the tokens of Facebook pages; never in the database; "
        "'' = no page can be connected",
    )
    public_url: WebAddress = Field(
        default="http://127.0.0.1:8101", description="address under which Facebook reaches this service's webhook"
    )
    facebook_url: WebAddress = Field(
        default="https://graph.facebook.com/v25.0", description="the Graph API with its version, or a simulator of it"
    )
    facebook_timeout: float = Field(default=15.0, gt=0, le=60, description="seconds that Facebook may take to answer")
    facebook_pace: float = Field(
        default=1.0,
        gt=0,
        le=10,
        description="factor of all pauses towards Facebook; far below 1 only against a simulator",
    )

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
            zone=ZoneInfo(self.timezone),
        )
