"""External ids: what a sender's own system calls an item, so that what is sent twice is one lead for good."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

from services.leads.driver import Connection
from services.leads.intake.items import External, Item, Rejection, Verdict

# In the order of the ids, so that two batches with the same ids wait for one another instead of deadlocking. Who was
# rejected may send again: their id goes to the newer item.
_CLAIM: Final = """
INSERT INTO external_ids (sender, external_id, raw_item_id)
SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[])
ON CONFLICT (sender, external_id) DO UPDATE SET raw_item_id = excluded.raw_item_id
WHERE EXISTS (SELECT 1 FROM raw_items r WHERE r.id = external_ids.raw_item_id AND r.verdict = 'rejected')
RETURNING sender, external_id
"""
_TAKEN: Final = """
SELECT sender, external_id, raw_item_id FROM external_ids
JOIN unnest($1::text[], $2::text[]) AS asked (sender, external_id) USING (sender, external_id)
"""
_VERDICTS: Final = """
SELECT r.id, r.verdict, r.reason, r.reason_vi, r.reason_en, l.anchor_id, l.returning_customer
FROM raw_items r LEFT JOIN leads l USING (id) WHERE r.id = ANY($1::uuid[])
"""


async def claim(connection: Connection, items: Iterable[Item]) -> dict[UUID, Verdict]:
    """Takes the external ids of items. Returns the items that are not to be taken in, with what became of the first of
    their id. Waits for twins that run elsewhere.

    Of several items with one id the first has it; the others are not in the answer unless it was taken before.
    """
    firsts: dict[External, Item] = {}
    for item in items:
        if item.external is not None:
            firsts.setdefault(item.external, item)
    if not firsts:
        return {}
    ordered = sorted(firsts, key=lambda external: (external.sender, external.id))
    senders, ids = [external.sender for external in ordered], [external.id for external in ordered]
    rows = await connection.fetch(_CLAIM, senders, ids, [firsts[external].id for external in ordered])
    free = {External(row["sender"], row["external_id"]) for row in rows}
    if len(free) == len(ordered):
        return {}
    taken = [external for external in ordered if external not in free]
    rows = await connection.fetch(_TAKEN, [one.sender for one in taken], [one.id for one in taken])
    first_ids = {External(row["sender"], row["external_id"]): row["raw_item_id"] for row in rows}
    verdicts = await verdicts_of(connection, list(first_ids.values()))
    return {
        firsts[external].id: repetition(verdicts[first_id])
        for external, first_id in first_ids.items()
        if first_id in verdicts
    }


def repetition(of: Verdict) -> Verdict:
    """What a repeated item is told."""
    return Verdict(of.id, of.verdict, of.anchor_id, of.returning_customer, of.rejection, repeated=True)


async def verdicts_of(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, Verdict]:
    """What became of items that were taken in; those that were not are left out."""
    rows = await connection.fetch(_VERDICTS, ids)
    return {
        row["id"]: Verdict(
            row["id"],
            "rejected" if row["verdict"] == "dismissed" else row["verdict"],
            anchor_id=row["anchor_id"],
            returning_customer=bool(row["returning_customer"]),
            rejection=Rejection(row["reason"], vi=row["reason_vi"], en=row["reason_en"]) if row["reason"] else None,
        )
        for row in rows
    }
