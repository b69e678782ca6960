"""Who asks, and may they: bearer tokens checked offline, a permission for every route."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, cast
from uuid import UUID

import httpx
from fastapi import Depends, Request

from shared.contracts import permissions
from shared.directory import Epochs
from shared.errors import Forbidden, Unauthenticated, Unavailable
from shared.settings import Settings
from shared.telemetry import logger

if TYPE_CHECKING:
    from shared.token_keys import TokenKeys

log = logger(__name__)

LEEWAY: Final = 10
"""Seconds of clock difference allowed between machines."""
JWKS_FRESH: Final = 600.0
"""Seconds after which the keys are read again; an unknown key id reads them at once."""
JWKS_PAUSE: Final = 2.0
"""Seconds between reads at least, so that forged key ids cannot make us call without end."""
CHECKED_MAX: Final = 2000
"""Tokens whose signature is remembered until they expire: a person sends the same one with every request."""


@dataclass(frozen=True)
class Principal:
    """The signed-in account, as its token says."""

    account_id: UUID
    code: str
    permissions: frozenset[str]
    department: str = ""
    team: str = ""

    def may(self, permission: str) -> bool:
        return permission in self.permissions

    @property
    def sees_all(self) -> bool:
        return permissions.SEE_ALL in self.permissions


@dataclass(frozen=True)
class _Checked:
    """A token whose signature and claims were found good."""

    principal: Principal
    epoch: int
    expires_at: float


class TokenVerifier:
    """Checks bearer tokens against the issuer's public keys, fetched once and kept.

    Args:
        settings: where the keys are, and which issuer and audience tokens must name.
        epochs: this service's knowledge of revoked tokens.
        http: client used for the keys.
    """

    def __init__(self, settings: Settings, epochs: Epochs, http: httpx.AsyncClient) -> None:
        self._settings = settings
        self._epochs = epochs
        self._http = http
        self._checked: dict[str, _Checked] = {}
        self._keys: TokenKeys | None = None
        self._read_at = float("-inf")
        self._lock = asyncio.Lock()

    async def verify(self, token: str) -> Principal:
        """The principal of a token.

        Raises:
            Unauthenticated: signature, issuer, audience, expiry or epoch is wrong.
            Unavailable: the keys were never read and cannot be read now.
        """
        checked = self._checked.get(token)
        if checked is None or checked.expires_at < time.time():
            checked = await self._check(token)
            if len(self._checked) >= CHECKED_MAX:
                self._checked.clear()
            self._checked[token] = checked
        if not await self._epochs.accepts(checked.principal.account_id, checked.epoch):
            raise Unauthenticated
        return checked.principal

    async def _check(self, token: str) -> _Checked:
        try:
            claims = await self._claims(token)
            principal = Principal(
                account_id=UUID(claims["sub"]),
                code=str(claims["code"]),
                permissions=frozenset(claims["permissions"]),
                department=str(claims.get("department", "")),
                team=str(claims.get("team", "")),
            )
            return _Checked(principal, epoch=int(claims["epoch"]), expires_at=float(claims["exp"]) + LEEWAY)
        except (KeyError, TypeError, ValueError):
            raise Unauthenticated from None

    async def _claims(self, token: str) -> dict[str, Any]:
        keys = await self._key_set(max_age=JWKS_FRESH)
        try:
            claims = keys.read(token)
        except ValueError:
            # The signer may have a new key.
            keys = await self._key_set(max_age=JWKS_PAUSE)
            claims = keys.read(token)
        keys.check(claims)
        return claims

    async def _key_set(self, *, max_age: float) -> TokenKeys:
        async with self._lock:
            if self._keys is None or time.monotonic() - self._read_at > max_age:
                try:
                    answer = await self._http.get(self._settings.jwks_url)
                    answer.raise_for_status()
                    # In a thread, so that the requests of a process that has just begun do not wait for the import.
                    self._keys = await asyncio.to_thread(self._made_of, answer.json())
                    self._read_at = time.monotonic()
                except (httpx.HTTPError, ValueError) as error:
                    log.warning("token keys could not be read", error=type(error).__name__)
                    if self._keys is None:
                        raise Unavailable from error
            return self._keys

    def _made_of(self, published: Any) -> TokenKeys:
        from shared.token_keys import TokenKeys  # here: see there

        return TokenKeys(
            published, issuer=self._settings.token_issuer, audience=self._settings.token_audience, leeway=LEEWAY
        )


async def principal(request: Request) -> Principal:
    """The signed-in account of a request.

    Raises:
        Unauthenticated: no bearer token, or one that does not hold.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated
    verifier = cast(TokenVerifier, request.app.state.tokens)
    return await verifier.verify(token)


PrincipalDep = Annotated[Principal, Depends(principal)]


def require(permission: str) -> Callable[[Principal], Awaitable[Principal]]:
    """The dependency of a route that needs a permission: `who: Annotated[Principal, Depends(require(LEADS_READ))]`."""

    async def check(who: PrincipalDep) -> Principal:
        if not who.may(permission):
            raise Forbidden(permission=permission)
        return who

    return check
