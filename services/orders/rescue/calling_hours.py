"""The company's calling hours, as calls about failed deliveries keep them."""

from __future__ import annotations

from typing import Final

from services.orders.calendars import store as calendars
from shared.calendar import VIETNAM, Calendar
from shared.db import ReadSession

CALL_HOURS: Final = "call_hours"
"""Key of the calendar."""


async def calling_hours(session: ReadSession, *, team: str) -> Calendar | None:
    """The calling hours of a team, or of the company; None: none are kept, so at any time."""
    found = await calendars.business_time(session, revision=await calendars.revision(session))
    hours = found.of_team(team).get(CALL_HOURS)
    return hours.calendar(zone=VIETNAM, holidays=found.closed) if hours is not None else None
