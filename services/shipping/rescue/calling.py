"""Tells the carrier what somebody decided about a failed delivery: once, whatever dies meanwhile.

That a call is about to be made is written before it; whoever finds it so without an answer looks at the parcel first,
where the carrier can be asked, and repeats the request only if nothing has come of it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from services.shipping import facts
from services.shipping.carriers.base import Carrier
from services.shipping.carriers.checking import Breach
from services.shipping.carriers.errors import Away, NotLetIn, Refused, UnknownOutcome
from services.shipping.carriers.gate import Turns
from services.shipping.carriers.parcel import RecipientChange
from services.shipping.context import Context
from services.shipping.facts import Fact
from services.shipping.rescue import recipients, store
from services.shipping.rescue.asking import SHIPMENT
from services.shipping.rescue.standing import BACK, RequestState, waiting
from services.shipping.rescue.store import Carried, Change
from services.shipping.rescue.wishes import note_of
from services.shipping.statuses import ShipmentUnknown
from services.shipping.units import store as units
from services.shipping.units.store import Named
from services.shipping.work import Work, work
from shared.contracts.events.shipping_rescue import RescueStep
from shared.telemetry import logger

if TYPE_CHECKING:
    import asyncpg

log = logger(__name__)

PATIENT: Final = 3
"""Calls after which a 'no' to a repeated request is one: the first may have been a 'yes' that got lost."""
TOO_LATE: Final = "Không gửi được cho hãng trước hạn của hãng / the carrier could not be told before its cut-off"

_UNSENT: Final = """
SELECT q.id, q.rescue_id, q.wish, q.day, q.note, q.change::text AS change, q.changed_at, q.calls, q.in_doubt, r.cut_off_at
FROM rescue_requests q JOIN rescues r ON r.id = q.rescue_id WHERE q.shipment_id = $1 AND q.state = 'requested'
"""
_CALLING: Final = """
UPDATE rescue_requests SET calls = calls + 1, in_doubt = true WHERE id = $1 AND state = 'requested' RETURNING calls
"""
_CERTAIN: Final = "UPDATE rescue_requests SET in_doubt = false WHERE id = $1"
_ANSWERED: Final = """
UPDATE rescue_requests SET in_doubt = false, answered_at = $2, answer = $3 WHERE id = $1 RETURNING state
"""


async def tell_carrier(context: Context, shipment_id: UUID) -> bool:
    """Tells the carrier what is decided about a parcel and not told yet; False: there is nothing.

    Raises:
        Away, UnknownOutcome, NotLetIn: repeat later.
        ShipmentUnknown: there is no such shipment.
    """
    row, shipment = await _unsent(context, shipment_id)
    if row is None:
        return False
    connection = await context.connection(shipment["connection_id"])
    async with context.carrier(connection, turns=Turns.BOOKED, subject=f"rescue {row['id']}") as carrier:
        if row["in_doubt"] and await _looked(context, carrier, shipment):
            row, _ = await _unsent(context, shipment_id)
            if row is None:
                return True
        if row["cut_off_at"] < context.now() and not row["in_doubt"]:
            await _record(context, shipment_id, row["id"], "refused", answer=TOO_LATE)
            return True
        try:
            await _call(context, carrier, row, shipment["waybill"])
        except NotLetIn:
            await _certain(context, row["id"])
            raise
        except Refused as error:
            if row["in_doubt"] and row["calls"] + 1 < PATIENT:
                raise UnknownOutcome("refused, maybe because it was accepted before; a report is awaited") from error
            log.info("the carrier refuses a rescue", shipment=str(shipment_id), wish=row["wish"])
            await _record(context, shipment_id, row["id"], "refused", answer=error.reason)
            return True
        except Away:
            await _certain(context, row["id"])
            raise
    await _record(context, shipment_id, row["id"], "accepted")
    return True


async def _unsent(context: Context, shipment_id: UUID) -> tuple[asyncpg.Record | None, asyncpg.Record]:
    pool = await context.db.driver()
    async with pool.acquire() as connection, connection.transaction():
        shipment = await connection.fetchrow(SHIPMENT, shipment_id)
        if shipment is None:
            raise ShipmentUnknown(str(shipment_id))
        return await connection.fetchrow(_UNSENT, shipment_id), shipment


async def _looked(context: Context, carrier: Carrier, shipment: asyncpg.Record) -> bool:
    """How the parcel stands, on its timeline; where only callbacks tell that, they are asked for."""
    waybill = shipment["waybill"]
    if not carrier.capabilities.track:
        if carrier.capabilities.push_again:
            await carrier.ask_to_report(waybill)
        return False
    reports = await carrier.track(waybill)
    now = context.now()
    async with work(context.db) as current:
        told = [Fact(shipment["id"], "poll", now, report) for report in reports]
        await facts.apply(current, told, now=now, pace=context.pace)
    return True


async def _call(context: Context, carrier: Carrier, row: asyncpg.Record, waybill: str) -> None:
    note = note_of(row["wish"], day=row["day"], note=row["note"])
    if row["change"] is not None and row["changed_at"] is None:
        change = await _with_units(context, carrier, recipients.change_of(row["change"]))
        await _calling(context, row["id"])
        await carrier.change_recipient(waybill, change)
        async with work(context.db) as current:
            await recipients.changed(current, row["id"], now=context.now())
    await _calling(context, row["id"])
    if row["wish"] in BACK:
        await carrier.send_back(waybill, note=note)
    else:
        await carrier.deliver_again(waybill, note=note)


async def _with_units(context: Context, carrier: Carrier, change: RecipientChange) -> RecipientChange:
    if change.to is None or change.to.era not in carrier.capabilities.units_of:
        return change
    names = Named(change.to.province, change.to.ward, change.to.district)
    async with work(context.db) as current:
        found = await units.find(current.connection, carrier.name, carrier.title, names)
    if isinstance(found, Breach):
        raise Refused(found.vi)
    return replace(change, to=replace(change.to, units=found)) if found is not None else change


async def _calling(context: Context, request_id: UUID) -> None:
    """
    Raises:
        Away: nothing is to be told any more.
    """
    async with work(context.db) as current:
        if await current.connection.fetchval(_CALLING, request_id) is None:
            raise Away("the parcel has gone on")


async def _certain(context: Context, request_id: UUID) -> None:
    async with work(context.db) as current:
        await current.connection.execute(_CERTAIN, request_id)


async def _record(
    context: Context, shipment_id: UUID, request_id: UUID, state: RequestState, *, answer: str = ""
) -> None:
    """Keeps the carrier's answer, unless what it reported meanwhile has said it already."""
    now = context.now()
    async with work(context.db) as current:
        shipment = await current.connection.fetchrow(SHIPMENT, shipment_id)
        held = await current.connection.fetchval(_ANSWERED, request_id, now, answer)
        if held != "requested" or shipment is None:
            return
        await settle(current, shipment, request_id, state, now=now)


async def settle(
    current: Work, shipment: asyncpg.Record, request_id: UUID, state: RequestState, *, now: datetime
) -> None:
    """A request of a locked shipment that is under way becomes accepted, or refused or expired, and then somebody has to
    decide again."""
    for row in (await store.held(current, [shipment["id"]]))[shipment["id"]]:
        before = store.read(row)
        if before.request is None or before.request.id != request_id or before.state == "closed":
            continue
        after = replace(before, request=replace(before.request, state=state))
        if state == "refused" and before.asked_at == before.request.asked_at:
            after = replace(after, asked_at=None)
        steps: dict[RequestState, RescueStep] = {"accepted": "accepted", "refused": "refused"}
        change = Change(
            Carried.of(shipment),
            before,
            after if state == "accepted" else waiting(after),
            step=steps.get(state, "expired"),
            sequence=row["sequence"] + 1,
            reason=(row["reason_vi"], row["reason_en"]),
            at=now,
        )
        await store.write(current, [change], now=now)
