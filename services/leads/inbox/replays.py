"""Replays: the rejected items of a time range are read again, batch by batch, each with its progress in one transaction,
so that whoever goes on after a crash begins exactly behind the last batch. Leads and duplicates are never touched."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg
import orjson

from services.leads.driver import Connection
from services.leads.facebook.taking import maps_of
from services.leads.inbox import store
from services.leads.inbox.reread import RawItem, reread
from services.leads.inbox.store import Settlement
from services.leads.intake.accept import accept
from services.leads.intake.foresee import Opened, foresee
from services.leads.intake.items import Candidate, Item, Origin, Rejection, Verdict
from services.leads.intake.windows import Arrival
from services.leads.sources import KnownSource, Sources
from shared.db import Database, is_unavailable
from shared.telemetry import correlated, logger

log = logger(__name__)

BATCH: Final = 200
"""Items of one transaction, as at arrival."""
MAX_TOTAL: Final = 100_000
"""Rejected items that one replay reads: a day's flood, and what a dry run can remember."""
LEASE: Final = 15.0
"""Seconds after which a replay whose process died is taken up by another."""
PAUSE: Final = 1.0
"""Seconds between looks for replays that nobody works on."""

_TOTAL: Final = """
SELECT count(*) FROM raw_items
WHERE verdict = 'rejected' AND received_at >= $1 AND received_at < $2 AND ($3::uuid IS NULL OR source_id = $3)
"""
_INSERT: Final = """
INSERT INTO raw_replays (id, since, until, source_id, dry_run, by_id, by, created_at, total)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
_CLAIM: Final = """
UPDATE raw_replays SET lease_until = now() + $1 * interval '1 second'
WHERE id = (SELECT id FROM raw_replays WHERE state = 'running' AND lease_until < now() ORDER BY id LIMIT 1
            FOR UPDATE SKIP LOCKED)
RETURNING id
"""
_HOLD: Final = """
SELECT id, since, until, source_id, dry_run, by_id, by, at_time, at_id FROM raw_replays
WHERE id = $1 AND state = 'running' FOR NO KEY UPDATE
"""
_NEXT: Final = """
SELECT id, received_at, import_id FROM raw_items
WHERE verdict = 'rejected' AND (received_at, id) > ($1, $2) AND received_at >= $3 AND received_at < $4
    AND ($5::uuid IS NULL OR source_id = $5)
ORDER BY received_at, id LIMIT $6
"""
_ADVANCE: Final = """
UPDATE raw_replays SET at_time = $2, at_id = $3, read = read + $4, leads = leads + $5, duplicates = duplicates + $6,
    rejected = (SELECT coalesce(jsonb_object_agg(code, n), '{}') FROM (
        SELECT code, sum(n) AS n FROM (
            SELECT key AS code, value::integer AS n FROM jsonb_each_text(rejected)
            UNION ALL SELECT key, value::integer FROM jsonb_each_text($7::jsonb)) AS both_counts GROUP BY code) AS summed),
    lease_until = now() + $8 * interval '1 second'
WHERE id = $1
"""
_RESTART: Final = """
UPDATE raw_replays SET at_time = '-infinity', at_id = '00000000-0000-0000-0000-000000000000', read = 0, leads = 0,
    duplicates = 0, rejected = '{}' WHERE id = $1 AND dry_run
