"""Tokens of carriers that expire: sealed with the credentials, for all processes; one of them renews at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from services.shipping.carriers.access import Token
from services.shipping.carriers.errors import Away
from shared.db import Database
from shared.vault import Vault

TOKEN: Final = "_token"
EXPIRES: Final = "_token_expires"
RENEW: Final = "_token_renew"
"""How a token stands among the sealed credentials; what a shop enters has names without an underline in front."""
LEASE: Final = timedelta(seconds=45)
"""For a renewal: longer than its requests take."""
AHEAD: Final = timedelta(days=3)
"""A token is renewed so long before its end, a short one after nine tenths of its time."""
COME_BACK: Final = 2.0
"""Seconds until a renewal by another process has ended as a rule."""


def token_of(credentials: Mapping[str, str]) -> Token | None:
    """The token among opened credentials."""
    value = credentials.get(TOKEN)
    if not value:
        return None
    expires = credentials.get(EXPIRES)
    return Token(value, datetime.fromisoformat(expires) if expires else None)


def entered(credentials: Mapping[str, str]) -> dict[str, str]:
    """Opened credentials without what was added to them here."""
    return {name: value for name, value in credentials.items() if name not in (TOKEN, EXPIRES, RENEW)}


def with_token(credentials: Mapping[str, str], token: Token | None, *, now: datetime) -> dict[str, str]:
    """Credentials to seal."""
    plain = entered(credentials)
    if token is None:
        return plain
    if token.expires_at is None:
        return {**plain, TOKEN: token.value}
    renew = token.expires_at - min(AHEAD, (token.expires_at - now) / 10)
    return {**plain, TOKEN: token.value, EXPIRES: token.expires_at.isoformat(), RENEW: renew.isoformat()}


def _is_due(credentials: Mapping[str, str], now: datetime) -> bool:
    renew = credentials.get(RENEW)
    return renew is not None and datetime.fromisoformat(renew) <= now


class SealedTokens:
    """The token of a stored connection.

    Args:
        credentials: opened.
        now: the present, UTC.
    """

    def __init__(
        self,
        db: Database,
        vault: Vault,
        connection_id: UUID,
        credentials: Mapping[str, str],
        *,
        now: Callable[[], datetime],
    ) -> None:
        self._db = db
        self._vault = vault
        self._connection_id = connection_id
        self._credentials = credentials
        self._now = now

    @property
    def current(self) -> Token | None:
        return None if _is_due(self._credentials, self._now()) else token_of(self._credentials)

    async def renew(self, log_in: Callable[[], Awaitable[Token]], *, rejected: str = "") -> Token:
        pool = await self._db.driver()
        sealed = await pool.fetchval(_CLAIM, self._connection_id, LEASE)
        if sealed is None:
            raise Away("the token is being renewed", retry_after=COME_BACK)
        try:
            self._credentials = self._vault.open(sealed, owner_id=self._connection_id)
            held = self.current
            if held is not None and held.value != rejected:
                return held
            token = await log_in()
            self._credentials = with_token(self._credentials, token, now=self._now())
            renewed = self._vault.seal(dict(self._credentials), owner_id=self._connection_id)
            # Not over credentials that somebody entered meanwhile: a token for the former ones is of no use then.
            await pool.execute(_KEEP, self._connection_id, sealed, renewed)
            return token
        finally:
            await pool.execute(_RELEASE, self._connection_id)


_CLAIM: Final = """
UPDATE carrier_connections SET renewing_until = now() + $2
WHERE id = $1 AND (renewing_until IS NULL OR renewing_until < now()) RETURNING credentials
"""
_KEEP: Final = "UPDATE carrier_connections SET credentials = $3 WHERE id = $1 AND credentials = $2"
_RELEASE: Final = "UPDATE carrier_connections SET renewing_until = NULL WHERE id = $1"
