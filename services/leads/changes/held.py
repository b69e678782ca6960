"""Leads as changes work with them, under their locks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from services.leads.changes.errors import BeingUndone
from services.leads.driver import Connection
from services.leads.imports import leaving
from services.leads.intake.windows import Arrival
from shared.contracts import levels
from shared.contracts.events.leads import Source
from shared.errors import Conflict

_FIELDS: Final = """
id, verdict, anchor_id, phone, other_phones, phone_typed, name, product, note, address, source_id, channel, campaign,
landing_page, marketer, received_at, level, in_care, owner_id, assignment, version, spam, flag, released_at
"""
_READ: Final = f"SELECT {_FIELDS} FROM leads WHERE id = ANY($1::uuid[])"
_LOCK: Final = f"{_READ} ORDER BY id FOR NO KEY UPDATE"
_WAITING_IN: Final = "SELECT DISTINCT pool_id FROM backlog WHERE lead_id = ANY($1::uuid[]) AND pool_id IS NOT NULL"
_LOCK_POOLS: Final = "SELECT 1 FROM pools WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE"
_UNQUEUE: Final = """
WITH asked AS (DELETE FROM reassignment_requests WHERE lead_id = ANY($1::uuid[]))
DELETE FROM backlog WHERE lead_id = ANY($1::uuid[])
"""


@dataclass(frozen=True, slots=True)
class By:
    """Who decides, when and why. Without an account it is a rule of the system."""

    at: datetime
    reason: str = ""
    account_id: UUID | None = None
    code: str = ""


@dataclass(frozen=True, slots=True)
class Lead:
    id: UUID
    verdict: str
    anchor_id: UUID | None
    phone: str
    other_phones: tuple[str, ...]
    phone_typed: str
    name: str
    product: str
    note: str
    address: str
    source_id: UUID | None
    channel: str
    campaign: str
    landing_page: str
    marketer: str
    received_at: datetime
    level: str
    in_care: bool
    owner_id: UUID | None
    assignment: int
    version: int
    spam: str
    flag: str
    released_at: datetime | None

    @property
    def phones(self) -> tuple[str, ...]:
        return (self.phone, *self.other_phones)

    @property
    def is_duplicate(self) -> bool:
        return self.verdict == "duplicate"

    @property
    def main(self) -> str:
        return levels.main_level(self.level)

    @property
    def arrival(self) -> Arrival:
        return Arrival(self.id, self.phones, self.received_at, self.product)

    @property
    def source(self) -> Source:
        return Source(
            channel=self.channel, campaign=self.campaign, landing_page=self.landing_page, marketer=self.marketer
        )


async def read(connection: Connection, ids: Iterable[UUID]) -> dict[UUID, Lead]:
    """Leads as they stand, not locked."""
    return _leads(await connection.fetch(_READ, list(ids)))


async def lock(connection: Connection, seen: Mapping[UUID, Lead], *, pools: Iterable[UUID] = ()) -> dict[UUID, Lead]:
    """Locks leads, and before them the pools in which they wait, until the commit. Their numbers must be locked.

    Args:
        seen: as they were when their numbers were read.
        pools: further ones in which the transaction decides.

    Raises:
        Conflict: one of them has other numbers or another verdict by now, or is gone.
        BeingUndone: one of them is taken back with its import.
    """
    ids = list(seen)
    waiting_in = {row["pool_id"] for row in await connection.fetch(_WAITING_IN, ids)}
    await connection.fetch(_LOCK_POOLS, sorted({*waiting_in, *pools}))
    leads = _leads(await connection.fetch(_LOCK, ids))
    if len(leads) < len(seen):
        raise Conflict
    if await leaving.among(connection, ids):
        raise BeingUndone
    for lead in leads.values():
        before = seen[lead.id]
        if (lead.phones, lead.verdict, lead.anchor_id) != (before.phones, before.verdict, before.anchor_id):
            raise Conflict
    return leads


async def unqueue(connection: Connection, leads: Iterable[UUID]) -> None:
    """Nobody is wanted for locked leads any more."""
    await connection.execute(_UNQUEUE, list(leads))


def _leads(rows: Iterable[asyncpg.Record]) -> dict[UUID, Lead]:
    leads = (Lead(**{**dict(row), "other_phones": tuple(row["other_phones"])}) for row in rows)
    return {lead.id: lead for lead in leads}
