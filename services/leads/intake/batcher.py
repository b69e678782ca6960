"""Group commit: requests that arrive while a transaction runs go into the next one together.

There is no waiting for company: a lone request is taken at once, and the busier the service, the more requests share
the cost of a commit.

While the database is away, items wait for it for a bounded time and in a bounded number; whoever waited too long, or
finds too many waiting, is told to repeat. An attempt whose end nobody heard of is looked up before it is repeated.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from services.leads.intake import external, raw
from services.leads.intake.accept import Outcome, accept
from services.leads.intake.items import Item
from services.leads.intake.keeping import INTERNAL, is_transient
from shared.db import Database, is_unavailable
from shared.errors import Unavailable
from shared.telemetry import logger

log = logger(__name__)

MAX_ITEMS: Final = 200
"""Items of one transaction. With more, the last would wait for what the first alone need not."""
WORKERS: Final = 2
"""Transactions at a time: while one waits for its commit, requests are read for the other. More do not help, because
their decisions wait for one another."""
WITHIN: Final = 10.0
"""Seconds for one transaction. A database that takes longer counts as away, so that senders hear of it and repeat."""
PATIENCE: Final = 8.0
"""Seconds for which an item waits while the database is away: a restart or a fail-over costs senders no more than time,
and few senders give up sooner."""
MAX_WAITING: Final = 2_000
"""Requests that wait at most: a second's worth at full speed."""
MAX_WAITING_BYTES: Final = 64 << 20
"""Bytes of their bodies, so that a few large ones cannot take the memory of many."""
PAUSE: Final = 0.05
MAX_PAUSE: Final = 1.0
"""Seconds between attempts while the database is away: the first and, doubled each time, the longest."""


@dataclass(slots=True)
class _Waiting:
    """Items that came together, when they must be answered, and who waits for that."""

    items: Sequence[Item]
    until: float
    future: asyncio.Future[Sequence[Outcome]]

    @property
    def size(self) -> int:
        return sum(len(item.body) for item in self.items)

    def answer(self, outcomes: Sequence[Outcome] | BaseException) -> None:
        if self.future.done():
            return  # its request was given up
        if isinstance(outcomes, BaseException):
            self.future.set_exception(outcomes)
        else:
            self.future.set_result(outcomes)


