"""The issuer's public keys and what its tokens must say. Imported with the first token: with what it brings it is 9 MiB,
which a process does without that nobody asks anything."""

from __future__ import annotations

from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

ALGORITHMS: Final = ["Ed25519", "EdDSA"]


class TokenKeys:
    """A key set as the issuer publishes it.

    Args:
        published: the JWKS.
        issuer, audience: what tokens must name.
        leeway: seconds of clock difference allowed between machines.

    Raises:
        ValueError: it is no key set.
    """

    def __init__(self, published: Any, *, issuer: str, audience: str, leeway: int) -> None:
        try:
            self._keys = KeySet.import_key_set(published)
        except (JoseError, KeyError, TypeError) as error:
            raise ValueError("no key set") from error
        self._rules = jwt.JWTClaimsRegistry(
            leeway=leeway,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            sub={"essential": True},
        )

    def read(self, token: str) -> dict[str, Any]:
        """The claims of a token that one of the keys has signed, not checked yet.

        Raises:
            ValueError: none has.
        """
        try:
            return jwt.decode(token, self._keys, algorithms=ALGORITHMS).claims
        except JoseError as error:
            raise ValueError("not signed by a known key") from error

    def check(self, claims: dict[str, Any]) -> None:
        """Whether claims are for us, and hold now.

        Raises:
            ValueError: issuer, audience or expiry is wrong.
        """
        try:
            self._rules.validate(claims)
        except JoseError as error:
            raise ValueError("claims do not hold") from error
