"""GHN's HTTP API, version 2, as its documentation describes it (https://api.ghn.vn/home/docs, 2026).

Every answer is `{code, message, data}`; a failure has its HTTP status in `code` as well, and mostly a `code_message`.
"""

import secrets
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from deploy.local.carriers.answers import Answer, CreationRefused, answer
from deploy.local.carriers.answers import create as create_parcel
from deploy.local.carriers.carrier import NotCancellable, Push, ReferenceTaken
from deploy.local.carriers.dependency import Sim
from deploy.local.carriers.model import Fees, Shipment
from deploy.local.carriers.simulation import Simulation
from deploy.local.ghn.creation import MAX_COD, InvalidRequest, read_creation, read_update, reference_of
from deploy.local.ghn.life import Status
from deploy.local.ghn.model import COD_UPDATE, WEIGHT_UPDATE, as_created, own, timestamp
from deploy.local.ghn.places import country
from deploy.local.ghn.tariff import fees
from deploy.local.ghn.views import DAYS_TO_DELIVER, created_order, detail

BASE = "/shiip/public-api"
router = APIRouter()

Body = dict[str, Any]
Work = Callable[[Simulation, Body], Answer]
_NOT_FOUND = "Lỗi gọi API: corev2_tenant_order_detail - code=404, message=Đơn hàng không tồn tại"
_SERVICES = {2: (53320, "Hàng nhẹ"), 5: (100039, "Hàng nặng")}


def success(data: Any, *, message_display: str = "", has_created: bool = False) -> Answer:
    content = {"code": 200, "message": "Success", "data": data}
    if message_display:
        content["message_display"] = message_display
    return Answer(JSONResponse(content), has_created=has_created)


def failure(message: str, *, code: int = 400, code_message: str = "", shown: str = "") -> Answer:
    content: Body = {"code": code, "message": message, "data": None}
    if code_message:
        content |= {"code_message": code_message, "code_message_value": shown}
    return Answer(JSONResponse(content, status_code=code))


def too_many() -> Response:
    return failure("Too many requests", code=429).response


async def respond(
    request: Request, simulation: Simulation, work: Work, *, operation: str, needs_shop: bool = False
) -> Response:
    """Checks the caller, reads the body (or the query of a GET) and answers."""
    body = await _body(request)

    def checked() -> Answer:
        refusal = _refusal_of_caller(request, simulation, needs_shop=needs_shop)
        if refusal is not None:
            simulation.stats.unauthorised += 1
            return refusal
        if body is None:
            return failure(
                "code=400, message=Syntax error: offset=1, error=invalid character",
                code_message="USER_ERR_COMMON",
                shown="Sai thông tin đầu vào. Vui lòng thử lại.",
            )
        try:
            return work(simulation, body)
        except InvalidRequest as error:
            return failure(str(error), code_message=error.code_message, shown=error.shown)

    return await answer(simulation, operation=operation, key=reference_of(body or {}), work=checked)


async def _body(request: Request) -> Body | None:
    if request.method == "GET" and not await request.body():
        return {name: int(value) if value.isdecimal() else value for name, value in request.query_params.items()}
    try:
        body = await request.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _refusal_of_caller(request: Request, simulation: Simulation, *, needs_shop: bool) -> Answer | None:
    settings = own(simulation.settings)
    token = request.headers.get("token", "")
    if not token:
        return failure("Token is required!", code=401, code_message="USER_ERR_COMMON")
    if not secrets.compare_digest(token.encode(), settings.token.encode()):
        return failure("Token is not valid!", code=401)
    shop = request.headers.get("shopid", "")
    if needs_shop and shop != str(settings.shop_id):
        message = "ShopID is invalid: Lỗi gọi API: corev2_tenant_shop - Shop ID is invalid: %!s"
        return failure(message, code_message="SHOP_NOT_FOUND", shown="Không tìm thấy cửa hàng.")
    return None


def _order(simulation: Simulation, body: Body) -> Shipment | None:
    return simulation.carrier.find_by_waybill(str(body.get("order_code", "")))


