"""Secrets of carrier connections: credentials encrypted, callback secrets derived, with a key outside the database."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from typing import Final
from uuid import UUID

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

NONCE_BYTES: Final = 12
"""The size AES-GCM is made for (NIST SP 800-38D)."""


class CredentialsUnreadable(Exception):
    """Stored credentials were sealed with another key, or for another connection, or were changed."""


class Vault:
    """Seals and opens carrier credentials, and derives the secrets of callback addresses.

    Args:
        key: 32 random bytes (`CHOT_CREDENTIALS_KEY`).
    """

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(_derive(key, purpose=b"credentials"))
        self._callback_key = _derive(key, purpose=b"callback secrets")

    def seal(self, credentials: dict[str, str], *, connection_id: UUID) -> bytes:
        """Encrypts credentials so that they open for this connection only."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, orjson.dumps(credentials), connection_id.bytes)

    def open(self, sealed: bytes, *, connection_id: UUID) -> dict[str, str]:
        """What `seal` was given.

        Raises:
            CredentialsUnreadable: the key or the connection is another one.
        """
        try:
            plain = self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], connection_id.bytes)
        except (InvalidTag, ValueError):
            raise CredentialsUnreadable(str(connection_id)) from None
        credentials: dict[str, str] = orjson.loads(plain)
        return credentials

    def callback_secret(self, connection_id: UUID, *, number: int) -> str:
        """The secret part of a connection's callback address: 256 bits, the same for the same number.

        It is derived, so it stands nowhere in the database; a new number makes a new secret.
        """
        message = connection_id.bytes + number.to_bytes(4, "big")
        return base64.urlsafe_b64encode(hmac.digest(self._callback_key, message, "sha256")).decode().rstrip("=")


def secret_hash(secret: str) -> bytes:
    """What is stored of a callback secret. Plain SHA-256, because the secret has 256 random bits."""
    return hashlib.sha256(secret.encode()).digest()


def _derive(key: bytes, *, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"chot shipping " + purpose).derive(key)
