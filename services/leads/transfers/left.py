"""Portfolios without a holder: of a locked account whose open leads nobody holds any more in truth, the manager is told.

Told once for each time that an account is locked, after a moment: what is handed over at once needs no alarm.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import text

from services.leads.driver import Connection, write_outbox
from services.leads.repository.leads import people_below
from shared.auth import Principal
from shared.contracts.events.leads import PORTFOLIO_LEFT, PortfolioLeft
from shared.contracts.events.staff import AccountChanged
from shared.contracts.permissions import LEADS_DISTRIBUTE
from shared.db import ReadSession
from shared.outbox import event_row
from shared.streams import State, Topic

GRACE: Final = timedelta(minutes=2)
"""From the lock to the alarm: whoever locks an account and hands its leads over in one go is not told of it."""

# An account that is unlocked has its leads again.
_NOTE: Final = """
WITH changed AS (
    SELECT m.account_id, m.version, m.active FROM staff_members m WHERE m.account_id = ANY($1::uuid[]) AND m.version > 0
), back AS (
    DELETE FROM left_portfolios l USING changed c WHERE l.account_id = c.account_id AND c.active
)
INSERT INTO left_portfolios (account_id, locked_at) SELECT account_id, $2 FROM changed WHERE NOT active
ON CONFLICT (account_id) DO NOTHING
"""
_DUE: Final = """
SELECT account_id FROM left_portfolios WHERE raised_at IS NULL AND locked_at <= $1 ORDER BY account_id LIMIT $2
FOR UPDATE SKIP LOCKED
"""
_RAISE: Final = """
UPDATE left_portfolios p SET raised_at = $2, open_leads = n.open_leads
FROM (
    SELECT a.id, count(l.id)::integer AS open_leads, count(l.id) FILTER (WHERE l.in_care)::integer AS in_care
    FROM unnest($1::uuid[]) AS a (id) LEFT JOIN leads l ON l.owner_id = a.id AND l.ended_at IS NULL
    GROUP BY a.id
) n JOIN staff_members m ON m.account_id = n.id
WHERE p.account_id = n.id
RETURNING p.account_id, m.code, m.team, n.open_leads, n.in_care, (
    WITH RECURSIVE above AS (
        SELECT m.superior_id AS id, 1 AS distance
        UNION ALL
        SELECT s.superior_id, a.distance + 1 FROM above a JOIN staff_members s ON s.account_id = a.id WHERE a.distance < 50
    )
    SELECT s.account_id FROM above a JOIN staff_members s ON s.account_id = a.id AND s.version > 0 AND s.active
    ORDER BY a.distance LIMIT 1
) AS manager_id
"""
_SHOWN: Final = text(
    """
SELECT count(*) AS portfolios, max(p.raised_at) AS latest FROM left_portfolios p
WHERE p.raised_at IS NOT NULL AND p.open_leads > 0 AND (:everything OR p.account_id = ANY(:people))
    AND EXISTS (SELECT 1 FROM leads l WHERE l.owner_id = p.account_id AND l.ended_at IS NULL)
"""
)


async def note(connection: Connection, changes: Iterable[AccountChanged], *, at: datetime) -> None:
    """Notes accounts that were locked; the directory knows of the changes already."""
    await connection.execute(_NOTE, [change.account_id for change in changes], at)


async def raise_left(connection: Connection, *, now: datetime, limit: int) -> list[UUID]:
    """Tells of portfolios that locked accounts left behind, in the caller's transaction; returns the accounts it looked
    at."""
    due = [row["account_id"] for row in await connection.fetch(_DUE, now - GRACE, limit)]
    if not due:
        return []
    rows = await connection.fetch(_RAISE, due, now)
    facts = [
        event_row(PORTFOLIO_LEFT, PortfolioLeft(**dict(row), at=now), subject=row["account_id"])
        for row in sorted(rows, key=lambda row: str(row["account_id"]))
        if row["open_leads"]
    ]
    await write_outbox(connection, facts)
    return due


async def _read(session: ReadSession, who: Principal, _: str) -> State:
    people, _codes = await people_below(session, who.account_id, who.code)
    values = {"everything": who.sees_all, "people": list(people)}
    row = (await session.execute(_SHOWN, values)).one()
    return {"portfolios": row.portfolios, "latest": row.latest and row.latest.isoformat()}


LEFT: Final = Topic("left_portfolios", LEADS_DISTRIBUTE, _read)
"""How many portfolios below whoever follows it wait for a hand-over, and when they were told last."""
