"""A service's own copy of who works here and under whom, kept from staff's events.

Visibility ("own and subordinates") and revoked tokens are decided from it, without a call to the staff service.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import UUID as SqlUuid
from sqlalchemy import ColumnElement, column, select, table, text

from shared.consumer import Event, Handlers
from shared.contracts.events.staff import ACCOUNT_CHANGED, DUTY_CHANGED, AccountChanged, DutyChanged
from shared.db import Database, Session

EPOCHS_FRESH: Final = 2.0
"""Seconds for which the epochs read last are trusted: how long a revoked token may still pass."""
EPOCHS_WITHIN: Final = 3.0
"""Seconds to read them. A database that takes longer counts as away: callers are told to repeat, and none piles up."""

# Every writer of the directory waits for the one before it: two could each miss the other's account when they make the
# closure, or update the same rows in different orders.
_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('chot:staff_directory'))")
_ACCOUNTS = text(
    """
INSERT INTO staff_members (account_id, version, code, name, department, group_name, team, superior_id, active, token_epoch)
SELECT DISTINCT ON (account_id)
    account_id, version, code, name, department, "group", team, superior_id, active, token_epoch
FROM jsonb_to_recordset(CAST(:accounts AS jsonb)) AS a (
    account_id uuid, version integer, code text, name text, department text, "group" text, team text,
    superior_id uuid, active boolean, token_epoch integer)
ORDER BY account_id, version DESC
ON CONFLICT (account_id) DO UPDATE SET
    version = excluded.version, code = excluded.code, name = excluded.name, department = excluded.department,
    group_name = excluded.group_name, team = excluded.team, superior_id = excluded.superior_id,
    active = excluded.active, token_epoch = excluded.token_epoch
WHERE staff_members.version < excluded.version
RETURNING 1
"""
)
_DUTIES = text(
    """
INSERT INTO staff_members (account_id, on_duty, duty_version)
SELECT DISTINCT ON (account_id) account_id, on_duty, version
FROM jsonb_to_recordset(CAST(:duties AS jsonb)) AS d (account_id uuid, on_duty boolean, version integer)
ORDER BY account_id, version DESC
ON CONFLICT (account_id) DO UPDATE SET on_duty = excluded.on_duty, duty_version = excluded.duty_version
WHERE staff_members.duty_version < excluded.duty_version
"""
)
# The staff of one company are hundreds at most, so the whole closure is made afresh in one statement. UNION stops at a
# circle, which staff refuses anyway.
_CLOSURE = text(
    """
WITH RECURSIVE below (superior_id, account_id, depth) AS (
    SELECT account_id, account_id, 0 FROM staff_members WHERE version > 0
    UNION
    SELECT b.superior_id, m.account_id, b.depth + 1
    FROM below b JOIN staff_members m ON m.superior_id = b.account_id
    WHERE b.depth < 32 AND m.version > 0
)
INSERT INTO staff_closure (superior_id, account_id, depth)
SELECT superior_id, account_id, min(depth) FROM below GROUP BY superior_id, account_id
"""
)

directory_handlers = Handlers()
"""Every service includes these among its handlers."""


@directory_handlers.batch(ACCOUNT_CHANGED)
async def on_accounts_changed(session: Session, events: Sequence[Event[AccountChanged]]) -> None:
    await keep_accounts(session, [event.data for event in events])


@directory_handlers.batch(DUTY_CHANGED)
async def on_duties_changed(session: Session, events: Sequence[Event[DutyChanged]]) -> None:
    await keep_duties(session, [event.data for event in events])


async def keep_accounts(session: Session, accounts: Sequence[AccountChanged]) -> None:
    """Brings the directory up to these states of accounts; a state older than the known one changes nothing."""
    await session.execute(_LOCK)
    fields = {"at", "permissions"}
    changed = await session.execute(
        _ACCOUNTS, {"accounts": _json([account.model_dump(mode="json", exclude=fields) for account in accounts])}
    )
    if changed.first() is None:
        return
    await session.execute(text("DELETE FROM staff_closure"))
    await session.execute(_CLOSURE)


async def keep_duties(session: Session, duties: Sequence[DutyChanged]) -> None:
    """Brings the directory up to these on-duty switches."""
    await session.execute(_LOCK)
    fields = {"account_id", "on_duty", "version"}
    await session.execute(_DUTIES, {"duties": _json([duty.model_dump(mode="json", include=fields) for duty in duties])})


def _json(items: list[dict[str, Any]]) -> str:
    return orjson.dumps(items).decode()


@dataclass(frozen=True)
class Member:
    account_id: UUID
    code: str
    team: str
    superior_id: UUID | None
    active: bool
    on_duty: bool


_MEMBER = text(
    "SELECT account_id, code, team, superior_id, active, on_duty FROM staff_members WHERE account_id = :id AND version > 0"
)


async def member(session: Any, account_id: UUID) -> Member | None:
    """One colleague as this service knows them, or None."""
    row = (await session.execute(_MEMBER, {"id": account_id})).one_or_none()
    return Member(**row._mapping) if row else None


_closure = table("staff_closure", column("superior_id", SqlUuid), column("account_id", SqlUuid))


def held_by_or_below(owner: ColumnElement[Any], viewer: UUID) -> ColumnElement[bool]:
    """The condition 'the owner is the viewer or somebody below the viewer', for the WHERE of every list."""
    below = select(_closure.c.account_id).where(_closure.c.superior_id == viewer)
    return (owner == viewer) | owner.in_(below)


class Epochs:
    """Token epochs and activity of accounts, read again when they are older than `fresh` seconds.

    An account that is not known yet passes: its signature and expiry were checked, and only the projection is behind.
    """

    def __init__(self, db: Database, *, fresh: float = EPOCHS_FRESH) -> None:
        self._db = db
        self._fresh = fresh
        self._read_at = float("-inf")
        self._epochs: dict[UUID, tuple[int, bool]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def accepts(self, account_id: UUID, epoch: int) -> bool:
        asked = time.monotonic()
        while self._read_at < asked - self._fresh:
            # One reads for all who wait. Who asked after it began, with no time to spare, waits for the next.
            if self._reading is None or self._reading.done():
                self._reading = asyncio.create_task(self._read())
            await asyncio.shield(self._reading)
        known = self._epochs.get(account_id)
        return known is None or (known[1] and epoch >= known[0])

    async def _read(self) -> None:
        began = time.monotonic()
        async with self._db.bounded(within=EPOCHS_WITHIN) as connection:
            rows = await connection.fetch("SELECT account_id, token_epoch, active FROM staff_members WHERE version > 0")
        self._epochs = {row["account_id"]: (row["token_epoch"], row["active"]) for row in rows}
        self._read_at = began
