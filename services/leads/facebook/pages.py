"""Connected pages as rows, and how they fare."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg

from services.leads.driver import Connection, Pool
from services.leads.facebook.graph import Access, NotAllowed, PageError, RateLimited, TokenInvalid
from shared.vault import CredentialsUnreadable, Vault

FIRST_PAUSE: Final = timedelta(seconds=15)
LONGEST_PAUSE: Final = timedelta(minutes=30)
"""Between two rounds of a page whose calls fail; the pause doubles from the first to the longest."""
RATE_PAUSE: Final = timedelta(minutes=5)
"""Facebook's limits are of the last hour, so a few seconds more would change nothing."""
PERSON_PAUSE: Final = timedelta(hours=1)
"""While a person has to enter a new token or give a permission; a change made here is tried at once."""

_FIELDS: Final = """
SELECT id, page_id, app_id, credentials, form_source_id, chat_source_id, active, round, problem, failures, paused_until,
    poll_at, subscription_at, subscribed, reads, reads_since
FROM facebook_pages
"""
_READS: Final = """
UPDATE facebook_pages SET
    reads = CASE WHEN reads_since < $3::timestamptz - interval '24 hours' THEN $2 ELSE reads + $2 END,
    reads_since = CASE WHEN reads_since < $3::timestamptz - interval '24 hours' THEN $3 ELSE reads_since END
WHERE id = $1
"""
_WELL: Final = """
UPDATE facebook_pages SET problem = '', problem_detail = '', problem_since = NULL, failures = 0
WHERE id = $1 AND (problem <> '' OR failures > 0)
"""
# Not for credentials that were replaced meanwhile: what they failed at says nothing of the new ones.
_PROBLEM: Final = """
UPDATE facebook_pages SET problem = $2, problem_detail = $3, failures = $7, paused_until = $4,
    problem_since = CASE WHEN problem = $2 THEN problem_since ELSE $5 END
WHERE id = $1 AND credentials = $6
"""


@dataclass(frozen=True, slots=True)
class Page:
    """A connected page. The credentials stay sealed until a call needs them."""

    id: UUID
    page_id: str
    app_id: str
    credentials: bytes
    form_source_id: UUID | None
    chat_source_id: UUID | None
    active: bool
    round: int
    problem: str
    failures: int
    paused_until: datetime
    poll_at: datetime
    subscription_at: datetime
    subscribed: bool
    reads: int
    reads_since: datetime

    def access(self, vault: Vault | None) -> Access:
        """What a call needs.

        Raises:
            CredentialsUnreadable: the key is gone or another one.
        """
        if vault is None:
            raise CredentialsUnreadable(str(self.id))
        opened = vault.open(self.credentials, owner_id=self.id)
        return Access(self.page_id, self.app_id, opened["app_secret"], opened["token"])


async def load(pool: Pool, page: UUID) -> Page | None:
    """A page by our id."""
    row = await pool.fetchrow(_FIELDS + "WHERE id = $1", page)
    return _page(row) if row is not None else None


async def of_app(connection: Connection | Pool, app_id: str, page_ids: list[str]) -> dict[str, Page]:
    """Connected pages of an app by Facebook's ids, also those that are switched off."""
    rows = await connection.fetch(_FIELDS + "WHERE app_id = $1 AND page_id = ANY($2::text[])", app_id, page_ids)
    return {row["page_id"]: _page(row) for row in rows}


async def count_reads(pool: Pool, page: UUID, reads: int, *, now: datetime) -> None:
    """Adds to the calls of the day."""
    await pool.execute(_READS, page, reads, now)


async def mark_well(pool: Pool, page: UUID) -> None:
    """Facebook answers."""
    await pool.execute(_WELL, page)


async def mark_problem(
    pool: Pool, page: Page, problem: str, detail: str, *, until: datetime, now: datetime, failures: int
) -> None:
    """Facebook cannot be asked: administrators see since when and why.

    Args:
        failures: rounds in a row, this one included, that ended so and achieved nothing.
    """
    await pool.execute(_PROBLEM, page.id, problem, detail, until, now, page.credentials, failures)


def problem_of(error: PageError) -> str:
    """The code of a problem."""
    if isinstance(error, TokenInvalid):
        return "token_invalid"
    if isinstance(error, NotAllowed):
        return "not_allowed"
    return "rate_limited" if isinstance(error, RateLimited) else "away"


def pause_after(error: PageError, *, failures: int, pace: float) -> timedelta:
    """How long to leave Facebook alone.

    Args:
        failures: rounds in a row that ended in a problem before this one.
    """
    if isinstance(error, TokenInvalid | NotAllowed):
        return PERSON_PAUSE * pace
    doubled: timedelta = min(FIRST_PAUSE * 2 ** min(failures, 10), LONGEST_PAUSE)
    if isinstance(error, RateLimited):
        return max(error.retry_after or RATE_PAUSE, doubled) * pace
    return doubled * pace


def _page(row: asyncpg.Record) -> Page:
    return Page(**dict(row))
