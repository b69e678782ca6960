"""Giving tags to leads and taking them: any number of leads in one statement, with history and facts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from services.leads import history
from services.leads.driver import Connection, write_outbox
from services.leads.errors import TagUnknown
from services.leads.history import Change
from shared.auth import Principal
from shared.contracts.events.leads_everyday import LEAD_TAGGED, LeadTagged
from shared.outbox import event_row

# Held against deletion, retirement and merging until the commit.
_USABLE: Final = """
SELECT t.id, t.name FROM tags t JOIN tag_groups g ON g.id = t.group_id
WHERE t.id = ANY($1::uuid[]) AND g.object = 'lead' AND (t.retired_at IS NULL OR $2) ORDER BY t.id FOR SHARE OF t
"""
_TAG: Final = """
WITH given AS (
    SELECT id FROM unnest($1::uuid[]) AS g (id) ORDER BY id
), was AS (
    SELECT k.lead_id, k.tags FROM lead_tags k JOIN given ON given.id = k.lead_id ORDER BY k.lead_id FOR UPDATE OF k
), wanted AS (
    SELECT id, coalesce(was.tags, '{}') AS before, ARRAY(
        SELECT DISTINCT tag FROM unnest(coalesce(was.tags, '{}') || $2::uuid[]) AS tag WHERE NOT tag = ANY($3::uuid[])
        ORDER BY tag) AS after
    FROM given LEFT JOIN was ON was.lead_id = given.id
), put AS (
    INSERT INTO lead_tags (lead_id, tags) SELECT id, after FROM wanted
    WHERE NOT (before @> after AND before <@ after) ORDER BY id
    ON CONFLICT (lead_id) DO UPDATE SET tags = excluded.tags, version = lead_tags.version + 1
    RETURNING lead_id, tags, version
), touched AS (
    UPDATE leads SET changed_at = now() FROM put WHERE leads.id = put.lead_id
)
SELECT put.lead_id, put.tags, put.version, wanted.before FROM put JOIN wanted ON wanted.id = put.lead_id
"""


async def usable(connection: Connection, ids: Sequence[UUID], *, retired: bool = False) -> dict[UUID, str]:
    """Names of tags that a lead may get (or, with `retired`, lose), held until the commit.

    Raises:
        TagUnknown: one is not there, is retired, or belongs to another kind of record.
    """
    rows = await connection.fetch(_USABLE, list(ids), retired)
    names = {row["id"]: row["name"] for row in rows}
    for tag_id in ids:
        if tag_id not in names:
            raise TagUnknown(tag_id=str(tag_id))
    return names


async def tag_leads(
    connection: Connection,
    leads: Sequence[UUID],
    *,
    add: Sequence[UUID] = (),
    remove: Sequence[UUID] = (),
    who: Principal,
    at: datetime,
) -> set[UUID]:
    """Gives tags to leads and takes others from them, in the caller's transaction. The leads must be locked.

    Returns:
        Those that changed; the others had the tags already, or had not.

    Raises:
        TagUnknown: a tag cannot be given or taken.
    """
    names = await usable(connection, add)
    names |= await usable(connection, remove, retired=True)
    rows = await connection.fetch(_TAG, list(leads), list(add), list(remove))
    await history.keep(connection, [_change(row, names, who, at) for row in rows])
    await write_outbox(
        connection,
        [
            event_row(
                LEAD_TAGGED,
                LeadTagged(lead_id=row["lead_id"], version=row["version"], tags=tuple(row["tags"]), at=at, by=who.code),
                subject=row["lead_id"],
            )
            for row in rows
        ],
    )
    return {row["lead_id"] for row in rows}


def _change(row: Any, names: dict[UUID, str], who: Principal, at: datetime) -> Change:
    before, after = set(row["before"]), set(row["tags"])
    return Change(
        row["lead_id"],
        at,
        "tags",
        by_id=who.account_id,
        by=who.code,
        before={"removed": sorted(names[tag] for tag in before - after)},
        after={"added": sorted(names[tag] for tag in after - before)},
    )
