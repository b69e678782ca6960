"""Correcting what is known of a lead. A corrected number is judged again, and the windows move with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from services.leads import history
from services.leads.changes import facts, held, passing
from services.leads.changes.errors import DuplicateNumber, LeadEnded, NumberReasonRequired, NumberTaken
from services.leads.changes.held import By, Lead
from services.leads.changes.link import link
from services.leads.changes.product import tell_windows
from services.leads.consent import do_not_call
from services.leads.driver import Connection, write_outbox
from services.leads.history import Change
from services.leads.intake import numbers
from services.leads.intake.numbers import Known
from services.leads.intake.windows import Window, anchor_of, window_of
from services.leads.stages import ends_window
from shared.contracts import levels
from shared.errors import PreconditionFailed
from shared.outbox import Row

_FIELDS: Final = ("phone", "other_phones", "phone_typed", "name", "product", "note", "address")
_CORRECT: Final = """
UPDATE leads SET phone = $2, other_phones = $3, phone_typed = $4, name = $5, product = $6, note = $7, address = $8,
    do_not_call = $9, version = version + 1
WHERE id = $1
"""
_DUPLICATES_OF: Final = """
SELECT id FROM leads WHERE anchor_id = $1 AND (phone = ANY($2::text[]) OR other_phones && $2::text[]) ORDER BY id LIMIT $3
"""
NAMED: Final = 100
"""Duplicates of a number that was given up which an answer names at most."""


@dataclass(frozen=True, slots=True)
class Corrected:
    """What became of a correction."""

    anchor_id: UUID | None = None
    """The lead has become a duplicate of this one."""
    left_behind: tuple[UUID, ...] = ()
    """Duplicates of it that have only a number which it has no more: perhaps none after all."""


async def correct(
    connection: Connection, lead_id: UUID, values: dict[str, Any], *, expected: int, by: By, window: timedelta
) -> Corrected:
    """Corrects fields of a lead.

    A new number that lies in another lead's open window makes this one its duplicate, as long as it is in care. Else the
    lead takes its window along to the new number, which closes when the old one would have. The old number's window
    passes to whoever else has it, or ends.

    Args:
        values: by column; numbers as E.164.
        expected: the version that the correction starts from.
        window: length of the duplicate window as long as the company has not set one.

    Raises:
        PreconditionFailed: there is a newer version.
        DuplicateNumber, LeadEnded, NumberReasonRequired, NumberTaken: the number cannot be changed so.
        Conflict: somebody changed it meanwhile.
    """
    seen = await held.read(connection, [lead_id])
    wanted = replace(seen[lead_id], **values)
    known = await numbers.lock(connection, {*seen[lead_id].phones, *wanted.phones}, default=window)
    lead = (await held.lock(connection, seen))[lead_id]
    if lead.version != expected:
        raise PreconditionFailed
    wanted = replace(lead, **values, version=lead.version + 1)
    changed = [field for field in _FIELDS if getattr(lead, field) != getattr(wanted, field)]
    if not changed:
        return Corrected()
    renumbered = set(lead.phones) != set(wanted.phones)
    anchor = _judge(lead, wanted, known, by) if renumbered or lead.phone != wanted.phone else None
    listed = await do_not_call.entries_of(connection, wanted.phones)
    forbidden = any(one.forbids_calls for one in listed.values())
    await connection.execute(_CORRECT, lead.id, *(_stored(wanted, field) for field in _FIELDS), forbidden)
    await _remember(connection, lead, wanted, changed, by)
    rows: list[Row] = []
    if not lead.is_duplicate:
        rows.append(facts.corrected(wanted, number_changed=lead.phone != wanted.phone, listed=listed, by=by))
    left_behind: Sequence[UUID] = ()
    if anchor is not None:
        await passing.give_up(connection, known, lead.id, lead.phones, at=by.at)
        rows.append(await link(connection, wanted, anchor.anchor_id, cause="corrected", by=by))
    elif renumbered:
        left_behind = await _move_windows(connection, lead, wanted, known, by)
    if "product" in changed and anchor is None:
        kept = tuple(phone for phone in lead.phones if phone in wanted.phones)
        if kept:
            await tell_windows(connection, known, [replace(lead, phone=kept[0], other_phones=kept[1:])], wanted.product)
    await write_outbox(connection, rows)
    return Corrected(anchor.anchor_id if anchor else None, tuple(left_behind))


def _judge(lead: Lead, wanted: Lead, known: Known, by: By) -> Window | None:
    """The open window of another lead that a new number lies in."""
    if lead.is_duplicate:
        raise DuplicateNumber(anchor_id=str(lead.anchor_id))
    if ends_window(lead.level):
        raise LeadEnded(level=lead.level)
    if lead.level == levels.WRONG_NUMBER and lead.phone != wanted.phone and not by.reason:
        raise NumberReasonRequired(level=lead.level)
    others = [
        replace(number, windows=tuple(one for one in number.windows if one.anchor_id != lead.id))
        for number in known.of(phone for phone in wanted.phones if phone not in lead.phones)
    ]
    anchor = anchor_of(others, at=by.at, product=wanted.product, policy=known.policy)
    if anchor is not None and not lead.in_care:
        raise NumberTaken(anchor_id=str(anchor.anchor_id), level=lead.level)
    return anchor


async def _move_windows(connection: Connection, lead: Lead, wanted: Lead, known: Known, by: By) -> Sequence[UUID]:
    gone = sorted({*lead.phones} - {*wanted.phones})
    own = window_of(wanted.arrival, policy=known.policy)
    opened_before = [
        one for number in known.of(lead.phones) for one in number.windows if one.anchor_id == lead.id
    ]  # all alike: a lead opens one window for all its numbers
    if opened_before:
        own = replace(own, closes_at=opened_before[0].closes_at, ended=opened_before[0].ended)
    opened = {}
    for number in known.of(sorted({*wanted.phones} - {*lead.phones})):
        present = next((one for one in number.windows if one.product_group == own.product_group), None)
        if present is None or (present.opened_at, present.anchor_id) < (own.opened_at, own.anchor_id):
            opened[number.phone, own.product_group] = own
    await numbers.open_windows(connection, opened)
    await passing.give_up(connection, known, lead.id, gone, at=by.at)
    rows = await connection.fetch(_DUPLICATES_OF, lead.id, gone, NAMED)
    return [row["id"] for row in rows]


async def _remember(connection: Connection, lead: Lead, wanted: Lead, changed: Sequence[str], by: By) -> None:
    told = [field for field in changed if field != "phone_typed"]  # it cannot be masked; the raw item has the first one
    change = Change(
        lead.id,
        by.at,
        "phone" if {"phone", "other_phones"} & {*changed} else "data",
        by_id=by.account_id,
        by=by.code,
        before={field: _stored(lead, field) for field in told},
        after={field: _stored(wanted, field) for field in told},
        reason=by.reason,
    )
    await history.keep(connection, [change])


def _stored(lead: Lead, field: str) -> Any:
    value = getattr(lead, field)
    return list(value) if isinstance(value, tuple) else value
