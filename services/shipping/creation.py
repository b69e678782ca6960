"""Creates a shipment at the carrier, or adopts the one that is there: never two, never one that nobody knows.

The reference is fixed in the database and in the workflow's history before the carrier hears of it, and each call is
recorded before it is made. So whoever comes after a call without an answer knows that a shipment may exist, and looks
its reference up before creating again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID

import orjson
from asyncpg import UniqueViolationError
from uuid_utils.compat import uuid7

from services.shipping import facts, references
from services.shipping.attempts import Outcome, locked, refuse
from services.shipping.carriers.answers import CancelOutcome, Created, Report
from services.shipping.carriers.base import Carrier
from services.shipping.carriers.checking import Breach
from services.shipping.carriers.gate import Turns
from services.shipping.choosing import PostingRule, choose
from services.shipping.context import Context
from services.shipping.facts import COD_DIFFERS, Fact
from services.shipping.making import Gone, Made, make
from services.shipping.timeline import Source
from services.shipping.work import Work, work
from shared.contracts.workflows import nudge_shipment
from shared.telemetry import logger

if TYPE_CHECKING:
    import asyncpg


log = logger(__name__)

NO_CONNECTION: Final = Breach(
    "no_connection",
    "Chưa có kết nối hãng vận chuyển nào đang bật. Thêm hoặc bật một kết nối rồi đăng lại.",
    "No connection to a carrier is enabled. Add or enable one, then post again.",
)
SEVERAL_CONNECTIONS: Final = Breach(
    "several_connections",
    "Có nhiều kết nối hãng đang bật. Chọn một kết nối khi đăng lại, hoặc đặt quy tắc chọn hãng.",
    "Several connections to carriers are enabled. Choose one when posting again, or set rules that choose.",
)


_TAKEN: Final = Breach(
    "waybill_taken",
    "Mã vận đơn đã nhập đang thuộc về một vận đơn khác. Nhập mã đúng rồi đăng lại.",
    "The waybill that was typed belongs to another shipment. Enter the right one and post again.",
)


class OrderUnknown(Exception):
    """Shipping has not heard of the order, or of its last edit, yet; the event is on the way."""


async def open_shipment(context: Context, order_id: UUID, *, version: int = 0) -> tuple[UUID, str]:
    """The live shipment of an order and its reference; made, with its workflow, if there is none.

    An order whose last parcel was cancelled or never picked up gets a new one; the old one is superseded. Should the carrier
    come back to the old one after all, it is cancelled there, and raised if that is too late.

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
            await current.connection.execute(_SUPERSEDE, live["id"], context.now())
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
        row = await locked(current, shipment_id)
        if (settled := _settled(row)) is not None:
            return settled
        if row["status"] == "refused":
            return Outcome("refused", row["reference"], row["reason_code"])
        if row["connection_id"] is None:
            breach = await _connect(current, row)
            if breach is not None:
                return await refuse(current, row, [breach], now=context.now())
        return Outcome("next_reference", row["reference"])


async def _connect(current: Work, row: asyncpg.Record) -> Breach | None:
    """Chooses the connection: the planned one, else by rule, else the only one."""
    enabled = await current.connection.fetch("SELECT id FROM carrier_connections WHERE state = 'enabled' ORDER BY id")
    ids = [each["id"] for each in enabled]
    planned = await current.connection.fetchval(_PLANNED, row["order_id"])
    if planned in ids:
        chosen: tuple[UUID, UUID | None] | None = (planned, None)
    else:
        rules = orjson.loads(await current.connection.fetchval("SELECT rules::text FROM posting_rules"))
        grams = sum(line["weight_grams"] * line["quantity"] for line in orjson.loads(row["lines"]))
        chosen = choose(
            [PostingRule.model_validate(rule) for rule in rules],
            enabled=ids,
            province=row["province"],
            grams=grams,
            cod=row["cod"],
        )
    if chosen is None:
        return SEVERAL_CONNECTIONS if ids else NO_CONNECTION
    await current.connection.execute(_CONNECT, row["id"], *chosen)
    return None


