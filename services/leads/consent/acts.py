"""Consent of a number: every act that gave or took it, and what follows for now (rule D38)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, get_args
from uuid import UUID

from sqlalchemy import text

from services.leads.driver import Connection
from shared.contracts.events.leads_everyday import CONSENT_RECORDED, ConsentRecorded
from shared.db import ReadSession
from shared.outbox import Row, event_row

Purpose = Literal["requested_call", "advertising_call", "message"]
PURPOSES: Final[tuple[Purpose, ...]] = get_args(Purpose)
ENDS_AFTER: Final = timedelta(days=30)
"""After the end of care, consent to the calls that somebody asked for is over (rule D38)."""

# Whoever left the number asked to be called: the lead itself is the record.
_ACTS: Final = text(
    """
SELECT CAST(NULL AS uuid) AS id, 'requested_call' AS purpose, 'given' AS act, l.received_at AS at, 'left_number' AS how,
    l.channel, l.consent_page AS page, coalesce(t.text, '') AS text, '' AS reason, l.id AS lead_id, '' AS by,
    l.ended_at AS care_ended_at
FROM leads l LEFT JOIN consent_texts t ON t.hash = l.consent_hash
WHERE l.asked_to_be_called AND l.id IN (
    SELECT id FROM leads WHERE phone = :phone
    UNION SELECT id FROM leads WHERE other_phones <> '{}' AND other_phones @> ARRAY[CAST(:phone AS text)])
UNION ALL
SELECT c.id, c.purpose, c.act, c.at, c.how, c.channel, c.page, c.text, c.reason, c.lead_id, c.by, NULL
FROM consents c WHERE c.phone = :phone
ORDER BY at, how
"""
)
_CHANGES: Final = text(
    """
SELECT source, act, kind, until, at, reason, by, import_id FROM do_not_call_changes WHERE phone = :phone ORDER BY at, id
"""
)
_RECORD: Final = """
INSERT INTO consents (id, phone, purpose, act, at, how, channel, page, text, reason, lead_id, by_id, by)
SELECT uuidv7(), phone, purpose, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12
FROM unnest($1::text[]) AS n (phone) CROSS JOIN unnest($2::text[]) AS p (purpose)
RETURNING id, phone, purpose
"""


@dataclass(frozen=True, slots=True)
class Act:
    """Somebody behind a number gave consent to a purpose, or took it back.

    `care_ended_at` is when the order ended for which they had asked to be called.
    """

    purpose: Purpose
    act: Literal["given", "withdrawn"]
    at: datetime
    how: str
    channel: str = ""
    page: str = ""
    text: str = ""
    reason: str = ""
    lead_id: UUID | None = None
    by: str = ""
    id: UUID | None = None
    care_ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds of one purpose now."""

    purpose: Purpose
    state: Literal["given", "withdrawn", "ended", "none"]
    since: datetime | None


def standing(acts: Iterable[Act], *, now: datetime) -> list[Standing]:
    """What holds for each purpose: the last act, unless it was a request whose care ended long ago. Pure."""
    last: dict[Purpose, Act] = {}
    for act in sorted(acts, key=lambda one: one.at):
        last[act.purpose] = act
    return [_standing(purpose, last.get(purpose), now) for purpose in PURPOSES]


def _standing(purpose: Purpose, last: Act | None, now: datetime) -> Standing:
    if last is None:
        return Standing(purpose, "none", None)
    if last.act == "given" and last.care_ended_at is not None and last.care_ended_at + ENDS_AFTER <= now:
        return Standing(purpose, "ended", last.care_ended_at + ENDS_AFTER)
    return Standing(purpose, last.act, last.at)


async def of_phone(session: ReadSession, phone: str) -> list[Act]:
    """Every act of a number, oldest first."""
    return [Act(**row._mapping) for row in await session.execute(_ACTS, {"phone": phone})]


async def list_changes(session: ReadSession, phone: str) -> Sequence[Any]:
    """How a number came onto the do-not-call list and off it, oldest first."""
    return (await session.execute(_CHANGES, {"phone": phone})).all()


async def record(
    connection: Connection, phones: Sequence[str], purposes: Sequence[str], act: Act, by_id: UUID
) -> list[Row]:
    """Writes an act down for some numbers and purposes; its own `purpose` is not looked at. Returns outbox rows."""
    written = await connection.fetch(
        _RECORD,
        list(phones),
        list(purposes),
        act.act,
        act.at,
        act.how,
        act.channel,
        act.page,
        act.text,
        act.reason,
        act.lead_id,
        by_id,
        act.by,
    )
    return [
        event_row(
            CONSENT_RECORDED,
            ConsentRecorded(
                consent_id=row["id"],
                phone=row["phone"],
                purpose=row["purpose"],
                act=act.act,
                at=act.at,
                how=act.how,
                channel=act.channel,
                page=act.page,
                text=act.text,
                reason=act.reason,
                lead_id=act.lead_id,
                by=act.by,
            ),
            subject=row["id"],
            event_id=row["id"],
        )
        for row in written
    ]
