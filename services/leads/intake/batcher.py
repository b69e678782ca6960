"""Group commit: requests that arrive while a transaction runs go into the next one together.

There is no waiting for company: a lone request is taken at once, and the busier the service, the more requests share
the cost of a commit.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Final

from services.leads.intake.accept import Outcome, accept
from services.leads.intake.items import Item, Rejection
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
INTERNAL: Final = Rejection(
    "internal",
    vi="Hệ thống chưa xử lý được nội dung này; nội dung đã được giữ lại để xử lý sau. Bạn không cần gửi lại.",
    en="This could not be processed; it is kept and will be looked at. You need not send it again.",
)


class Batcher:
    """Takes in items that many requests bring, each request getting its own outcome.

    Args:
        db: the service's database.
        window: length of the duplicate window.
    """

    def __init__(self, db: Database, *, window: timedelta) -> None:
        self._db = db
        self._window = window
        self._queue: deque[tuple[Item, asyncio.Future[Outcome]]] = deque()
        self._arrived = asyncio.Event()
        self._closing = False

    async def submit(self, item: Item) -> Outcome:
        """Takes one item in; returns when it is durable.

        Raises:
            Unavailable: the database is away; nothing was answered, so the sender may repeat.
        """
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._queue.append((item, future))
        self._arrived.set()
        return await future

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Works on what is submitted until the block ends; what is left then is taken in before."""
        workers = [asyncio.create_task(self._work()) for _ in range(WORKERS)]
        try:
            yield
        finally:
            self._closing = True
            self._arrived.set()
            await asyncio.gather(*workers)

    async def _work(self) -> None:
        while not (self._closing and not self._queue):
            await self._arrived.wait()
            while self._queue:
                await self._take(self._next())
            if not self._closing:
                self._arrived.clear()

    def _next(self) -> list[tuple[Item, asyncio.Future[Outcome]]]:
        return [self._queue.popleft() for _ in range(min(MAX_ITEMS, len(self._queue)))]

    async def _take(self, batch: Sequence[tuple[Item, asyncio.Future[Outcome]]]) -> None:
        outcomes = await self._outcomes([item for item, _ in batch])
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            if future.done():
                continue  # its request was given up
            if isinstance(outcome, BaseException):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

    async def _outcomes(self, items: Sequence[Item]) -> Sequence[Outcome | BaseException]:
        try:
            return await self._accept(items)
        except Exception as error:
            if is_unavailable(error):
                log.warning("database away, arrivals are refused", items=len(items), error=type(error).__name__)
                return [Unavailable() for _ in items]
            if len(items) > 1:
                # Each alone, so that the one that cannot be taken in takes no other down with it.
                return [(await self._outcomes([item]))[0] for item in items]
            log.exception("arrival could not be taken in", item=str(items[0].id))
            return [await self._keep(items[0], error)]

    async def _accept(self, items: Sequence[Item]) -> list[Outcome]:
        pool = await self._db.driver()
        async with asyncio.timeout(WITHIN), pool.acquire() as connection, connection.transaction():
            accepted = await accept(connection, items, window=self._window)
        if accepted.wrote_outbox:
            self._db.wake_relay()
        return accepted.outcomes

    async def _keep(self, item: Item, error: Exception) -> Outcome | BaseException:
        """What reached us is kept even if a mistake of ours stands between it and a lead."""
        try:
            (outcome,) = await self._accept([replace(item, content=INTERNAL)])
        except Exception:
            log.exception("arrival could not even be kept", item=str(item.id))
            return error
        return outcome
