"""One rejected item: corrected by somebody, or dismissed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

from services.leads import history
from services.leads.driver import connection_of, mark_outbox_written
from services.leads.errors import PhoneUnreadable, RawItemSettled
from services.leads.inbox import store
from services.leads.inbox.reread import RawItem, corrected
from services.leads.inbox.store import Settlement
from services.leads.intake.accept import accept
from services.leads.intake.items import Rejection, Verdict
from services.leads.repository.leads import viewer_of
from shared.auth import Principal
from shared.db import Session
from shared.errors import NotFound
from shared.telemetry import correlation_id


async def correct(
    session: Session, item_id: UUID, who: Principal, *, changes: Mapping[str, str], reason: str, window: timedelta
) -> Verdict:
    """Makes a rejected item a lead or a duplicate, under its own id and with the moment of its arrival.

    Args:
        changes: field of a lead → corrected text.

    Raises:
        NotFound: there is none that this person may see.
        RawItemSettled: it is a lead or a duplicate already, or its import was undone.
        PhoneUnreadable: still no number; nothing was changed.
    """
    raw = await _lock(session, item_id, who)
    content = corrected(raw, changes)
    if isinstance(content, Rejection):
        raise PhoneUnreadable(
            code=content.code, reason_vi=content.vi, reason_en=content.en, field="body.phone", raw_item_id=str(item_id)
        )
    connection = await connection_of(session)
    item = raw.item(raw.first_origin(), content, correlation_id=correlation_id())
    accepted = await accept(connection, [item], window=window)
    verdict = accepted.outcomes[0]
    assert isinstance(verdict, Verdict), "an item without a key has a verdict"
    before = {name: (raw.fields or {}).get(name, "") for name in changes} if raw.fields else None
    at = datetime.now(UTC)
    settlement = Settlement(
        raw,
        at=at,
        by_id=who.account_id,
        by=who.code,
        kind="corrected",
        verdict=verdict.verdict,
        reason=reason,
        before=before,
        after=changes,
    )
    await store.keep(connection, [settlement])
    await history.keep(
        connection,
        [
            history.Change(
                item_id,
                at,
                "raw_corrected",
                by_id=who.account_id,
                by=who.code,
                before=before or {},
                after=changes,
                reason=reason,
            )
        ],
    )
    await store.move_counters(connection, [(raw.import_id, verdict.verdict)])
    if accepted.wrote_outbox:
        mark_outbox_written(session)
    return verdict


async def dismiss(session: Session, item_id: UUID, who: Principal, *, reason: str) -> None:
    """Says that a rejected item is no lead: it leaves the list of what is to be corrected. It can still be corrected.

    Raises:
        NotFound, RawItemSettled: as `correct`.
    """
    raw = await _lock(session, item_id, who)
    connection = await connection_of(session)
    if raw.verdict == "dismissed":
        return
    await store.dismiss(connection, item_id)
    settlement = Settlement(
        raw,
        at=datetime.now(UTC),
        by_id=who.account_id,
        by=who.code,
        kind="dismissed",
        verdict="dismissed",
        reason=reason,
    )
    await store.keep(connection, [settlement])


async def _lock(session: Session, item_id: UUID, who: Principal) -> RawItem:
    seen = await store.one(session, await viewer_of(session, who), item_id)
    if seen is None:
        raise NotFound(what="raw item")
    imports = [seen.import_id] if seen.import_id else []
    connection = await connection_of(session)
    (raw,) = await store.lock(connection, [item_id], imports=imports)
    if raw.verdict not in ("rejected", "dismissed"):
        raise RawItemSettled(raw_item_id=str(item_id), verdict=raw.verdict)
    return raw
