"""Takes items in so that one that cannot be taken in takes no other down with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

import asyncpg

from services.leads.driver import Connection
from services.leads.intake.accept import accept
from services.leads.intake.items import Item, Rejection, Verdict
from services.leads.intake.locking import ALONE, Locking
from shared.db import is_unavailable
from shared.telemetry import logger

log = logger(__name__)

INTERNAL: Final = Rejection(
    "internal",
    vi="Hệ thống chưa xử lý được nội dung này; nội dung đã được giữ lại để xử lý sau. Bạn không cần gửi lại.",
    en="This could not be processed; it is kept and will be looked at. You need not send it again.",
)


async def accept_each(
    connection: Connection, items: Sequence[Item], *, window: timedelta, locking: Locking = ALONE
) -> list[Verdict]:
    """Takes items without keys in, all together in the caller's transaction; if that fails, each alone, and one that
    fails alone is kept as a rejection. The relay is to be woken after the commit.

    Among other transactions of the same work they are only taken in together. Each alone takes its locks anew, which others
    behind it may hold by now, who wait for its commit: first those must give way.
    """
    if not items:
        return []
    try:
        async with connection.transaction():
            accepted = await accept(connection, items, window=window, locking=locking)
            return [outcome for outcome in accepted.outcomes if isinstance(outcome, Verdict)]
    except Exception as error:
        if is_transient(error) or locking is not ALONE:
            raise
        if len(items) > 1:
            return [(await accept_each(connection, [item], window=window))[0] for item in items]
        if items[0].content is INTERNAL:
            raise
        log.exception("arrival could not be taken in", item=str(items[0].id))
        return await accept_each(connection, [replace(items[0], content=INTERNAL)], window=window)


def is_transient(error: Exception) -> bool:
    """Whether the same will work when it is tried again: the database is away, or another transaction was in the way."""
    return is_unavailable(error) or isinstance(error, asyncpg.TransactionRollbackError)
