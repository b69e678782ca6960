"""Leads that change hands at once, some hundred in one transaction: to a colleague, to whom the rules of the pools
choose, or into the floating pool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, Literal, NamedTuple
from uuid import UUID

from services.leads import events, moves
from services.leads.driver import Connection, write_outbox
from services.leads.moves import Held
from services.leads.repository.leads import Viewer
from services.leads.transfers import plan, selection
from services.leads.transfers.splitting import Share
from services.leads.transfers.work import by_rules, fitting_pools
from shared import outbox
from shared.auth import Principal

MAX_LEADS: Final = 500
"""Leads of one transaction: a tenth of a second in which intake waits for the pools' locks at most."""

Target = UUID | Literal["pools", "floating_pool"]
"""Where leads go: to a person, to somebody else by the pools' rules, or where whoever wants may claim them."""
Result = Literal["given", "kept", "waiting", "released", "duplicate", "ended", "not-found"]


class Outcome(NamedTuple):
    """What became of a lead: given, kept (it was so already), waiting (nobody of its pool can take it now), released; or
    why it was left alone: duplicate, ended, not-found."""

    result: Result
    owner_id: UUID | None = None


_Moved = tuple[dict[UUID, Outcome], list[outbox.Row]]


async def move(
    connection: Connection, viewer: Viewer, leads: Sequence[UUID], to: Target, *, who: Principal, reason: str
) -> dict[UUID, Outcome]:
    """Moves those of some leads that the viewer may see and that are still in care (to a person: also later), with
    history and events, in the caller's transaction. Returns what became of each, in the order named.

    Raises:
        StaffUnknown: the person is not known, or locked.
    """
    chosen = await selection.named(connection, viewer, leads, closed_too=isinstance(to, UUID))
    results: dict[UUID, Outcome] = {}
    for lead_id, why in chosen.refused.items():
        results[lead_id] = Outcome("duplicate" if why == "duplicate" else "ended" if why == "ended" else "not-found")
    ids = [lead_id for lead_id, _ in chosen.leads]
    if to == "pools":
        moved, facts = await _to_pools(connection, ids, who, reason)
    elif to == "floating_pool":
        moved, facts = await _to_floating_pool(connection, ids, who, reason)
    else:
        moved, facts = await _to_person(connection, ids, to, who, reason)
    await write_outbox(connection, facts)
    results |= moved
    # What is in neither was deleted between the look and the lock.
    return {lead_id: results.get(lead_id, Outcome("not-found")) for lead_id in dict.fromkeys(leads)}


def _still(held: Mapping[UUID, Held], *, closed_too: bool = False) -> tuple[list[Held], dict[UUID, Outcome]]:
    """Those of the leads that may be moved now that they are locked, and what became of the others: while this transaction
    waited for them, somebody may have found them to be duplicates or ended them."""
    left: dict[UUID, Outcome] = {}
    for lead in held.values():
        if lead.verdict != "lead":
            left[lead.id] = Outcome("duplicate")
        elif not (lead.in_care or closed_too):
            left[lead.id] = Outcome("ended")
    return [lead for lead in held.values() if lead.id not in left], left


async def _to_person(connection: Connection, ids: list[UUID], owner_id: UUID, who: Principal, reason: str) -> _Moved:
    person = (await plan.receivers(connection, [Share(owner_id)]))[owner_id]
    held, left = _still(await moves.hold(connection, ids), closed_too=True)
    gifts = [(lead, person) for lead in held if lead.owner_id != owner_id]
    given = await moves.give(connection, gifts, cause="reassignment", at=datetime.now(UTC), by=who.code, reason=reason)
    moved = {fact.lead_id for fact in given}
    results = {lead.id: Outcome("given" if lead.id in moved else "kept", owner_id) for lead in held}
    return results | left, events.assigned(given)


async def _to_pools(connection: Connection, ids: list[UUID], who: Principal, reason: str) -> _Moved:
    pools = await fitting_pools(connection, ids)
    deciding_in = [pool_id for pool_id in pools.values() if pool_id]
    held, left = _still(await moves.hold(connection, ids, deciding_in=deciding_in))
    leads = [lead for lead in held if not lead.waits]
    owners, facts = await by_rules(connection, leads, pools, cause="reassignment", by=who.code, reason=reason)
    results = {
        lead.id: Outcome("kept")
        if lead.waits
        else Outcome("given", owners[lead.id])
        if lead.id in owners
        else Outcome("waiting")
        for lead in held
    }
    return results | left, facts


async def _to_floating_pool(connection: Connection, ids: list[UUID], who: Principal, reason: str) -> _Moved:
    held, left = _still(await moves.hold(connection, ids))
    leads = [lead for lead in held if lead.floating_since is None or lead.archived_at is not None]
    released = await moves.release(
        connection, leads, cause="floating_pool", at=datetime.now(UTC), by=who.code, reason=reason
    )
    moved = {fact.lead_id for fact in released}
    results = {lead.id: Outcome("released" if lead.id in moved else "kept") for lead in held}
    return results | left, [events.released(fact) for fact in released]
