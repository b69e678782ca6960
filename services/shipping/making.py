"""Has a parcel made at the carrier, or finds the one that an earlier call may have made."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from services.shipping import parcels
from services.shipping.attempts import Outcome, locked, refuse
from services.shipping.carriers.answers import CancelOutcome, Created, Report
from services.shipping.carriers.base import Carrier
from services.shipping.carriers.capabilities import AdoptBy
from services.shipping.carriers.checking import Breach
from services.shipping.carriers.errors import NotLetIn, Refused, UnknownOutcome
from services.shipping.carriers.parcel import Parcel
from services.shipping.context import Context
from services.shipping.work import Work, work

if TYPE_CHECKING:
    import asyncpg

    from services.shipping.connections import Connection

REFUSED_BY_CARRIER: Final = "carrier"
CALLS_PATIENT: Final = 6
"""Calls under one reference during which a refusal of a repetition is taken for the carrier's check against duplicates: a
few minutes, in which the first one's callback comes as a rule. After them a person is told; the callback still counts."""


@dataclass(frozen=True)
class Made:
    """The carrier made the shipment just now."""

    created: Created
    called_at: datetime


@dataclass(frozen=True)
class Gone:
    """What lay under the reference could not be adopted and was cancelled."""


async def make(
    context: Context, carrier: Carrier, connection: Connection, row: asyncpg.Record
) -> Made | Report | Gone | Outcome:
    """Has the shipment made under its reference, unless it is there.

    A carrier with a look-up by reference is asked first whenever it may have been told before. One without is told the
    same once more: it refuses a second one, and its callbacks tell the waybill of the first.

    Returns:
        What was made; or how it stands where it was there; or the outcome where the carrier refuses it.

    Raises:
        UnknownOutcome, Away, NotLetIn: repeat later.
    """
    reference: str = row["reference"]
    may_exist = row["attempt"] == "unknown"
    repeats = may_exist and carrier.capabilities.adopt_by is AdoptBy.REPEAT
    if may_exist or carrier.capabilities.adopt_by is AdoptBy.REPEAT:
        report = await _find(context, carrier, row, waybill="")
        if report is not None:
            return report
    async with work(context.db) as current:
        reserved = await _reserve_call(context, current, row["id"], reference, connection, carrier, repeats=repeats)
        if isinstance(reserved, Outcome):
            return reserved
    parcel, called_at = reserved
    try:
        made = await carrier.create(parcel)
    except NotLetIn:
        raise
    except Refused as error:
        async with work(context.db) as current:
            again = await locked(current, row["id"])
            if repeats and carrier.capabilities.callbacks and again["calls"] < CALLS_PATIENT:
                raise UnknownOutcome("refused as the one that may exist already; its callback is awaited") from error
            refusal = Breach(REFUSED_BY_CARRIER, error.reason, "")
            # Of a repetition it may be this request alone that is refused: what lies there stays to be found.
            return await refuse(current, again, [refusal], now=context.now(), may_exist=repeats)
    if isinstance(made, Created):
        return Made(made, called_at)
    report = await _find(context, carrier, row, waybill=made.waybill)
    if report is None and not carrier.capabilities.callbacks:
        # Nobody will ever tell its waybill, but it can be cancelled by our reference.
        cancellation = await carrier.cancel(reference, waybill="")
        if cancellation.outcome in (CancelOutcome.CANCELLED, CancelOutcome.REQUESTED):
            return Gone()
    if report is None:
        raise UnknownOutcome("the reference is taken, and the carrier's own report about it is awaited")
    return report


async def _find(context: Context, carrier: Carrier, row: asyncpg.Record, *, waybill: str) -> Report | None:
    """What lies under a reference.

    Args:
        waybill: where the carrier has told it.
    """
    if carrier.capabilities.adopt_by is AdoptBy.LOOK_UP:
        return await carrier.look_up(row["reference"])
    told = await last_told(context, row["id"], row["reference"], waybill=waybill)
    if told is not None:
        return told
    if waybill and carrier.capabilities.track:
        journey = await carrier.track(waybill)
        return journey[-1] if journey else None
    if waybill and carrier.capabilities.push_again:
        await carrier.ask_to_report(waybill)
    return None


async def last_told(context: Context, shipment_id: UUID, reference: str, *, waybill: str) -> Report | None:
    """What the carrier's callbacks said last about the parcel under a reference.

    Args:
        waybill: where it is known.
    """
    pool = await context.db.driver()
    told = await pool.fetchrow(_TOLD, shipment_id, reference, waybill)
    return Report(told["waybill"], reference, told["raw_status"], told["carrier_time"]) if told is not None else None


async def _reserve_call(
    context: Context,
    current: Work,
    shipment_id: UUID,
    reference: str,
    connection: Connection,
    carrier: Carrier,
    *,
    repeats: bool,
) -> tuple[Parcel, datetime] | Outcome:
    """Records that the carrier is about to be called, and fixes what it is told: the newest version of the order. What it
    would refuse is refused here.

    Args:
        repeats: it was told before and may have it: the amount stays the one that it was told.
    """
    # Whole seconds, like carriers' own times: the creation must not seem later than what follows it.
    called_at = context.now().replace(microsecond=0)
    row = await locked(current, shipment_id)
    order = await current.connection.fetchrow(_ORDER, row["order_id"])
    assert order is not None
    cod = row["cod"] if repeats else order["cod"]
    plan = await parcels.plan_of(current.connection, row["order_id"], connection, pick_up_id=row["pick_up_id"])
    parcel = await parcels.build(
        current.connection, order, reference=reference, cod=cod, connection=connection, plan=plan
    )
    parcel, breaches = await parcels.check(
        current.connection, parcel, type(carrier), shipping_fee=order["shipping_fee"]
    )
    if breaches:
        return await refuse(current, row, breaches, now=context.now(), may_exist=row["attempt"] == "unknown")
    await current.connection.execute(
        _CALLED,
        shipment_id,
        reference,
        called_at,
        row["order_version"] if repeats else order["version"],
        cod,
        parcel.options.model_dump_json(),
        plan.pick_up_id,
    )
    return parcel, called_at


_ORDER: Final = """
SELECT version, recipient, phone, province, district, ward, detail, province_code, district_code, ward_code,
    lines::text AS lines, goods_value, cod, shipping_fee, note
FROM shippable_orders WHERE order_id = $1
"""
_CALLED: Final = """
WITH called AS (
    UPDATE creation_attempts SET state = 'unknown', calls = calls + 1, called_at = $3
    WHERE reference = $2 AND shipment_id = $1
)
UPDATE shipments SET order_version = $4, cod = $5, options = $6::text::jsonb, pick_up_id = $7, updated_at = now()
WHERE id = $1
"""
_TOLD: Final = """
SELECT e.waybill, e.raw_status, e.carrier_time FROM timeline_entries e
WHERE e.shipment_id = $1 AND ($3 = '' OR e.waybill = $3) AND NOT EXISTS (
    SELECT 1 FROM creation_attempts a
    WHERE a.shipment_id = $1 AND a.reference <> $2 AND a.waybill = e.waybill)
ORDER BY e.carrier_time DESC, e.received_at DESC LIMIT 1
"""