"""
_FINISH: Final = "UPDATE raw_replays SET state = 'done', finished_at = now() WHERE id = $1 AND state = 'running'"


@dataclass(frozen=True, slots=True)
class Request:
    """Which rejected items are to be read again, and who asks."""

    id: UUID
    since: datetime
    until: datetime
    source_id: UUID | None
    dry_run: bool
    by_id: UUID
    by: str


async def total(connection: Connection, request: Request) -> int:
    """How many items it would read."""
    found: int = await connection.fetchval(_TOTAL, request.since, request.until, request.source_id)
    return found


async def add(connection: Connection, request: Request, *, total: int) -> None:
    """Keeps a replay; a process of role activities works on it."""
    await connection.execute(
        _INSERT,
        request.id,
        request.since,
        request.until,
        request.source_id,
        request.dry_run,
        request.by_id,
        request.by,
        datetime.now(UTC),
        total,
    )


@dataclass(frozen=True, slots=True)
class _Read:
    raw: RawItem
    origin: Origin
    content: Candidate | Rejection


class Replayer:
    """Works on replays until cancelled, one at a time. Several processes share them.

    Args:
        db: the service's database.
        sources: to read forms with the map that their page has now.
        window: length of the duplicate window.
    """

    def __init__(self, db: Database, *, sources: Sources, window: timedelta) -> None:
        self._db = db
        self._sources = sources
        self._window = window

    async def run(self) -> None:
        while True:
            if not await self.step():
                await asyncio.sleep(PAUSE)

    async def step(self) -> bool:
        """Works on one replay until its end; False when there is none to work on."""
        pool = await self._db.driver()
        replay_id = await pool.fetchval(_CLAIM, LEASE)
        if replay_id is None:
            return False
        # What the batches of a dry run would have opened is forgotten with the process that knew it.
        await pool.execute(_RESTART, replay_id)
        opened: Opened = {}
        with correlated(str(replay_id)):
            while await self._batch(replay_id, opened=opened):
                pass
        return True

    async def _batch(self, replay_id: UUID, *, opened: Opened) -> bool:
        """One batch; False at the end of the range, and when the replay was cancelled."""
        pool = await self._db.driver()
        async with pool.acquire() as connection, connection.transaction():
            replay = await connection.fetchrow(_HOLD, replay_id)
            if replay is None:
                return False
            rows = await connection.fetch(
                _NEXT, replay["at_time"], replay["at_id"], replay["since"], replay["until"], replay["source_id"], BATCH
            )
            if not rows:
                await connection.execute(_FINISH, replay_id)
                return False
            verdicts, wrote_outbox = await self._take(connection, replay, rows, opened=opened)
            await self._advance(connection, replay_id, rows[-1], verdicts)
        if wrote_outbox:
            self._db.wake_relay()
        return True

    async def _take(
        self,
        connection: Connection,
        replay: asyncpg.Record,
        rows: Sequence[asyncpg.Record],
        *,
        opened: Opened,
    ) -> tuple[list[Verdict], bool]:
        imports = [row["import_id"] for row in rows if row["import_id"]]
        locked = await store.lock(connection, [row["id"] for row in rows], imports=imports)
        raws = [raw for raw in locked if raw.verdict == "rejected"]
        pages = await self._pages(raws)
        forms = await maps_of(connection, [raw.id for raw in raws if raw.channel == "facebook_form"])
        read, unread = [], []
        for raw in sorted(raws, key=lambda raw: (raw.received_at, raw.id)):
            found = reread(raw, pages.get(raw.source_id), forms.get(raw.id))
            if found is None or (isinstance(found[1], Rejection) and found[1].code == raw.reason):
                unread.append(_still_rejected(raw))
            else:
                read.append(_Read(raw, *found))
        if replay["dry_run"]:
            return [*await self._foresee(connection, read, opened=opened), *unread], False
        taken, wrote_outbox = await self._settle(connection, replay, read)
        return [*taken, *unread], wrote_outbox

    async def _pages(self, raws: Sequence[RawItem]) -> Mapping[UUID | None, KnownSource]:
        """The landing pages that items came through, as they are now."""
        ids = {raw.source_id for raw in raws if raw.channel == "landing_page" and raw.source_id}
        found = {source_id: await self._sources.by_id(source_id) for source_id in ids}
        return {source_id: page for source_id, page in found.items() if page is not None}

    async def _foresee(self, connection: Connection, read: Sequence[_Read], *, opened: Opened) -> list[Verdict]:
        arrivals = [
            Arrival(one.raw.id, one.content.phones, one.raw.received_at, one.content.product)
            for one in read
            if isinstance(one.content, Candidate)
        ]
        judged = await foresee(connection, arrivals, window=self._window, opened=opened)
        opened.update(judged.opened)
        verdicts = []
        for one in read:
            if isinstance(one.content, Rejection):
                verdicts.append(Verdict(one.raw.id, "rejected", rejection=one.content))
            else:
                anchor = judged.judgements[one.raw.id].anchor_id
                verdicts.append(Verdict(one.raw.id, "duplicate" if anchor else "lead", anchor_id=anchor))
        return verdicts

    async def _settle(
        self, connection: Connection, replay: asyncpg.Record, read: Sequence[_Read]
    ) -> tuple[list[Verdict], bool]:
        items = [one.raw.item(one.origin, one.content, correlation_id=str(replay["id"])) for one in read]
        taken, wrote_outbox = await self._accept(connection, items)
        at = datetime.now(UTC)
        settled = [(one.raw, taken[one.raw.id].verdict) for one in read if one.raw.id in taken]
        await store.keep(
            connection,
            [
                Settlement(
                    raw,
                    at=at,
                    by_id=replay["by_id"],
                    by=replay["by"],
                    kind="replayed",
                    verdict=verdict,
                    reason=f"replay {replay['id']}",
                )
                for raw, verdict in settled
            ],
        )
        await store.move_counters(connection, [(raw.import_id, verdict) for raw, verdict in settled])
        return [taken.get(one.raw.id) or _still_rejected(one.raw) for one in read], wrote_outbox

    async def _accept(self, connection: Connection, items: Sequence[Item]) -> tuple[dict[UUID, Verdict], bool]:
        """All items together; if that fails, each alone, and one that fails alone stays as it was."""
        if not items:
            return {}, False
        try:
            async with connection.transaction():
                accepted = await accept(connection, items, window=self._window)
        except Exception as error:
            if is_unavailable(error):
                raise
            if len(items) == 1:
                log.exception("raw item could not be taken in again", item=str(items[0].id))
                return {}, False
            parts = [await self._accept(connection, [item]) for item in items]
            return {id: verdict for taken, _ in parts for id, verdict in taken.items()}, any(
                wrote for _, wrote in parts
            )
        verdicts = (outcome for outcome in accepted.outcomes if isinstance(outcome, Verdict))
        return {verdict.id: verdict for verdict in verdicts}, accepted.wrote_outbox

    async def _advance(
        self, connection: Connection, replay_id: UUID, last: asyncpg.Record, verdicts: Sequence[Verdict]
    ) -> None:
        counts = Counter(verdict.verdict for verdict in verdicts)
        reasons = Counter(verdict.rejection.code for verdict in verdicts if verdict.rejection)
        await connection.execute(
            _ADVANCE,
            replay_id,
            last["received_at"],
            last["id"],
            len(verdicts),
            counts["lead"],
            counts["duplicate"],
            orjson.dumps(reasons).decode(),
            LEASE,
        )


def _still_rejected(raw: RawItem) -> Verdict:
    return Verdict(raw.id, "rejected", rejection=Rejection(raw.reason, "", ""))
