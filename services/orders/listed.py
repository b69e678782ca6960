"""What leads tells of numbers and of everyday work: the do-not-call list and tags, kept as they were told last."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import text

from shared.contracts.events.leads import LeadAccepted, LeadCorrected
from shared.contracts.events.leads_everyday import DoNotCallChanged, DoNotCallEntry, LeadTagged, TagChanged
from shared.db import Session

_LIST: Final = text(
    """
INSERT INTO do_not_call (phone, version, entries)
SELECT DISTINCT ON (phone) phone, version, CAST(entries AS jsonb)
FROM unnest(CAST(:phones AS text[]), CAST(:versions AS bigint[]), CAST(:entries AS text[])) AS t (phone, version, entries)
ORDER BY phone, version DESC
ON CONFLICT (phone) DO UPDATE SET version = excluded.version, entries = excluded.entries
WHERE do_not_call.version < excluded.version
"""
)
# A refusal that somebody took back in the list; one that the customer repeated since stands.
_LIFT: Final = text(
    """
UPDATE customers c SET do_not_call_at = NULL, do_not_call_reason = ''
FROM unnest(CAST(:phones AS text[]), CAST(:since AS timestamptz[])) AS r (phone, since)
    JOIN customer_phones p ON p.phone = r.phone
WHERE c.id = p.customer_id AND c.do_not_call_at <= r.since
"""
)
_CONCERNED: Final = text(
    "SELECT o.id FROM orders o JOIN care k ON k.order_id = o.id AND k.is_open WHERE o.phone = ANY(CAST(:phones AS text[]))"
)
_TAGS: Final = text(
    """
INSERT INTO tags (id, version, name, colour, group_name, position, retired, merged_into)
SELECT DISTINCT ON (id) * FROM unnest(CAST(:id AS uuid[]), CAST(:version AS integer[]), CAST(:name AS text[]),
    CAST(:colour AS text[]), CAST(:group_name AS text[]), CAST(:position AS integer[]), CAST(:retired AS boolean[]),
    CAST(:merged_into AS uuid[])) AS t (id, version, name, colour, group_name, position, retired, merged_into)
ORDER BY id, version DESC
ON CONFLICT (id) DO UPDATE SET version = excluded.version, name = excluded.name, colour = excluded.colour,
    group_name = excluded.group_name, position = excluded.position, retired = excluded.retired,
    merged_into = excluded.merged_into
WHERE tags.version < excluded.version
"""
)
_ORDER_TAGS: Final = text(
    """
INSERT INTO order_tags (order_id, version, tags)
SELECT DISTINCT ON (order_id) order_id, version, CAST(string_to_array(tags, ' ') AS uuid[])
FROM unnest(CAST(:ids AS uuid[]), CAST(:versions AS integer[]), CAST(:tags AS text[])) AS t (order_id, version, tags)
ORDER BY order_id, version DESC
ON CONFLICT (order_id) DO UPDATE SET version = excluded.version, tags = excluded.tags
WHERE order_tags.version < excluded.version
"""
)

SINCE: Final = """(
SELECT max(CAST(e ->> 'since' AS timestamptz)) FROM do_not_call d, jsonb_array_elements(d.entries) AS e
WHERE d.phone = o.phone AND e ->> 'kind' <> 'messages' AND NOT CAST(e ->> 'refusal' AS boolean)
    AND (e ->> 'until' IS NULL OR CAST(e ->> 'until' AS timestamptz) > :now)
    AND (e ->> 'source' = 'complaint' OR NOT o.asked_to_be_called OR CAST(e ->> 'since' AS timestamptz) >= o.cohort_at))"""
"""Since when the list forbids calls about an order `o`. Who asks to be called after being listed may be called about it
(rule D38), unless there was a complaint. Refusals made here are the customer's own row, which knows them sooner."""
LISTED_MESSAGES: Final = """(
SELECT max(CAST(e ->> 'since' AS timestamptz)) FROM do_not_call d, jsonb_array_elements(d.entries) AS e
WHERE d.phone = o.phone AND e ->> 'kind' <> 'calls' AND NOT CAST(e ->> 'refusal' AS boolean)
    AND (e ->> 'until' IS NULL OR CAST(e ->> 'until' AS timestamptz) > :now)
    AND (e ->> 'source' = 'complaint' OR NOT o.asked_to_be_called OR CAST(e ->> 'since' AS timestamptz) >= o.cohort_at))"""
"""The same of messages."""
TAGS: Final = """(
SELECT coalesce(jsonb_agg(jsonb_build_object('id', id, 'name', name, 'colour', colour) ORDER BY group_name, position, name),
    '[]')
FROM (
    SELECT DISTINCT m.* FROM order_tags k JOIN tags t ON t.id = ANY(k.tags) JOIN tags m ON m.id = coalesce(t.merged_into, t.id)
    WHERE k.order_id = o.id) AS shown)"""
"""The tags of an order `o`; one that was merged is what it became."""


async def listed_at_arrival(session: Session, leads: Sequence[LeadAccepted | LeadCorrected]) -> None:
    """What the list said of numbers when they came, or were given to a lead; later changes are facts of their own, and win."""
    listed = [one for lead in leads for one in lead.do_not_call]
    if listed:
        await _list(session, [(one.phone, 0, one.entries) for one in listed])


async def list_changed(session: Session, changes: Sequence[DoNotCallChanged]) -> list[UUID]:
    """Keeps what the list says now. Returns the orders in care that it concerns."""
    await _list(session, [(change.phone, change.version, change.entries) for change in changes])
    lifted: list[tuple[str, datetime]] = [
        (change.phone, entry.since) for change in changes for entry in change.removed if entry.source == "customer"
    ]
    if lifted:
        await session.execute(
            _LIFT, {"phones": [phone for phone, _ in lifted], "since": [since for _, since in lifted]}
        )
    rows = await session.execute(_CONCERNED, {"phones": [change.phone for change in changes]})
    return list(rows.scalars())


async def _list(session: Session, rows: Sequence[tuple[str, int, Sequence[DoNotCallEntry]]]) -> None:
    await session.execute(
        _LIST,
        {
            "phones": [phone for phone, _, _ in rows],
            "versions": [version for _, version, _ in rows],
            "entries": [
                orjson.dumps([entry.model_dump(mode="json") for entry in entries]).decode() for _, _, entries in rows
            ],
        },
    )


async def tags_changed(session: Session, tags: Sequence[TagChanged]) -> None:
    """Keeps the catalogue."""
    rows: list[dict[str, Any]] = [
        {
            "id": tag.tag_id,
            "version": tag.version,
            "name": tag.name,
            "colour": tag.colour,
            "group_name": tag.group,
            "position": tag.position,
            "retired": tag.retired,
            "merged_into": tag.merged_into,
        }
        for tag in tags
    ]
    await session.execute(_TAGS, {name: [row[name] for row in rows] for name in rows[0]})


async def leads_tagged(session: Session, tagged: Sequence[LeadTagged]) -> None:
    """Keeps the tags of orders, which are those of their leads (rule D45)."""
    await session.execute(
        _ORDER_TAGS,
        {
            "ids": [one.lead_id for one in tagged],
            "versions": [one.version for one in tagged],
            "tags": [" ".join(map(str, one.tags)) for one in tagged],
        },
    )
