"""Secrets of other companies' systems: sealed with a key outside the database, and addresses' secrets derived from it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Final
from uuid import UUID

import orjson
from pydantic import AfterValidator, SecretStr

# `cryptography` is imported where it is used: 7 MiB, which a process that opens no credentials does without.
if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
"""AES-256."""
DISTINCT_BYTES: Final = 16
"""A random key of 32 bytes has fewer different ones about once in 10^13 keys; a typed-in key nearly always."""
NONCE_BYTES: Final = 12
"""The size AES-GCM is made for (NIST SP 800-38D)."""


class CredentialsUnreadable(Exception):
    """Stored credentials were sealed with another key, or for another owner, or were changed."""


class Vault:
    """Seals and opens credentials, and derives secrets that then stand nowhere in the database.

    Args:
        key: 32 random bytes (`CHOT_CREDENTIALS_KEY`).
        service: whose vault it is; the same key opens nothing of another service.
    """

    def __init__(self, key: bytes, *, service: str) -> None:
        self._key = key
        self._service = service

    @cached_property
    def _cipher(self) -> AESGCM:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return AESGCM(self._derived("credentials"))

    def seal(self, credentials: dict[str, str], *, owner_id: UUID) -> bytes:
        """Encrypts credentials so that they open for this owner only."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, orjson.dumps(credentials), owner_id.bytes)

    def open(self, sealed: bytes, *, owner_id: UUID) -> dict[str, str]:
        """What `seal` was given.

        Raises:
            CredentialsUnreadable: the key or the owner is another one.
        """
        from cryptography.exceptions import InvalidTag

        try:
            plain = self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], owner_id.bytes)
        except (InvalidTag, ValueError):
            raise CredentialsUnreadable(str(owner_id)) from None
        credentials: dict[str, str] = orjson.loads(plain)
        return credentials

    def secret(self, owner_id: UUID, *, number: int, purpose: str) -> str:
        """A secret of 256 bits that is the same for the same owner, number and purpose; a new number makes a new one."""
        message = owner_id.bytes + number.to_bytes(4, "big")
        return base64.urlsafe_b64encode(hmac.digest(self._derived(purpose), message, "sha256")).decode().rstrip("=")

    def _derived(self, purpose: str) -> bytes:
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        info = f"chot {self._service} {purpose}".encode()
        return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(self._key)


def secret_hash(secret: str) -> bytes:
    """What is stored of a derived secret. Plain SHA-256, because the secret has 256 random bits."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()


def decode_key(text: str) -> bytes:
    """A key from urlsafe base64, padded or not.

    Raises:
        ValueError: it is not 32 bytes in that form, or not random.
    """
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("must be urlsafe base64") from None
    if len(key) != KEY_BYTES:
        raise ValueError(f"must be {KEY_BYTES} bytes in urlsafe base64, not {len(key)}")
    if len(set(key)) < DISTINCT_BYTES:
        raise ValueError("is too weak; make one with: openssl rand -base64 32 | tr '+/' '-_'")
    return key


def _is_a_key(value: SecretStr) -> SecretStr:
    decode_key(value.get_secret_value())
    return value


def _is_a_key_or_empty(value: SecretStr) -> SecretStr:
    return _is_a_key(value) if value.get_secret_value() else value


CredentialsKey = Annotated[SecretStr, AfterValidator(_is_a_key)]
"""A setting that holds a vault's key."""
OptionalCredentialsKey = Annotated[SecretStr, AfterValidator(_is_a_key_or_empty)]
"""The same where '' means that there is none."""
