"""One turn of an import: some thousands of rows, chunk by chunk, each chunk one transaction.

A chunk's rows, their verdicts and the import's place behind them are committed together, and the place is looked at
under a lock before the commit. So whoever goes on after a crash, or at the same time because Temporal took us for dead,
begins exactly behind the last row that has its verdict.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg

from services.leads.driver import Connection
from services.leads.imports import owners, repeated, store, trial
from services.leads.imports.rows import Columns, Import, Row, item_of
from services.leads.imports.store import Counts
from services.leads.intake.items import Item, Origin
from services.leads.intake.keeping import accept_each, is_transient
from services.leads.intake.locking import ALONE, Locking
from services.leads.sources import Sources
from shared.db import Database
from shared.errors import Problem
from shared.telemetry import correlated, logger

log = logger(__name__)

UNDER_WAY: Final = 4
"""Chunks at a time: while one waits for the disk, two are written and the numbers of another are locked and judged."""
AT_A_STRETCH: Final = 250
"""Rows that are read before others in this process have their turn: about two milliseconds. A thread of its own would fight
with the other chunks for Python's lock, and let others wait longer."""
TURN_ROWS: Final = 100_000
"""Rows of an activity: where one ends and the next begins, nothing overlaps. A machine that takes a millisecond for a row
is far within the time of an activity with them."""

_PEOPLE: Final = "SELECT code, account_id FROM staff_members WHERE version > 0 AND active"

