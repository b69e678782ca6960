"""Two leads that are one person: the older stays, the younger becomes its duplicate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from services.leads import history
from services.leads.changes import facts, held
from services.leads.changes.errors import CannotMerge, DuplicateOfAnother, SameLead
from services.leads.changes.held import By, Lead
from services.leads.changes.link import link
from services.leads.consent import do_not_call
from services.leads.driver import Connection, write_outbox
from services.leads.history import Change
from services.leads.intake import numbers
from services.leads.intake.numbers import Known
from services.leads.intake.windows import window_of
from services.leads.stages import ends_window, is_closed

_FILL: Final = """
UPDATE leads SET other_phones = $2, name = $3, note = $4, address = $5, do_not_call = $6, version = version + 1 WHERE id = $1
"""


@dataclass(frozen=True, slots=True)
class Merged:
    survivor_id: UUID
    duplicate_id: UUID


async def merge(connection: Connection, first_id: UUID, second_id: UUID, *, by: By, window: timedelta) -> Merged:
    """Merges two leads. The numbers of both identify the older; what it does not say is taken from the younger.

    Two that are merged already stay so.

    Raises:
        SameLead: there is only one.
        DuplicateOfAnother: one of them is a duplicate of a third.
        CannotMerge: the older was sent or has ended, the younger was closed, or one is spam.
        Conflict: somebody changed one meanwhile.
    """
    if first_id == second_id:
        raise SameLead
    seen = await held.read(connection, [first_id, second_id])
    older, younger = sorted(seen.values(), key=lambda lead: (lead.received_at, lead.id))
    if younger.anchor_id == older.id:
        return Merged(older.id, younger.id)
    known = await numbers.lock(connection, {*older.phones, *younger.phones}, default=window)
    leads = await held.lock(connection, seen)
    older, younger = leads[older.id], leads[younger.id]
    _check(older, younger)
    await absorb(connection, older, younger, known, by=by)
    linked = await link(connection, younger, older.id, cause="merged", by=by)
    await write_outbox(connection, [linked])
    return Merged(older.id, younger.id)


async def absorb(connection: Connection, older: Lead, younger: Lead, known: Known, *, by: By) -> None:
    """The older gets the numbers of both, what it lacked, and the windows that the younger opened; locked, with their
    numbers. The younger is left as it is."""
    survivor = _together(older, younger)
    listed = await do_not_call.entries_of(connection, survivor.phones)
    await connection.execute(
        _FILL,
        survivor.id,
        list(survivor.other_phones),
        survivor.name,
        survivor.note,
        survivor.address,
        any(one.forbids_calls for one in listed.values()),
    )
    await _pass_windows(connection, survivor, younger, known)
    await history.keep(connection, [_change(older, survivor, younger, by)])
    await write_outbox(connection, [facts.corrected(survivor, number_changed=False, listed=listed, by=by)])


def _check(older: Lead, younger: Lead) -> None:
    for lead in (older, younger):
        if lead.is_duplicate:
            raise DuplicateOfAnother(lead_id=str(lead.id), anchor_id=str(lead.anchor_id))
        if lead.spam:
            raise CannotMerge(lead_id=str(lead.id), level=lead.level)
    if ends_window(older.level):
        raise CannotMerge(lead_id=str(older.id), level=older.level)
    if is_closed(younger.level):
        raise CannotMerge(lead_id=str(younger.id), level=younger.level)


def _together(older: Lead, younger: Lead) -> Lead:
    more = tuple(phone for phone in younger.phones if phone not in older.phones)
    return replace(
        older,
        other_phones=(*older.other_phones, *more),
        name=older.name or younger.name,
        note=older.note or younger.note,
        address=older.address or younger.address,
        version=older.version + 1,
    )


async def _pass_windows(connection: Connection, survivor: Lead, younger: Lead, known: Known) -> None:
    """What the younger opened is the survivor's, and closes when the survivor's own does: nothing is prolonged."""
    own = window_of(survivor.arrival, policy=known.policy)
    before = next(
        (one for number in known.numbers.values() for one in number.windows if one.anchor_id == survivor.id), own
    )
    opened = {
        (number.phone, one.product_group): replace(before, product_group=one.product_group)
        for number in known.of(younger.phones)
        for one in number.windows
        if one.anchor_id == younger.id
    }
    await numbers.open_windows(connection, opened)


def _change(older: Lead, survivor: Lead, younger: Lead, by: By) -> Change:
    fields = [
        name for name in ("other_phones", "name", "note", "address") if getattr(older, name) != getattr(survivor, name)
    ]
    before: dict[str, Any] = {name: getattr(older, name) for name in fields}
    after: dict[str, Any] = {name: getattr(survivor, name) for name in fields}
    return Change(
        survivor.id,
        by.at,
        "merged",
        by_id=by.account_id,
        by=by.code,
        before=before,
        after={**after, "merged_id": str(younger.id)},
        reason=by.reason,
    )
