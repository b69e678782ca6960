"""Leads of forms: each once, from its first mention to the raw inbox.

The row of a lead holds the id that its raw item will have. Whoever takes a lead in locks the row, and commits row and
item together, so that it makes no difference how often and by how many a lead is shown, fetched and taken in, or where
one of them dies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg
import orjson
from uuid_utils.compat import uuid7

from services.leads.driver import Connection
from services.leads.facebook.context import Facebook
from services.leads.facebook.form import FormLead, FormMap, FormRules, read_lead
from services.leads.facebook.graph import GraphError
from services.leads.facebook.pages import Page
from services.leads.facebook.updates import Announcement
from services.leads.intake.items import Item, Origin
from services.leads.intake.keeping import INTERNAL, accept_each
from shared.telemetry import logger

log = logger(__name__)

FIRST_RETRY: Final = timedelta(seconds=10)
LONGEST_RETRY: Final = timedelta(hours=1)
MAX_ATTEMPTS: Final = 8
"""With the pauses between them, an hour and a half: a lead that Facebook has told of is readable within seconds."""
MAX_REASON: Final = 300

# In the order of the ids, so that pushes, polls and fetches that meet wait for one another instead of deadlocking.
_ANNOUNCE: Final = """
INSERT INTO facebook_leads (leadgen_id, page_id, form_id, item_id, received_at, pushed_at, created_time, ad_id)
SELECT id, page_id, form_id, item_id, received_at, received_at, created_time, ad_id
FROM unnest($1::text[], $2::uuid[], $3::text[], $4::uuid[], $5::timestamptz[], $6::timestamptz[], $7::text[])
    AS a (id, page_id, form_id, item_id, received_at, created_time, ad_id)
ORDER BY id
ON CONFLICT (leadgen_id) DO UPDATE
SET pushed_at = excluded.pushed_at, received_at = least(facebook_leads.received_at, excluded.received_at)
WHERE facebook_leads.pushed_at IS NULL
RETURNING page_id, state
"""
_SHOW: Final = """
INSERT INTO facebook_leads (leadgen_id, page_id, form_id, item_id, received_at, polled_at)
SELECT id, $2, $3, item_id, $5, $5 FROM unnest($1::text[], $4::uuid[]) AS s (id, item_id)
ORDER BY id
ON CONFLICT (leadgen_id) DO UPDATE SET polled_at = excluded.polled_at WHERE facebook_leads.polled_at IS NULL
"""
_LOCK: Final = """
SELECT leadgen_id, form_id, item_id, received_at FROM facebook_leads
WHERE leadgen_id = ANY($1::text[]) AND page_id = $2 AND state <> 'fetched' ORDER BY leadgen_id FOR UPDATE
"""
_FETCHED: Final = """
UPDATE facebook_leads l SET state = 'fetched', reason = '', fetched_at = $8, form_id = f.form_id,
    created_time = coalesce(f.created_time, l.created_time), ad_id = f.ad_id, adset_id = f.adset_id,
    campaign_id = f.campaign_id, attempts = l.attempts + $9
FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::text[]) AS
    f (id, form_id, created_time, ad_id, adset_id, campaign_id)
WHERE l.leadgen_id = f.id AND l.page_id = $7
"""
_FAILED: Final = """
UPDATE facebook_leads l SET attempts = l.attempts + 1, reason = f.reason,
    state = CASE WHEN l.attempts + 1 >= $4 THEN 'failed' ELSE 'pending' END,
    next_try_at = $5::timestamptz + least($6::interval * power(2, least(l.attempts, 20)), $7::interval)
