"""Settings of the reporting service."""

from __future__ import annotations

from pydantic import Field

from shared.settings import Settings


class ReportingSettings(Settings):
    """Also read: where the dashboard's sign-in form finds the staff service."""

    staff_url: str = Field(
        default="http://127.0.0.1:8105", description="address of the staff service as browsers reach it, for sign-in"
    )
