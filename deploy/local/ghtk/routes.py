"""GHTK's HTTP API, as its documentation describes it (https://api.ghtk.vn/en/docs/submit-order/).

Every failure, a wrong token too, is HTTP 200 with `success: false`: the flag in the body is what counts.
"""

import secrets
from collections.abc import Callable
from json import JSONDecodeError
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from deploy.local.carriers.answers import Answer, CreationRefused, answer
from deploy.local.carriers.answers import create as create_parcel
from deploy.local.carriers.carrier import NotCancellable, ReferenceTaken
from deploy.local.carriers.dependency import Sim
from deploy.local.carriers.model import VIETNAM, Shipment
from deploy.local.carriers.simulation import Simulation
from deploy.local.ghtk.creation import InvalidCreation, partner_id_of, read_creation
from deploy.local.ghtk.label import label_pdf
from deploy.local.ghtk.life import Status
from deploy.local.ghtk.model import PICK_UP_ADDRESSES, own
from deploy.local.ghtk.tariff import insurance_fee, shipping_fee
from deploy.local.ghtk.views import created_order, existing_order, fee_view, pick_up_view, tracked_order

router = APIRouter(prefix="/services")

_NOT_FOUND = "Không tìm thấy đơn hàng"
# The two texts of the cancel page, the first with its misprint.
_ALREADY_CANCELLED = "Đơn hàng đã đã ở trạng thái hủy"
_ALREADY_PICKED_UP = "Đơn đã lấy hàng, không thể hủy đơn."


_PARTNER_PREFIX = "partner_id:"


def _success(simulation: Simulation, *, has_created: bool = False, **content: Any) -> Answer:
    return _said(simulation, {"success": True, "message": "", **content}, has_created=has_created)


def _failure(simulation: Simulation, message: str, **content: Any) -> Answer:
    """GHTK says that something failed in the body; the HTTP status stays 200."""
    return _said(simulation, {"success": False, "message": message, **content})


def _said(simulation: Simulation, content: dict[str, Any], *, has_created: bool = False) -> Answer:
    log_id = f"log-{next(simulation.carrier.numbers):08d}"
    return Answer(JSONResponse({**content, "log_id": log_id}), has_created=has_created)


def _find(simulation: Simulation, reference: str) -> Shipment | None:
    """By label, by `partner_id:` and the partner's code, or by that code alone."""
    if reference.startswith(_PARTNER_PREFIX):
        return simulation.carrier.find_by_reference(reference.removeprefix(_PARTNER_PREFIX))
    return simulation.carrier.find(reference)


def _refusal_of_caller(request: Request, simulation: Simulation) -> Answer | None:
    settings = own(simulation.settings)
    for header, expected in (("Token", settings.token), ("X-Client-Source", settings.client_source)):
        given = request.headers.get(header, "")
        if not secrets.compare_digest(given.encode(), expected.encode()):
            simulation.stats.unauthorised += 1
            return _failure(simulation, f"{header} không hợp lệ" if given else f"Thiếu {header}")
    return None


async def _answer_known_caller(
    request: Request, simulation: Simulation, *, operation: str, key: str, work: Callable[[], Answer]
) -> Response:
    refusal = _refusal_of_caller(request, simulation)
    return await answer(simulation, operation=operation, key=key, work=lambda: refusal or work())


@router.post("/shipment/order/")
@router.post("/shipment/order", include_in_schema=False)
async def create(request: Request, simulation: Sim) -> Response:
    body = await _json(request)
    return await _answer_known_caller(
        request,
        simulation,
        operation="create",
        key=partner_id_of(body),
        work=lambda: _create(simulation, body),
    )


@router.get("/shipment/fee")
async def fee(
    request: Request,
    simulation: Sim,
    pick_province: str = "",
    province: str = "",
    weight: str = "",
    value: str = "0",
    transport: str = "road",
) -> Response:
    """`weight` is in grams here, unlike in a creation."""

    def work() -> Answer:
        if not pick_province or not province:
            return _failure(simulation, "Thiếu thông tin bắt buộc: pick_province, province")
        if not weight.isdecimal() or not int(weight) or not value.isdecimal():
            return _failure(simulation, "Giá trị phải là số nguyên: weight, value")
        shipping = shipping_fee(
            pick_province=pick_province, province=province, weight_gram=int(weight), transport=transport
        )
        return _success(simulation, fee=fee_view(shipping=shipping, insurance=insurance_fee(value=int(value))))

    return await _answer_known_caller(request, simulation, operation="fee", key=province, work=work)


@router.get("/shipment/list_pick_add")
async def pick_up_addresses(request: Request, simulation: Sim) -> Response:
    def work() -> Answer:
        return _success(simulation, data=[pick_up_view(address) for address in PICK_UP_ADDRESSES])

    return await _answer_known_caller(request, simulation, operation="list_pick_add", key="", work=work)


@router.get("/shipment/v2/{reference:path}")
async def track(request: Request, simulation: Sim, reference: str) -> Response:
    def work() -> Answer:
        shipment = _find(simulation, reference)
        return _success(simulation, order=tracked_order(shipment)) if shipment else _failure(simulation, _NOT_FOUND)

    return await _answer_known_caller(request, simulation, operation="track", key=reference, work=work)


@router.post("/shipment/cancel/{reference:path}")
async def cancel(request: Request, simulation: Sim, reference: str) -> Response:
    def work() -> Answer:
        shipment = _find(simulation, reference)
        if shipment is None:
            return _failure(simulation, _NOT_FOUND)
        try:
            simulation.carrier.cancel(shipment)
        except NotCancellable:
            is_cancelled = shipment.status == Status.CANCELLED
            return _failure(simulation, _ALREADY_CANCELLED if is_cancelled else _ALREADY_PICKED_UP)
        return _success(simulation)

    return await _answer_known_caller(request, simulation, operation="cancel", key=reference, work=work)


@router.get("/label/{reference:path}")
async def label(
    request: Request,
    simulation: Sim,
    reference: str,
    original: str = "portrait",
    paper_size: str | None = None,
    page_size: str = "A6",
) -> Response:
    """The documentation names the size `paper_size`, a client in use sends `page_size`."""

    def work() -> Answer:
        shipment = _find(simulation, reference)
        if shipment is None or shipment.status == Status.CANCELLED:
            return _failure(simulation, _NOT_FOUND, error_code="40102")
        pdf = label_pdf(shipment, paper_size=paper_size or page_size, original=original)
        return Answer(Response(pdf, media_type="application/pdf"))

    return await _answer_known_caller(request, simulation, operation="label", key=reference, work=work)


def _create(simulation: Simulation, body: object) -> Answer:
    try:
        creation = read_creation(body, today=simulation.now().astimezone(VIETNAM).date())
    except InvalidCreation as error:
        simulation.stats.invalid += 1
        return _failure(simulation, str(error))
    try:
        shipment = create_parcel(simulation, creation)
    except CreationRefused as refused:
        return _failure(simulation, str(refused))
    except ReferenceTaken as taken:
        return _failure(simulation, "Mã đơn hàng đã tồn tại", error=existing_order(taken.shipment))
    return _success(simulation, has_created=True, order=created_order(shipment))


async def _json(request: Request) -> object:
    try:
        body: object = await request.json()
    except (JSONDecodeError, UnicodeDecodeError):
        return None
    return body
