"""Conversations in Messenger: one lead each while its window is open, and everything that was written kept with it.

A conversation is what one customer (a page-scoped id) and one page write. Its lead is made by the first message with a
number. What was written before waits for it; what is written after, and what waited, is told to orders as interactions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from services.leads.driver import Connection, write_outbox
from services.leads.facebook.chat import phones_in
from services.leads.facebook.context import Facebook
from services.leads.facebook.pages import Page
from services.leads.facebook.updates import Message
from services.leads.intake.items import MAX_NOTE, MAX_TYPED, Candidate, Item, Origin, Verdict
from services.leads.intake.keeping import accept_each
from services.leads.sources import KnownSource
from services.leads.text import cell
from shared.contracts.events.leads import MESSAGE_RECEIVED, MessageReceived
from shared.db import is_unavailable
from shared.outbox import Row, event_row
from shared.telemetry import logger

log = logger(__name__)

BATCH: Final = 200
"""Messages that a transaction begins with; the others of their conversations come along."""
CHANNEL: Final = "facebook_chat"

_CONVERSATIONS: Final = """
INSERT INTO facebook_conversations (page_id, psid) SELECT page_id, psid FROM unnest($1::uuid[], $2::text[]) AS c (page_id, psid)
ORDER BY page_id, psid ON CONFLICT DO NOTHING
"""
_KEEP: Final = """
INSERT INTO facebook_messages (mid, id, page_id, psid, at, received_at, text, attachments, body)
SELECT mid, id, page_id, psid, at, received_at, text, string_to_array(attachments, ' '), body
FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::text[], $8::text[],
    $9::bytea[]) AS m (mid, id, page_id, psid, at, received_at, text, attachments, body)
ORDER BY mid
ON CONFLICT (mid) DO NOTHING
"""
_REFER: Final = """
INSERT INTO facebook_conversations (page_id, psid, ad_id)
SELECT page_id, psid, ad_id FROM unnest($1::uuid[], $2::text[], $3::text[]) AS c (page_id, psid, ad_id)
ORDER BY page_id, psid
ON CONFLICT (page_id, psid) DO UPDATE SET ad_id = excluded.ad_id
"""
# A lead that was merged into another, or was found to be a duplicate of it, has that one as its anchor.
_LOCK: Final = """
SELECT c.page_id, c.psid, c.order_id AS known_id, o.id AS order_id, c.ad_id, p.page_id AS facebook_id, p.chat_source_id,
    EXISTS (
        SELECT 1 FROM leads l JOIN duplicate_windows w ON w.phone = l.phone
        WHERE l.id = o.id AND w.anchor_id = l.id AND NOT w.ended AND w.closes_at > $2
    ) AS is_open
FROM facebook_conversations c JOIN facebook_pages p ON p.id = c.page_id
LEFT JOIN LATERAL (SELECT coalesce(l.anchor_id, l.id) AS id FROM leads l WHERE l.id = c.order_id) AS o ON true
WHERE (c.page_id, c.psid) IN (SELECT page_id, psid FROM facebook_messages WHERE state = 'received' ORDER BY id LIMIT $1)
ORDER BY c.page_id, c.psid FOR NO KEY UPDATE OF c SKIP LOCKED
"""
_MESSAGES: Final = """
SELECT m.* FROM facebook_messages m JOIN unnest($1::uuid[], $2::text[]) AS c (page_id, psid) USING (page_id, psid)
WHERE m.state IN ('received', 'waiting') ORDER BY m.at, m.id FOR UPDATE OF m
"""
_LED_TO: Final = """
UPDATE facebook_conversations c SET order_id = l.order_id
FROM unnest($1::uuid[], $2::text[], $3::uuid[]) AS l (page_id, psid, order_id)
WHERE c.page_id = l.page_id AND c.psid = l.psid
"""
_PUT_ASIDE: Final = """
UPDATE facebook_messages m SET state = 'rejected' FROM unnest($1::uuid[], $2::text[]) AS f (page_id, psid)
WHERE m.page_id = f.page_id AND m.psid = f.psid AND m.state = 'received'
"""
_SETTLED: Final = """
UPDATE facebook_messages m SET state = s.state, order_id = s.order_id
FROM unnest($1::text[], $2::text[], $3::uuid[]) AS s (mid, state, order_id) WHERE m.mid = s.mid
"""


async def keep(connection: Connection, messages: Sequence[tuple[Page, Message, datetime]]) -> None:
    """Keeps messages, each once, in the caller's transaction."""
    if not messages:
        return
    parties = sorted({(page.id, message.psid) for page, message, _ in messages})
    await connection.execute(_CONVERSATIONS, *_columns(parties))
    first: dict[str, tuple[Page, Message, datetime]] = {}
    for page, message, received_at in messages:
        first.setdefault(message.mid, (page, message, received_at))
    rows = [
        (
            message.mid,
            uuid7(),
            page.id,
            message.psid,
            message.at,
            received_at,
            message.text,
            " ".join(kind.replace(" ", "_") for kind in message.attachments),
            message.body,
        )
        for page, message, received_at in first.values()
    ]
    await connection.execute(_KEEP, *_columns(rows))


