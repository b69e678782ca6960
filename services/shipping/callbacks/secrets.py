"""Which connection a callback's secret belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from shared.db import Database
from shared.hook_secrets import HookSecrets
from shared.vault import Vault


@dataclass(frozen=True, slots=True)
class Called:
    """Whose callback address it is."""

    connection_id: UUID
    carrier: str


def callback_secret(vault: Vault, connection_id: UUID, *, number: int) -> str:
    """The secret part of a connection's callback address: 256 bits, the same for the same number."""
    return vault.secret(connection_id, number=number, purpose="callback secrets")


def callback_secrets(db: Database) -> HookSecrets[Called]:
    """Finds the connection that a callback's secret belongs to."""

    async def read() -> Sequence[tuple[bytes, Called]]:
        pool = await db.driver()
        rows = await pool.fetch("SELECT callback_secret_hash, id, carrier FROM carrier_connections")
        return [(row["callback_secret_hash"], Called(row["id"], row["carrier"])) for row in rows]

    return HookSecrets(read)
