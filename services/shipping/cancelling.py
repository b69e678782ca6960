"""Cancels shipments at the carrier: because somebody asked for it, or because nobody would know of them otherwise."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from services.shipping import creation, facts
from services.shipping.attempts import Outcome, locked
from services.shipping.carriers.answers import Cancellation, CancelOutcome
from services.shipping.carriers.base import Carrier
from services.shipping.carriers.capabilities import AdoptBy
from services.shipping.carriers.errors import Away
from services.shipping.carriers.gate import Turns
from services.shipping.carriers.registry import CARRIERS
from services.shipping.context import Context
from services.shipping.facts import CANCEL_REFUSED, MISSING_AT_CARRIER, Fact
from services.shipping.making import Gone, Made, last_told, make
from services.shipping.statuses import ShipmentUnknown, move
from services.shipping.work import Work, work
from shared.telemetry import logger

if TYPE_CHECKING:
    import asyncpg

    from services.shipping.connections import Connection

log = logger(__name__)

CONFIRM_AFTER: Final = timedelta(minutes=2)
"""When to ask whether an accepted cancellation has happened, unless the carrier reports it first."""


async def cancel_at_carrier(context: Context, shipment_id: UUID, reference: str) -> bool:
    """Cancels whatever lies at the carrier under a reference of a shipment; nothing there is success.

    Returns False if there was nothing to do: it had been done before.

    Raises:
        Away, NotLetIn: the carrier could not be asked; repeat later.
        ShipmentUnknown: there is no such shipment or reference.
    """
    async with work(context.db) as current:
        row = await _locked(current, shipment_id, reference)
        if row["attempt"] in ("reserved", "refused", "cancelled") or row["cancel_sent_at"] is not None:
            # Never sent, refused or cancelled: nothing alive lies there.
            return await _close(context, current, row)
    connection = await context.connection(row["connection_id"])
    async with context.carrier(connection, turns=Turns.BOOKED, subject=f"cancel {reference}") as carrier:
        waybill = row["waybill"] or row["attempt_waybill"]
        if not waybill and carrier.capabilities.adopt_by is AdoptBy.REPEAT:
            # It cancels by waybill only, and only the repeated creation tells the waybill, or that there is none.
            waybill = await _settle(context, carrier, connection, shipment_id, reference)
            if waybill is None:
                return False
        cancellation = await carrier.cancel(reference, waybill=waybill)
    log.info("cancelled at the carrier", shipment=str(shipment_id), outcome=cancellation.outcome.value)
    report = cancellation.report
    if cancellation.outcome == CancelOutcome.REFUSED and not row["waybill"]:
        report = report or await last_told(context, shipment_id, reference, waybill=waybill)
        if report is None:
            raise Away("it is not cancelled, and how it stands is not known yet")
        meaning = CARRIERS[connection.carrier].codes.statuses.get(report.raw_status)
        if meaning is not None and meaning.status == "cancelled":
            cancellation = Cancellation(CancelOutcome.CANCELLED, report)
    if cancellation.outcome == CancelOutcome.REFUSED and not row["waybill"]:
        # It exists, lives and cannot be stopped, so it is followed like any other.
        assert report is not None
        await _withdraw(context, shipment_id)
        await creation.accept(context, shipment_id, reference, report, source="poll", marks=frozenset({CANCEL_REFUSED}))
        return True
    async with work(context.db) as current:
        row = await _locked(current, shipment_id, reference)
        await _record(context, current, row, cancellation)
    return True


async def _settle(
    context: Context, carrier: Carrier, connection: Connection, shipment_id: UUID, reference: str
) -> str | None:
    """The waybill under a reference whose creation had no answer; None: it is gone already, or the carrier
    refuses it, for a person to see."""
    async with work(context.db) as current:
        row = await locked(current, shipment_id)
    found = await make(context, carrier, connection, row)
    if isinstance(found, Outcome):
        return None
    if isinstance(found, Gone):
        async with work(context.db) as current:
            row = await _locked(current, shipment_id, reference)
            await current.connection.execute(_ATTEMPT_CANCELLED, reference, "")
            await _close(context, current, row)
        return None
    waybill = found.created.waybill if isinstance(found, Made) else found.waybill
    async with work(context.db) as current:
        await current.connection.execute(
            "UPDATE creation_attempts SET waybill = $2 WHERE reference = $1", reference, waybill
        )
    return waybill


async def _record(context: Context, current: Work, row: asyncpg.Record, cancellation: Cancellation) -> None:
    now = context.now()
    if not row["waybill"]:
        waybill = cancellation.report.waybill if cancellation.report else ""
        await current.connection.execute(_ATTEMPT_CANCELLED, row["reference"], waybill)
        await _close(context, current, row)
        return
    if cancellation.outcome == CancelOutcome.REFUSED:
        await current.connection.execute(_REFUSED, row["id"], CANCEL_REFUSED)
    elif cancellation.outcome == CancelOutcome.NOTHING_THERE:
        await current.connection.execute(_SENT, row["id"], now, MISSING_AT_CARRIER)
    else:
        await current.connection.execute(_SENT, row["id"], now, None)
    if cancellation.report is not None:
        fact = Fact(row["id"], "poll", now, cancellation.report)
        await facts.apply(current, [fact], now=now, pace=context.pace)
    if cancellation.outcome == CancelOutcome.REQUESTED:
        await current.connection.execute(_ASK_AT, row["id"], now + CONFIRM_AFTER * context.pace)


async def _close(context: Context, current: Work, row: asyncpg.Record) -> bool:
    """Ends a shipment that the carrier does not have, once none of its references may hide one."""
    if row["waybill"] or await current.connection.fetchval(_MAY_HIDE, row["id"]):
        return False
    return await move(current, row["id"], "cancelled", now=context.now())


async def _withdraw(context: Context, shipment_id: UUID) -> None:
    async with work(context.db) as current:
        await current.connection.execute(
            "UPDATE shipments SET cancel_requested_at = NULL, updated_at = now() WHERE id = $1", shipment_id
        )


async def _locked(current: Work, shipment_id: UUID, reference: str) -> asyncpg.Record:
    row = await current.connection.fetchrow(_LOCKED, shipment_id, reference)
    if row is None:
        raise ShipmentUnknown(str(shipment_id))
    return row


_LOCKED: Final = """
SELECT s.id, s.connection_id, s.waybill, s.cancel_sent_at, a.reference, a.state AS attempt, a.waybill AS attempt_waybill
FROM shipments s JOIN creation_attempts a ON a.shipment_id = s.id AND a.reference = $2
WHERE s.id = $1 FOR UPDATE OF s, a
"""
_MAY_HIDE: Final = "SELECT EXISTS (SELECT 1 FROM creation_attempts WHERE shipment_id = $1 AND state = 'unknown')"
_ATTEMPT_CANCELLED: Final = "UPDATE creation_attempts SET state = 'cancelled', waybill = $2 WHERE reference = $1"
_REFUSED: Final = """
UPDATE shipments SET cancel_requested_at = NULL, attention = array_append(array_remove(attention, $2), $2),
    updated_at = now()
WHERE id = $1
"""
_SENT: Final = """
UPDATE shipments SET cancel_sent_at = $2, updated_at = now(),
    attention = CASE WHEN $3::text IS NULL THEN attention ELSE array_append(array_remove(attention, $3), $3) END
WHERE id = $1
"""
_ASK_AT: Final = "UPDATE shipments SET next_poll_at = $2 WHERE id = $1"
