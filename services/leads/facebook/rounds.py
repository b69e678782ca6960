"""One round of a page: what its workflow has done whenever it wakes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from services.leads.driver import Pool
from services.leads.facebook import pages, polling
from services.leads.facebook.context import Facebook
from services.leads.facebook.fetching import PER_SECOND, Pacer, fetch_pending
from services.leads.facebook.graph import (
    CHAT_FIELDS,
    LEAD_FIELD,
    Access,
    Graph,
    NotAllowed,
    PageError,
    Refused,
)
from services.leads.facebook.pages import Page
from shared.telemetry import logger
from shared.vault import CredentialsUnreadable

log = logger(__name__)

POLL_EVERY: Final = timedelta(minutes=5)
SUBSCRIPTION_EVERY: Final = timedelta(minutes=15)
"""After an hour of failed deliveries Facebook unsubscribes the app, which then hears nothing, not even of that."""
SHORTEST: Final = timedelta(seconds=1)
ROUND_TIME: Final = 300.0
"""Seconds of a round: below the time-out of its activity. What is left is done by the next."""
READS_A_LEAD: Final = 200 * 24
"""Calls a day that Facebook allows for each lead of the last 90 days."""
CROWD: Final = 200
"""Leads to be fetched from which on forms are read first: a call that reads brings a hundred, one that fetches one."""
POLLING_SHARE: Final = 0.8
"""Of the day's calls; the rest is for leads that are pushed."""

_LEADS_90_DAYS: Final = """
SELECT count(*) FROM facebook_leads WHERE page_id = $1 AND received_at > $2::timestamptz - interval '90 days'
"""
_PENDING: Final = "SELECT count(*) FROM facebook_leads WHERE page_id = $1 AND state = 'pending'"
_POLLED: Final = "UPDATE facebook_pages SET poll_at = $2 WHERE id = $1"
_SUBSCRIPTION: Final = """
UPDATE facebook_pages SET subscribed = $5, hears_chats = $6, subscription_problem = $7, subscription_at = $2,
    resubscribed = resubscribed + $3, resubscribed_at = CASE WHEN $3 > 0 THEN $4 ELSE resubscribed_at END
WHERE id = $1
"""
_STANDING: Final = """
SELECT page_id, active, problem, paused_until, poll_at, subscription_at,
    (SELECT count(*) FROM facebook_leads WHERE page_id = p.id AND state = 'pending') AS pending,
    (SELECT min(next_try_at) FROM facebook_leads WHERE page_id = p.id AND state = 'pending') AS earliest,
    (SELECT count(*) FROM facebook_leads WHERE page_id = p.id AND state = 'failed') AS failed,
    (SELECT coalesce(sum(gap), 0) FROM facebook_forms WHERE page_id = p.id) AS gap
FROM facebook_pages p WHERE id = $1
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a page stands after a round.

    Args:
        next_due: when the next round is due; None: when somebody says so.
    """

    page_id: str
    active: bool
    problem: str
    pending: int
    failed: int
    gap: int
    next_due: datetime | None


async def advance(facebook: Facebook, page_id: UUID) -> Standing | None:
    """Does for a page what is due now, as far as Facebook lets us.

    Returns:
        Where the page stands; None if there is no such page.
    """
    pool = await facebook.db.driver()
    page = await pages.load(pool, page_id)
    if page is None:
        return None
    if page.active and page.paused_until <= facebook.now():
        await _try(facebook, pool, page)
    return await _standing(facebook, pool, page_id)


async def _try(facebook: Facebook, pool: Pool, page: Page) -> None:
    now = facebook.now()
    try:
        access = page.access(facebook.vault)
    except CredentialsUnreadable:
        detail = "CHOT_CREDENTIALS_KEY is not the key that these credentials were sealed with"
        until = now + pages.PERSON_PAUSE * facebook.pace
        await pages.mark_problem(pool, page, "credentials", detail, until=until, now=now, failures=page.failures + 1)
        return
    round = _Round(facebook, pool, page, access)
    try:
        await round.work()
    except PageError as error:
        problem = pages.problem_of(error)
        log.warning("Facebook page cannot be asked", page=page.page_id, problem=problem, error=error.detail)
        failures = 0 if round.achieved else page.failures
        until = facebook.now() + pages.pause_after(error, failures=failures, pace=facebook.pace)
        await pages.mark_problem(pool, page, problem, error.detail, until=until, now=now, failures=failures + 1)
    else:
        await pages.mark_well(pool, page.id)
    finally:
        await pages.count_reads(pool, page.id, round.calls, now=now)


