"""When a request to a carrier may go out: the connection's rate, shared by all processes, and its circuit breaker.

Both are one row of the connection. Each request takes the next turn of the row, `1 / rate` after the one before it, so
that the turns of all processes together keep the rate, in the order in which they were taken. Who is told a turn later
than a moment away does not wait for it here, where a place of a worker would be held: the turn is booked under what the
request is about, and the caller comes back for it. So ten thousand parcels of one carrier hold up nobody else's.

After several failures in a row, counted over all processes, the connection is shut: nobody asks, everybody is told when to
come back, and then one request alone goes first.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final
from uuid import UUID

import httpx
from prometheus_client import Counter

from services.shipping.carriers.errors import Away, LeftAlone
from shared.db import Database
from shared.telemetry import logger

log = logger(__name__)

WAIT_HERE: Final = 2.0
"""Seconds for which a request waits in place; longer, its caller comes back."""
WAIT_POLLING: Final = 60.0
"""Seconds for which a poll waits in place: its round is one activity, and holds one place however long it takes."""
IN_FLIGHT: Final = 24
"""Requests of one process to one connection at once: of 64 places for activities, a slow carrier leaves most to others."""
SHUT_AFTER: Final = 10
"""Failures in a row, over all processes. A carrier that fails half of its calls does this once in a thousand."""
SHUT_FIRST: Final = 5.0
SHUT_LONGEST: Final = 120.0
"""Seconds for which it is left alone, doubling from the first to the longest."""
PROBE: Final = 20.0
"""Seconds after which a probe whose process died is forgotten: longer than a carrier may take to answer."""
TOO_OFTEN: Final = 5.0
"""Seconds without requests after the carrier said 'too many' without saying for how long."""

SHUT = Counter("chot_carrier_shut_total", "Times that a connection was left alone after failures in a row")


class Turns(Enum):
    """How a block of requests takes its turns."""

    BOOKED = "booked"
    """The first one waits its turn, here or by coming back; what belongs to it follows at once, and counts."""
    WAITING = "waiting"
    """Each waits here."""
    AT_ONCE = "at_once"
    """None waits, each counts: a person is waiting."""


@dataclass(frozen=True)
class Turn:
    """A turn that was taken.

    Args:
        at: when, by the database's clock.
        seconds: until then; negative where it has come.
        failures_before: failures came right before it.
    """

    at: datetime
    seconds: float
    failures_before: bool


class Gates:
    """The gates of all connections, as one process sees them.

    Args:
        pace: factor of the pauses in which a carrier that is away is left alone.
    """

    def __init__(self, db: Database, *, pace: float) -> None:
        self._db = db
        self._pace = pace
        self._places: defaultdict[UUID, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(IN_FLIGHT))

    @asynccontextmanager
    async def enter(
        self, connection_id: UUID, *, per_second: int, turns: Turns, subject: str = ""
    ) -> AsyncIterator[Passage]:
        """A block of requests to one connection.

        Args:
            per_second: requests that the connection's rate allows.
            subject: what a booked turn is for, e.g. the reference of a parcel.

        Raises:
            Away: it is not its turn yet, or the carrier is left alone; `retry_after` says for how long.
        """
        passage = Passage(self, connection_id, interval=timedelta(seconds=1 / per_second), turns=turns)
        if turns is Turns.AT_ONCE:
            yield passage
            return
        places = self._places[connection_id]
        try:
            await asyncio.wait_for(places.acquire(), WAIT_HERE if turns is Turns.BOOKED else WAIT_POLLING)
        except TimeoutError:
            raise Away("too many requests are under way", retry_after=WAIT_HERE) from None
        try:
            if turns is Turns.BOOKED:
                await passage.come(subject)
            yield passage
        finally:
            places.release()

    async def take(self, connection_id: UUID, interval: timedelta) -> Turn:
        """Takes the next turn.

        Raises:
            LeftAlone: the connection is shut.
        """
        pool = await self._db.driver()
        row = await pool.fetchrow(_TAKE, connection_id, interval, timedelta(seconds=PROBE))
        if row is None:
            seconds = max(0.5, await pool.fetchval(_SHUT_FOR, connection_id) or 0.5)
            # Spread, so that not all who wait come back in the same moment.
            raise LeftAlone(
                "the carrier does not answer and is left alone", retry_after=seconds * random.uniform(1.0, 2.0)
            )
        return Turn(row["at"], row["seconds"], row["failures"] > 0)

    async def booked(self, connection_id: UUID, subject: str) -> float | None:
        """Seconds until a turn that was booked, or None. A turn that has come is used up, also while the connection is
        shut: whoever comes then waits for it to open like everybody else."""
        row = await (await self._db.driver()).fetchrow(_BOOKED, connection_id, subject)
        if row is None or (row["seconds"] <= WAIT_HERE and row["shut"]):
            return None
        return float(row["seconds"])

    async def book(self, connection_id: UUID, subject: str, at: datetime) -> None:
        await (await self._db.driver()).execute(_BOOK, connection_id, subject, at)

    async def answered(self, connection_id: UUID) -> None:
        await (await self._db.driver()).execute(_ANSWERED, connection_id)

    async def failed(self, connection_id: UUID) -> None:
        pool = await self._db.driver()
        first, longest = timedelta(seconds=SHUT_FIRST * self._pace), timedelta(seconds=SHUT_LONGEST * self._pace)
        failures = await pool.fetchval(_FAILED, connection_id, SHUT_AFTER, first, longest)
        if failures == SHUT_AFTER:
            SHUT.inc()
            log.warning("carrier is left alone", connection=str(connection_id), failures=failures)

    async def too_often(self, connection_id: UUID, seconds: float) -> None:
        await (await self._db.driver()).execute(_TOO_OFTEN, connection_id, timedelta(seconds=seconds))

    async def forget(self, connection_id: UUID) -> None:
        """Drops turns that nobody came back for: their parcels were cancelled meanwhile."""
        await (await self._db.driver()).execute(_FORGET, connection_id)


class Passage:
    """The turns of one block of requests."""

    def __init__(self, gates: Gates, connection_id: UUID, *, interval: timedelta, turns: Turns) -> None:
        self._gates = gates
        self._connection_id = connection_id
        self._interval = interval
        self._turns = turns
        self._taken = False
        self._failures_before = False

    async def come(self, subject: str) -> None:
        """The turn of a block whose caller comes back when it is not its turn yet. Raises Away."""
        seconds = await self._gates.booked(self._connection_id, subject)
        if seconds is None:
            try:
                turn = await self._gates.take(self._connection_id, self._interval)
            except LeftAlone as error:
                raise Away(str(error), retry_after=error.retry_after) from error
            seconds, self._failures_before = turn.seconds, turn.failures_before
            if seconds > WAIT_HERE:
                await self._gates.book(self._connection_id, subject, turn.at)
        if seconds > WAIT_HERE:
            raise Away("not its turn yet", retry_after=seconds)
        await asyncio.sleep(max(0.0, seconds))
        self._taken = True

    async def turn(self) -> None:
        """Before a request. Raises LeftAlone."""
        if self._taken:
            self._taken = False
            return
        turn = await self._gates.take(self._connection_id, self._interval)
        self._failures_before = turn.failures_before
        if self._turns is Turns.WAITING:
            if turn.seconds > WAIT_POLLING:
                raise LeftAlone("not its turn yet", retry_after=turn.seconds)
            await asyncio.sleep(max(0.0, turn.seconds))

    async def answered(self, response: httpx.Response) -> None:
        """After an answer of any kind."""
        if response.status_code >= 500:
            await self._gates.failed(self._connection_id)
            return
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            said = response.headers.get("retry-after", "")
            await self._gates.too_often(self._connection_id, float(said) if said.isdigit() else TOO_OFTEN)
        if self._failures_before:
            await self._gates.answered(self._connection_id)

    async def failed(self) -> None:
        """After a request without an answer."""
        await self._gates.failed(self._connection_id)


class GatedTransport(httpx.AsyncBaseTransport):
    """Sends requests when it is their turn, and tells the gate how they ended."""

    def __init__(self, inner: httpx.AsyncBaseTransport, passage: Passage) -> None:
        self._inner = inner
        self._passage = passage

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await self._passage.turn()
        try:
            response = await self._inner.handle_async_request(request)
        except httpx.TransportError:
            await self._passage.failed()
            raise
        await self._passage.answered(response)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


# When the shut time is over, the first to come is the probe: for the others it stays shut until the probe has ended.
_TAKE: Final = """
INSERT INTO carrier_gates AS g (connection_id, next_turn_at) VALUES ($1, clock_timestamp() + $2)
ON CONFLICT (connection_id) DO UPDATE SET next_turn_at = greatest(g.next_turn_at, clock_timestamp()) + $2,
    shut_until = CASE WHEN g.shut_until IS NOT NULL THEN clock_timestamp() + $3 END
