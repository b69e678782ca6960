"""What other services' facts mean here: levels end duplicate windows, care asks for another owner, people come on duty."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from services.leads import history, level_catalogue, shifts
from services.leads.changes import merged_orders, overtaken
from services.leads.changes.merged_orders import MERGED_ORDERS
from services.leads.changes.overtaken import OVERTAKEN
from services.leads.consent import refusals
from services.leads.distributor import DISTRIBUTOR, serve
from services.leads.driver import Connection, connection_of, mark_outbox_written, write_outbox
from services.leads.floating import claiming
from services.leads.history import Change
from services.leads.intake.numbers import HELD_BY
from services.leads.returning import keep_closers
from services.leads.stages import ends_window, is_closed, is_handed_over, is_in_care
from services.leads.transfers import left
from shared.consumer import Event, Handlers, NotYet
from shared.contracts import levels
from shared.contracts.events.orders import (
    INTERACTION_LOGGED,
    LEVEL_CATALOGUE_CHANGED,
    LEVEL_CHANGED,
    ORDER_CLOSED,
    ORDER_MERGED,
    REASSIGNMENT_REQUESTED,
    InteractionLogged,
    LevelCatalogueChanged,
    LevelChanged,
    OrderClosed,
    OrderMerged,
    ReassignmentRequested,
)
from shared.contracts.events.staff import (
    ACCOUNT_CHANGED,
    DUTY_CHANGED,
    SHIFTS_CHANGED,
    AccountChanged,
    ShiftsChanged,
)
from shared.db import Session, wake_after_commit

handlers = Handlers()

_PHONES: Final = """
SELECT phone FROM leads WHERE id = ANY($1::uuid[])
UNION SELECT unnest(other_phones) FROM leads WHERE id = ANY($1::uuid[])
"""
_LOCK_NUMBERS: Final = """
SELECT 1 FROM duplicate_windows WHERE phone = ANY($1::text[]) AND product_group = '' ORDER BY phone FOR UPDATE
"""
_END_WINDOWS: Final = f"UPDATE duplicate_windows d SET ended = true {HELD_BY} AND NOT d.ended"
_HAND_OVER: Final = """
UPDATE duplicate_windows SET handed_over = true WHERE product_group = '' AND NOT handed_over AND phone IN (
    SELECT phone FROM leads WHERE id = ANY($1::uuid[])
    UNION SELECT unnest(other_phones) FROM leads WHERE id = ANY($1::uuid[])
)
"""
_LOCK_LEADS: Final = "SELECT 1 FROM leads WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE"
_LEVELS: Final = """
UPDATE leads SET level = c.level, level_sequence = c.sequence, ended_at = c.ended_at,
    in_care = c.in_care AND verdict = 'lead' AND spam = ''
FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::boolean[], $5::timestamptz[])
    AS c (lead_id, sequence, level, in_care, ended_at)
WHERE leads.id = c.lead_id AND leads.level_sequence < c.sequence
"""
# Somebody closed it while it was being made a duplicate: what was agreed with the customer stands.
_WON: Final = """
UPDATE leads SET verdict = 'lead', anchor_id = NULL WHERE id = ANY($1::uuid[]) AND verdict = 'duplicate' RETURNING id
"""
_REQUEST: Final = """
INSERT INTO reassignment_requests (lead_id, assignment, target, reason, at)
SELECT * FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::text[], $5::timestamptz[])
ON CONFLICT (lead_id, assignment) DO NOTHING
"""
_POOLS_WAITING_FOR: Final = """
SELECT DISTINCT m.pool_id FROM pool_members m JOIN staff_members s USING (account_id)
WHERE m.account_id = ANY($1::uuid[]) AND s.version > 0 AND s.active AND s.on_duty
    AND EXISTS (SELECT 1 FROM backlog WHERE pool_id = m.pool_id)
