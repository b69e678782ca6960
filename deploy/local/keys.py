"""Passwords and keys of a local stack: made once, kept in files that only their owner reads."""

import base64
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

# Bytes of randomness of a key; 32 is what AES-256 and HMAC-SHA-256 take.
KEY_BYTES = 32

# Bytes of randomness of a password that a person may have to type: 96 bits cannot be guessed.
PASSWORD_BYTES = 12


class Keys:
    """The passwords and keys in a directory; each is made when it is first asked for.

    Every value is text for an environment variable.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def postgres_password(self) -> str:
        return self._keep("postgres-password", _password)

    def bootstrap_password(self) -> str:
        """Password of the first account, `admin`."""
        return self._keep("bootstrap-password", _password)

    def token_signing_key(self) -> str:
        """Ed25519 private key, PEM (PKCS 8)."""
        return self._keep("token-signing-key.pem", _signing_key)

    def credentials_key(self) -> str:
        """32 bytes in URL-safe base64, for the carriers' credentials."""
        return self._keep("credentials-key", _cipher_key)

    def leads_credentials_key(self) -> str:
        """32 bytes in URL-safe base64, for the tokens of Facebook pages."""
        return self._keep("leads-credentials-key", _cipher_key)

    def orders_credentials_key(self) -> str:
        """32 bytes in URL-safe base64, for the credentials of telephone systems."""
        return self._keep("orders-credentials-key", _cipher_key)

    def _keep(self, name: str, make: Callable[[], str]) -> str:
        path = self._directory / name
        if not path.exists():
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Written aside first: a run that is killed meanwhile leaves no half key. Linking fails if another process
            # was faster, and then its value counts.
            aside = path.with_name(f"{name}.{os.getpid()}")
            with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(make())
            with suppress(FileExistsError):
                path.hardlink_to(aside)
            aside.unlink()
        return path.read_text()


def _cipher_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def _password() -> str:
    return secrets.token_urlsafe(PASSWORD_BYTES)


def _signing_key() -> str:
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem.decode()
