"""Presence of the owners of some orders, read set by set."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text

from services.orders.presence.shifts import shift_of
from services.orders.what_if.presence import Presence, Told
from shared.calendar import Calendar
from shared.db import ReadSession

# Of what was told before the first of these orders was given to anybody only the last counts.
_SHIFTS: Final = text(
    """
SELECT s.account_id, s.at, CAST(p.plan AS text) AS plan FROM staff_shifts s LEFT JOIN shift_plans p ON p.id = s.plan_id
WHERE s.account_id = ANY(CAST(:accounts AS uuid[])) AND (s.at > :since OR s.version = (
    SELECT max(version) FROM staff_shifts b WHERE b.account_id = s.account_id AND b.at <= :since))
ORDER BY s.account_id, s.version
"""
)
_PRESENCE: Final = text(
    """
SELECT p.account_id, p.what, p.at, p.here FROM staff_presence p
WHERE p.account_id = ANY(CAST(:accounts AS uuid[])) AND (p.at > :since OR p.version = (
    SELECT max(version) FROM staff_presence b WHERE b.account_id = p.account_id AND b.what = p.what AND b.at <= :since))
ORDER BY p.account_id, p.what, p.version
"""
)


async def presence_of(session: ReadSession, accounts: Collection[UUID], *, since: datetime) -> Presence:
    """What was told of people, from what counted at an instant on."""
    values = {"accounts": sorted(accounts), "since": since}
    shifts: defaultdict[UUID, list[Told[Calendar | None]]] = defaultdict(list)
    for row in await session.execute(_SHIFTS, values):
        shifts[row.account_id].append(Told(row.at, shift_of(row.plan)))
    duty: defaultdict[UUID, list[Told[bool]]] = defaultdict(list)
    account: defaultdict[UUID, list[Told[bool]]] = defaultdict(list)
    for row in await session.execute(_PRESENCE, values):
        (duty if row.what == "duty" else account)[row.account_id].append(Told(row.at, row.here))
    return Presence(shifts=shifts, duty=duty, account=account)
