"""Leads that a workbook gives to somebody by name: the column “Giao cho” decides, not the pools."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from services.leads import events
from services.leads.driver import Connection, write_new
from services.leads.events import Assigned
from services.leads.intake.items import Item, Verdict

_PEOPLE: Final = "SELECT account_id, code, team FROM staff_members WHERE account_id = ANY($1::uuid[])"
_OWN: Final = """
WITH owned AS (
    UPDATE leads SET owner_id = o.owner_id, assignment = 1
    FROM unnest($1::uuid[], $2::uuid[]) AS o (lead_id, owner_id) WHERE leads.id = o.lead_id
)
INSERT INTO assignments (lead_id, assignment, owner_id, cause, at, by)
SELECT lead_id, 1, owner_id, 'manual', $3, $4 FROM unnest($1::uuid[], $2::uuid[]) AS o (lead_id, owner_id)
"""


async def give(connection: Connection, items: Sequence[Item], verdicts: Sequence[Verdict], *, by: str) -> None:
    """Gives clean leads that were just taken in, in this transaction, to whom their row names.

    Args:
        by: staff code of whoever uploaded the workbook.
    """
    named = {
        item.id: item.owner_id
        for item, verdict in zip(items, verdicts, strict=True)
        if item.owner_id is not None and verdict.verdict == "lead"
    }
    if not named:
        return
    at = datetime.now(UTC)
    people = {row["account_id"]: row for row in await connection.fetch(_PEOPLE, list(set(named.values())))}
    await connection.execute(_OWN, list(named), list(named.values()), at, by)
    facts = [
        Assigned(
            lead_id=lead_id,
            assignment=1,
            owner_id=owner_id,
            owner_code=people[owner_id]["code"],
            team=people[owner_id]["team"],
            at=at,
            cause="manual",
        )
        for lead_id, owner_id in named.items()
    ]
    await write_new(connection, events.assigned(facts))
