"""Spam: a lead that is fake, a test or a competitor's. It counts against its source and makes no contact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final, Literal
from uuid import UUID

from services.leads import events, history, rounds
from services.leads.changes import facts, held
from services.leads.changes.errors import NotSpam, PastCare
from services.leads.changes.facts import SpamKind
from services.leads.changes.held import By, Lead
from services.leads.changes.placing import place
from services.leads.driver import Connection, write_outbox
from services.leads.history import Change
from services.leads.intake import numbers
from services.leads.intake.numbers import Known
from services.leads.rounds import Decided
from services.leads.stages import is_closed
from shared.outbox import Row

FLAGGED: Final = ("competitor", "test")
"""Kinds whose numbers are recognised when they come again; a fake number may be that of an innocent person."""

_MARK: Final = """
UPDATE leads SET spam = $2, in_care = $3, version = version + 1, floating_since = NULL, archived_at = NULL WHERE id = $1
"""
# What the next arrivals of the numbers are flagged with: this mark, or one that another lead with the number has.
_FLAG: Final = """
UPDATE duplicate_windows d SET flag = CASE WHEN $3 = ANY($4::text[]) THEN $3 ELSE coalesce((
    SELECT l.spam FROM leads l WHERE l.id <> $2 AND l.spam = ANY($4::text[])
        AND (l.phone = d.phone OR (l.other_phones <> '{}' AND l.other_phones @> ARRAY[d.phone]))
    ORDER BY l.id DESC LIMIT 1), '') END
WHERE d.phone = ANY($1::text[]) AND d.product_group = ''
"""


async def mark(connection: Connection, lead_id: UUID, kind: SpamKind, *, by: By, window: timedelta) -> None:
    """Marks a lead as spam; marking it so again changes nothing. Nobody calls it or waits for it any more.

    Raises:
        PastCare: it was closed with a customer.
        Conflict: somebody changed it meanwhile.
    """
    lead = await _lock(connection, lead_id, window=window)
    if is_closed(lead.level):
        raise PastCare(level=lead.level)
    if lead.spam == kind:
        return
    await held.unqueue(connection, lead_id)
    await connection.execute(_MARK, lead_id, kind, False)
    await _flag(connection, lead, kind)
    await _keep(connection, lead, kind, by)
    await write_outbox(connection, _told(lead, kind, by))


async def unmark(connection: Connection, lead_id: UUID, *, by: By, window: timedelta) -> None:
    """Takes the mark away: the lead goes on with its owner, or gets one like a new lead.

    Raises:
        NotSpam: it has none.
        Conflict: somebody changed it meanwhile.
    """
    seen = await held.read(connection, [lead_id])
    lead = seen[lead_id]
    if not lead.spam:
        raise NotSpam
    known = await numbers.lock(connection, lead.phones, default=window)
    decided = await _decide(connection, lead, known)
    lead = (await held.lock(connection, seen))[lead_id]
    if not lead.spam:
        raise NotSpam
    await connection.execute(_MARK, lead_id, "", not lead.is_duplicate)
    await _flag(connection, lead, "")
    await _keep(connection, lead, "", by)
    owned = await rounds.record(connection, decided)
    await write_outbox(connection, [*_told(lead, "", by), *(events.assigned(fact) for fact in owned)])


async def _lock(connection: Connection, lead_id: UUID, *, window: timedelta) -> Lead:
    seen = await held.read(connection, [lead_id])
    await numbers.lock(connection, seen[lead_id].phones, default=window)
    return (await held.lock(connection, seen))[lead_id]


async def _decide(connection: Connection, lead: Lead, known: Known) -> Decided:
    if lead.is_duplicate or lead.owner_id is not None:
        return await rounds.decide(connection, ())
    returning = any(number.handed_over for number in known.of(lead.phones))
    return await place(connection, lead, previous_id=None, returning=returning)


async def _flag(connection: Connection, lead: Lead, kind: str) -> None:
    await connection.execute(_FLAG, list(lead.phones), lead.id, kind, list(FLAGGED))


async def _keep(connection: Connection, lead: Lead, kind: str, by: By) -> None:
    change = Change(
        lead.id,
        by.at,
        "spam",
        by_id=by.account_id,
        by=by.code,
        before={"spam": lead.spam},
        after={"spam": kind},
        reason=by.reason,
    )
    await history.keep(connection, [change])


def _told(lead: Lead, kind: Literal["", "fake", "test", "competitor"], by: By) -> Sequence[Row]:
    """A duplicate has no order to which it matters."""
    if lead.is_duplicate:
        return []
    return [facts.spam(replace(lead, version=lead.version + 1), kind, by=by)]
