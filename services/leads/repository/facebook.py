"""Facebook pages and forms, for those who manage them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import CursorResult, text

from shared.db import ReadSession, Session

# Counted in one pass over the leads of all pages: PostgreSQL may read all of them again for each page that has many.
_PAGES: Final = """
SELECT p.id, p.page_id, p.app_id, p.name, p.form_source_id, p.chat_source_id, p.active, p.version, p.created_at,
    p.problem, p.problem_detail, p.problem_since, p.paused_until, p.poll_at, p.subscribed, p.hears_chats,
    p.subscription_problem, p.resubscribed,
    p.resubscribed_at, p.wrong_signatures, p.wrong_signature_at, coalesce(l.pushed, 0) AS pushed,
    coalesce(l.polled_only, 0) AS polled_only, coalesce(l.fetched, 0) AS fetched, coalesce(l.pending, 0) AS pending,
    coalesce(l.failed, 0) AS failed, l.last_lead_at, f.*, m.*
FROM facebook_pages p
LEFT JOIN (
    SELECT page_id, count(pushed_at) AS pushed, count(*) - count(pushed_at) AS polled_only,
        count(*) FILTER (WHERE state = 'fetched') AS fetched, count(*) FILTER (WHERE state = 'pending') AS pending,
        count(*) FILTER (WHERE state = 'failed') AS failed, max(received_at) AS last_lead_at
    FROM facebook_leads GROUP BY page_id
) AS l ON l.page_id = p.id
CROSS JOIN LATERAL (
    SELECT coalesce(sum(gap), 0) AS gap, min(gap_since) AS gap_since, min(swept_at) AS read_at
    FROM facebook_forms WHERE page_id = p.id
) AS f
CROSS JOIN LATERAL (
    SELECT count(*) AS waiting_messages FROM facebook_messages WHERE page_id = p.id AND state = 'waiting'
) AS m
"""
_LIST: Final = text(
    _PAGES + "WHERE CAST(:after AS uuid) IS NULL OR p.id > CAST(:after AS uuid) ORDER BY p.id LIMIT :limit"
)
_ONE: Final = text(_PAGES + "WHERE p.id = :id")
_LOCK: Final = text(
    "SELECT id, version, page_id, app_id, credentials, active, round FROM facebook_pages WHERE id = :id FOR UPDATE"
)
_CREDENTIALS: Final = text("SELECT credentials FROM facebook_pages WHERE id = :id")
_INSERT: Final = text(
    """
INSERT INTO facebook_pages (id, page_id, app_id, name, credentials, hook_secret_hash, form_source_id, chat_source_id)
VALUES (:id, :page_id, :app_id, :name, :credentials, :hash, :form_source_id, :chat_source_id)
ON CONFLICT (page_id) DO NOTHING RETURNING id
"""
)
# A change is tried at once: it may be what a problem waited for.
_UPDATE: Final = text(
    """
UPDATE facebook_pages SET app_id = :app_id, name = :name, credentials = :credentials, form_source_id = :form_source_id,
    chat_source_id = :chat_source_id, active = :active, version = version + 1, problem = '', problem_detail = '',
    problem_since = NULL, failures = 0, paused_until = 'epoch', poll_at = 'epoch', subscription_at = 'epoch'
WHERE id = :id
"""
)
_ROTATE: Final = text(
    """
UPDATE facebook_pages SET hook_secret_number = hook_secret_number + 1, version = version + 1 WHERE id = :id
RETURNING hook_secret_number
"""
)
_SET_HASH: Final = text("UPDATE facebook_pages SET hook_secret_hash = :hash WHERE id = :id")
# A person who asks for it has mended something; but what Facebook limits is not to be asked for earlier by anybody.
_READ_NOW: Final = text(
    """
UPDATE facebook_pages SET poll_at = 'epoch', subscription_at = 'epoch',
    paused_until = CASE WHEN problem = 'rate_limited' THEN paused_until ELSE 'epoch' END
WHERE id = :id RETURNING round
"""
)
_RETRY: Final = text(
    """
UPDATE facebook_leads SET state = 'pending', attempts = 0, reason = '', next_try_at = 'epoch'
WHERE page_id = :id AND state = 'failed'
"""
)
_FORMS: Final = """
SELECT form_id, name, status, source_id, product, marketer, consent_text, field_map, version, leads_count, swept_at, gap,
    gap_since, problem, (SELECT count(*) FROM facebook_leads l WHERE l.page_id = f.page_id AND l.form_id = f.form_id) AS leads
FROM facebook_forms f WHERE page_id = :page
"""
_FORM_LIST: Final = text(_FORMS + " AND form_id > :after ORDER BY form_id LIMIT :limit")
_FORM: Final = text(_FORMS + " AND form_id = :form_id")
_FORM_MAKE: Final = text(
    "INSERT INTO facebook_forms (page_id, form_id) VALUES (:page, :form_id) ON CONFLICT DO NOTHING"
)
_FORM_LOCK: Final = text("SELECT version FROM facebook_forms WHERE page_id = :page AND form_id = :form_id FOR UPDATE")
_FORM_UPDATE: Final = text(
    """
UPDATE facebook_forms SET source_id = :source_id, product = :product, marketer = :marketer, consent_text = :consent_text,
    field_map = CAST(:field_map AS jsonb), version = version + 1
