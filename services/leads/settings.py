"""Settings of the leads service."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from shared.settings import Settings


class LeadsSettings(Settings):
    """Also read: how long a number that comes again counts as the same lead."""

    duplicate_window_days: int = Field(
        default=7, ge=0, le=365, description="N: the same phone within N x 24 hours of its first arrival is a duplicate"
    )

    @property
    def duplicate_window(self) -> timedelta:
        """From the first arrival on, half open (rule D9)."""
        return timedelta(days=self.duplicate_window_days)
