"""Applies pushes that were kept: leads are announced, messages go to their conversations."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg

from services.leads.driver import Connection, write_outbox
from services.leads.facebook import conversations, pages, taking
from services.leads.facebook.context import Facebook
from services.leads.facebook.updates import Unreadable, Updates, read_updates
from shared.contracts.workflows import nudge_facebook
from shared.db import is_unavailable
from shared.lifecycle import until_set
from shared.outbox import command_row
from shared.telemetry import logger

log = logger(__name__)

BATCH: Final = 20
"""Pushes applied in one transaction; each has a thousand updates at most."""
PAUSE: Final = 0.5
"""Seconds between looks for pushes that another process accepted."""
KEPT: Final = timedelta(days=30)
"""Applied pushes: what they said is in the tables by then."""
CLEAN_EVERY: Final = 3600.0

_DUE: Final = """
SELECT h.id, h.received_at, h.body, p.app_id FROM facebook_hooks h JOIN facebook_pages p ON p.id = h.page_id
WHERE h.state = 'received' AND h.id <> ALL($2::uuid[]) ORDER BY h.id LIMIT $1 FOR UPDATE OF h SKIP LOCKED
"""
_APPLIED: Final = """
UPDATE facebook_hooks h SET state = a.state, error = a.error
FROM unnest($1::uuid[], $2::text[], $3::text[]) AS a (id, state, error) WHERE h.id = a.id
"""
_FAILED: Final = "UPDATE facebook_hooks SET state = 'failed', error = $2 WHERE id = $1 AND state = 'received'"
_CLEAN: Final = """
DELETE FROM facebook_hooks WHERE id IN (
    SELECT id FROM facebook_hooks WHERE received_at < $1 AND state = 'applied' ORDER BY id LIMIT 5000)
"""


@dataclass(frozen=True, slots=True)
class _Push:
    id: UUID
    app_id: str
    received_at: datetime
    updates: Updates
    error: str


class Applier:
    """Applies pushes until cancelled. Several at once share the work."""

    def __init__(self, facebook: Facebook) -> None:
        self._facebook = facebook
        self._clean_at = 0.0

    async def run(self) -> None:
        while True:
            self._facebook.pushed.clear()
            if await self.step():
                continue
            await self._clean()
            await until_set(self._facebook.pushed, at_most=PAUSE)

    async def step(self) -> bool:
        """Applies what is there now; False when there was nothing."""
        applied = await self._apply(BATCH)
        talked = await conversations.go_on(self._facebook)
        return applied or talked

    async def _apply(self, limit: int) -> bool:
        """Pushes together; if that fails, each alone, and one that fails alone is kept and raised."""
        tried: list[UUID] = []
        pool = await self._facebook.db.driver()
        try:
            async with pool.acquire() as connection, connection.transaction():
                rows = await connection.fetch(_DUE, limit, [])
                tried = [row["id"] for row in rows]
                if rows:
                    await self._apply_rows(connection, rows)
        except Exception as error:
            if is_unavailable(error) or not tried:
                raise
            if limit > 1:
                return await self._apply(1)
            log.exception("push could not be applied", push=str(tried[0]))
            await pool.execute(_FAILED, tried[0], type(error).__name__)
            return True
        if rows:
            self._facebook.db.wake_relay()
        return bool(rows)

    async def _apply_rows(self, connection: Connection, rows: Sequence[asyncpg.Record]) -> None:
        pushes = [_read(row) for row in rows]
        known = {}
        for app_id in {push.app_id for push in pushes}:
            wanted = {page_id for push in pushes if push.app_id == app_id for page_id in _page_ids(push.updates)}
            for page_id, page in (await pages.of_app(connection, app_id, sorted(wanted))).items():
                known[app_id, page_id] = page
        active = {key: page for key, page in known.items() if page.active}
        told = [
            (active[push.app_id, lead.page_id], lead, push.received_at)
            for push in pushes
            for lead in push.updates.leads
            if (push.app_id, lead.page_id) in active
        ]
        to_fetch = await taking.announce(connection, told)
        said = [
            (active[push.app_id, message.page_id], message, push.received_at)
            for push in pushes
            for message in push.updates.messages
            if (push.app_id, message.page_id) in active
        ]
        await conversations.keep(connection, said)
        await conversations.refer(
            connection,
            [
                (active[push.app_id, page_id], psid, ad_id)
                for push in pushes
                for page_id, psid, ad_id in push.updates.referrals
                if (push.app_id, page_id) in active
            ],
        )
        ends = [_end(push, {page_id for app_id, page_id in known if app_id == push.app_id}) for push in pushes]
        await connection.execute(_APPLIED, *([*column] for column in zip(*ends, strict=True)))
        await write_outbox(
            connection, [command_row(nudge_facebook(page, round=round)) for page, round in sorted(to_fetch)]
        )

    async def _clean(self) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._clean_at:
            pool = await self._facebook.db.driver()
            await pool.execute(_CLEAN, self._facebook.now() - KEPT)
            self._clean_at = now + CLEAN_EVERY


def _read(row: asyncpg.Record) -> _Push:
    try:
        updates, error = read_updates(row["body"], received_at=row["received_at"]), ""
    except Unreadable as unreadable:
        updates, error = Updates(), str(unreadable)
        log.error("push cannot be read", push=str(row["id"]), error=error)
    return _Push(row["id"], row["app_id"], row["received_at"], updates, error)


def _page_ids(updates: Updates) -> Iterable[str]:
    yield from (lead.page_id for lead in updates.leads)
    yield from (message.page_id for message in updates.messages)


def _end(push: _Push, known: set[str]) -> tuple[UUID, str, str]:
    """What became of a push: one that was not understood to the last update is raised, and kept."""
    problems = [push.error] if push.error else []
    if push.updates.unread:
        problems.append(f"{push.updates.unread} updates lack an id")
    if strange := sorted(set(_page_ids(push.updates)) - known):
        problems.append(f"pages that are not connected: {', '.join(strange[:10])}")
    return push.id, "unreadable" if problems else "applied", "; ".join(problems)