WHERE page_id = :page AND form_id = :form_id
"""
)
_OF_STATE: Final = """
(SELECT leadgen_id, form_id, item_id, received_at, pushed_at, polled_at, created_time, ad_id, adset_id, campaign_id, state,
    reason, attempts, next_try_at
FROM facebook_leads WHERE page_id = :page AND state = '{state}' AND '{state}' = ANY(CAST(:states AS text[]))
    AND (CAST(:after AS uuid) IS NULL OR item_id < CAST(:after AS uuid))
ORDER BY item_id DESC LIMIT :limit)
"""
# The index knows the order within a state. Each is named, so that PostgreSQL knows how few leads are in some of them.
_LEADS: Final = text(
    f"""
SELECT l.*, r.verdict FROM (
    SELECT of_states.* FROM ({" UNION ALL ".join(_OF_STATE.format(state=state) for state in ("pending", "fetched", "failed"))})
        AS of_states
    ORDER BY item_id DESC LIMIT :limit
) AS l LEFT JOIN raw_items r ON r.id = l.item_id
ORDER BY l.item_id DESC
"""
)
_RAISED: Final = text(
    """
SELECT id, page_id, received_at, state, error, substr(body, 1, :shown) AS body FROM facebook_hooks
WHERE state IN ('unreadable', 'failed') AND (CAST(:after AS uuid) IS NULL OR id < CAST(:after AS uuid))
ORDER BY id DESC LIMIT :limit
"""
)
_PUSHES_AGAIN: Final = text(
    "UPDATE facebook_hooks SET state = 'received', error = '' WHERE state IN ('unreadable', 'failed')"
)
_MESSAGES_AGAIN: Final = text(
    """
UPDATE facebook_messages m SET state = 'received'
WHERE state = 'rejected' AND NOT EXISTS (SELECT 1 FROM raw_items r WHERE r.id = m.id)
"""
)
_CHANNEL: Final = text("SELECT channel FROM sources WHERE id = :id")


async def pages(session: ReadSession, *, after: UUID | None, limit: int) -> Sequence[Any]:
    """Pages with their figures, in the order in which they were connected."""
    return (await session.execute(_LIST, {"after": after, "limit": limit})).all()


async def page(session: ReadSession, page_id: UUID) -> Any | None:
    return (await session.execute(_ONE, {"id": page_id})).one_or_none()


async def lock(session: Session, page_id: UUID) -> Any | None:
    """A page, held until the commit."""
    return (await session.execute(_LOCK, {"id": page_id})).one_or_none()


async def credentials(session: ReadSession, page_id: UUID) -> bytes:
    """What is sealed of a page."""
    return bytes((await session.execute(_CREDENTIALS, {"id": page_id})).scalar_one())


async def insert(session: Session, values: dict[str, Any]) -> bool:
    """Connects a page; False when it is connected already."""
    return (await session.execute(_INSERT, values)).scalar() is not None


async def update(session: Session, values: dict[str, Any]) -> None:
    await session.execute(_UPDATE, values)


async def rotate(session: Session, page_id: UUID) -> int | None:
    """The number of the page's next callback address; None if there is no such page."""
    number: int | None = (await session.execute(_ROTATE, {"id": page_id})).scalar()
    return number


async def set_hash(session: Session, page_id: UUID, secret_hash: bytes) -> None:
    await session.execute(_SET_HASH, {"id": page_id, "hash": secret_hash})


async def read_now(session: Session, page_id: UUID) -> int | None:
    """Has the forms read at the next round; returns which workflow follows the page."""
    round: int | None = (await session.execute(_READ_NOW, {"id": page_id})).scalar()
    return round


async def retry(session: Session, page_id: UUID) -> None:
    """Has failed leads fetched again."""
    await session.execute(_RETRY, {"id": page_id})


async def forms(session: ReadSession, page_id: UUID, *, after: str, limit: int) -> Sequence[Any]:
    return (await session.execute(_FORM_LIST, {"page": page_id, "after": after, "limit": limit})).all()


async def form(session: ReadSession, page_id: UUID, form_id: str) -> Any | None:
    return (await session.execute(_FORM, {"page": page_id, "form_id": form_id})).one_or_none()


async def lock_form(session: Session, page_id: UUID, form_id: str) -> int:
    """The version of a form, held until the commit; a form that nothing was heard of yet is made."""
    await session.execute(_FORM_MAKE, {"page": page_id, "form_id": form_id})
    version: int = (await session.execute(_FORM_LOCK, {"page": page_id, "form_id": form_id})).scalar_one()
    return version


async def update_form(session: Session, values: dict[str, Any]) -> None:
    await session.execute(_FORM_UPDATE, values)


async def leads(
    session: ReadSession, page_id: UUID, *, states: Sequence[str], after: UUID | None, limit: int
) -> Sequence[Any]:
    """Leads that Facebook told of, the newest first."""
    values = {"page": page_id, "states": list(states), "after": after, "limit": limit}
    return (await session.execute(_LEADS, values)).all()


async def raised(session: ReadSession, *, after: UUID | None, limit: int, shown: int) -> Sequence[Any]:
    """Pushes that somebody has to look at, the newest first."""
    return (await session.execute(_RAISED, {"after": after, "limit": limit, "shown": shown})).all()


async def apply_again(session: Session) -> int:
    """Has raised pushes, and messages that were put aside, applied again; returns how many pushes."""
    await session.execute(_MESSAGES_AGAIN)
    pushes = cast("CursorResult[Any]", await session.execute(_PUSHES_AGAIN))
    return pushes.rowcount


async def channel_of(session: ReadSession, source_id: UUID) -> str | None:
    """The channel of a source."""
    channel: str | None = (await session.execute(_CHANNEL, {"id": source_id})).scalar()
    return channel
