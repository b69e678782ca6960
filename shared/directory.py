"""A service's own copy of who works here and under whom, kept from staff's events.

Visibility ("own and subordinates") and revoked tokens are decided from it, without a call to the staff service.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import UUID as SqlUuid
from sqlalchemy import ColumnElement, column, select, table, text

from shared.consumer import Event, Handlers
from shared.contracts.events.staff import ACCOUNT_CHANGED, DUTY_CHANGED, AccountChanged, DutyChanged
from shared.db import Database, Session

EPOCHS_FRESH: Final = 2.0
"""Seconds for which the epochs read last are trusted: how long a revoked token may still pass."""

_ACCOUNT = text(
    """
INSERT INTO staff_members (account_id, version, code, name, department, group_name, team, superior_id, active, token_epoch)
VALUES (:account_id, :version, :code, :name, :department, :group, :team, :superior_id, :active, :token_epoch)
ON CONFLICT (account_id) DO UPDATE SET
    version = excluded.version, code = excluded.code, name = excluded.name, department = excluded.department,
    group_name = excluded.group_name, team = excluded.team, superior_id = excluded.superior_id,
    active = excluded.active, token_epoch = excluded.token_epoch
WHERE staff_members.version < excluded.version
RETURNING 1
"""
)
_DUTY = text(
    """
INSERT INTO staff_members (account_id, on_duty, duty_version) VALUES (:account_id, :on_duty, :version)
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


@directory_handlers.each(ACCOUNT_CHANGED)
async def on_account_changed(session: Session, event: Event[AccountChanged]) -> None:
    account = event.data
    # One writer of the closure at a time, or two transactions could each miss the other's account.
    await session.execute(text("SELECT pg_advisory_xact_lock(hashtext('chot:staff_closure'))"))
    changed = await session.execute(_ACCOUNT, account.model_dump(exclude={"at", "permissions"}))
    if changed.scalar() is None:
        return
    await session.execute(text("DELETE FROM staff_closure"))
    await session.execute(_CLOSURE)


@directory_handlers.each(DUTY_CHANGED)
async def on_duty_changed(session: Session, event: Event[DutyChanged]) -> None:
    await session.execute(_DUTY, event.data.model_dump(include={"account_id", "on_duty", "version"}))


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
    """Token epochs and activity of accounts, read at most every `EPOCHS_FRESH` seconds.

    An account that is not known yet passes: its signature and expiry were checked, and only the projection is behind.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._read_at = float("-inf")
        self._epochs: dict[UUID, tuple[int, bool]] = {}

    async def accepts(self, account_id: UUID, epoch: int) -> bool:
        if time.monotonic() - self._read_at > EPOCHS_FRESH:
            pool = await self._db.driver()
            rows = await pool.fetch("SELECT account_id, token_epoch, active FROM staff_members WHERE version > 0")
            self._epochs = {row["account_id"]: (row["token_epoch"], row["active"]) for row in rows}
            self._read_at = time.monotonic()
        known = self._epochs.get(account_id)
        return known is None or (known[1] and epoch >= known[0])
