"""How to reach a carrier for one shop: address, credentials, and tokens that expire."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class Credential:
    """One thing that a shop enters to connect.

    Args:
        name: key in the credentials.
        hint_vi: where the shop finds it.
        optional: the connection works without it.
    """

    name: str
    hint_vi: str
    hint_en: str
    optional: bool = False


@dataclass(frozen=True)
class Token:
    """What a carrier gave for the credentials.

    Args:
        expires_at: UTC; None: the carrier does not say.
    """

    value: str
    expires_at: datetime | None = None


class TokenKeeper(Protocol):
    """Keeps a connection's token sealed, for all processes; one of them renews it at a time."""

    @property
    def current(self) -> Token | None:
        """The token that is held; None: there is none, or it is about to expire."""

    async def renew(self, log_in: Callable[[], Awaitable[Token]], *, rejected: str = "") -> Token:
        """A token that is not `rejected`: the one that another process got meanwhile, or what `log_in` brings.

        Raises:
            Away: another process is renewing it just now.
            NotLetIn: from `log_in`.
        """


class NoTokens:
    """For carriers whose credentials are all there is."""

    current: Token | None = None

    async def renew(self, log_in: Callable[[], Awaitable[Token]], *, rejected: str = "") -> Token:
        return await log_in()


class HeldToken:
    """Keeps a token in memory: for credentials that are tried before they are stored."""

    def __init__(self) -> None:
        self.current: Token | None = None

    async def renew(self, log_in: Callable[[], Awaitable[Token]], *, rejected: str = "") -> Token:
        if self.current is None or self.current.value == rejected:
            self.current = await log_in()
        return self.current


@dataclass(frozen=True)
class Access:
    """How to reach a carrier for one shop."""

    base_url: str
    credentials: Mapping[str, str]
    tokens: TokenKeeper
