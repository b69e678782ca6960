"""Whose address other companies' systems call: found by the secret in its path."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

from shared.vault import secret_hash

OwnerT = TypeVar("OwnerT")

FRESH: Final = 5.0
"""Seconds for which the secrets read last are trusted: how long one that was replaced in another process may still pass."""
PAUSE: Final = 0.5
"""Seconds between reads at least, so that guessed secrets cannot make us read without end."""


class HookSecrets(Generic[OwnerT]):
    """The hashes of all secrets of one kind of address, a handful, kept in memory.

    Args:
        read: reads them, each with whose it is.
    """

    def __init__(self, read: Callable[[], Awaitable[Sequence[tuple[bytes, OwnerT]]]]) -> None:
        self._read = read
        self._known: Sequence[tuple[bytes, OwnerT]] = ()
        self._read_at = float("-inf")
        self._changed_at = float("-inf")
        self._lock = asyncio.Lock()

    async def find(self, secret: str) -> OwnerT | None:
        """Whose a secret is, or None."""
        digest = secret_hash(secret)
        await self._refresh(older_than=FRESH)
        found = self._match(digest)
        if found is None:
            await self._refresh(older_than=PAUSE)
            found = self._match(digest)
        return found

    def forget(self) -> None:
        """A secret was made, replaced or taken away: the next call reads them again."""
        self._changed_at = time.monotonic()

    def _match(self, digest: bytes) -> OwnerT | None:
        """Compares with every hash to the end, so that the time taken says nothing."""
        found = None
        for held, owner in self._known:
            if hmac.compare_digest(held, digest):
                found = owner
        return found

    async def _refresh(self, *, older_than: float) -> None:
        if self._is_known(older_than):
            return
        async with self._lock:
            if self._is_known(older_than):
                return
            started = time.monotonic()  # what changes while we read may not be in the answer
            self._known = await self._read()
            self._read_at = started

    def _is_known(self, older_than: float) -> bool:
        return self._read_at > max(self._changed_at, time.monotonic() - older_than)
