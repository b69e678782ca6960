"""Creates a shipment at the carrier, or adopts the one that is there: never two, never one that nobody knows.

The reference is fixed in the database and in the workflow's history before the carrier hears of it, and each call is
recorded before it is made. So whoever comes after a call without an answer knows that a shipment may exist, and looks
its reference up before creating again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

import orjson
from uuid_utils.compat import uuid7

from services.shipping import facts, references
from services.shipping.carriers.answers import AlreadyThere, CancelOutcome, Created, Report
from services.shipping.carriers.base import Carrier
from services.shipping.carriers.errors import Refused, UnknownOutcome
from services.shipping.carriers.parcel import Address, Parcel, ParcelLine
from services.shipping.context import Context
from services.shipping.facts import COD_DIFFERS, Fact
from services.shipping.statuses import ShipmentUnknown, move
from services.shipping.timeline import Source
from services.shipping.work import Work, work
from shared.contracts.workflows import nudge_shipment
from shared.telemetry import logger

if TYPE_CHECKING:
    import asyncpg

    from services.shipping.connections import Connection

log = logger(__name__)

NO_CONNECTION: Final = "no_connection"
SEVERAL_CONNECTIONS: Final = "several_connections"
REFUSED_BY_CARRIER: Final = "carrier"
_REFUSALS: Final = {
    NO_CONNECTION: "Chưa có kết nối hãng vận chuyển nào đang bật. Thêm hoặc bật một kết nối rồi đăng lại.",
    SEVERAL_CONNECTIONS: "Có nhiều kết nối hãng đang bật. Chọn một kết nối khi đăng lại.",
}


class OrderUnknown(Exception):
    """Shipping has not heard of the order, or of its last edit, yet; the event is on the way."""


@dataclass(frozen=True)
class Outcome:
    """What came of it: `state` as in the contract (accepted, refused, next_reference, cancelled)."""

    state: str
    reference: str
    reason: str = ""


async def open_shipment(context: Context, order_id: UUID, *, version: int = 0) -> tuple[UUID, str]:
    """The live shipment of an order and its reference; made, with its workflow, if there is none.

    An order whose last parcel was cancelled or never picked up gets a new one; the old one is superseded.

    Args:
        version: of the order that was posted: an edit just before may still be on its way.

    Raises:
        OrderUnknown: try again later.
    """
    async with work(context.db) as current:
        order = await current.connection.fetchrow(_ORDER_LOCKED, order_id)
        if order is None or order["version"] == 0 or order["version"] < version:
            raise OrderUnknown(str(order_id))
        live = await current.connection.fetchrow(_LIVE, order_id)
        if live is not None:
            if live["status"] not in ("cancelled", "pickup_failed") or order["cancelled"]:
                return live["id"], live["reference"]
            await current.connection.execute("UPDATE shipments SET superseded_at = now() WHERE id = $1", live["id"])
        shipment_id = uuid7()
        number = await current.connection.fetchval(_NEXT_NUMBER, order_id)
        reference = references.reference_of(order["code"], number)
        await current.connection.execute(
            _OPEN, shipment_id, order_id, reference, order["version"], order["cod"], context.now(), order["cancelled"]
        )
        await current.connection.execute(_RESERVE, reference, shipment_id, order_id, number)
        current.send(nudge_shipment(shipment_id))
    log.info("shipment opened", shipment=str(shipment_id), reference=reference)
    return shipment_id, reference


async def prepare(context: Context, shipment_id: UUID) -> Outcome:
    """The state of a shipment's creation, and its connection if that was not chosen yet; calls no carrier.

    Raises:
        ShipmentUnknown: there is no such shipment.
    """
    async with work(context.db) as current:
        row = await _locked(current, shipment_id)
        if (settled := _settled(row)) is not None:
            return settled
        if row["status"] == "refused":
            return Outcome("refused", row["reference"], row["reason_code"])
        if row["connection_id"] is None:
            enabled = await current.connection.fetch(
                "SELECT id FROM carrier_connections WHERE state = 'enabled' ORDER BY id LIMIT 2"
            )
            if len(enabled) != 1:
                code = SEVERAL_CONNECTIONS if enabled else NO_CONNECTION
                return await _refuse(context, current, row, code=code, words=_REFUSALS[code])
            await current.connection.execute(
                "UPDATE shipments SET connection_id = $2 WHERE id = $1", shipment_id, enabled[0]["id"]
            )
        return Outcome("next_reference", row["reference"])


async def create_or_adopt(context: Context, shipment_id: UUID, reference: str) -> Outcome:
    """Creates the shipment under a reference, or adopts what lies there. Safe to repeat at any point.

    Raises:
        UnknownOutcome, Away: repeat later; the repetition looks first.
        NotLetIn: it cannot even be looked up; repeat when the credentials are right again.
        ShipmentUnknown: there is no such shipment.
    """
    async with work(context.db) as current:
        row = await _locked(current, shipment_id)
        if (settled := _settled(row)) is not None:
            return settled
        if row["reference"] != reference:  # another run went on to the next reference meanwhile
            return Outcome("next_reference", row["reference"])
        may_exist = row["attempt"] == "unknown"
    connection = await context.connection(row["connection_id"])
    async with context.carrier(connection) as carrier:
        report = await carrier.look_up(reference) if may_exist else None
        if report is None:
            parcel, called_at = await _reserve_call(context, shipment_id, reference, connection)
            try:
                made = await carrier.create(parcel)
            except Refused as error:
                async with work(context.db) as current:
                    row = await _locked(current, shipment_id)
                    return await _refuse(context, current, row, code=REFUSED_BY_CARRIER, words=error.reason)
            if isinstance(made, Created):
                created = Report(made.waybill, reference, made.raw_status, called_at, fee=made.fee)
                return await accept(context, shipment_id, reference, created, source="creation")
            assert isinstance(made, AlreadyThere)
            report = await carrier.look_up(reference)
            if report is None:
                raise UnknownOutcome("the reference is taken, but there is nothing under it")
        return await _adopt(context, carrier, shipment_id, reference, report, cod=row["cod"])


async def accept(
    context: Context,
    shipment_id: UUID,
    reference: str,
    report: Report,
    *,
    source: Source,
    marks: frozenset[str] = frozenset(),
) -> Outcome:
    """Records that the carrier has the shipment, and what its reports so far say.

    Args:
        report: how it stands at the carrier.
        marks: what a person should look at.
    """
    now = context.now()
    async with work(context.db) as current:
        row = await _locked(current, shipment_id)
        if not row["waybill"]:
            await current.connection.execute(
                _ACCEPT, shipment_id, reference, report.waybill, report.fee or 0, sorted(marks)
            )
            await current.connection.execute(_ATTEMPT_ENDED, reference, "accepted", report.waybill)
            fact = Fact(shipment_id, source, now, report)
            await facts.apply(current, [fact], now=now, pace=context.pace)
            log.info("shipment accepted", shipment=str(shipment_id), waybill=report.waybill, known_by=source)
    return Outcome("accepted", reference)


async def _adopt(
    context: Context, carrier: Carrier, shipment_id: UUID, reference: str, report: Report, *, cod: int
) -> Outcome:
    """Takes the shipment that lies under the reference for ours; a cancelled one leads to the next reference.

    One that asks the customer for another amount was made from an earlier version of the order: it is cancelled, and
    if that is too late, adopted and raised.
    """
    meaning = carrier.codes.statuses.get(report.raw_status)
    if meaning is not None and meaning.status == "cancelled":
        return await _next_reference(context, shipment_id, reference, report.waybill)
    marks: frozenset[str] = frozenset()
    if report.collected is not None and report.collected != cod:
        cancellation = await carrier.cancel(reference, waybill=report.waybill)
        if cancellation.outcome != CancelOutcome.REFUSED:
            return await _next_reference(context, shipment_id, reference, report.waybill)
        report = cancellation.report or report
        marks = frozenset({COD_DIFFERS})
    return await accept(context, shipment_id, reference, report, source="poll", marks=marks)


async def _next_reference(context: Context, shipment_id: UUID, reference: str, waybill: str) -> Outcome:
    async with work(context.db) as current:
        row = await _locked(current, shipment_id)
        if row["reference"] != reference:
            return Outcome("next_reference", row["reference"])
        await current.connection.execute(_ATTEMPT_ENDED, reference, "cancelled", waybill)
        number = await current.connection.fetchval(_NEXT_NUMBER, row["order_id"])
        following = references.reference_of(row["code"], number)
        await current.connection.execute(_RESERVE, following, shipment_id, row["order_id"], number)
        await current.connection.execute("UPDATE shipments SET reference = $2 WHERE id = $1", shipment_id, following)
    log.info("a cancelled twin lies under the reference", shipment=str(shipment_id), reference=reference)
    return Outcome("next_reference", following)


async def _reserve_call(
    context: Context, shipment_id: UUID, reference: str, connection: Connection
) -> tuple[Parcel, datetime]:
    """Records that the carrier is about to be called, and fixes what it is told: the newest version of the order."""
    # Whole seconds, like carriers' own times: the creation must not seem later than what follows it.
    called_at = context.now().replace(microsecond=0)
    async with work(context.db) as current:
        order = await current.connection.fetchrow(_RESERVE_CALL, shipment_id, reference, called_at)
    if order is None:
        raise ShipmentUnknown(str(shipment_id))
    lines = tuple(ParcelLine(**line) for line in orjson.loads(order["lines"]))
    return (
        Parcel(
            reference=reference,
            recipient=order["recipient"],
            phone=order["phone"],
            to=Address(order["province"], order["ward"], order["detail"], district=order["district"]),
            lines=lines,
            cod=order["cod"],
            value=order["goods_value"],
            note=order["note"],
            pick_up=connection.pick_up,
        ),
        called_at,
    )


async def _refuse(context: Context, current: Work, row: asyncpg.Record, *, code: str, words: str) -> Outcome:
    await current.connection.execute(_REFUSED, row["id"], words)
    await current.connection.execute(
        "UPDATE creation_attempts SET state = 'refused' WHERE reference = $1 AND calls > 0", row["reference"]
    )
    await move(current, row["id"], "refused", reason_code=code, now=context.now())
    return Outcome("refused", row["reference"], code)


def _settled(row: asyncpg.Record) -> Outcome | None:
    """The outcome where there is nothing to create any more."""
    if row["waybill"]:
        return Outcome("accepted", row["reference"])
    if row["status"] == "cancelled" or row["cancel_requested_at"] is not None:
        return Outcome("cancelled", row["reference"])
    return None


async def _locked(current: Work, shipment_id: UUID) -> asyncpg.Record:
    row = await current.connection.fetchrow(_LOCKED, shipment_id)
    if row is None:
        raise ShipmentUnknown(str(shipment_id))
    return row


_ORDER_LOCKED: Final = """
SELECT code, version, cod, coalesce(cancelled_version >= version, false) AS cancelled
FROM shippable_orders WHERE order_id = $1 FOR UPDATE
"""
_LIVE: Final = "SELECT id, reference, status FROM shipments WHERE order_id = $1 AND superseded_at IS NULL"
_NEXT_NUMBER: Final = "SELECT coalesce(max(number), 0) + 1 FROM creation_attempts WHERE order_id = $1"
_OPEN: Final = """
INSERT INTO shipments (id, order_id, reference, order_version, cod, status_at, cancel_requested_at)
VALUES ($1, $2, $3, $4, $5, $6, CASE WHEN $7 THEN $6::timestamptz END)
"""
_RESERVE: Final = "INSERT INTO creation_attempts (reference, shipment_id, order_id, number) VALUES ($1, $2, $3, $4)"
_LOCKED: Final = """
SELECT s.id, s.order_id, s.connection_id, s.reference, s.waybill, s.status, s.reason_code, s.cod, s.cancel_requested_at,
    o.code, a.state AS attempt
