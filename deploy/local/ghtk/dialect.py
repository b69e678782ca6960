"""GHTK's dialect: labels, fees and the body of its callbacks.

Source: https://api.ghtk.vn/en/docs/submit-order/webhook: a form-encoded POST; the secret, if any, is in the callback
URL. The form sample of the documentation has no `pick_money`, the JSON sample has.
"""

import json
from functools import partial
from urllib.parse import urlencode
from zlib import crc32

from deploy.local.carriers.app import create_carrier_app
from deploy.local.carriers.dialect import Dialect, Message
from deploy.local.carriers.model import VIETNAM, CarrierSettings, Creation, Entry, Fees, Shipment
from deploy.local.ghtk.life import REASON_TEXT, ROAD
from deploy.local.ghtk.model import FIRST_TRACKING_ID, SimulatorSettings, as_created, own
from deploy.local.ghtk.routes import router
from deploy.local.ghtk.tariff import insurance_fee, shipping_fee

CallbackFields = dict[str, str | int | float]
_GRAM_PER_KILOGRAM = 1000


def _waybill(settings: CarrierSettings, number: int, creation: Creation) -> str:
    hub = crc32(as_created(creation).pick_province.encode()) % 100
    return f"{own(settings).client_source}.H{hub:02d}-A1.{FIRST_TRACKING_ID + number - 1}"


def _fees(creation: Creation) -> Fees:
    asked = as_created(creation)
    shipping = shipping_fee(
        pick_province=asked.pick_province,
        province=asked.province,
        weight_gram=asked.weight_gram,
        transport=asked.transport,
    )
    return Fees(shipping, insurance_fee(value=asked.value))


def _callback(settings: CarrierSettings, shipment: Shipment, entry: Entry) -> Message:
    fields = callback_fields(shipment, entry)
    if own(settings).callback_format == "json":
        return Message("application/json", json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode())
    form = {name: value for name, value in fields.items() if name != "pick_money"}
    return Message("application/x-www-form-urlencoded", urlencode(form).encode())


def callback_fields(shipment: Shipment, entry: Entry) -> CallbackFields:
    """The documented fields; weight in kilograms, money in đồng."""
    return {
        "label_id": shipment.waybill,
        "partner_id": shipment.reference,
        "action_time": entry.at.astimezone(VIETNAM).isoformat(timespec="seconds"),
        "status_id": entry.status,
        "reason_code": entry.reason_code,
        "reason": REASON_TEXT.get(entry.reason_code, ""),
        "weight": shipment.creation.weight_gram / _GRAM_PER_KILOGRAM,
        "fee": shipment.fee,
        "pick_money": shipment.cod,
        "return_part_package": int(entry.partial),
    }


GHTK = Dialect(
    title="GHTK", road=ROAD, router=router, settings=SimulatorSettings, waybill=_waybill, fees=_fees, callback=_callback
)
create_app = partial(create_carrier_app, GHTK)
