"""A service's database: read and write sessions as distinct types, one commit point, and the wake-up of the relay."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

import asyncpg
import orjson
from asyncpg.pool import PoolConnectionProxy
from sqlalchemy import MetaData, event
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from shared.telemetry import logger

log = logger(__name__)

OUTBOX_CHANNEL: Final = "chot_outbox"
OUTBOX_WRITTEN: Final = "outbox_written"
_WAKES: Final = "wakes"
_TOPICS: Final = "topics"

NAMING: Final = {
    "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ck": "%(table_name)s_%(constraint_name)s_check",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    "pk": "%(table_name)s_pkey",
}


class Base(DeclarativeBase):
    """Base for a service's mapped classes. Subclass it once a service, so that each has its own metadata."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING)


class ReadSession(AsyncSession):
    """A session in a read-only transaction."""


class Session(ReadSession):
    """A session whose transaction commits when its block ends. Usable wherever a read session is."""


def wake_after_commit(session: Session, name: str) -> None:
    """Wakes whoever waits for `Database.waker(name)` in this process, once the session is committed."""
    session.info.setdefault(_WAKES, set()).add(name)


def tell_after_commit(session: Session, topic: str) -> None:
    """Tells whoever follows a topic on a stream (`Database.on_told`), once the session is committed."""
    session.info.setdefault(_TOPICS, set()).add(topic)


def _driver_url(url: str) -> str:
    return url.replace("postgres://", "postgresql://", 1)


def _refuse_closed(connection: Any, _: Any, __: Any) -> None:
    """Has the pool open a new connection for one that PostgreSQL closed (a restart), without asking it on every use."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError


async def keep_state(_: Any) -> None:
    """For driver pools: nothing to reset, because no code of ours changes a session; saves a round trip a use."""


class Database:
    """One service's database.

    Args:
        url: postgresql://… without a driver suffix.
        pool_size: connections kept and allowed at most, for the session pool and the driver pool each.
    """

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self.url = _driver_url(url)
        self._pool_size = pool_size
        self.engine: AsyncEngine = create_async_engine(
            "postgresql+asyncpg://",
            # The driver reads the whole URL itself, sslmode and the like included, which SQLAlchemy does not pass on.
            async_creator=partial(asyncpg.connect, self.url),
            pool_size=pool_size,
            max_overflow=0,
            hide_parameters=True,  # they may be personal, and errors are logged
            json_serializer=lambda value: orjson.dumps(value).decode(),
            json_deserializer=orjson.loads,
        )
        event.listen(self.engine.sync_engine, "checkout", _refuse_closed)
        self._write = async_sessionmaker(self.engine, class_=Session, expire_on_commit=False)
        self._read = async_sessionmaker(
            self.engine.execution_options(postgresql_readonly=True), class_=ReadSession, expire_on_commit=False
        )
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._pool_lock = asyncio.Lock()
        self._waking: asyncio.Task[None] | None = None
        self._wake_again = False
        self._wakers: dict[str, asyncio.Event] = {}
        self.on_told: Callable[[Iterable[str]], None] | None = None
        """What a service with streams does with the topics that a transaction has changed."""

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        """A write transaction: committed when the block ends, rolled back when it raises. Wakes the relay after commit."""
        async with self._write() as session:
            async with session.begin():
                yield session
            if session.info.get(OUTBOX_WRITTEN):
                self.wake_relay()
            for name in session.info.get(_WAKES, ()):
                self.waker(name).set()
            topics = session.info.get(_TOPICS)
            if topics and self.on_told is not None:
                self.on_told(topics)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadSession]:
        """A read-only transaction."""
        async with self._read() as session, session.begin():
            yield session

    async def driver(self) -> asyncpg.Pool[asyncpg.Record]:
        """The asyncpg pool for hot paths, opened on first use. After writing outbox rows call `wake_relay`."""
        if self._pool is None:
            async with self._pool_lock:
                if self._pool is None:
                    self._pool = await asyncpg.create_pool(
                        self.url, min_size=0, max_size=self._pool_size, reset=keep_state
                    )
        return self._pool

    @asynccontextmanager
    async def bounded(self, *, within: float) -> AsyncIterator[PoolConnectionProxy[asyncpg.Record]]:
        """A connection of the driver pool that is cut when the block takes too long, so that a server which neither
        answers nor refuses holds nobody up.

        Cancelling would not do: the driver then waits for the server to confirm it.

        Args:
            within: seconds to get the connection, and again for the block.

        Raises:
            an error of which `is_unavailable` is true: it took longer, or the database is away.
        """
        pool = await self.driver()
        connection = await pool.acquire(timeout=within)
        cut = asyncio.get_running_loop().call_later(within, connection.terminate)
        try:
            yield connection
        finally:
            cut.cancel()
            await pool.release(connection)

    def waker(self, name: str) -> asyncio.Event:
        """What a background part of this process waits for besides its own clock; see `wake_after_commit`."""
        return self._wakers.setdefault(name, asyncio.Event())

    def wake_relay(self) -> None:
        """Tells the relay that there is something to send: a NOTIFY after the commit, coalesced over commits.

        Inside the transaction a NOTIFY would take a lock that serialises all commits of the database.
        """
        self._wake_again = True
        if self._waking is None or self._waking.done():
            self._waking = asyncio.get_running_loop().create_task(self._notify())

    async def _notify(self) -> None:
        while self._wake_again:
            self._wake_again = False
            try:
                pool = await self.driver()
                await pool.execute(f"NOTIFY {OUTBOX_CHANNEL}")
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                # The relay polls as well, so a lost wake-up costs a second, not an event.
                log.warning("wake-up of the relay failed", error=str(error))

    async def close(self) -> None:
        if self._waking is not None:
            await asyncio.gather(self._waking, return_exceptions=True)
        if self._pool is not None:
            await self._pool.close()
        await self.engine.dispose()


def is_contended(error: BaseException) -> bool:
    """Whether a transaction was ended because two waited for one another: nothing is wrong with it, and nothing of it was
    kept. Locks are taken in one order, so that this is rare; a batch of events of many kinds cannot always."""
    if isinstance(error, DBAPIError):
        cause = error.orig.__cause__ if error.orig is not None else None
        return cause is not None and is_contended(cause)
    return isinstance(error, asyncpg.DeadlockDetectedError | asyncpg.SerializationError)


def is_unstorable(error: BaseException) -> bool:
    """Whether a text holds the one character that PostgreSQL keeps in no text, NUL, which no person types. What a program
    sends with it is refused by whatever statement meets it first."""
    if isinstance(error, DBAPIError):
        cause = error.orig.__cause__ if error.orig is not None else None
        return cause is not None and is_unstorable(cause)
    return isinstance(error, asyncpg.CharacterNotInRepertoireError | asyncpg.UntranslatableCharacterError)


def is_unavailable(error: BaseException) -> bool:
    """Whether an error says that the database is away (to be tried again later) rather than that a statement is wrong."""
    if isinstance(error, DBAPIError):
        if error.connection_invalidated or isinstance(error, InterfaceError | OperationalError):
            return True
        cause = error.orig.__cause__ if error.orig is not None else None
        return cause is not None and is_unavailable(cause)
    return isinstance(
        error,
        OSError
        | TimeoutError
        | asyncpg.PostgresConnectionError
        | asyncpg.CannotConnectNowError
        | asyncpg.AdminShutdownError
        | asyncpg.CrashShutdownError
        | asyncpg.TooManyConnectionsError
        | asyncpg.InterfaceError
        # The server's last words reached a connection that was idle, and it was used before it was closed.
        | asyncpg.InternalClientError,
    )
