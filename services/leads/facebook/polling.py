"""Reads through the leads of a page's forms: what pushes lost, polling finds.

A reading ("sweep") of a form goes from the newest lead back to a while before the highest created_time of the last reading
that went to its end. Only at the end does that mark move, and never to the present moment: a lead that is created, or that
becomes visible, while a reading runs lies behind neither. How far a reading has come is committed with the leads of each
page, so that a reading of months goes on where a crash stopped it. What Facebook counts is compared with what we have:
a difference makes the next reading a full one, and if that does not show them, an alarm.

The cost is that of new leads: a form whose count has not changed is read once an hour, one call a page of a hundred.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg

from services.leads.driver import Connection
from services.leads.facebook import taking
from services.leads.facebook.context import Facebook
from services.leads.facebook.documents import dumps
from services.leads.facebook.form import read_time
from services.leads.facebook.graph import Graph, Listing, PageError, Refused
from services.leads.facebook.pages import Page
from shared.telemetry import logger

log = logger(__name__)

OVERLAP: Final = timedelta(hours=1)
"""How far a reading goes back behind the last mark: longer than Facebook takes to show a lead."""
ANYWAY: Final = timedelta(hours=1)
"""A form is read so often also when its count says that nothing is new."""
FULL_EVERY: Final = timedelta(hours=1)
"""Between two full readings of a form whose count stays above what can be read."""

_KEEP_FORMS: Final = """
INSERT INTO facebook_forms (page_id, form_id, name, status, leads_count)
SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::integer[]) AS f (form_id, name, status, leads_count)
ORDER BY form_id
ON CONFLICT (page_id, form_id) DO UPDATE
SET name = excluded.name, status = excluded.status, leads_count = excluded.leads_count
"""
_TO_READ: Final = """
SELECT form_id FROM facebook_forms
WHERE page_id = $1 AND (swept_at IS NULL OR sweep_count IS NOT NULL OR sweep_full OR gap > 0 OR leads_count <> swept_count
    OR swept_at < $2)
ORDER BY swept_at NULLS FIRST, form_id
"""
_TO_READ_IN_FULL: Final = "SELECT EXISTS (SELECT 1 FROM facebook_forms WHERE page_id = $1 AND sweep_full)"
_BEGIN: Final = """
UPDATE facebook_forms SET sweep_count = leads_count, sweep_after = NULL, sweep_high = NULL,
    sweep_since = CASE WHEN sweep_full THEN NULL ELSE high - $3::interval END, sweep_full = false
WHERE page_id = $1 AND form_id = $2 AND sweep_count IS NULL
"""
_STANDING: Final = "SELECT * FROM facebook_forms WHERE page_id = $1 AND form_id = $2"
_ONWARD: Final = """
UPDATE facebook_forms SET sweep_after = $3, sweep_high = greatest(sweep_high, $4)
WHERE page_id = $1 AND form_id = $2 AND sweep_after IS NOT DISTINCT FROM $5 AND sweep_count IS NOT NULL
RETURNING form_id
"""
_AGAIN: Final = "UPDATE facebook_forms SET sweep_count = NULL, sweep_after = NULL WHERE page_id = $1 AND form_id = $2"
_KNOWN: Final = "SELECT count(*) FROM facebook_leads WHERE page_id = $1 AND form_id = $2"
_END: Final = """
UPDATE facebook_forms SET high = greatest(high, sweep_high), swept_at = $3, swept_count = sweep_count,
    unreadable = $4, gap = $5, gap_since = $6, sweep_full = $7, full_at = $8, problem = '',
    sweep_count = NULL, sweep_after = NULL, sweep_since = NULL, sweep_high = NULL
WHERE page_id = $1 AND form_id = $2
"""
_TROUBLE: Final = "UPDATE facebook_forms SET problem = $3 WHERE page_id = $1 AND form_id = $2"


async def list_forms(facebook: Facebook, graph: Graph, page: Page) -> None:
    """Keeps the page's forms with how many leads Facebook counts."""
    after: str | None = None
    while True:
        listing = await graph.forms(after=after)
        rows = {str(form["id"]): form for form in listing.items if form.get("id")}
        pool = await facebook.db.driver()
        await pool.execute(
            _KEEP_FORMS,
            page.id,
            list(rows),
            [str(form.get("name") or "")[:200] for form in rows.values()],
            [str(form.get("status") or "")[:40] for form in rows.values()],
            [_count(form.get("leads_count")) for form in rows.values()],
        )
        after = listing.after
        if after is None:
            return


def _count(value: Any) -> int:
    return value if isinstance(value, int) and 0 <= value < 2**31 else 0


