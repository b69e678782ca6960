"""The carriers that exist, and how a connection's adapter is opened."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import httpx

from services.shipping.carriers.access import Access
from services.shipping.carriers.base import Carrier
from services.shipping.carriers.gate import GatedTransport, Passage
from services.shipping.carriers.ghn import Ghn
from services.shipping.carriers.ghtk import Ghtk
from services.shipping.carriers.jnt import JntExpress
from services.shipping.carriers.manual import Manual
from services.shipping.carriers.viettelpost import ViettelPost

CARRIERS: Final[dict[str, type[Carrier]]] = {
    carrier.name: carrier for carrier in (Ghtk, Ghn, ViettelPost, JntExpress, Manual)
}


def known(name: str) -> str:
    """A carrier's name that exists.

    Raises:
        ValueError: there is no such carrier.
    """
    if name not in CARRIERS:
        raise ValueError(f"unknown carrier; one of {', '.join(CARRIERS)}")
    return name


class CarrierClients:
    """Opens adapters. Each task has an HTTP client of its own, because one shared by many is slower than alone.

    Args:
        timeout: seconds that a carrier may take to answer.
    """

    def __init__(self, *, timeout: float) -> None:
        self._timeout = timeout
        # Reading the certificates takes longer than a request, so the clients share the outcome.
        self._tls = httpx.create_ssl_context()

    @asynccontextmanager
    async def open(self, carrier: str, access: Access, *, passage: Passage | None = None) -> AsyncIterator[Carrier]:
        """The adapter of a carrier for one shop, with a client that is closed at the end of the block.

        Args:
            passage: the turns that its requests take; without one they go out at once.
        """
        transport: httpx.AsyncBaseTransport = httpx.AsyncHTTPTransport(verify=self._tls, trust_env=False)
        if passage is not None:
            transport = GatedTransport(transport, passage)
        async with httpx.AsyncClient(timeout=self._timeout, transport=transport, trust_env=False) as client:
            yield CARRIERS[carrier](access, client)