@router.post(f"{BASE}/v2/shipping-order/create")
async def create(request: Request, simulation: Sim) -> Response:
    return await respond(request, simulation, _create, operation="create", needs_shop=True)


def _create(simulation: Simulation, body: Body) -> Answer:
    """A `client_order_code` that is taken is answered with the order that lies under it, cancelled or not."""
    try:
        creation = read_creation(body)
    except InvalidRequest:
        simulation.stats.invalid += 1
        raise
    has_created = True
    try:
        shipment = create_parcel(simulation, creation)
    except CreationRefused as refused:
        return failure(str(refused), code_message="ROUTE_NOT_FOUND_SERVICE", shown=str(refused))
    except ReferenceTaken as taken:
        shipment, has_created = taken.shipment, False
    data = created_order(
        order_code=shipment.waybill,
        fees=Fees(shipment.fee, shipment.insurance_fee),
        creation=as_created(shipment.creation),
        expected=timestamp(shipment.created + DAYS_TO_DELIVER),
    )
    display = f"Tạo đơn hàng thành công. Mã đơn hàng: {shipment.waybill}"
    return success(data, message_display=display, has_created=has_created)


@router.post(f"{BASE}/v2/shipping-order/preview")
async def preview(request: Request, simulation: Sim) -> Response:
    def work(simulation: Simulation, body: Body) -> Answer:
        creation = read_creation(body)
        expected = timestamp(simulation.now() + DAYS_TO_DELIVER)
        return success(created_order(order_code="", fees=fees(creation), creation=creation, expected=expected))

    return await respond(request, simulation, work, operation="preview", needs_shop=True)


@router.post(f"{BASE}/v2/shipping-order/fee")
async def fee(request: Request, simulation: Sim) -> Response:
    def work(simulation: Simulation, body: Body) -> Answer:
        """The fields of a creation that the price depends on; the rest does not matter here."""
        rest = {"to_name": "x", "to_phone": "0900000000", "to_address": "x", "payment_type_id": 1}
        quoted = fees(read_creation({**rest, "required_note": "KHONGCHOXEMHANG", **_with_new_ward(body)}))
        zero = ("pick_station_fee", "coupon_value", "r2s_fee", "document_return", "double_check", "cod_fee")
        total = quoted.shipping + quoted.insurance
        data = {"total": total, "service_fee": quoted.shipping, "insurance_fee": quoted.insurance}
        return success({**data, **dict.fromkeys(zero, 0)})

    return await respond(request, simulation, work, operation="fee", needs_shop=True)


def _with_new_ward(body: Body) -> Body:
    """A fee names a ward of the new era by GHN's id, a creation by its name."""
    ward = country().new_wards.get(str(body.get("to_ward_id_v2", "")))
    if not body.get("is_new_to_address") or ward is None or ward.parent is None:
        return body
    return {**body, "to_ward_name": ward.name, "to_province_name": ward.parent.name}


@router.post(f"{BASE}/v2/shipping-order/available-services")
async def available_services(request: Request, simulation: Sim) -> Response:
    def work(simulation: Simulation, body: Body) -> Answer:
        if body.get("shop_id") != own(simulation.settings).shop_id:
            return failure("shop_id is required", code_message="USER_ERR_COMMON")
        services = [
            {"service_id": number, "short_name": name, "service_type_id": kind}
            for kind, (number, name) in _SERVICES.items()
        ]
        return success(services)

    return await respond(request, simulation, work, operation="available-services")


@router.post(f"{BASE}/v2/shipping-order/leadtime")
async def leadtime(request: Request, simulation: Sim) -> Response:
    def work(simulation: Simulation, body: Body) -> Answer:
        now = simulation.now()
        return success({"leadtime": int((now + DAYS_TO_DELIVER).timestamp()), "order_date": int(now.timestamp())})

    return await respond(request, simulation, work, operation="leadtime", needs_shop=True)


@router.api_route(f"{BASE}/v2/shipping-order/detail", methods=["GET", "POST"])
async def read_detail(request: Request, simulation: Sim) -> Response:
    def work(simulation: Simulation, body: Body) -> Answer:
        shipment = _order(simulation, body)
        return success(detail(shipment, own(simulation.settings))) if shipment else failure(_NOT_FOUND)

    return await respond(request, simulation, work, operation="detail")