async def read_forms(facebook: Facebook, graph: Graph, page: Page, *, between: Callable[[], Awaitable[bool]]) -> int:
    """Reads every form that has something new or was not read for long. Returns how many leads no push had brought.

    Args:
        between: called after each call, so that leads that are pushed meanwhile need not wait; False ends the reading.

    Raises:
        PageError: Facebook cannot be asked now; the next reading goes on from here.
    """
    found = await _read_each(facebook, graph, page, between=between)
    pool = await facebook.db.driver()
    if await pool.fetchval(_TO_READ_IN_FULL, page.id):
        found += await _read_each(facebook, graph, page, between=between)
    return found


async def _read_each(facebook: Facebook, graph: Graph, page: Page, *, between: Callable[[], Awaitable[bool]]) -> int:
    pool = await facebook.db.driver()
    found = 0
    for row in await pool.fetch(_TO_READ, page.id, facebook.now() - ANYWAY * facebook.pace):
        try:
            added = await _read_form(facebook, graph, page, row["form_id"], between=between)
        except Refused as error:
            log.warning("form cannot be read", page=page.page_id, form=row["form_id"], error=error.detail)
            await pool.execute(_TROUBLE, page.id, row["form_id"], error.detail)
            continue
        if added is None:
            break
        found += added
    return found


async def _read_form(
    facebook: Facebook, graph: Graph, page: Page, form_id: str, *, between: Callable[[], Awaitable[bool]]
) -> int | None:
    """Reads one form to its end; None when there is no time left."""
    pool = await facebook.db.driver()
    await pool.execute(_BEGIN, page.id, form_id, OVERLAP)
    found = 0
    while True:
        standing = await pool.fetchrow(_STANDING, page.id, form_id)
        assert standing is not None
        if standing["sweep_count"] is None:
            return found  # another process has read it to the end
        listing = await _listing(facebook, graph, page, standing)
        if listing is None:
            continue
        shown = _Shown.of(listing)
        async with pool.acquire() as connection, connection.transaction():
            if shown.answers:
                ids = sorted(shown.answers)
                await taking.show(connection, page, form_id=form_id, leadgen_ids=ids, at=facebook.now())
                found += await taking.take_in(facebook, connection, page, shown.answers, attempted=False)
            moved = await connection.fetchval(
                _ONWARD, page.id, form_id, listing.after, shown.high, standing["sweep_after"]
            )
            if listing.after is None and moved:
                await _end(facebook, connection, page, form_id)
        facebook.db.wake_relay()
        if not await between():
            return None


async def _listing(facebook: Facebook, graph: Graph, page: Page, standing: asyncpg.Record) -> Listing | None:
    """The next page of a reading; None when it has to begin again, because its cursor is not valid any more."""
    since, after = standing["sweep_since"], standing["sweep_after"]
    try:
        return await graph.leads(standing["form_id"], since=since, after=after)
    except PageError:
        raise
    except Refused:
        if after is None:
            raise
        pool = await facebook.db.driver()
        await pool.execute(_AGAIN, page.id, standing["form_id"])
        await pool.execute(_BEGIN, page.id, standing["form_id"], OVERLAP)
        return None


@dataclass(frozen=True, slots=True)
class _Shown:
    """The leads of a page of the list, each as Facebook sent it."""

    answers: dict[str, bytes]
    high: datetime | None

    @classmethod
    def of(cls, listing: Listing) -> _Shown:
        answers = {str(item["id"]): dumps(item) for item in listing.items if item.get("id")}
        times = [at for item in listing.items if (at := read_time(item.get("created_time")))]
        return cls(answers, max(times, default=None))


async def _end(facebook: Facebook, connection: Connection, page: Page, form_id: str) -> None:
    """The mark moves, and the counts are compared."""
    form = await connection.fetchrow(_STANDING, page.id, form_id)
    assert form is not None
    now = facebook.now()
    was_full = form["sweep_since"] is None
    full_at = now if was_full else form["full_at"]
    known = await connection.fetchval(_KNOWN, page.id, form_id)
    unreadable = max(0, form["sweep_count"] - known)
    if form["unreadable"] is not None:
        unreadable = min(unreadable, form["unreadable"])
    missing = max(0, form["sweep_count"] - unreadable - known)
    gap = missing if was_full else min(missing, form["gap"])
    if gap and not form["gap"]:
        log.warning("Facebook counts more leads than it shows", page=page.page_id, form=form_id, leads=gap)
    again = bool(missing) and not was_full and (not form["gap"] or full_at < now - FULL_EVERY * facebook.pace)
    since = (form["gap_since"] or now) if gap else None
    await connection.execute(_END, page.id, form_id, now, unreadable, gap, since, again, full_at)
