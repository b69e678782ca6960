"""Somebody decides about a failed delivery: written down with everything that follows, before the carrier hears of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from uuid_utils.compat import uuid7

from services.shipping.carriers.checking import Breach
from services.shipping.carriers.parcel import RecipientChange
from services.shipping.carriers.registry import CARRIERS
from services.shipping.rescue import recipients, store
from services.shipping.rescue.problems import (
    AlreadyAsked,
    AlreadyDecided,
    CarrierCannot,
    DayWillNotDo,
    PlaceUnknownToCarrier,
    RescueNotFound,
    RescueOver,
)
from services.shipping.rescue.standing import Request, RequestState
from services.shipping.rescue.store import Carried, Change
from services.shipping.rescue.wishes import LATEST, WORDS, Wish, address_fields, can, needs_nobody
from services.shipping.units import store as units
from services.shipping.units.store import Named
from services.shipping.work import Work
from shared.auth import Principal
from shared.contracts.permissions import SHIPPING_WRITE
from shared.errors import ZONE

SHIPMENT: Final = """
SELECT s.id, s.order_id, s.waybill, s.round, s.connection_id, c.carrier, o.closer_id, o.owner_id
FROM shipments s JOIN carrier_connections c ON c.id = s.connection_id JOIN shippable_orders o ON o.order_id = s.order_id
WHERE s.id = $1 FOR UPDATE OF s
"""
_OF: Final = "SELECT shipment_id FROM rescues WHERE id = $1"
_REPLACE: Final = (
    "UPDATE rescue_requests SET state = 'replaced', ended_at = $2 WHERE rescue_id = $1 AND ended_at IS NULL"
)
_ASK: Final = """
INSERT INTO rescue_requests (id, rescue_id, shipment_id, number, wish, day, note, change, by_hand, by_id, by_code, asked_at,
    state, by_desk, answered_at)
SELECT $1, $2, $3, 1 + coalesce(max(number), 0), $4, $5, $6, $7::text::jsonb, $8, $9, $10, $11, $12, $13,
    CASE WHEN $12 = 'accepted' THEN $11::timestamptz END
FROM rescue_requests WHERE rescue_id = $2
"""
_REVISE: Final = "UPDATE shipments SET revision = revision + 1, updated_at = now() WHERE id = $1"


async def ask(current: Work, rescue_id: UUID, wish: Wish, *, who: Principal, now: datetime) -> UUID:
    """Decides about a failed delivery; the shipment's workflow tells the carrier.

    Returns:
        The id of the request.

    Raises:
        RescueNotFound, RescueOver, AlreadyAsked, AlreadyDecided, CarrierCannot, DayWillNotDo, PlaceUnknownToCarrier:
            nothing is asked.
    """
    shipment_id = await current.connection.fetchval(_OF, rescue_id)
    shipment = await current.connection.fetchrow(SHIPMENT, shipment_id) if shipment_id else None
    if shipment is None:
        raise RescueNotFound
    row = next(row for row in (await store.held(current, [shipment_id]))[shipment_id] if row["id"] == rescue_id)
    before = store.read(row)
    if before.state == "closed":
        raise RescueOver(outcome=before.outcome)
    if before.request is not None and before.request.state == "requested":
        raise AlreadyAsked(by=before.request.by)
    if before.state == "asked" and before.request is not None:
        _check_first(before.request, wish, who)
    state = _state(wish, shipment["carrier"])
    _check_day(wish, now=now)
    await _check_place(current, wish, shipment["carrier"])
    await current.connection.execute(_REPLACE, rescue_id, now)
    request = Request(
        uuid7(), wish.kind, state, now, wish.day, wish.by_hand, who.account_id, who.code, _of_desk(shipment, who)
    )
    await _write(current, shipment_id, rescue_id, request, wish)
    after = replace(before, state="asked", request=request, asked_at=before.asked_at or now)
    change = Change(
        Carried.of(shipment),
        before,
        after,
        step="asked",
        sequence=row["sequence"] + 1,
        reason=(row["reason_vi"], row["reason_en"]),
        at=now,
    )
    await store.write(current, [change], now=now)
    if state == "accepted" and wish.change is not None:
        await recipients.changed(current, request.id, now=now)
    await current.connection.execute(_REVISE, shipment_id)
    current.nudge_shipment(shipment_id, round=shipment["round"])
    return request.id


def _check_first(decided: Request, wish: Wish, who: Principal) -> None:
    """Who decides first counts: a colleague who did not know of it hears so, and may still replace it."""
    if decided.by_id == who.account_id or wish.replace:
        return
    vi, en = WORDS[decided.wish]
    raise AlreadyDecided(by=decided.by, at=decided.asked_at, wish=vi, wish_en=en)


def _of_desk(shipment: Any, who: Principal) -> bool:
    return who.may(SHIPPING_WRITE) and who.account_id not in (shipment["closer_id"], shipment["owner_id"])


def _state(wish: Wish, carrier: str) -> RequestState:
    """What a person told the carrier, or nobody has to tell it, waits for no answer."""
    adapter = CARRIERS[carrier]
    if wish.by_hand or needs_nobody(adapter.capabilities, wish.kind):
        return "accepted"
    if not can(adapter.capabilities, wish.kind):
        raise CarrierCannot(carrier=adapter.title, wish=WORDS[wish.kind][0])
    return "requested"


def _check_day(wish: Wish, *, now: datetime) -> None:
    today = now.astimezone(ZONE).date()
    if wish.day is not None and not today <= wish.day <= today + LATEST:
        raise DayWillNotDo(last=f"{today + LATEST:%d/%m/%Y}")


async def _check_place(current: Work, wish: Wish, carrier: str) -> None:
    to = wish.change.to if wish.change is not None else None
    adapter = CARRIERS[carrier]
    if to is None or wish.by_hand or to.era not in adapter.capabilities.units_of:
        return
    found = await units.find(current.connection, carrier, adapter.title, Named(to.province, to.ward, to.district))
    if isinstance(found, Breach):
        raise PlaceUnknownToCarrier(reason=found.vi, reason_en=found.en)


async def _write(current: Work, shipment_id: UUID, rescue_id: UUID, request: Request, wish: Wish) -> None:
    change = orjson.dumps(change_fields(wish.change)).decode() if wish.change is not None else None
    await current.connection.execute(
        _ASK,
        request.id,
        rescue_id,
        shipment_id,
        request.wish,
        request.day,
        wish.note,
        change,
        request.by_hand,
        request.by_id,
        request.by,
        request.asked_at,
        request.state,
        request.by_desk,
    )


def change_fields(change: RecipientChange) -> dict[str, Any]:
    """What is to be different, as it is kept."""
    fields = {"recipient": change.recipient, "phone": change.phone}
    address = {"address": address_fields(change.to)} if change.to is not None else {}
    return {**{name: value for name, value in fields.items() if value is not None}, **address}
