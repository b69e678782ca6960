"""ViettelPost's HTTP API, as its partner document and public integrations show it.

Every failure, as a rule an expired token too, is HTTP 200 with `error: true`: the envelope is what counts. Prices come
without any envelope.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import replace
from json import JSONDecodeError
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from deploy.local.carriers.answers import Answer, CreationRefused, answer
from deploy.local.carriers.answers import create as create_parcel
from deploy.local.carriers.carrier import NotCancellable, Push, ReferenceTaken
from deploy.local.carriers.dependency import Sim
from deploy.local.carriers.model import Shipment
from deploy.local.carriers.simulation import Simulation
from deploy.local.viettelpost import tokens, units
from deploy.local.viettelpost.creation import (
    InvalidRequest,
    address_of,
    read_creation,
    reference_of,
    wants_unique,
    weight_of,
)
from deploy.local.viettelpost.label import labels_html, labels_pdf
from deploy.local.viettelpost.life import Status
from deploy.local.viettelpost.model import INVENTORIES, SimulatorFaults, own
from deploy.local.viettelpost.tariff import SERVICES, shipping_fee
from deploy.local.viettelpost.views import created_order, inventory, price

router = APIRouter()

_SEND_BACK, _DELIVER_AGAIN, _CANCEL = 2, 3, 4
_MAX_LABELS = 100


def _good(data: Any = None, *, message: str = "OK", has_created: bool = False) -> Answer:
    content = {"status": 200, "error": False, "message": message, "data": data}
    return Answer(JSONResponse(content), has_created=has_created)


def _bad(*mistakes: str, status: int = 204) -> Answer:
    """One mistake is a text, several are a list."""
    message = mistakes[0] if len(mistakes) == 1 else list(mistakes)
    return Answer(JSONResponse({"status": status, "error": True, "message": message, "data": None}))


async def _known(
    request: Request, simulation: Simulation, *, operation: str, key: str, work: Callable[[], Answer]
) -> Response:
    """The answer to a call that needs a long token."""
    if not tokens.accepts(simulation, request.headers.get("Token", ""), "long"):
        return await answer(simulation, operation=operation, key=key, work=lambda: _not_known(simulation))

    def safely() -> Answer:
        try:
            return work()
        except InvalidRequest as error:
            simulation.stats.invalid += 1
            return _bad(*error.mistakes)

    return await answer(simulation, operation=operation, key=key, work=safely)


def _not_known(simulation: Simulation) -> Answer:
    simulation.stats.unauthorised += 1
    if own(simulation.settings).expired_as == "http":
        return Answer(JSONResponse({"message": "Unauthorized"}, status_code=401))
    return _bad("Token invalid", status=202)


@router.post("/v2/user/Login")
async def log_in(request: Request, simulation: Sim) -> Response:
    body = await _json(request)
    return await answer(simulation, operation="login", key="", work=lambda: _log_in(simulation, body, "short"))


@router.post("/v2/user/ownerconnect")
async def own_connect(request: Request, simulation: Sim) -> Response:
    """A token for a year, for who shows the short one and the account once more."""
    body = await _json(request)

    def work() -> Answer:
        if not tokens.accepts(simulation, request.headers.get("Token", ""), "short"):
            return _not_known(simulation)
        return _log_in(simulation, body, "long")

    return await answer(simulation, operation="ownerconnect", key="", work=work)


@router.post("/v2/user/LoginVTP")
async def log_in_by_token(request: Request, simulation: Sim) -> Response:
    body = await _json(request)

    def work() -> Answer:
        given = body.get("token") if isinstance(body, dict) else None
        portal = own(simulation.settings).portal_token
        if not portal or given != portal:
            return _bad("Token không tồn tại")
        return _token(simulation, "long")

    return await answer(simulation, operation="login_by_token", key="", work=work)


def _log_in(simulation: Simulation, body: object, kind: tokens.Kind) -> Answer:
    settings = own(simulation.settings)
    fields = body if isinstance(body, dict) else {}
    if (fields.get("USERNAME"), fields.get("PASSWORD")) != (settings.username, settings.password):
        simulation.stats.unauthorised += 1
        return _bad("Tài khoản hoặc mật khẩu không đúng")
    return _token(simulation, kind)


def _token(simulation: Simulation, kind: tokens.Kind) -> Answer:
    token, expires = tokens.issue(simulation, kind)
    return _good({"userId": 1, "token": token, "partner": 1, "phone": "0900000001", "expired": expires, "source": 1})


@router.get("/v2/user/listInventory")
async def list_inventory(request: Request, simulation: Sim) -> Response:
    return await _known(
        request,
        simulation,
        operation="list_inventory",
        key="",
        work=lambda: _good([inventory(place) for place in INVENTORIES]),
    )


@router.post("/v2/categories/listService")
async def list_service(request: Request, simulation: Sim) -> Response:
    services = [{"SERVICE_CODE": each.code, "SERVICE_NAME": each.name} for each in SERVICES]
    return await _known(request, simulation, operation="list_service", key="", work=lambda: _good(services))


@router.get("/v2/categories/listProvinceById")
@router.get("/v2/categories/listProvince")
async def list_province(request: Request, simulation: Sim) -> Response:
    return await _list(request, simulation, units.provinces(units.OLD))


@router.get("/v2/categories/listDistrict")
async def list_district(request: Request, simulation: Sim, provinceId: int = -1) -> Response:
    return await _list(request, simulation, units.districts(provinceId))


@router.get("/v2/categories/listWards")
async def list_wards(request: Request, simulation: Sim, districtId: int = -1) -> Response:
    return await _list(request, simulation, units.old_wards(districtId))


@router.get("/v3/categories/listProvinceNew")
async def list_province_new(request: Request, simulation: Sim) -> Response:
    return await _list(request, simulation, units.provinces(units.NEW))


@router.get("/v3/categories/listWardsNew")
async def list_wards_new(request: Request, simulation: Sim, provinceId: int) -> Response:
    return await _list(request, simulation, units.new_wards(provinceId))


async def _list(request: Request, simulation: Simulation, rows: Sequence[dict[str, object]]) -> Response:
    return await _known(request, simulation, operation="list_units", key="", work=lambda: _good(rows))


@router.post("/v2/order/getPriceAll")
async def prices_by_ids(request: Request, simulation: Sim) -> Response:
    return await _prices(request, simulation, in_words=False)


@router.post("/v2/order/getPriceAllNlp")
async def prices_by_words(request: Request, simulation: Sim) -> Response:
    return await _prices(request, simulation, in_words=True)


async def _prices(request: Request, simulation: Simulation, *, in_words: bool) -> Response:
    body = await _json(request)

    def work() -> Answer:
        weight = weight_of(body)
        assert isinstance(body, dict)
        for end in ("SENDER", "RECEIVER"):
            address_of(body, end, in_words=in_words)
        found = [(each, shipping_fee(each.code, weight_gram=weight)) for each in SERVICES]
        return Answer(JSONResponse([price(each, fee=fee) for each, fee in found if fee is not None]))

    return await _known(request, simulation, operation="prices", key=str(body)[:200], work=work)


@router.post("/v2/order/createOrder")
async def create_by_ids(request: Request, simulation: Sim) -> Response:
    return await _create(request, simulation, in_words=False)


@router.post("/v2/order/createOrderNlp")
async def create_by_words(request: Request, simulation: Sim) -> Response:
    return await _create(request, simulation, in_words=True)


async def _create(request: Request, simulation: Simulation, *, in_words: bool) -> Response:
    body = await _json(request)

    def work() -> Answer:
        creation = read_creation(body, in_words=in_words)
        if shipping_fee(creation.order_service, weight_gram=creation.weight_gram) is None:
            raise InvalidRequest("Dịch vụ không tồn tại: ORDER_SERVICE")
        if not wants_unique(body) and simulation.carrier.find_by_reference(creation.reference) is not None:
            creation = replace(creation, reference="")  # a twin: nobody asked for the check
        try:
            shipment = create_parcel(simulation, creation)
        except CreationRefused as refused:
            return _bad(str(refused))
        except ReferenceTaken:  # it does not say which order has it
            return _bad("Mã đơn hàng đã tồn tại trên hệ thống")
        return _good(created_order(shipment), has_created=True)

    return await _known(request, simulation, operation="create", key=reference_of(body), work=work)


@router.post("/v2/order/UpdateOrder")
async def update_order(request: Request, simulation: Sim) -> Response:
    body = await _json(request)
    fields = body if isinstance(body, dict) else {}
    waybill = str(fields.get("ORDER_NUMBER", ""))

    def work() -> Answer:
        shipment = _find(simulation, waybill)
        match fields.get("TYPE"):
            case 4:
                try:
                    simulation.carrier.cancel(shipment)
                except NotCancellable:
                    return _bad("Trạng thái đơn hàng không cho phép hủy")
            case 2 | 3 as kind:
                if shipment.status != Status.RETURN_PROPOSED:
                    return _bad("Trạng thái đơn hàng không cho phép")
                status = Status.RETURN_APPROVED if kind == _SEND_BACK else Status.AGAIN_REQUESTED
                simulation.carrier.push(shipment, Push(status))
            case _:
                return _bad("TYPE không hợp lệ")
        return _good()

    return await _known(request, simulation, operation=f"update_{fields.get('TYPE')}", key=waybill, work=work)


@router.get("/v2/order/registerOrderHook")
async def register_order_hook(request: Request, simulation: Sim, oid: str = "", mes: str = "") -> Response:
    """Pushes the whole journey once more, oldest first, through the usual callbacks with their usual faults."""

    def work() -> Answer:
        shipment = _find(simulation, oid)
        faults = simulation.faults
        ignored = isinstance(faults, SimulatorFaults) and simulation.dice.hits(
            "ignore_push_again", rate=faults.ignore_push_again, key=shipment.reference
        )
        if not ignored:
            for entry in shipment.history:
                simulation.sender.send(shipment, entry)
        return _good(message="Đăng ký đẩy lại hành trình thành công")

    return await _known(request, simulation, operation="push_again", key=oid, work=work)


@router.post("/v2/order/printing-code")
async def printing_code(request: Request, simulation: Sim) -> Response:
    body = await _json(request)

    def work() -> Answer:
        fields = body if isinstance(body, dict) else {}
        wanted, expires = fields.get("ORDER_ARRAY"), fields.get("EXPIRY_TIME")
        if not isinstance(wanted, list) or not 0 < len(wanted) <= _MAX_LABELS:
            raise InvalidRequest(f"ORDER_ARRAY có từ 1 đến {_MAX_LABELS} vận đơn")
        if not isinstance(expires, int) or expires <= simulation.now().timestamp() * 1000:
            raise InvalidRequest("EXPIRY_TIME phải ở tương lai (mili giây)")
        for waybill in wanted:
            _find(simulation, str(waybill))
        return _good(message=base64.urlsafe_b64encode(f"{expires}:{','.join(map(str, wanted))}".encode()).decode())

    return await _known(request, simulation, operation="printing_code", key="", work=work)


@router.get("/DigitalizePrint/report.do")
async def print_labels(simulation: Sim, bill: str = "", type: str = "2") -> Response:
    """In reality at another host, and open to everybody who has the code."""

    def work() -> Answer:
        try:
            expires, _, waybills = base64.urlsafe_b64decode(bill).decode().partition(":")
            shipments = [_find(simulation, waybill) for waybill in waybills.split(",")]
            expired = int(expires) <= simulation.now().timestamp() * 1000
        except (binascii.Error, ValueError, InvalidRequest):
            return Answer(HTMLResponse("Not found", status_code=404))
        if expired:
            return Answer(HTMLResponse("Link đã hết hạn", status_code=403))
        if own(simulation.settings).label_format == "html":
            return Answer(HTMLResponse(labels_html(shipments)))
        return Answer(Response(labels_pdf(shipments, paper=type), media_type="application/pdf"))

    return await answer(simulation, operation="print", key=bill, work=work)


def _find(simulation: Simulation, waybill: str) -> Shipment:
    """By waybill only: ViettelPost looks nothing up by the shop's number. Raises InvalidRequest."""
    shipment = simulation.carrier.find_by_waybill(waybill)
    if shipment is None:
        raise InvalidRequest("Không tìm thấy vận đơn")
    return shipment


async def _json(request: Request) -> object:
    try:
        body: object = await request.json()
    except (JSONDecodeError, UnicodeDecodeError):
        return None
    return body
