"""Leads that the undo of their import has chosen: orders takes them back, then they are removed. Until then nobody changes
them, for what somebody decides or writes about them now would be lost with them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final
from uuid import UUID

from services.leads.driver import Connection

_AMONG: Final = "SELECT lead_id FROM import_leaving WHERE lead_id = ANY($1::uuid[])"
_LEAVE: Final = "INSERT INTO import_leaving (lead_id) SELECT unnest($1::uuid[]) ON CONFLICT DO NOTHING"
_STAY: Final = "DELETE FROM import_leaving WHERE lead_id = ANY($1::uuid[]) RETURNING lead_id"


async def among(connection: Connection, leads: Collection[UUID]) -> set[UUID]:
    """Those of some leads that are leaving. Of leads whose rows are locked the answer holds until the commit."""
    return {row["lead_id"] for row in await connection.fetch(_AMONG, list(leads))}


async def leave(connection: Connection, leads: Collection[UUID]) -> None:
    """From the commit on nobody changes these leads, whose rows must be locked."""
    await connection.execute(_LEAVE, list(leads))


async def stay(connection: Connection, leads: Collection[UUID]) -> list[UUID]:
    """These leads are not taken back. Returns those that were leaving."""
    return [row["lead_id"] for row in await connection.fetch(_STAY, list(leads))]