"""


@handlers.batch(LEVEL_CHANGED)
async def on_level_changed(session: Session, changes: Sequence[Event[LevelChanged]]) -> None:
    """Ends windows, marks returning customers, and keeps the last level of each lead, in whatever order facts come."""
    connection = await connection_of(session)
    ended = {change.data.order_id for change in changes if ends_window(change.data.to_level)}
    handed_over = {change.data.order_id for change in changes if is_handed_over(change.data.to_level)}
    concerned = refusals.concerned(change.data for change in changes)
    if ended or handed_over or concerned:
        await _lock_numbers(connection, sorted(ended | handed_over | concerned))
        await connection.execute(_END_WINDOWS, sorted(ended))
        await connection.execute(_HAND_OVER, sorted(handed_over))
    latest: dict[Any, LevelChanged] = {}
    for change in changes:
        known = latest.get(change.data.order_id)
        if known is None or known.sequence < change.data.sequence:
            latest[change.data.order_id] = change.data
    final = await _finals(connection, latest.values())
    # All at once, in one order: those whose level changed, and those of the numbers that a refusal lists.
    await connection.fetch(_LOCK_LEADS, [*latest, *await refusals.others(connection, concerned)])
    await connection.execute(
        _LEVELS,
        list(latest),
        [change.sequence for change in latest.values()],
        [change.to_level for change in latest.values()],
        [is_in_care(change.to_level, final=final[change.to_level]) for change in latest.values()],
        [change.at if final[change.to_level] else None for change in latest.values()],
    )
    if await overtaken.note(connection, [change.data for change in changes]):
        wake_after_commit(session, OVERTAKEN)
    won = [order_id for order_id, change in latest.items() if is_closed(change.to_level)]
    if won:
        rows = await connection.fetch(_WON, won)
        at = datetime.now(UTC)
        await history.keep(connection, [Change(row["id"], at, "duplicate_overtaken") for row in rows])
    told = await refusals.record(connection, [change.data for change in changes], concerned=concerned)
    if await write_outbox(connection, told):
        mark_outbox_written(session)
    if not all(is_in_care(change.to_level, final=final[change.to_level]) for change in latest.values()):
        # Somebody may have room now. Pools are locked before leads, whose rows this transaction holds.
        wake_after_commit(session, DISTRIBUTOR)


async def _finals(connection: Connection, changes: Iterable[LevelChanged]) -> dict[str, bool]:
    """Whether the levels reached end an order: as the fact says, or else the catalogue."""
    said = {change.to_level: change.final for change in changes}
    known = await level_catalogue.finals(connection, [code for code, told in said.items() if told is None])
    return {code: levels.is_final(code, known.get(code) if told is None else told) for code, told in said.items()}


@handlers.batch(LEVEL_CATALOGUE_CHANGED)
async def on_catalogue_changed(session: Session, told: Sequence[Event[LevelCatalogueChanged]]) -> None:
    """What lists, files and sentences call levels from now on."""
    await level_catalogue.keep(await connection_of(session), [one.data for one in told])


@handlers.batch(ORDER_CLOSED)
async def on_order_closed(session: Session, closings: Sequence[Event[OrderClosed]]) -> None:
    """Whoever closed the last order of a number gets its customer back (rule D24)."""
    await keep_closers(await connection_of(session), [closing.data for closing in closings])


@handlers.batch(ORDER_MERGED)
async def on_order_merged(session: Session, merged: Sequence[Event[OrderMerged]]) -> None:
    """What comes of either number is the older order's from now on."""
    await merged_orders.note(await connection_of(session), [one.data for one in merged])
    wake_after_commit(session, MERGED_ORDERS)


async def _lock_numbers(connection: Connection, leads: Sequence[UUID]) -> None:
    """Locks the numbers of leads.

    Raises:
        NotYet: one of them got another number meanwhile; to be tried again.
    """
    phones = await _phones_of(connection, leads)
    await connection.fetch(_LOCK_NUMBERS, sorted(phones))
    if not await _phones_of(connection, leads) <= phones:
        raise NotYet("a number was corrected meanwhile")


async def _phones_of(connection: Connection, leads: Sequence[UUID]) -> set[str]:
    return {row["phone"] for row in await connection.fetch(_PHONES, leads)}


@handlers.batch(INTERACTION_LOGGED)
async def on_interactions_logged(session: Session, made: Sequence[Event[InteractionLogged]]) -> None:
    """A claimed number that was called no longer counts among those somebody hoards (rule D40)."""
    calls = [(event.data.order_id, event.data.at) for event in made if event.data.kind == "call"]
    await claiming.called(await connection_of(session), calls)


@handlers.batch(REASSIGNMENT_REQUESTED)
async def on_reassignment_requested(session: Session, requests: Sequence[Event[ReassignmentRequested]]) -> None:
    """Only notes what is asked for. The distributor decides in a transaction that locks pools before leads, which this
    one, holding rows of other events, could not do without risking a deadlock with intake."""
    connection = await connection_of(session)
    await connection.execute(
        _REQUEST,
        [request.data.order_id for request in requests],
        [request.data.assignment for request in requests],
        [request.data.to for request in requests],
        [request.data.reason for request in requests],
        [request.data.at for request in requests],
    )
    wake_after_commit(session, DISTRIBUTOR)


@handlers.batch(SHIFTS_CHANGED)
async def on_shifts_changed(session: Session, changes: Sequence[Event[ShiftsChanged]]) -> None:
    """Keeps who is in which shift, and serves whoever is in theirs now."""
    await shifts.keep(await connection_of(session), [change.data for change in changes])
    await on_people_changed(session, changes)


@handlers.batch(ACCOUNT_CHANGED)
async def on_accounts_changed(session: Session, changes: Sequence[Event[AccountChanged]]) -> None:
    """Whoever was locked leaves a portfolio behind, of which the manager is told."""
    await left.note(await connection_of(session), [change.data for change in changes], at=datetime.now(UTC))
    await on_people_changed(session, changes)


@handlers.batch(DUTY_CHANGED)
async def on_people_changed(session: Session, changes: Sequence[Event[Any]]) -> None:
    """Whoever can take leads now gets what waits, in the same transaction. The directory has handled the events before."""
    connection = await connection_of(session)
    accounts = sorted({change.data.account_id for change in changes})
    waiting = [row["pool_id"] for row in await connection.fetch(_POOLS_WAITING_FOR, accounts)]
    if waiting:
        await serve(connection, waiting)
        mark_outbox_written(session)
