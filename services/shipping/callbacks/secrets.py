"""Which connection a callback's secret belongs to."""

from __future__ import annotations

import asyncio
import hmac
import time
from typing import Final
from uuid import UUID

from shared.db import Database
from shared.vault import Vault, secret_hash

FRESH: Final = 5.0
"""Seconds for which the secrets read last are trusted: how long a replaced one may still pass."""
PAUSE: Final = 0.5
"""Seconds between reads at least, so that guessed secrets cannot make us read without end."""


def callback_secret(vault: Vault, connection_id: UUID, *, number: int) -> str:
    """The secret part of a connection's callback address: 256 bits, the same for the same number."""
    return vault.secret(connection_id, number=number, purpose="callback secrets")


class CallbackSecrets:
    """The hashes of all callback secrets, a handful, kept in memory."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._hashes: list[tuple[bytes, UUID]] = []
        self._read_at = float("-inf")
        self._lock = asyncio.Lock()

    async def connection_of(self, secret: str) -> UUID | None:
        """The connection that a secret belongs to, or None."""
        digest = secret_hash(secret)
        await self._read(older_than=FRESH)
        found = self._match(digest)
        if found is None:
            await self._read(older_than=PAUSE)
            found = self._match(digest)
        return found

    def forget(self) -> None:
        """A connection changed: the next callback reads the secrets again."""
        self._read_at = float("-inf")

    def _match(self, digest: bytes) -> UUID | None:
        """Compares with every hash to the end, so that the time taken says nothing."""
        found = None
        for held, connection_id in self._hashes:
            if hmac.compare_digest(held, digest):
                found = connection_id
        return found

    async def _read(self, *, older_than: float) -> None:
        if time.monotonic() - self._read_at <= older_than:
            return
        async with self._lock:
            if time.monotonic() - self._read_at <= older_than:
                return
            pool = await self._db.driver()
            rows = await pool.fetch("SELECT callback_secret_hash, id FROM carrier_connections")
            self._hashes = [(row["callback_secret_hash"], row["id"]) for row in rows]
            self._read_at = time.monotonic()