async def refer(connection: Connection, referrals: Iterable[tuple[Page, str, str]]) -> None:
    """Keeps which advertisement a conversation began with, in the caller's transaction."""
    last = {(page.id, psid): ad_id for page, psid, ad_id in referrals}
    if last:
        await connection.execute(_REFER, *_columns([(*party, ad_id) for party, ad_id in last.items()]))


@dataclass
class _Talk:
    """A conversation with what is not settled of it, in the order in which it was written."""

    row: asyncpg.Record
    messages: list[asyncpg.Record] = field(default_factory=list)
    order_id: UUID | None = None
    made_by: asyncpg.Record | None = None
    """The message whose number makes a lead now."""

    @property
    def party(self) -> tuple[UUID, str]:
        return self.row["page_id"], self.row["psid"]


async def go_on(facebook: Facebook, *, messages: int = BATCH) -> bool:
    """Settles messages that came: as a lead, with the lead of their conversation, or waiting for one. One transaction; if
    it fails, a conversation at a time, and the messages of one that fails alone are put aside.

    Returns:
        False when there was nothing to do.
    """
    pool = await facebook.db.driver()
    talks: dict[tuple[UUID, str], _Talk] = {}
    try:
        async with pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(_LOCK, messages, facebook.now())
            talks = {(row["page_id"], row["psid"]): _Talk(row, order_id=row["order_id"]) for row in rows}
            if talks:
                await _settle(facebook, connection, talks)
    except Exception as error:
        if is_unavailable(error) or not talks:
            raise
        if messages > 1:
            return await go_on(facebook, messages=1)
        log.exception("conversation could not go on")
        await pool.execute(_PUT_ASIDE, *_columns(list(talks)))
        return True
    if talks:
        facebook.db.wake_relay()
    return bool(talks)


async def _settle(facebook: Facebook, connection: Connection, talks: dict[tuple[UUID, str], _Talk]) -> None:
    for message in await connection.fetch(_MESSAGES, *_columns(list(talks))):
        talks[message["page_id"], message["psid"]].messages.append(message)
    items = [item for talk in talks.values() if (item := await _lead_of(facebook, talk))]
    verdicts = {each.id: each for each in await accept_each(connection, items, window=facebook.window)}
    settled, told = [], []
    for talk in talks.values():
        led_to = _order_of(talk, verdicts)
        for message in talk.messages:
            if talk.made_by is not None and message["mid"] == talk.made_by["mid"]:
                was_rejected = verdicts[message["id"]].verdict == "rejected"
                settled.append((message["mid"], *(("rejected", None) if was_rejected else ("lead", led_to))))
            elif led_to is not None:
                settled.append((message["mid"], "attached", led_to))
                told.append(_told(message, led_to))
            else:
                settled.append((message["mid"], "waiting", None))
        talk.order_id = led_to
    if settled:  # none is left where another process was faster
        await connection.execute(_SETTLED, *_columns(settled))
    changed = [(*talk.party, talk.order_id) for talk in talks.values() if talk.order_id != talk.row["known_id"]]
    if changed:
        await connection.execute(_LED_TO, *_columns(changed))
    await write_outbox(connection, told)


async def _lead_of(facebook: Facebook, talk: _Talk) -> Item | None:
    """The item that a conversation makes now: none while its lead's window is open, none without a number."""
    if talk.row["is_open"]:
        return None
    for message in talk.messages:
        phones = phones_in(message["text"])
        if phones:
            talk.made_by = message
            source_id = talk.row["chat_source_id"]
            source = await facebook.sources.by_id(source_id) if source_id else None
            content = Candidate(
                phones=tuple(phone.e164 for phone in phones),
                typed=cell(" / ".join(phone.typed for phone in phones), MAX_TYPED),
                product=source.product if source else "",
                note=cell(message["text"], MAX_NOTE),
            )
            return Item(
                id=message["id"],
                received_at=message["received_at"],
                origin=_origin(source, talk.row),
                content_type="application/json",
                body=message["body"],
                content=content,
                correlation_id=str(message["id"]),
            )
    return None


def _origin(source: KnownSource | None, row: asyncpg.Record) -> Origin:
    return Origin(
        channel="facebook_chat",
        source_id=source.id if source else None,
        campaign=row["ad_id"] or (source.campaign if source else ""),
        marketer=source.marketer if source else "",
        asked_to_be_called=source.asked_to_be_called if source else True,
        consent_text=source.consent_text if source else "",
        consent_page=f"facebook page {row['facebook_id']}",
    )


def _order_of(talk: _Talk, verdicts: dict[UUID, Verdict]) -> UUID | None:
    """The order that a conversation belongs to from now on."""
    if talk.made_by is None:
        return talk.order_id
    verdict = verdicts[talk.made_by["id"]]
    if verdict.verdict == "rejected":
        return talk.order_id
    return verdict.anchor_id or verdict.id


def _told(message: asyncpg.Record, order_id: UUID) -> Row:
    data = MessageReceived(
        message_id=message["id"],
        order_id=order_id,
        at=message["at"],
        channel=CHANNEL,
        text=message["text"],
        attachments=tuple(message["attachments"]),
    )
    return event_row(MESSAGE_RECEIVED, data, subject=order_id, event_id=message["id"])


def _columns(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    return [[*column] for column in zip(*rows, strict=True)]
