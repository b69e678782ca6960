"""Which mail or message system an address belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, cast
from uuid import UUID

from services.orders.deliveries.facts import Kind
from shared.db import Database
from shared.hook_secrets import HookSecrets
from shared.service import Runtime

SECRETS: Final = "messages.secrets"

_SECRETS: Final = "SELECT secret_hash, id, kind FROM message_systems"


@dataclass(frozen=True, slots=True)
class KnownSystem:
    id: UUID
    kind: Kind


def hook_secrets(db: Database) -> HookSecrets[KnownSystem]:
    """Finds the message system that the secret of an address belongs to."""

    async def read() -> Sequence[tuple[bytes, KnownSystem]]:
        rows = await (await db.driver()).fetch(_SECRETS)
        return [(row["secret_hash"], KnownSystem(row["id"], row["kind"])) for row in rows]

    return HookSecrets(read)


def secrets_of(runtime: Runtime[Any]) -> HookSecrets[KnownSystem]:
    return cast("HookSecrets[KnownSystem]", runtime.state[SECRETS])
