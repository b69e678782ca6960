"""'Bỏ đánh trùng': a duplicate was none. It becomes a lead, gets an owner like a new one, and credits its marketer."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

from services.leads import events, history, rounds
from services.leads.changes import consent, facts, held
from services.leads.changes.errors import IsSpam, NotDuplicate
from services.leads.changes.held import By, Lead
from services.leads.changes.placing import place
from services.leads.consent import do_not_call
from services.leads.driver import Connection, write_outbox
from services.leads.history import Change
from services.leads.intake import numbers
from services.leads.intake.numbers import Known
from services.leads.intake.windows import previous_of, window_of
from shared.contracts import levels

_RELEASE: Final = f"""
UPDATE leads SET verdict = 'lead', anchor_id = NULL, level = '{levels.CLEAN}', in_care = true, returning_customer = $2,
    released_at = $3, version = version + 1
WHERE id = $1
"""


async def release(connection: Connection, lead_id: UUID, *, by: By, window: timedelta) -> None:
    """Releases a duplicate; one that was released already stays as it is.

    It is not judged again. From its arrival on it is the lead of its numbers, whose next arrivals are its duplicates.

    Args:
        window: length of the duplicate window as long as the company has not set one.

    Raises:
        NotDuplicate: it never was one.
        IsSpam: it is marked so.
        Conflict: somebody changed it meanwhile.
    """
    seen = await held.read(connection, [lead_id])
    if _is_done(seen[lead_id]):
        return
    known = await numbers.lock(connection, seen[lead_id].phones, default=window)
    again = any(number.handed_over for number in known.of(seen[lead_id].phones))
    previous_id = previous_of(known.of(seen[lead_id].phones)) or seen[lead_id].anchor_id
    decided = await place(connection, seen[lead_id], previous_id=previous_id, returning=again)
    lead = (await held.lock(connection, seen))[lead_id]
    assert lead.anchor_id is not None, "a duplicate has an anchor"
    await connection.execute(_RELEASE, lead.id, again, by.at)
    await _open_windows(connection, lead, known)
    owned = await rounds.record(connection, decided)
    change = Change(
        lead.id,
        by.at,
        "duplicate_released",
        by_id=by.account_id,
        by=by.code,
        before={"level": lead.level, "anchor_id": str(lead.anchor_id)},
        after={"level": levels.CLEAN},
        reason=by.reason,
    )
    await history.keep(connection, [change])
    agreed = await consent.of_lead(connection, lead.id)
    told = facts.released(
        lead,
        agreed,
        anchor_id=lead.anchor_id,
        returning_customer=again,
        listed=await do_not_call.entries_of(connection, lead.phones),
        by=by,
    )
    await write_outbox(connection, [told, *events.assigned(owned)])


def _is_done(lead: Lead) -> bool:
    if not lead.is_duplicate:
        if lead.released_at is None:
            raise NotDuplicate
        return True
    if lead.spam:
        raise IsSpam(kind=lead.spam)
    return False


async def _open_windows(connection: Connection, lead: Lead, known: Known) -> None:
    """Its windows begin at its arrival, as those of any clean lead; windows of later leads stay."""
    own = window_of(lead.arrival, policy=known.policy)
    opened = {}
    for number in known.of(lead.phones):
        present = next((one for one in number.windows if one.product_group == own.product_group), None)
        if present is None or (present.opened_at, present.anchor_id) < (own.opened_at, own.anchor_id):
            opened[number.phone, own.product_group] = own
    await numbers.open_windows(connection, opened)
