"""What the parts of Facebook's way in have in hand; `state.resources` makes it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

import httpx

from services.leads.facebook.graph import Access, Graph
from services.leads.settings import LeadsSettings
from services.leads.sources import Sources
from shared.db import Database
from shared.service import Runtime
from shared.vault import Vault, decode_key

STATE: Final = "leads.facebook"


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Facebook:
    """The database, the way to the Graph API, and the clock.

    Args:
        vault: None when no key is set: then no page can be connected.
        now: the present, UTC; tests give another clock.
        pushed: set when a push was kept, to wake whoever applies it in this process.
    """

    settings: LeadsSettings
    db: Database
    sources: Sources
    vault: Vault | None
    now: Callable[[], datetime] = utc_now
    pushed: asyncio.Event = field(default_factory=asyncio.Event)
    # Reading the certificates takes longer than a request, so the clients share the outcome.
    tls: Any = field(default_factory=httpx.create_ssl_context)

    @property
    def pace(self) -> float:
        return self.settings.facebook_pace

    @property
    def window(self) -> timedelta:
        return self.settings.duplicate_window

    @asynccontextmanager
    async def graph(self, access: Access) -> AsyncIterator[Graph]:
        """The calls of one page, with a client that is closed at the end of the block. One for each task."""
        timeout = self.settings.facebook_timeout
        async with httpx.AsyncClient(timeout=timeout, verify=self.tls, trust_env=False) as client:
            yield Graph(client, self.settings.facebook_url, access)


def make(runtime: Runtime[Any], sources: Sources) -> Facebook:
    key = runtime.settings.credentials_key.get_secret_value()
    return Facebook(
        settings=runtime.settings,
        db=runtime.db,
        sources=sources,
        vault=Vault(decode_key(key), service="leads") if key else None,
    )


def facebook_of(runtime: Runtime[Any]) -> Facebook:
    return cast(Facebook, runtime.state[STATE])