class _Round:
    """The work of one round, leads that were pushed before everything else."""

    def __init__(self, facebook: Facebook, pool: Pool, page: Page, access: Access) -> None:
        self._facebook = facebook
        self._pool = pool
        self._page = page
        self._access = access
        self._pacer = Pacer(per_second=PER_SECOND)
        self._ends = asyncio.get_running_loop().time() + ROUND_TIME
        self._fetch_calls = 0
        self._graph: Graph | None = None
        self._crowded = False
        self.achieved = False
        """Whether leads came in or a reading went on: then an error on the way is no reason to wait longer each time."""

    @property
    def calls(self) -> int:
        return self._fetch_calls + (self._graph.calls if self._graph else 0)

    async def work(self) -> None:
        """
        Raises:
            PageError: Facebook cannot be asked now. What was done before counts.
        """
        now = self._facebook.now()
        self._crowded = await self._pool.fetchval(_PENDING, self._page.id) > CROWD
        if not self._crowded:
            await self._fetch()
        async with self._facebook.graph(self._access) as graph:
            self._graph = graph
            if self._page.subscription_at <= now:
                await self._stay_subscribed(graph)
            if (self._page.poll_at <= now or self._crowded) and await self._may_poll():
                await polling.list_forms(self._facebook, graph, self._page)
                await polling.read_forms(self._facebook, graph, self._page, between=self._between)
                pause = POLL_EVERY if self._has_time() else timedelta()
                await self._pool.execute(_POLLED, self._page.id, self._facebook.now() + pause * self._facebook.pace)
        if self._crowded:
            await self._fetch()

    async def _fetch(self) -> None:
        fetched = await fetch_pending(
            self._facebook, self._page, self._access, pacer=self._pacer, has_time=self._has_time
        )
        self._fetch_calls += fetched.calls
        self.achieved = self.achieved or fetched.leads > 0
        if fetched.stopped_by is not None:
            raise fetched.stopped_by

    async def _between(self) -> bool:
        """Between two calls of a reading: leads that were pushed meanwhile. False when the round has to end."""
        self.achieved = True
        await self._pacer.turn()
        if not self._crowded:
            await self._fetch()
        return self._has_time()

    def _has_time(self) -> bool:
        return asyncio.get_running_loop().time() < self._ends

    async def _stay_subscribed(self, graph: Graph) -> None:
        """Subscribes our app again when it was dropped; leads that were missed meanwhile are found by reading.

        That Facebook refuses it is told to administrators and stops nothing: forms can be read all the same, and an app
        for leads alone need not hear of messages.
        """
        held = await graph.subscribed_fields()
        fields, problem = held, ""
        if not held >= {LEAD_FIELD, *CHAT_FIELDS}:
            try:
                fields, problem = await _subscribe(graph, held)
            except (NotAllowed, Refused) as error:
                problem = error.detail
            log.info("app subscribed to Facebook page", page=self._page.page_id, fields=sorted(fields), error=problem)
        now = self._facebook.now()
        dropped = int(LEAD_FIELD not in held and self._page.subscribed)
        due = now + SUBSCRIPTION_EVERY * self._facebook.pace
        hears = (LEAD_FIELD in fields, fields >= set(CHAT_FIELDS))
        await self._pool.execute(_SUBSCRIPTION, self._page.id, due, dropped, now, *hears, problem)

    async def _may_poll(self) -> bool:
        """Whether the day's calls leave some for polling."""
        page, now = self._page, self._facebook.now()
        if page.reads_since < now - timedelta(days=1):
            return True
        leads = await self._pool.fetchval(_LEADS_90_DAYS, page.id, now)
        if page.reads < POLLING_SHARE * READS_A_LEAD * max(1, leads):
            return True
        log.warning("no calls are left for polling today", page=page.page_id, calls=page.reads)
        await self._pool.execute(_POLLED, page.id, page.reads_since + timedelta(days=1))
        return False


async def _subscribe(graph: Graph, held: frozenset[str]) -> tuple[frozenset[str], str]:
    """Subscribes to leads and chats, or to leads alone if chats are refused. Returns what is heard now, and why not more.

    Raises:
        NotAllowed, Refused: not even to leads.
    """
    try:
        await graph.subscribe(LEAD_FIELD, *CHAT_FIELDS)
    except (NotAllowed, Refused) as error:
        if LEAD_FIELD in held:
            return held, error.detail
        await graph.subscribe(LEAD_FIELD)
        return frozenset({LEAD_FIELD}), error.detail
    return frozenset({LEAD_FIELD, *CHAT_FIELDS}), ""


async def _standing(facebook: Facebook, pool: Pool, page_id: UUID) -> Standing | None:
    row = await pool.fetchrow(_STANDING, page_id)
    if row is None:
        return None
    now = facebook.now()
    due = [row["poll_at"], row["subscription_at"], *([row["earliest"]] if row["earliest"] else [])]
    next_due = max(min(due), row["paused_until"], now + SHORTEST * facebook.pace) if row["active"] else None
    return Standing(row["page_id"], row["active"], row["problem"], row["pending"], row["failed"], row["gap"], next_due)


async def try_page(facebook: Facebook, access: Access) -> str:
    """The live test of a connection; returns the page's name.

    Raises:
        GraphError: it does not work, and why.
    """
    async with facebook.graph(access) as graph:
        name = await graph.page_name()
        await graph.subscribed_fields()  # needs a permission of its own, which is better missed now than in a week
        return name
