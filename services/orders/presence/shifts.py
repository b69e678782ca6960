"""The shift of an owner as care knows it: one calendar, in which the first call is due (rule D39)."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from shared.calendar import Calendar
from shared.shifts import roster_of_plan

PLAN_OF_OWNER: Final = """
(SELECT CAST(p.plan AS text) FROM staff_shifts s LEFT JOIN shift_plans p ON p.id = s.plan_id
    WHERE s.account_id = o.owner_id ORDER BY s.version DESC LIMIT 1)"""
"""The plan that counts now of the owner of the order `o`, as text; null without shifts."""


@lru_cache(maxsize=512)
def shift_of(plan: str | None) -> Calendar | None:
    """When somebody with this plan is in a shift, holidays of the company considered; None: no shifts, or shifts in
    different zones, so that the calling hours count alone."""
    roster = roster_of_plan(plan) if plan is not None else None
    return roster.calendar() if roster is not None else None
