"""The plan of a transfer: which lead goes to whom, written down before anything happens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

import orjson
from uuid_utils.compat import uuid7

from services.leads.driver import Connection
from services.leads.errors import StaffUnknown
from services.leads.moves import Person, people
from services.leads.transfers.splitting import Share, split
from services.leads.writing import Table
from shared.auth import Principal

GOOD_FOR: Final = timedelta(hours=1)
"""A preview can be confirmed for so long; leads that moved on meanwhile are left alone anyway."""
MAX_LEADS: Final = 50_000
"""Leads of one transfer: more than anybody holds, and a plan of some megabytes."""

Kind = Literal["distribution", "hand_over"]
Strategy = Literal["people", "pools"]

_PORTFOLIO: Final = """
SELECT id, assignment FROM leads WHERE owner_id = $1 AND ($2 OR ended_at IS NULL) ORDER BY received_at, id LIMIT $3
"""
_TRANSFER: Final = """
INSERT INTO transfers (id, kind, strategy, from_id, by_id, by, people, made_at, good_until, row_count)
VALUES ($1, $2, $3, $4, $5, $6, $7::jsonb, $8, $9, $10)
"""
_ROWS: Final = Table(
    "transfer_rows",
    {"transfer_id": "uuid", "position": "integer", "lead_id": "uuid", "assignment": "integer", "to_id": "uuid"},
)


@dataclass(frozen=True, slots=True)
class Planned:
    """A preview that was kept. `left`: leads that the counts give to nobody."""

    id: UUID
    counts: Counter[UUID]
    people: dict[UUID, Person]
    rows: int
    left: int


async def receivers(connection: Connection, shares: Sequence[Share]) -> dict[UUID, Person]:
    """The people of a plan.

    Raises:
        StaffUnknown: one of them is not known, or locked.
    """
    known = await people(connection, [share.account_id for share in shares])
    if any(share.account_id not in known or not known[share.account_id].active for share in shares):
        raise StaffUnknown
    return known


async def portfolio(connection: Connection, holder: UUID, *, ended_too: bool) -> list[tuple[UUID, int]]:
    """What somebody holds, oldest first, as (lead, assignment).

    Args:
        ended_too: also orders at a final level.
    """
    rows = await connection.fetch(_PORTFOLIO, holder, ended_too, MAX_LEADS)
    return [(row["id"], row["assignment"]) for row in rows]


async def keep(
    connection: Connection,
    leads: Sequence[tuple[UUID, int]],
    shares: Sequence[Share],
    *,
    kind: Kind,
    strategy: Strategy,
    who: Principal,
    now: datetime,
    from_id: UUID | None = None,
) -> Planned:
    """Writes a plan down, in the caller's transaction; nothing happens to the leads.

    Args:
        leads: with their assignment, in the order in which they are dealt out.
        shares: who gets them; not looked at when the rules of pools are to choose.

    Raises:
        StaffUnknown: one of the people is not known, or locked.
    """
    known = await receivers(connection, shares)
    to = split(len(leads), shares) if strategy == "people" else [None] * len(leads)
    rows = [
        (lead_id, number, receiver)
        for (lead_id, number), receiver in zip(leads, to, strict=True)
        if receiver is not None or strategy == "pools"
    ]
    transfer_id = uuid7()
    named = [(str(share.account_id), known[share.account_id].code, share.count) for share in shares]
    await connection.execute(
        _TRANSFER,
        transfer_id,
        kind,
        strategy,
        from_id,
        who.account_id,
        who.code,
        orjson.dumps(named).decode(),
        now,
        now + GOOD_FOR,
        len(rows),
    )
    await _ROWS.insert(connection, [(transfer_id, position, *row) for position, row in enumerate(rows)])
    counts = Counter(receiver for _, _, receiver in rows if receiver is not None)
    return Planned(transfer_id, counts, known, len(rows), len(leads) - len(rows))
