"""Sessions and their refresh tokens, of which only hashes are kept."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.staff.domain import SESSION_LIFE
from shared.db import Session

EndedBy = Literal["sign_out", "reuse", "sign_out_everywhere", "password", "deactivated"]

KEPT: Final = 30
"""Days a session that is over is kept: a stolen token that comes late is still recognised."""

_OPEN = text(
    """
INSERT INTO sessions (id, account_id, network, created_at, expires_at) VALUES (:id, :account_id, :network, :at, :expires_at)
"""
)
_ISSUE = text("INSERT INTO refresh_tokens (token_hash, session_id, issued_at) VALUES (:hash, :session_id, :at)")
_TAKE = text(
    """
SELECT s.id AS session_id, s.account_id, s.expires_at, s.ended_at
FROM refresh_tokens t JOIN sessions s ON s.id = t.session_id
WHERE t.token_hash = :hash FOR UPDATE OF s
"""
)
_USED = text("SELECT used_at FROM refresh_tokens WHERE token_hash = :hash")
_RETIRE = text("UPDATE refresh_tokens SET used_at = :at WHERE session_id = :session_id AND used_at IS NULL")
_END = text("UPDATE sessions SET ended_at = :at, ended_by = :by WHERE id = :id AND ended_at IS NULL")
_END_ALL = text(
    "UPDATE sessions SET ended_at = :at, ended_by = :by WHERE account_id = :account_id AND ended_at IS NULL"
)
_PURGE = text("DELETE FROM sessions WHERE least(ended_at, expires_at) < now() - make_interval(days => :days)")


@dataclass(frozen=True)
class Taken:
    """A refresh token that somebody presented, with its session held until the commit."""

    session_id: UUID
    account_id: UUID
    expires_at: datetime
    ended_at: datetime | None
    used_at: datetime | None


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


async def _issue(session: Session, session_id: UUID, *, at: datetime) -> str:
    token = secrets.token_urlsafe(32)
    await session.execute(_ISSUE, {"hash": _hash(token), "session_id": session_id, "at": at})
    return token


async def begin(session: Session, account_id: UUID, *, network: str, at: datetime) -> str:
    """Starts a session and returns its first refresh token."""
    session_id = uuid7()
    await session.execute(
        _OPEN,
        {
            "id": session_id,
            "account_id": account_id,
            "network": network,
            "at": at,
            "expires_at": at + SESSION_LIFE,
        },
    )
    return await _issue(session, session_id, at=at)


async def take(session: Session, token: str) -> Taken | None:
    """The session of a refresh token, or None if we never gave out such a token."""
    row = (await session.execute(_TAKE, {"hash": _hash(token)})).one_or_none()
    if row is None:
        return None
    # Read after the session is held: a twin that was first has marked the token by now.
    used_at = (await session.execute(_USED, {"hash": _hash(token)})).scalar_one()
    return Taken(**row._mapping, used_at=used_at)


async def rotate(session: Session, taken: Taken, *, at: datetime) -> str:
    """Gives the session a new refresh token in the place of its present one."""
    await session.execute(_RETIRE, {"session_id": taken.session_id, "at": at})
    return await _issue(session, taken.session_id, at=at)


async def end(session: Session, session_id: UUID, *, by: EndedBy, at: datetime) -> None:
    await session.execute(_END, {"id": session_id, "by": by, "at": at})


async def end_all(session: Session, account_id: UUID, *, by: EndedBy, at: datetime) -> None:
    """Ends all sessions of an account."""
    await session.execute(_END_ALL, {"account_id": account_id, "by": by, "at": at})


async def purge(session: Session) -> None:
    """Forgets sessions that were over `KEPT` days ago, with their tokens."""
    await session.execute(_PURGE, {"days": KEPT})