Beat = Callable[[int], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Rows behind a place, ready to be taken in."""

    after: int
    items: list[Item]
    rows: list[Row]

    @property
    def last(self) -> int:
        return self.rows[-1].number


class _GoneOn(Exception):
    """The import no longer runs, or another process has gone on with it: what was written of this chunk is void."""


class _NotTogether(Exception):
    """A chunk cannot be taken in as a whole; what was written of it is void, and so is what was behind it."""

    def __init__(self, chunk: _Chunk) -> None:
        super().__init__(f"rows behind {chunk.after}")
        self.chunk = chunk


class _Taking:
    """A chunk that is being taken in, and the one before it.

    Some transactions run at a time: while PostgreSQL writes one chunk, the numbers of the next are locked and judged. Each
    takes its locks when the one before has all of them, so it waits for that one where they share a number or a pool, never
    the other way round; and it is committed behind it.
    """

    def __init__(
        self,
        chunk: _Chunk,
        before: _Taking | None,
        work: Callable[[_Taking], Coroutine[Any, Any, bool]],
        *,
        alone: bool = False,
    ) -> None:
        self.chunk = chunk
        self.alone = alone
        """None is behind it."""
        self.locked = asyncio.Event()
        """It has its locks, or is over."""
        self._before: asyncio.Task[bool] | None = before.done if before is not None else None
        self._before_locked = before.locked if before is not None else None
        self.done: asyncio.Task[bool] = asyncio.create_task(work(self))
        self.done.add_done_callback(lambda _: self.locked.set())

    @property
    def locking(self) -> Locking:
        return ALONE if self.alone else Locking(self._turn, self.locked.set)

    async def _turn(self) -> None:
        """Waits until the chunk before has its locks."""
        if self._before_locked is not None:
            await self._before_locked.wait()
            self._before_locked = None

    async def wait_for_the_one_before(self) -> None:
        """Waits until the chunk before is committed.

        Raises:
            _GoneOn: it was not.
        """
        if self._before is not None:
            taken = await asyncio.shield(self._before)
            self._before = None
            if not taken:
                raise _GoneOn


class Turns:
    """Works on imports.

    Args:
        db: the service's database.
        sources: to find those that rows name.
        window: length of the duplicate window.
    """

    def __init__(self, db: Database, *, sources: Sources, window: timedelta) -> None:
        self._db = db
        self._sources = sources
        self._window = window

    async def take(self, import_id: UUID, *, beat: Beat) -> asyncpg.Record:
        """Goes on with an import for one turn; does nothing if it does not run.

        Args:
            beat: told Excel's number of the last row after each chunk.

        Returns:
            The import as it is afterwards.
        """
        pool = await self._db.driver()
        row = await store.load(pool, import_id)
        if row["state"] == "running":
            with correlated(str(import_id)):
                try:
                    await self._go_on(row, beat)
                except Exception as error:
                    if is_transient(error):
                        raise
                    log.exception("import failed", import_id=str(import_id))
                    ours = Problem()
                    await store.fail(pool, import_id, vi=ours.detail("vi"), en=ours.detail("en"))
            row = await store.load(pool, import_id)
        return row

    async def _go_on(self, row: asyncpg.Record, beat: Beat) -> None:
        of = await self._describe(row)
        done = 0
        under_way: deque[_Taking] = deque()
        try:
            chunk = await self._prepare(of, after=row["row_cursor"])
            while chunk is not None and done < TURN_ROWS:
                before = under_way[-1] if under_way else None
                under_way.append(_Taking(chunk, before, lambda taking: self._take_in(row, of, taking)))
                done += len(chunk.rows)
                # While PostgreSQL works on one chunk, the numbers of the next one are read here.
                chunk = await self._prepare(of, after=chunk.last)
                if len(under_way) == UNDER_WAY and not await self._settled(under_way.popleft(), beat):
                    return
            while under_way:
                if not await self._settled(under_way.popleft(), beat):
                    return
            if chunk is None:
                await store.finish(await self._db.driver(), of.id, row["mode"])
        except _NotTogether as found:
            log.warning(
                "a chunk of an import is taken in row by row",
                after_row=found.chunk.after,
                error=type(found.__cause__).__name__,
            )
            await asyncio.gather(*(taking.done for taking in under_way), return_exceptions=True)
            await self._settled(
                _Taking(found.chunk, None, lambda taking: self._take_in(row, of, taking), alone=True), beat
            )
        finally:
            await asyncio.gather(*(taking.done for taking in under_way), return_exceptions=True)

    async def _settled(self, taking: _Taking, beat: Beat) -> bool:
        """Waits for a chunk; False when the import no longer runs or another process has gone on with it."""
        taken = await taking.done
        if taken:
            await beat(taking.chunk.last)
        return taken

    async def _describe(self, row: asyncpg.Record) -> Import:
        source = await self._sources.by_id(row["source_id"]) if row["source_id"] else None
        origin = source.origin() if source else Origin("excel", source_id=row["source_id"])
        people = await (await self._db.driver()).fetch(_PEOPLE)
        return Import(
            row["id"],
            row["received_at"],
            replace(origin, marketer=row["marketer"], asked_to_be_called=row["asked"], created_by=row["uploaded_by"]),
            source.product if source else "",
            await self._sources.by_name(),
            correlation_id=str(row["id"]),
            columns=_readable(store.columns_of(row), may_distribute=row["may_distribute"]),
            people={person["code"].upper(): person["account_id"] for person in people},
        )

    async def _prepare(self, of: Import, *, after: int) -> _Chunk | None:
        """The next rows as items."""
        rows = await store.staged(await self._db.driver(), of.id, after=after)
        if not rows:
            return None
        items: list[Item] = []
        for first in range(0, len(rows), AT_A_STRETCH):
            items += [item_of(row, of) for row in rows[first : first + AT_A_STRETCH]]
            await asyncio.sleep(0)
        return _Chunk(after, items, rows)

    async def _take_in(self, row: asyncpg.Record, of: Import, taking: _Taking) -> bool:
        """Gives a chunk its verdicts; False when the import no longer runs or another process has gone on with it."""
        pool = await self._db.driver()
        try:
            if row["mode"] == "dry_run" or row["only_new"]:
                # These look at what the chunk before has written.
                await taking.wait_for_the_one_before()
            async with pool.acquire() as connection, connection.transaction():
                await self._write(connection, row, of, taking)
        except _GoneOn:
            return False
        except Exception as error:
            if is_transient(error) or taking.alone or isinstance(error, _NotTogether):
                raise
            raise _NotTogether(taking.chunk) from error
        self._db.wake_relay()
        return True

    async def _write(self, connection: Connection, row: asyncpg.Record, of: Import, taking: _Taking) -> None:
        chunk = taking.chunk
        if not await store.begin_chunk(connection, of.id, after=chunk.after):
            raise _GoneOn
        again = await repeated.find(connection, of, chunk.items, chunk.rows) if row["only_new"] else {}
        fresh = [item for item in chunk.items if item.id not in again] if again else chunk.items
        if row["mode"] == "dry_run":
            counts = await trial.judge_chunk(connection, of, fresh, window=self._window)
        else:
            counts = await self._take_items(connection, row, fresh, taking.locking)
            await store.unstage(connection, of.id, first=chunk.rows[0].number)
        await repeated.keep(connection, of.id, again.values())
        await taking.wait_for_the_one_before()
        if await store.hold(connection, of.id, row["mode"]) != chunk.after:
            raise _GoneOn
        await store.advance(connection, of.id, replace(counts, repeated=len(again)), to=chunk.last)

    async def _take_items(
        self, connection: Connection, row: asyncpg.Record, items: Sequence[Item], locking: Locking
    ) -> Counts:
        verdicts = await accept_each(connection, items, window=self._window, locking=locking)
        await owners.give(connection, items, verdicts, by=row["uploader"])
        counts = Counter(verdict.verdict for verdict in verdicts)
        return Counts(leads=counts["lead"], duplicates=counts["duplicate"], rejected=counts["rejected"])


def _readable(columns: Columns, *, may_distribute: bool) -> Columns:
    """Only who may distribute may name the owners of leads; for others the column is as any that we do not know."""
    if may_distribute:
        return columns
    return tuple((label, None if field == "owner" else field) for label, field in columns)