class Batcher:
    """Takes in items that many requests bring, each request getting its own outcomes.

    Args:
        db: the service's database.
        window: length of the duplicate window.
    """

    def __init__(self, db: Database, *, window: timedelta) -> None:
        self._db = db
        self._window = window
        self._queue: deque[_Waiting] = deque()
        self._bytes = 0
        self._arrived = asyncio.Event()
        self._closing = False

    async def submit(self, item: Item) -> Outcome:
        """Takes one item in; returns when it is durable, or `PATIENCE` + `WITHIN` seconds later at most.

        Raises:
            Unavailable: the database is away, or too many wait for it; the sender may repeat.
        """
        (outcome,) = await self.submit_all([item])
        return outcome

    async def submit_all(self, items: Sequence[Item]) -> Sequence[Outcome]:
        """Takes items in that came together, in one transaction: outcomes in their order.

        Raises:
            Unavailable: as `submit`.
        """
        loop = asyncio.get_running_loop()
        waiting = _Waiting(items, loop.time() + PATIENCE, loop.create_future())
        if len(self._queue) >= MAX_WAITING or self._bytes + waiting.size > MAX_WAITING_BYTES:
            raise Unavailable
        self._queue.append(waiting)
        self._bytes += waiting.size
        self._arrived.set()
        return await waiting.future

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Works on what is submitted until the block ends; what is left then is taken in before."""
        workers = [asyncio.create_task(self._work()) for _ in range(WORKERS)]
        guard = asyncio.create_task(self._guard())
        try:
            yield
        finally:
            self._closing = True
            self._arrived.set()
            await asyncio.gather(*workers)
            guard.cancel()
            await asyncio.gather(guard, return_exceptions=True)

    async def _work(self) -> None:
        while not (self._closing and not self._queue):
            await self._arrived.wait()
            while self._queue:
                await self._take(self._next())
            if not self._closing:
                self._arrived.clear()

    async def _guard(self) -> None:
        """Refuses what has waited too long behind batches that wait for the database themselves."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(MAX_PAUSE / 2)
            while self._queue and self._queue[0].until < loop.time():
                self._pop().answer(Unavailable())

    def _next(self) -> list[_Waiting]:
        batch = [self._pop()]
        count = len(batch[0].items)
        while self._queue and count + len(self._queue[0].items) <= MAX_ITEMS:
            batch.append(self._pop())
            count += len(batch[-1].items)
        return batch

    def _pop(self) -> _Waiting:
        waiting = self._queue.popleft()
        self._bytes -= waiting.size
        return waiting

    async def _take(self, batch: Sequence[_Waiting], *, unsure: bool = False) -> None:
        """Answers a batch, however often the database has to be asked.

        Args:
            unsure: whether an attempt was made before whose end is not known.
        """
        pause = PAUSE
        while batch:
            try:
                outcomes = iter(await self._accept([item for one in batch for item in one.items], unsure=unsure))
            except Exception as error:
                if not is_transient(error):
                    await self._take_apart(batch, error, unsure=unsure)
                    return
                if is_unavailable(error):
                    unsure = True
                    log.warning("database away, arrivals wait", items=len(batch), error=type(error).__name__)
                else:  # the database says itself that nothing of it was written
                    log.warning("another transaction in the way, arrivals wait", items=len(batch))
                batch = self._still_waiting(batch)
                await asyncio.sleep(pause if batch else 0)
                batch = self._still_waiting(batch)
                pause = min(pause * 2, MAX_PAUSE)
            else:
                for one in batch:
                    one.answer([next(outcomes) for _ in one.items])
                return

    def _still_waiting(self, batch: Sequence[_Waiting]) -> list[_Waiting]:
        """Those whose time is not over; the others are told to repeat. When we stop, it is over for all."""
        now = float("inf") if self._closing else asyncio.get_running_loop().time()
        for one in batch:
            if one.until < now:
                one.answer(Unavailable())
        return [one for one in batch if one.until >= now]

    async def _take_apart(self, batch: Sequence[_Waiting], error: Exception, *, unsure: bool) -> None:
        """Each alone, so that the one that cannot be taken in takes no other down with it."""
        if len(batch) > 1:
            for one in batch:
                await self._take([one], unsure=unsure)
            return
        (one,) = batch
        if len(one.items) > 1:
            loop = asyncio.get_running_loop()
            parts = [_Waiting([item], one.until, loop.create_future()) for item in one.items]
            await self._take_apart(parts, error, unsure=unsure)
            failed = next((failure for part in parts if (failure := part.future.exception())), None)
            one.answer(failed or [outcome for part in parts for outcome in part.future.result()])
            return
        log.error("arrival could not be taken in", item=str(one.items[0].id), exc_info=error)
        kept = await self._keep(one.items[0], error)
        one.answer(kept if isinstance(kept, BaseException) else [kept])

    async def _accept(self, items: Sequence[Item], *, unsure: bool = False) -> list[Outcome]:
        async with self._db.bounded(within=WITHIN) as connection, connection.transaction():
            # Of items with a key the key knows what became of them.
            sought = [item.id for item in items if item.once is None] if unsure else []
            known = await external.verdicts_of(connection, sought) if sought else {}
            accepted = await accept(connection, [item for item in items if item.id not in known], window=self._window)
        if accepted.wrote_outbox or unsure:
            self._db.wake_relay()
        taken = iter(accepted.outcomes)
        return [known[item.id] if item.id in known else next(taken) for item in items]

    async def _keep(self, item: Item, error: Exception) -> Outcome | BaseException:
        """What reached us is kept even if a mistake of ours stands between it and a lead."""
        try:
            (outcome,) = await self._accept([raw.unprocessed(item, INTERNAL)])
        except Exception:
            log.exception("arrival could not even be kept", item=str(item.id))
            return error
        return outcome