@router.api_route(f"{BASE}/v2/shipping-order/detail-by-client-code", methods=["GET", "POST"])
async def read_detail_by_client_code(request: Request, simulation: Sim) -> Response:
    def work(simulation: Simulation, body: Body) -> Answer:
        shipment = simulation.carrier.find_by_reference(str(body.get("client_order_code", "")))
        return success(detail(shipment, own(simulation.settings))) if shipment else failure(_NOT_FOUND)

    return await respond(request, simulation, work, operation="detail-by-client-code")


@router.post(f"{BASE}/v2/shipping-order/update")
async def update(request: Request, simulation: Sim) -> Response:
    """Everything but the COD, until the order has ended."""

    def work(simulation: Simulation, body: Body) -> Answer:
        shipment = _order(simulation, body)
        if shipment is None:
            return failure(_NOT_FOUND)
        if shipment.is_at_rest or shipment.status == Status.DELIVERED:
            return failure("Đơn hàng không được phép cập nhật", code_message="USER_ERR_COMMON")
        before = as_created(shipment.creation)
        shipment.creation = read_update(before, body)
        if shipment.creation.weight_gram != before.weight_gram:
            simulation.carrier.push(shipment, Push(shipment.status, kind=WEIGHT_UPDATE))
        return success(None)

    return await respond(request, simulation, work, operation="update", needs_shop=True)


@router.post(f"{BASE}/v2/shipping-order/updateCOD")
async def update_cod(request: Request, simulation: Sim) -> Response:
    def work(simulation: Simulation, body: Body) -> Answer:
        shipment, amount = _order(simulation, body), body.get("cod_amount")
        if shipment is None:
            return failure(_NOT_FOUND)
        if not isinstance(amount, int) or not 0 <= amount <= MAX_COD or shipment.status == Status.DELIVERED:
            return failure("cod_amount is invalid", code_message="USER_ERR_COMMON")
        simulation.carrier.push(shipment, Push(shipment.status, cod=amount, kind=COD_UPDATE))
        return success(None)

    return await respond(request, simulation, work, operation="updateCOD")


@router.post(f"{BASE}/v2/switch-status/{{wanted}}")
async def switch_status(request: Request, simulation: Sim, wanted: str) -> Response:
    """`cancel`, `return` (send back now) and `storing` (deliver again); each order of the list has a result of its own."""
    switches = {"cancel": _cancel, "return": _return, "storing": _store}
    if wanted not in switches:
        return Response(status_code=404)

    def work(simulation: Simulation, body: Body) -> Answer:
        codes = body.get("order_codes")
        if not isinstance(codes, list) or not codes:
            return failure("order_codes is required", code_message="USER_ERR_COMMON")
        results = []
        for code in codes:
            shipment = simulation.carrier.find_by_waybill(str(code))
            refusal = "Đơn hàng không tồn tại" if shipment is None else switches[wanted](simulation, shipment)
            results.append({"order_code": code, "result": not refusal, "message": refusal or "OK"})
        return success(results)

    return await respond(request, simulation, work, operation=wanted, needs_shop=True)


def _cancel(simulation: Simulation, shipment: Shipment) -> str:
    try:
        simulation.carrier.cancel(shipment)
    except NotCancellable:
        return f"Không thể hủy đơn hàng ở trạng thái {shipment.status}"
    return ""


def _return(simulation: Simulation, shipment: Shipment) -> str:
    if shipment.status not in (Status.STORING, Status.DELIVERY_FAIL, Status.WAITING_TO_RETURN):
        return f"Không thể trả hàng ở trạng thái {shipment.status}"
    simulation.carrier.push(shipment, Push(Status.RETURN))
    return ""


def _store(simulation: Simulation, shipment: Shipment) -> str:
    if shipment.status not in (Status.DELIVERY_FAIL, Status.WAITING_TO_RETURN, Status.RETURN):
        return f"Không thể giao lại đơn hàng ở trạng thái {shipment.status}"
    simulation.carrier.push(shipment, Push(Status.STORING))
    return ""
