"""ViettelPost's dialect: waybills, fees and the body of its callbacks.

Source: the partner document and captured callbacks of public integrations: a POST of JSON, `{"DATA": {…}, "TOKEN": "…"}`.
"""

from functools import partial

from deploy.local.carriers.app import create_carrier_app
from deploy.local.carriers.dialect import Dialect, Message
from deploy.local.carriers.life import TRANSFER
from deploy.local.carriers.model import CarrierSettings, Creation, Entry, Fees, Shipment
from deploy.local.viettelpost.life import ROAD
from deploy.local.viettelpost.model import FIRST_WAYBILL, SimulatorFaults, SimulatorSettings, as_created, own
from deploy.local.viettelpost.routes import router
from deploy.local.viettelpost.tariff import insurance_fee, shipping_fee
from deploy.local.viettelpost.views import callback_body


def _waybill(settings: CarrierSettings, number: int, creation: Creation) -> str:
    return str(FIRST_WAYBILL + number - 1)


def _fees(creation: Creation) -> Fees:
    asked = as_created(creation)
    shipping = shipping_fee(asked.order_service, weight_gram=asked.weight_gram) or 0
    return Fees(shipping, insurance_fee(value=asked.value))


def _callback(settings: CarrierSettings, shipment: Shipment, entry: Entry) -> Message | None:
    if entry.kind == TRANSFER:  # nothing but the statement tells it
        return None
    own_settings = own(settings)
    body = callback_body(shipment, entry, token=own_settings.callback_token, wobble=own_settings.callback_wobble)
    return Message("application/json", body)


VIETTELPOST = Dialect(
    title="ViettelPost",
    road=ROAD,
    router=router,
    settings=SimulatorSettings,
    faults=SimulatorFaults,
    waybill=_waybill,
    fees=_fees,
    callback=_callback,
    reports_creation=True,
)
create_app = partial(create_carrier_app, VIETTELPOST)
