"""Carrier connections as rows: one for each shop that the company has at a carrier."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from services.shipping.carriers.access import Access
from services.shipping.carriers.parcel import Options, PickUp
from services.shipping.tokens import SealedTokens
from shared.db import Database
from shared.vault import Vault

if TYPE_CHECKING:
    import asyncpg

MAX_ERROR: Final = 300
"""Characters kept of why a connection does not work."""


@dataclass(frozen=True)
class Connection:
    """A shop at a carrier. The credentials stay sealed until a call needs them."""

    id: UUID
    carrier: str
    shop_name: str
    base_url: str
    pick_up: PickUp
    options: Options
    requests_per_second: int
    enabled: bool
    sealed: bytes

    def access(self, db: Database, vault: Vault, *, now: Callable[[], datetime]) -> Access:
        """What an adapter needs. Raises CredentialsUnreadable."""
        credentials = vault.open(self.sealed, owner_id=self.id)
        return Access(self.base_url, credentials, SealedTokens(db, vault, self.id, credentials, now=now))


_LOAD: Final = """
SELECT id, carrier, shop_name, base_url, pick_up::text AS pick_up, options::text AS options, requests_per_second,
    state, credentials
FROM carrier_connections WHERE id = $1
"""
# One statement that also clears an old error, so that a healthy connection costs no write.
_HEALTHY: Final = """
UPDATE carrier_connections SET failing_since = NULL, last_error = '' WHERE id = $1 AND failing_since IS NOT NULL
"""
_FAILING: Final = """
UPDATE carrier_connections SET failing_since = coalesce(failing_since, now()), last_error = $2 WHERE id = $1
"""


async def load(db: Database, connection_id: UUID) -> Connection | None:
    """A connection, or None if there is none."""
    pool = await db.driver()
    row = await pool.fetchrow(_LOAD, connection_id)
    return _connection(row) if row is not None else None


async def mark_healthy(db: Database, connection_id: UUID) -> None:
    """The carrier answers again."""
    await (await db.driver()).execute(_HEALTHY, connection_id)


async def mark_failing(db: Database, connection_id: UUID, *, error: str) -> None:
    """The carrier cannot be asked; administrators see since when and why."""
    await (await db.driver()).execute(_FAILING, connection_id, error[:MAX_ERROR])


def _connection(row: asyncpg.Record) -> Connection:
    return Connection(
        id=row["id"],
        carrier=row["carrier"],
        shop_name=row["shop_name"],
        base_url=row["base_url"],
        pick_up=PickUp.model_validate_json(row["pick_up"]),
        options=Options.model_validate_json(row["options"]),
        requests_per_second=row["requests_per_second"],
        enabled=row["state"] == "enabled",
        sealed=row["credentials"],
    )
