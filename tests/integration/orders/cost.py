"""What a read costs, in pages of PostgreSQL: not in time, which says more of the machine and of who else is at work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from sqlalchemy import text

from shared.db import Database, ReadSession

Work = Callable[[ReadSession], Awaitable[Any]]

TIMES: Final = 7
"""PostgreSQL plans a statement for its parameters five times; then it may take one plan for all, which must do as well."""
_FLUSH: Final = text("SELECT pg_stat_force_next_flush()")
_TOUCHED: Final = text(
    "SELECT sum(hits + reads) FROM pg_stat_get_backend_io(pg_backend_pid()) WHERE object = 'relation'"
)


async def pages(db: Database, work: Work) -> int:
    """Pages of 8 KiB that a connection touches, in memory or not, when it does this once more after some times."""
    async with db.engine.connect() as connection:
        session = ReadSession(bind=connection)

        async def touched() -> int:
            await session.execute(_FLUSH)
            await session.commit()
            found: int = (await session.execute(_TOUCHED)).scalar_one()
            await session.commit()
            return found

        for _ in range(TIMES):
            await work(session)
        await touched()  # what the first count itself reads of the catalogue, it will not read again
        before = await touched()
        await work(session)
        return await touched() - before
