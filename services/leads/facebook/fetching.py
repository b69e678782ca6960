"""Fetches leads that were announced, a few at a time, as fast as Facebook likes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from services.leads.facebook import taking
from services.leads.facebook.context import Facebook
from services.leads.facebook.graph import Access, GraphError, PageError
from services.leads.facebook.pages import Page

BATCH: Final = 50
"""Leads asked for before they are taken in together: what has to be asked again after a crash."""
CONCURRENCY: Final = 4
PER_SECOND: Final = 20
"""Calls a second at most, far below what any limit of a day allows a burst."""

_DUE: Final = """
SELECT leadgen_id FROM facebook_leads WHERE page_id = $1 AND state = 'pending' AND next_try_at <= $2
ORDER BY next_try_at, received_at, leadgen_id LIMIT $3
"""


class Pacer:
    """Lets so many pass in a second, evenly."""

    def __init__(self, *, per_second: int) -> None:
        self._interval = 1 / per_second
        self._next = 0.0

    async def turn(self) -> None:
        loop = asyncio.get_running_loop()
        at = max(self._next, loop.time())
        self._next = at + self._interval
        await asyncio.sleep(at - loop.time())


@dataclass
class _Answers:
    leads: dict[str, bytes] = field(default_factory=dict)
    errors: dict[str, GraphError] = field(default_factory=dict)
    stopped_by: PageError | None = None
    calls: int = 0


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was fetched, and with how many calls; `stopped_by` says why it went no further."""

    leads: int = 0
    calls: int = 0
    stopped_by: PageError | None = None


async def fetch_pending(
    facebook: Facebook, page: Page, access: Access, *, pacer: Pacer, has_time: Callable[[], bool]
) -> Fetched:
    """Fetches every lead of a page that is due now, while there is time. What was fetched before an error counts."""
    pool = await facebook.db.driver()
    leads = calls = 0
    while True:
        rows = await pool.fetch(_DUE, page.id, facebook.now(), BATCH)
        if not rows or not has_time():
            return Fetched(leads, calls)
        answers = await _ask(facebook, access, [row["leadgen_id"] for row in rows], pacer=pacer)
        async with pool.acquire() as connection, connection.transaction():
            leads += await taking.take_in(facebook, connection, page, answers.leads, attempted=True)
            if answers.errors:
                await taking.failed(facebook, connection, page, answers.errors)
        facebook.db.wake_relay()
        calls += answers.calls
        if answers.stopped_by is not None:
            return Fetched(leads, calls, answers.stopped_by)


async def _ask(facebook: Facebook, access: Access, leadgen_ids: list[str], *, pacer: Pacer) -> _Answers:
    answers = _Answers()
    waiting = list(reversed(leadgen_ids))

    async def work_through() -> None:
        async with facebook.graph(access) as graph:
            try:
                while waiting and answers.stopped_by is None:
                    leadgen_id = waiting.pop()
                    await pacer.turn()
                    try:
                        answers.leads[leadgen_id] = await graph.lead(leadgen_id)
                    except PageError as error:
                        answers.stopped_by = error
                    except GraphError as error:
                        answers.errors[leadgen_id] = error
            finally:
                answers.calls += graph.calls

    async with asyncio.TaskGroup() as group:
        for _ in range(min(CONCURRENCY, len(leadgen_ids))):
            group.create_task(work_through())
    return answers