WHERE g.shut_until IS NULL OR g.shut_until <= clock_timestamp()
RETURNING next_turn_at - $2 AS at, extract(epoch FROM next_turn_at - $2 - clock_timestamp())::float8 AS seconds, failures
"""
_SHUT_FOR: Final = """
SELECT extract(epoch FROM shut_until - clock_timestamp())::float8 FROM carrier_gates WHERE connection_id = $1
"""
_BOOKED: Final = """
WITH come AS (
    DELETE FROM carrier_turns WHERE connection_id = $1 AND subject = $2 AND at <= clock_timestamp() + interval '2 seconds'
)
SELECT extract(epoch FROM t.at - clock_timestamp())::float8 AS seconds, g.shut_until IS NOT NULL OR g.failures > 0 AS shut
FROM carrier_turns t JOIN carrier_gates g USING (connection_id)
WHERE t.connection_id = $1 AND t.subject = $2
"""
_BOOK: Final = """
INSERT INTO carrier_turns (connection_id, subject, at) VALUES ($1, $2, $3)
ON CONFLICT (connection_id, subject) DO NOTHING
"""
_ANSWERED: Final = """
UPDATE carrier_gates SET failures = 0, shut_until = NULL
WHERE connection_id = $1 AND (failures > 0 OR shut_until IS NOT NULL)
"""
_FAILED: Final = """
UPDATE carrier_gates SET failures = failures + 1, shut_until = CASE WHEN failures + 1 >= $2
    THEN clock_timestamp() + least($4::interval, $3::interval * power(2::float8, least(failures + 1 - $2, 10))) END
WHERE connection_id = $1 RETURNING failures
"""
_TOO_OFTEN: Final = """
UPDATE carrier_gates SET next_turn_at = greatest(next_turn_at, clock_timestamp() + $2) WHERE connection_id = $1
"""
_FORGET: Final = "DELETE FROM carrier_turns WHERE connection_id = $1 AND at < now() - interval '10 minutes'"
