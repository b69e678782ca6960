"""The product that leads ask for, set for many at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Final
from uuid import UUID

from services.leads import history
from services.leads.changes import facts, held
from services.leads.changes.held import By, Lead
from services.leads.consent import do_not_call
from services.leads.driver import Connection, write_outbox
from services.leads.history import Change
from services.leads.intake import numbers
from services.leads.intake.numbers import HELD_BY, Known
from services.leads.intake.windows import Window

_SET: Final = "UPDATE leads SET product = $2, version = version + 1 WHERE id = ANY($1::uuid[])"
_OF_WINDOWS: Final = f"UPDATE duplicate_windows d SET product = $2 {HELD_BY}"


async def tell_windows(connection: Connection, known: Known, leads: Iterable[Lead], product: str) -> None:
    """The windows of leads, which are locked with their numbers, are about this product from now on. Where the product is
    part of the key (rule D11) they go over to its group, unless a later lead has a window there."""
    changed = list(leads)
    await connection.execute(_OF_WINDOWS, [lead.id for lead in changed], product)
    if not known.policy.by_product:
        return
    group = known.policy.group_of(product)
    opened: dict[tuple[str, str], Window] = {}
    left = []
    for lead in changed:
        for number in known.of(phone for phone in lead.phones if phone in known.numbers):
            there = next((one for one in number.windows if one.product_group == group), None)
            for own in number.windows:
                if own.anchor_id != lead.id or own is there:
                    continue
                if there is None or (there.opened_at, there.anchor_id) < (own.opened_at, own.anchor_id):
                    opened[number.phone, group] = replace(own, product=product, product_group=group)
                    left.append((number.phone, own.product_group))
    await numbers.forget_windows(connection, left)
    await numbers.open_windows(connection, opened)


async def set_product(
    connection: Connection, leads: Iterable[UUID], product: str, *, by: By, window: timedelta
) -> set[UUID]:
    """Sets the product of leads, with what a correction of each would tell. Returns those that had another.

    Args:
        window: length of the duplicate window as long as the company has not set one.

    Raises:
        Conflict: somebody changed one of them meanwhile.
    """
    seen = await held.read(connection, leads)
    known = await numbers.lock(connection, {phone for lead in seen.values() for phone in lead.phones}, default=window)
    locked = await held.lock(connection, seen)
    changed = [lead for lead in locked.values() if lead.product != product]
    if not changed:
        return set()
    ids = [lead.id for lead in changed]
    await connection.execute(_SET, ids, product)
    await tell_windows(connection, known, changed, product)
    await history.keep(
        connection,
        (
            Change(
                lead.id,
                by.at,
                "data",
                by_id=by.account_id,
                by=by.code,
                before={"product": lead.product},
                after={"product": product},
                reason=by.reason,
            )
            for lead in changed
        ),
    )
    listed = await do_not_call.entries_of(connection, {phone for lead in changed for phone in lead.phones})
    await write_outbox(
        connection,
        (
            facts.corrected(
                replace(lead, product=product, version=lead.version + 1), number_changed=False, listed=listed, by=by
            )
            for lead in changed
            if not lead.is_duplicate
        ),
    )
    return set(ids)