async def create_or_adopt(context: Context, shipment_id: UUID, reference: str) -> Outcome:
    """Creates the shipment under a reference, or adopts what lies there. Safe to repeat at any point.

    Raises:
        UnknownOutcome, Away: repeat later; the repetition looks first.
        NotLetIn: it cannot even be looked up; repeat when the credentials are right again.
        ShipmentUnknown: there is no such shipment.
    """
    async with work(context.db) as current:
        row = await locked(current, shipment_id)
        if (settled := _settled(row)) is not None:
            return settled
        if row["reference"] != reference:  # another run went on to the next reference meanwhile
            return Outcome("next_reference", row["reference"])
    connection = await context.connection(row["connection_id"])
    async with context.carrier(connection, turns=Turns.BOOKED, subject=reference) as carrier:
        found = await make(context, carrier, connection, row)
        if isinstance(found, Outcome):
            return found
        if isinstance(found, Gone):
            return await _next_reference(context, shipment_id, reference, "")
        if isinstance(found, Made):
            made = found.created
            created = Report(made.waybill, reference, made.raw_status, found.called_at, fee=made.fee)
            try:
                return await accept(context, shipment_id, reference, created, source="creation", made=made)
            except UniqueViolationError:  # only a waybill that a person typed can be another parcel's
                async with work(context.db) as current:
                    return await refuse(current, await locked(current, shipment_id), [_TAKEN], now=context.now())
        return await _adopt(context, carrier, shipment_id, reference, found, cod=row["cod"])


async def accept(
    context: Context,
    shipment_id: UUID,
    reference: str,
    report: Report,
    *,
    source: Source,
    made: Created | None = None,
    marks: frozenset[str] = frozenset(),
) -> Outcome:
    """Records that the carrier has the shipment, and what its reports so far say.

    Args:
        report: how it stands at the carrier.
        made: the carrier's answer, where it made the shipment just now.
        marks: what a person should look at.
    """
    now = context.now()
    async with work(context.db) as current:
        row = await locked(current, shipment_id)
        if not row["waybill"]:
            await current.connection.execute(
                _ACCEPT,
                shipment_id,
                reference,
                report.waybill,
                report.fee or 0,
                sorted(marks),
                made.sort_code if made else "",
                made.fee if made else None,
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
        row = await locked(current, shipment_id)
        if row["reference"] != reference:
            return Outcome("next_reference", row["reference"])
        await current.connection.execute(_ATTEMPT_ENDED, reference, "cancelled", waybill)
        number = await current.connection.fetchval(_NEXT_NUMBER, row["order_id"])
        following = references.reference_of(row["code"], number)
        await current.connection.execute(_RESERVE, following, shipment_id, row["order_id"], number)
        await current.connection.execute("UPDATE shipments SET reference = $2 WHERE id = $1", shipment_id, following)
    log.info("a cancelled twin lies under the reference", shipment=str(shipment_id), reference=reference)
    return Outcome("next_reference", following)


def _settled(row: asyncpg.Record) -> Outcome | None:
    """The outcome where there is nothing to create any more."""
    if row["waybill"]:
        return Outcome("accepted", row["reference"])
    if row["status"] == "cancelled" or row["cancel_requested_at"] is not None:
        return Outcome("cancelled", row["reference"])
    return None


_ORDER_LOCKED: Final = """
SELECT code, version, cod, coalesce(cancelled_version >= version, false) AS cancelled
FROM shippable_orders WHERE order_id = $1 FOR UPDATE
"""
_LIVE: Final = "SELECT id, reference, status FROM shipments WHERE order_id = $1 AND superseded_at IS NULL"
_SUPERSEDE: Final = """
UPDATE shipments SET superseded_at = now(), cancel_requested_at = coalesce(cancel_requested_at, $2),
    cancel_sent_at = NULL, cancel_reason = CASE WHEN cancel_requested_at IS NULL THEN 'đăng lại' ELSE cancel_reason END
WHERE id = $1
"""
_NEXT_NUMBER: Final = "SELECT coalesce(max(number), 0) + 1 FROM creation_attempts WHERE order_id = $1"
_OPEN: Final = """
INSERT INTO shipments (id, order_id, reference, order_version, cod, status_at, cancel_requested_at)
VALUES ($1, $2, $3, $4, $5, $6, CASE WHEN $7 THEN $6::timestamptz END)
"""
_RESERVE: Final = "INSERT INTO creation_attempts (reference, shipment_id, order_id, number) VALUES ($1, $2, $3, $4)"
_PLANNED: Final = "SELECT connection_id FROM shipping_plans WHERE order_id = $1"
_CONNECT: Final = "UPDATE shipments SET connection_id = $2, pick_up_id = $3 WHERE id = $1"
_ACCEPT: Final = """
UPDATE shipments s SET reference = a.reference, waybill = $3, fee = $4, attention = $5::text[], refusal = '',
    sort_code = $6, accepted_at = a.called_at, updated_at = now(),
    quoted_fee = coalesce(
        (SELECT q.fee FROM quotes q WHERE q.order_id = s.order_id AND q.connection_id = s.connection_id
            AND q.service = coalesce(s.options ->> 'service', '')),
        $7)
FROM creation_attempts a WHERE s.id = $1 AND a.reference = $2 AND a.shipment_id = s.id
"""
_ATTEMPT_ENDED: Final = "UPDATE creation_attempts SET state = $2, waybill = $3 WHERE reference = $1"