FROM shipments s JOIN shippable_orders o ON o.order_id = s.order_id JOIN creation_attempts a ON a.reference = s.reference
WHERE s.id = $1 FOR UPDATE OF s, a
"""
# The shipment is locked before its attempt, as everywhere: two runs that locked them in different orders would deadlock.
_RESERVE_CALL: Final = """
WITH held AS MATERIALIZED (
    SELECT id FROM shipments WHERE id = $1 FOR UPDATE
), called AS (
    UPDATE creation_attempts a SET state = 'unknown', calls = calls + 1, called_at = $3
    FROM held WHERE a.reference = $2 AND a.shipment_id = held.id RETURNING a.shipment_id
)
UPDATE shipments s SET order_version = o.version, cod = o.cod, updated_at = now()
FROM called, shippable_orders o WHERE s.id = called.shipment_id AND o.order_id = s.order_id
RETURNING o.recipient, o.phone, o.province, o.district, o.ward, o.detail, o.lines::text AS lines, o.goods_value, o.cod, o.note
"""
_ACCEPT: Final = """
UPDATE shipments s SET reference = a.reference, waybill = $3, fee = $4, attention = $5::text[], refusal = '',
    accepted_at = a.called_at, updated_at = now()
FROM creation_attempts a WHERE s.id = $1 AND a.reference = $2 AND a.shipment_id = s.id
"""
_ATTEMPT_ENDED: Final = "UPDATE creation_attempts SET state = $2, waybill = $3 WHERE reference = $1"
_REFUSED: Final = "UPDATE shipments SET refusal = $2 WHERE id = $1"
