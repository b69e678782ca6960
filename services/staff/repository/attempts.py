"""Sign-in attempts: recorded before the password is checked, so that tries at the same time are counted as well."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.staff.domain import TRIES_LOCK, TRIES_OF_ADDRESS, TRIES_OF_LOGIN, TRIES_WINDOW
from shared.db import Session

Outcome = Literal["wrong", "right", "inactive"]

KEPT: Final = 90
"""Days an attempt is kept: long enough to answer who tried what, short for data about people."""

_LOCK_LOGIN = text("SELECT pg_advisory_xact_lock(1, hashtext(encode(:login, 'hex')))")
_LOCK_NETWORK = text("SELECT pg_advisory_xact_lock(2, hashtext(:network))")
_RECENT = text(
    """
SELECT clock_timestamp() AS now,
    ARRAY(
        SELECT at FROM sign_in_attempts
        WHERE login_hash = :login AND outcome IN ('pending', 'wrong') AND at > now() - CAST(:horizon AS interval)
          AND at > coalesce((SELECT max(at) FROM sign_in_attempts WHERE login_hash = :login AND outcome = 'right'),
                            '-infinity')
        ORDER BY at DESC LIMIT :of_login) AS of_login,
    ARRAY(
        SELECT at FROM sign_in_attempts
        WHERE network = :network AND outcome IN ('pending', 'wrong') AND at > now() - CAST(:horizon AS interval)
        ORDER BY at DESC LIMIT :of_network) AS of_network
"""
)
_BEGIN = text("INSERT INTO sign_in_attempts (id, login_hash, network) VALUES (:id, :login, :network)")
_END = text("UPDATE sign_in_attempts SET outcome = :outcome, account_id = :account_id WHERE id = :id")
_PURGE = text("DELETE FROM sign_in_attempts WHERE at < now() - make_interval(days => :days)")


@dataclass(frozen=True)
class Recent:
    """Times of the last wrong tries, newest first."""

    now: datetime
    of_login: Sequence[datetime]
    """Since the last right one."""
    of_network: Sequence[datetime]


def login_hash(login: str) -> bytes:
    return hashlib.sha256(login.encode()).digest()


async def recent(session: Session, login: str, network: str) -> Recent:
    """The recent wrong tries; further tries with this login name or from this network wait until the commit."""
    # The login first, then the network: in one order for all, so that they cannot wait for one another in a circle.
    await session.execute(_LOCK_LOGIN, {"login": login_hash(login)})
    await session.execute(_LOCK_NETWORK, {"network": network})
    row = (
        await session.execute(
            _RECENT,
            {
                "login": login_hash(login),
                "network": network,
                "horizon": TRIES_WINDOW + TRIES_LOCK,
                "of_login": TRIES_OF_LOGIN,
                "of_network": TRIES_OF_ADDRESS,
            },
        )
    ).one()
    return Recent(**row._mapping)


async def begin(session: Session, login: str, network: str) -> UUID:
    attempt = uuid7()
    await session.execute(_BEGIN, {"id": attempt, "login": login_hash(login), "network": network})
    return attempt


async def end(session: Session, attempt: UUID, outcome: Outcome, *, account_id: UUID | None) -> None:
    await session.execute(_END, {"id": attempt, "outcome": outcome, "account_id": account_id})


async def purge(session: Session) -> None:
    """Forgets attempts older than `KEPT`."""
    await session.execute(_PURGE, {"days": KEPT})