FROM unnest($1::text[], $2::text[]) AS f (id, reason)
WHERE l.leadgen_id = f.id AND l.page_id = $3 AND l.state = 'pending'
"""
_MAPS: Final = """
SELECT l.item_id, f.field_map::text AS field_map, coalesce(nullif(f.product, ''), s.product, '') AS product
FROM facebook_leads l JOIN facebook_pages p ON p.id = l.page_id
JOIN facebook_forms f ON (f.page_id, f.form_id) = (l.page_id, l.form_id)
LEFT JOIN sources s ON s.id = coalesce(f.source_id, p.form_source_id)
WHERE l.item_id = ANY($1::uuid[])
"""
_FORMS: Final = """
SELECT form_id, source_id, product, marketer, consent_text, field_map::text AS field_map FROM facebook_forms
WHERE page_id = $1 AND form_id = ANY($2::text[])
"""


async def maps_of(connection: Connection, items: Sequence[UUID]) -> dict[UUID, FormMap]:
    """How the forms of raw items are read today."""
    rows = await connection.fetch(_MAPS, items)
    return {row["item_id"]: FormMap(orjson.loads(row["field_map"]), row["product"]) for row in rows}


async def announce(
    connection: Connection, announcements: Iterable[tuple[Page, Announcement, datetime]]
) -> set[tuple[UUID, int]]:
    """Keeps what pushes told, in the caller's transaction; a lead told of twice is one.

    Returns:
        The pages that have something to fetch because of it, with their rounds.
    """
    first: dict[str, tuple[Page, Announcement, datetime]] = {}
    for page, told, at in announcements:
        first.setdefault(told.leadgen_id, (page, told, at))
    if not first:
        return set()
    rows = [
        (told.leadgen_id, page.id, told.form_id, uuid7(), at, told.created_time, told.ad_id)
        for page, told, at in first.values()
    ]
    kept = await connection.fetch(_ANNOUNCE, *_columns(rows))
    rounds = {page.id: page.round for page, _, _ in first.values()}
    return {(row["page_id"], rounds[row["page_id"]]) for row in kept if row["state"] == "pending"}


async def show(connection: Connection, page: Page, *, form_id: str, leadgen_ids: Sequence[str], at: datetime) -> None:
    """Keeps what a poll showed, in the caller's transaction."""
    await connection.execute(_SHOW, leadgen_ids, page.id, form_id, [uuid7() for _ in leadgen_ids], at)


async def take_in(
    facebook: Facebook, connection: Connection, page: Page, answers: Mapping[str, bytes], *, attempted: bool
) -> int:
    """Takes leads in whose answers are at hand, in the caller's transaction; those taken in before are left alone.

    Args:
        answers: Facebook's answer for each lead that we know of.
        attempted: whether each was asked for by itself.

    Returns:
        How many were taken in now. The relay is to be woken after the commit.
    """
    rows = await connection.fetch(_LOCK, sorted(answers), page.id)
    if not rows:
        return 0
    rules = await _rules(facebook, connection, page, {row["form_id"] for row in rows})
    read = [(row, _read(answers[row["leadgen_id"]], rules[row["form_id"]], form_id=row["form_id"])) for row in rows]
    await accept_each(
        connection, [_item(row, lead, answers[row["leadgen_id"]]) for row, lead in read], window=facebook.window
    )
    columns = [
        (row["leadgen_id"], lead.form_id, lead.created_time, lead.ad_id, lead.adset_id, lead.campaign_id)
        for row, lead in read
    ]
    await connection.execute(_FETCHED, *_columns(columns), page.id, facebook.now(), int(attempted))
    return len(rows)


def _read(answer: bytes, rules: FormRules, *, form_id: str) -> FormLead:
    """A lead as read; one that we fail at is kept as a rejection, so that it holds up no other."""
    try:
        return read_lead(answer, rules=rules, form_id=form_id)
    except Exception:
        log.exception("lead could not be read", form=form_id)
        source_id = rules.source.id if rules.source else None
        return FormLead(form_id, None, "", "", "", Origin("facebook_form", source_id=source_id), INTERNAL)


def _item(row: asyncpg.Record, lead: FormLead, answer: bytes) -> Item:
    return Item(
        id=row["item_id"],
        received_at=row["received_at"],
        origin=lead.origin,
        content_type="application/json",
        body=answer,
        content=lead.content,
        correlation_id=str(row["item_id"]),
    )


async def failed(facebook: Facebook, connection: Connection, page: Page, errors: Mapping[str, GraphError]) -> None:
    """Leads that Facebook would not give: tried again later, and in the end failed, for a person to look at."""
    reasons = [error.detail[:MAX_REASON] for error in errors.values()]
    pauses = (FIRST_RETRY * facebook.pace, LONGEST_RETRY * facebook.pace)
    await connection.execute(_FAILED, list(errors), reasons, page.id, MAX_ATTEMPTS, facebook.now(), *pauses)


async def _rules(facebook: Facebook, connection: Connection, page: Page, form_ids: set[str]) -> dict[str, FormRules]:
    """How each form's leads are read; one that nobody described is read as the page's."""
    rows = {row["form_id"]: row for row in await connection.fetch(_FORMS, page.id, sorted(form_ids))}
    found = {}
    for form_id in form_ids:
        row = rows.get(form_id)
        source_id = (row["source_id"] if row else None) or page.form_source_id
        source = await facebook.sources.by_id(source_id) if source_id else None
        found[form_id] = (
            FormRules(
                product=row["product"],
                marketer=row["marketer"],
                consent_text=row["consent_text"],
                field_map=orjson.loads(row["field_map"]),
                source=source,
            )
            if row
            else FormRules(source=source)
        )
    return found


def _columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    return [[*column] for column in zip(*rows, strict=True)]
