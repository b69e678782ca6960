"""Settings of the reporting service."""

from __future__ import annotations

from pydantic import Field, field_validator

from services.reporting.projection import COMPANY_ZONE
from shared.settings import Settings


class ReportingSettings(Settings):
    """Also read: where the dashboard's sign-in form finds the staff service."""

    staff_url: str = Field(
        default="http://127.0.0.1:8105", description="address of the staff service as browsers reach it, for sign-in"
    )

    @field_validator("timezone")
    @classmethod
    def _is_the_zone_of_the_rollups(cls, value: str) -> str:
        if value != COMPANY_ZONE.key:
            raise ValueError(
                f"the days of the reports are those of {COMPANY_ZONE.key}, '{value}' would make them wrong"
            )
        return value
