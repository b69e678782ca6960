"""What the parts of shipping have in hand; `app.resources` makes it, `context_of` finds it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from services.shipping import connections
from services.shipping.callbacks.intake import CallbackIntake
from services.shipping.callbacks.secrets import Called
from services.shipping.carriers.base import Carrier
from services.shipping.carriers.gate import Gates, Turns
from services.shipping.carriers.registry import CarrierClients
from services.shipping.connections import Connection
from services.shipping.settings import ShippingSettings
from shared.db import Database
from shared.hook_secrets import HookSecrets
from shared.service import Runtime
from shared.vault import Vault

STATE: Final = "shipping"


class ConnectionGone(Exception):
    """A shipment names a connection that does not exist; only a database put together by hand can."""


@dataclass
class Context:
    """The database, the carriers and the clock.

    Args:
        now: the present, UTC; tests give another clock.
    """

    settings: ShippingSettings
    db: Database
    vault: Vault
    carriers: CarrierClients
    gates: Gates
    intake: CallbackIntake
    secrets: HookSecrets[Called]
    now: Callable[[], datetime]
    statements: asyncio.Semaphore
    """Statements taken in at a time: each holds two connections of the database's pool."""

    @property
    def pace(self) -> float:
        return self.settings.polling_pace

    @asynccontextmanager
    async def carrier(
        self, connection: Connection, *, turns: Turns = Turns.AT_ONCE, subject: str = ""
    ) -> AsyncIterator[Carrier]:
        """The adapter of a connection, with a client of its own until the end of the block.

        Args:
            turns: how its requests wait for the connection's rate.
            subject: what a booked turn is for.

        Raises:
            Away: it is not its turn, or the carrier is left alone.
        """
        access = connection.access(self.db, self.vault, now=lambda: self.now())
        gate = self.gates.enter(connection.id, per_second=connection.requests_per_second, turns=turns, subject=subject)
        async with gate as passage, self.carriers.open(connection.carrier, access, passage=passage) as carrier:
            yield carrier

    async def connection(self, connection_id: UUID) -> Connection:
        """A connection that has to exist. Raises ConnectionGone."""
        found = await connections.load(self.db, connection_id)
        if found is None:
            raise ConnectionGone(str(connection_id))
        return found


def utc_now() -> datetime:
    return datetime.now(UTC)


def context_of(runtime: Runtime[Any]) -> Context:
    context = runtime.state[STATE]
    assert isinstance(context, Context)
    return context
