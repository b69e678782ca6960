"""Password hashes: argon2id, computed beside the event loop."""

from __future__ import annotations

import asyncio
import secrets
import unicodedata
from typing import Final

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

MEMORY: Final = 19 * 1024
"""KiB. With two passes and one lane it is the choice of OWASP's password storage sheet (2025); it costs 40 ms of one core,
so that fifty people can sign in at eight o'clock within two seconds."""
PASSES: Final = 2
LANES: Final = 1
AT_ONCE: Final = 4
"""Hashes computed side by side: bounds the memory that strangers can make us take to 76 MiB."""


class Passwords:
    """Makes and checks password hashes."""

    def __init__(self) -> None:
        self._hasher = PasswordHash((Argon2Hasher(time_cost=PASSES, memory_cost=MEMORY, parallelism=LANES),))
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._decoy = self._hasher.hash(secrets.token_urlsafe())

    async def hash(self, password: str) -> str:
        async with self._turns:
            return await asyncio.to_thread(self._hasher.hash, _normalised(password))

    async def verify(self, password: str, hashed: str | None) -> bool:
        """Whether the password is the hashed one. Without a hash (nobody has this login name) the answer is no and takes
        as long, so that time tells no stranger who has an account."""
        async with self._turns:
            matches = await asyncio.to_thread(self._hasher.verify, _normalised(password), hashed or self._decoy)
        return matches and hashed is not None


def _normalised(password: str) -> str:
    """One form of each letter, because keyboards differ in how they compose 'ậ' (NIST SP 800-63B asks for this)."""
    return unicodedata.normalize("NFKC", password)
