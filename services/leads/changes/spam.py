"""Spam: a lead that is fake, a test or a competitor's. It counts against its source and makes no contact."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, Literal
from uuid import UUID

from services.leads import events, history, rounds
from services.leads.changes import facts, held
from services.leads.changes.errors import NotSpam
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

Kind = Literal["", SpamKind]

FLAGGED: Final = ("competitor", "test")
"""Kinds whose numbers are recognised when they come again; a fake number may be that of an innocent person."""

_MARK: Final = """
UPDATE leads SET spam = $2, in_care = $3, version = version + 1, floating_since = NULL, archived_at = NULL
WHERE id = ANY($1::uuid[])
"""
# What the next arrivals of the numbers are flagged with: this mark, or one that a lead with the number has otherwise.
_FLAG: Final = """
UPDATE duplicate_windows d SET flag = CASE WHEN $2 = ANY($3::text[]) THEN $2 ELSE coalesce((
    SELECT l.spam FROM leads l WHERE l.spam = ANY($3::text[])
        AND (l.phone = d.phone OR (l.other_phones <> '{}' AND l.other_phones @> ARRAY[d.phone]))
    ORDER BY l.id DESC LIMIT 1), '') END
WHERE d.phone = ANY($1::text[]) AND d.product_group = ''
"""


@dataclass(frozen=True, slots=True)
class Marked:
    """What became of leads that were to be marked: those that are spam now and were not so before, and those that were
    closed with a customer, with their level."""

    changed: frozenset[UUID]
    past_care: Mapping[UUID, str]


async def mark(connection: Connection, leads: Iterable[UUID], kind: SpamKind, *, by: By, window: timedelta) -> Marked:
    """Marks leads as spam; marking one so again changes nothing. Nobody calls them or waits for them any more.

    Raises:
        Conflict: somebody changed one of them meanwhile.
    """
    seen = await held.read(connection, leads)
    await numbers.lock(connection, {phone for lead in seen.values() for phone in lead.phones}, default=window)
    locked = await held.lock(connection, seen)
    past_care = {lead.id: lead.level for lead in locked.values() if is_closed(lead.level)}
    wanted = [lead for lead in locked.values() if lead.id not in past_care and lead.spam != kind]
    if wanted:
        await held.unqueue(connection, [lead.id for lead in wanted])
        await _write(connection, wanted, kind, in_care=False, by=by)
        await write_outbox(connection, _told(wanted, kind, by))
    return Marked(frozenset(lead.id for lead in wanted), past_care)


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
    await _write(connection, [lead], "", in_care=not lead.is_duplicate, by=by)
    owned = await rounds.record(connection, decided)
    await write_outbox(connection, [*_told([lead], "", by), *events.assigned(owned)])


async def _decide(connection: Connection, lead: Lead, known: Known) -> Decided:
    if lead.is_duplicate or lead.owner_id is not None:
        return await rounds.decide(connection, ())
    returning = any(number.handed_over for number in known.of(lead.phones))
    return await place(connection, lead, previous_id=None, returning=returning)


async def _write(connection: Connection, leads: Sequence[Lead], kind: Kind, *, in_care: bool, by: By) -> None:
    await connection.execute(_MARK, [lead.id for lead in leads], kind, in_care)
    phones = {phone for lead in leads for phone in lead.phones}
    await connection.execute(_FLAG, sorted(phones), kind, list(FLAGGED))
    changes = (
        Change(
            lead.id,
            by.at,
            "spam",
            by_id=by.account_id,
            by=by.code,
            before={"spam": lead.spam},
            after={"spam": kind},
            reason=by.reason,
        )
        for lead in leads
    )
    await history.keep(connection, changes)


def _told(leads: Iterable[Lead], kind: Kind, by: By) -> list[Row]:
    """A duplicate has no order to which it matters."""
    return [facts.spam(replace(lead, version=lead.version + 1), kind, by=by) for lead in leads if not lead.is_duplicate]
