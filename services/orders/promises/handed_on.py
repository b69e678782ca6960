"""Who hears that a number changed hands, or that somebody who owes calls is not there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.orders.promises.live import tasks_changed
from services.orders.record import Order
from shared.db import ReadSession, Session

_TELL: Final = text(
    """
INSERT INTO notices (id, order_id, key, account_id, kind, at)
SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:orders AS uuid[]), CAST(:keys AS text[]), CAST(:accounts AS uuid[]),
    CAST(:kinds AS text[]), CAST(:at AS timestamptz[]))
ON CONFLICT (order_id, key) DO NOTHING
"""
)
# Whose promised calls go to the team sooner, or later again, because they went off duty, came back, or left.
_PROMISED: Final = text(
    """
SELECT DISTINCT order_id FROM tasks
WHERE owner_id = ANY(CAST(:accounts AS uuid[])) AND closed_at IS NULL AND origin = 'care' AND promise = 'callback'
"""
)


async def tell(session: Session, changes: Sequence[tuple[Order, UUID | None, int, datetime]]) -> None:
    """Tells the one before and the one after of numbers that somebody held already.

    Args:
        changes: the order as it was, its new owner, the number of that assignment, and when.
    """
    told = [
        (order, account, kind, assignment, at)
        for order, owner_id, assignment, at in changes
        if order.owner_id is not None and order.owner_id != owner_id
        for account, kind in ((order.owner_id, "taken_away"), (owner_id, "given"))
        if account is not None
    ]
    if not told:
        return
    values = {
        "ids": [uuid7() for _ in told],
        "orders": [order.id for order, *_ in told],
        "keys": [f"{kind}:{assignment}" for *_, kind, assignment, _ in told],
        "accounts": [account for _, account, *_ in told],
        "kinds": [kind for _, _, kind, *_ in told],
        "at": [at for *_, at in told],
    }
    await session.execute(_TELL, values)
    tasks_changed(session, *(account for _, account, *_ in told))


async def promised_by(session: ReadSession, accounts: Sequence[UUID]) -> list[UUID]:
    """Orders with an open call that one of these people has promised a customer."""
    return list((await session.execute(_PROMISED, {"accounts": list(accounts)})).scalars())
