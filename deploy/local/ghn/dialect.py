"""GHN's dialect: order codes, fees and the body of its callbacks.

Source: https://api.ghn.vn/home/docs/detail?id=47: a JSON POST for each creation, change of status, and new weight, COD or
fee; nothing signs it.
"""

import json
from functools import partial
from random import Random

from fastapi import APIRouter

from deploy.local.carriers.app import create_carrier_app
from deploy.local.carriers.dialect import Dialect, Message
from deploy.local.carriers.life import CREATED, STATUS, TRANSFER
from deploy.local.carriers.model import CarrierSettings, Creation, Entry, Shipment
from deploy.local.ghn import lists, routes
from deploy.local.ghn.life import REASON_TEXT, ROAD
from deploy.local.ghn.model import COD_UPDATE, FEE_UPDATE, WEIGHT_UPDATE, SimulatorSettings, own, timestamp
from deploy.local.ghn.tariff import fees
from deploy.local.ghn.views import callback_fields

# Letters and digits that order codes are made of, and how many.
_LETTERS = "ABCDEFGHKLMNPQRSTUVWXY3456789"
_LENGTH = 8
_TYPES = {
    CREATED: "create",
    STATUS: "switch_status",
    WEIGHT_UPDATE: WEIGHT_UPDATE,
    COD_UPDATE: COD_UPDATE,
    FEE_UPDATE: FEE_UPDATE,
}


def _waybill(settings: CarrierSettings, number: int, creation: Creation) -> str:
    """Eight letters and digits that say nothing, such as FFFNL9HH; the number keeps them apart."""
    base = len(_LETTERS)
    tail = "".join(_LETTERS[number // base**place % base] for place in (2, 1, 0))
    random = Random(f"{settings.seed}:{creation.reference}:{number}")
    return "".join(random.choices(_LETTERS, k=_LENGTH - len(tail))) + tail


def _callback(settings: CarrierSettings, shipment: Shipment, entry: Entry) -> Message | None:
    shop = own(settings)
    if entry.kind == TRANSFER:
        if not shop.announce_transfer:
            return None
        kind = COD_UPDATE
    else:
        kind = _TYPES.get(entry.kind, entry.kind)
    change = {
        "Status": str(entry.status),
        "Time": timestamp(entry.at),
        "Reason": REASON_TEXT.get(entry.reason_code, ""),
        "ReasonCode": entry.reason_code,
        "IsPartialReturn": entry.partial,
    }
    kind = kind.capitalize() if shop.upper_case_types else kind
    body = callback_fields(shipment, kind=kind, settings=shop, entry=change)
    return Message("application/json", json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode())


_router = APIRouter()
_router.include_router(routes.router)
_router.include_router(lists.router)

GHN = Dialect(
    title="GHN",
    road=ROAD,
    router=_router,
    settings=SimulatorSettings,
    waybill=_waybill,
    fees=fees,
    callback=_callback,
    reports_creation=True,
    too_many=routes.too_many,
)
create_app = partial(create_carrier_app, GHN)
