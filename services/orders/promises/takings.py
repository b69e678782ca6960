"""Untouched numbers that are taken away: so many from a person in a shift, then they are off duty and their leader is told.

One person at lunch would otherwise lose the numbers of the day one after the other, each thirty minutes late. The count is
one row that grows by an upsert with a bound, so ten cares that run out in one second take three.

A shift here is a stretch of duty: since the last switch on, or since the local day began.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.orders.care.effects import RequestReassignment
from services.orders.promises.live import tasks_changed
from services.orders.record import Order
from shared.contracts.events.orders import TAKING_LIMIT_REACHED, TakingLimitReached
from shared.contracts.events.staff import DutyChanged
from shared.db import Session
from shared.outbox import emit

_TAKE: Final = text(
    """
INSERT INTO takings AS t (account_id, began_at, taken)
SELECT :account_id, greatest(CAST(:day_began AS timestamptz), (
    SELECT began_at FROM duty_stretches WHERE account_id = :account_id AND began_at <= :at)), 1
ON CONFLICT (account_id, began_at) DO UPDATE SET taken = t.taken + 1 WHERE t.taken < :at_most
RETURNING taken, began_at
"""
)
_STOP: Final = text(
    """
WITH stopped AS (
    UPDATE takings SET stopped_at = :at WHERE account_id = :account_id AND began_at = :began_at
)
INSERT INTO notices (id, order_id, key, account_id, kind, at)
SELECT CAST(:id AS uuid), :order_id, CAST(:key AS text), superior_id, 'taking_limit', CAST(:at AS timestamptz)
FROM staff_members WHERE account_id = :account_id AND version > 0
ON CONFLICT (order_id, key) DO NOTHING RETURNING account_id
"""
)
_STRETCHES: Final = text(
    """
INSERT INTO duty_stretches (account_id, version, began_at)
SELECT DISTINCT ON (account_id) account_id, version, at
FROM unnest(CAST(:accounts AS uuid[]), CAST(:versions AS integer[]), CAST(:at AS timestamptz[])) AS d (account_id, version, at)
ORDER BY account_id, version DESC
ON CONFLICT (account_id) DO UPDATE SET version = excluded.version, began_at = excluded.began_at
WHERE duty_stretches.version < excluded.version
"""
)


async def take(session: Session, order: Order, wanted: RequestReassignment) -> bool:
    """Whether a locked order's untouched number may be taken from its owner; counts it if so.

    The last that may be taken in a shift tells staff, who switch the owner off duty, and the owner's superior.
    """
    found = await session.execute(
        _TAKE,
        {
            "account_id": wanted.owner_id,
            "day_began": wanted.untouched_on,
            "at": wanted.at,
            "at_most": wanted.at_most,
        },
    )
    row = found.one_or_none()
    if row is None:
        return False
    if row.taken == wanted.at_most:
        await _stop(session, order, wanted, began_at=row.began_at)
    return True


async def _stop(session: Session, order: Order, wanted: RequestReassignment, *, began_at: datetime) -> None:
    assert wanted.owner_id is not None  # whose numbers are counted
    told = await session.execute(
        _STOP,
        {
            "id": uuid7(),
            "order_id": order.id,
            "key": f"taking_limit:{wanted.owner_id}:{began_at:%Y%m%dT%H%M%S}",
            "account_id": wanted.owner_id,
            "began_at": began_at,
            "at": wanted.at,
        },
    )
    tasks_changed(session, *told.scalars())
    reached = TakingLimitReached(
        account_id=wanted.owner_id,
        code=order.owner_code,
        taken=wanted.at_most,
        since=began_at,
        at=wanted.at,
        order_id=order.id,
    )
    await emit(session, TAKING_LIMIT_REACHED, reached, subject=wanted.owner_id)


async def keep_stretches(session: Session, switches: Sequence[DutyChanged]) -> None:
    """Notes since when people are on duty: a switch on begins a shift, in which nothing has been taken yet."""
    on = [switch for switch in switches if switch.on_duty]
    if on:
        await session.execute(
            _STRETCHES,
            {
                "accounts": [switch.account_id for switch in on],
                "versions": [switch.version for switch in on],
                "at": [switch.at for switch in on],
            },
        )
