"""Access tokens: signed with Ed25519, checked by every service with the public keys of the JWKS."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from joserfc import jwt
from joserfc.jwk import OKPKey

from services.staff.models import Account

ACCESS_TOKEN_LIFE: Final = timedelta(minutes=15)
"""Also how long the key of a token must stay published after it signs no more."""
ALGORITHM: Final = "Ed25519"
"""RFC 9864: the fully specified name of what RFC 8037 calls EdDSA."""


def read_private_key(pem: str) -> Ed25519PrivateKey:
    """The signing key of a PEM text.

    Raises:
        ValueError: no key, protected by a password, or not Ed25519.
    """
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except TypeError:
        raise ValueError("the key is protected by a password; give it without one") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("this is not a private key as PEM ('-----BEGIN PRIVATE KEY-----' and so on)") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"an Ed25519 key is needed, this is {type(key).__name__.lstrip('_')}")
    return key


def read_public_key(pem: str) -> Ed25519PublicKey:
    """The key of a PEM text.

    Raises:
        ValueError: no public key, or not Ed25519.
    """
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("this is not a public key as PEM ('-----BEGIN PUBLIC KEY-----' and so on)") from None
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError(f"an Ed25519 key is needed, this is {type(key).__name__.lstrip('_')}")
    return key


def _jwk(key: Ed25519PublicKey) -> dict[str, Any]:
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    jwk = OKPKey.import_key(pem)
    return {**jwk.as_dict(private=False), "kid": jwk.thumbprint(), "use": "sig", "alg": ALGORITHM}


class TokenSigner:
    """Signs access tokens.

    Args:
        signing_key: PEM of an Ed25519 private key. Its id is its thumbprint (RFC 7638).
        previous_key: PEM of the public key before, or ''; published so that its last tokens still hold.
        issuer, audience: what tokens name.
    """

    def __init__(self, *, signing_key: str, previous_key: str, issuer: str, audience: str) -> None:
        private = read_private_key(signing_key)
        self._key = OKPKey.import_key(signing_key)
        self._issuer = issuer
        self._audience = audience
        self._public = [_jwk(private.public_key())]
        if previous_key:
            self._public.append(_jwk(read_public_key(previous_key)))

    @property
    def jwks(self) -> dict[str, Any]:
        """The public keys, as RFC 7517 writes them."""
        return {"keys": self._public}

    def sign(self, account: Account, *, at: datetime) -> str:
        """A token for an account as it stands. Who must change the password first gets one without permissions, so that
        every service refuses whatever else they try."""
        issued = int(at.timestamp())
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": str(account.id),
            "code": account.code,
            "department": account.department,
            "team": account.team,
            "permissions": [] if account.must_change_password else list(account.permissions),
            "epoch": account.token_epoch,
            "iat": issued,
            "exp": issued + int(ACCESS_TOKEN_LIFE.total_seconds()),
        }
        header = {"alg": ALGORITHM, "kid": self._public[0]["kid"], "typ": "JWT"}
        return jwt.encode(header, claims, self._key, algorithms=[ALGORITHM])
