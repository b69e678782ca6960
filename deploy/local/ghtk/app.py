"""GHTK's HTTP API, as its documentation describes it (https://api.ghtk.vn/en/docs/submit-order/).

Every failure, a wrong token too, is HTTP 200 with `success: false`: the flag in the body is what counts.
"""

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from json import JSONDecodeError
from typing import Any

import httpx
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import Response

from deploy.local.ghtk.answers import Answer, answer, failure, success
from deploy.local.ghtk.carrier import NotCancellable, ReferenceTaken
from deploy.local.ghtk.clock import wall_clock
from deploy.local.ghtk.control import router as control_router
from deploy.local.ghtk.creation import InvalidCreation, partner_id_of, read_creation
from deploy.local.ghtk.dependency import Sim
from deploy.local.ghtk.faults import Faults
from deploy.local.ghtk.label import label_pdf
from deploy.local.ghtk.life import Status
from deploy.local.ghtk.model import PICK_UP_ADDRESSES, VIETNAM, SimulatorSettings
from deploy.local.ghtk.simulation import Simulation
from deploy.local.ghtk.tariff import insurance_fee, shipping_fee
from deploy.local.ghtk.views import created_order, existing_order, fee_view, pick_up_view, tracked_order

router = APIRouter(prefix="/services")

_NOT_FOUND = "Không tìm thấy đơn hàng"
# The two texts of the cancel page, the first with its misprint.
_ALREADY_CANCELLED = "Đơn hàng đã đã ở trạng thái hủy"
_ALREADY_PICKED_UP = "Đơn đã lấy hàng, không thể hủy đơn."


def create_app(
    *,
    settings: SimulatorSettings | None = None,
    faults: Faults | None = None,
    wall: Callable[[], datetime] = wall_clock,
    callback_transport: httpx.AsyncBaseTransport | None = None,
) -> FastAPI:
    """The simulator as an ASGI application; `app.state.simulation` is its inside.

    Under `httpx.ASGITransport` enter `app.router.lifespan_context(app)` yourself; callbacks need it.

    Parameters: `wall` is the real time that simulated time starts from; `callback_transport` carries the callbacks
    instead of the network.
    """
    simulation = Simulation(settings=settings, faults=faults, wall=wall, callback_transport=callback_transport)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with simulation.running():
            yield

    app = FastAPI(title="GHTK simulator", lifespan=lifespan)
    app.state.simulation = simulation
    app.include_router(router)
    app.include_router(control_router)
    return app


def _refusal_of_caller(request: Request, simulation: Simulation) -> Answer | None:
    settings = simulation.settings
    for header, expected in (("Token", settings.token), ("X-Client-Source", settings.client_source)):
        given = request.headers.get(header, "")
        if not secrets.compare_digest(given.encode(), expected.encode()):
            simulation.stats.unauthorised += 1
            return failure(f"{header} không hợp lệ" if given else f"Thiếu {header}")
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
            return failure("Thiếu thông tin bắt buộc: pick_province, province")
        if not weight.isdecimal() or not int(weight) or not value.isdecimal():
            return failure("Giá trị phải là số nguyên: weight, value")
        shipping = shipping_fee(
            pick_province=pick_province, province=province, weight_gram=int(weight), transport=transport
        )
        return success(fee=fee_view(shipping=shipping, insurance=insurance_fee(value=int(value))))

    return await _answer_known_caller(request, simulation, operation="fee", key=province, work=work)


@router.get("/shipment/list_pick_add")
async def pick_up_addresses(request: Request, simulation: Sim) -> Response:
    def work() -> Answer:
        return success(data=[pick_up_view(address) for address in PICK_UP_ADDRESSES])

    return await _answer_known_caller(request, simulation, operation="list_pick_add", key="", work=work)


@router.get("/shipment/v2/{reference:path}")
async def track(request: Request, simulation: Sim, reference: str) -> Response:
    def work() -> Answer:
        shipment = simulation.carrier.find(reference)
        return success(order=tracked_order(shipment)) if shipment else failure(_NOT_FOUND)

    return await _answer_known_caller(request, simulation, operation="track", key=reference, work=work)


@router.post("/shipment/cancel/{reference:path}")
async def cancel(request: Request, simulation: Sim, reference: str) -> Response:
    def work() -> Answer:
        shipment = simulation.carrier.find(reference)
        if shipment is None:
            return failure(_NOT_FOUND)
        try:
            simulation.carrier.cancel(shipment)
        except NotCancellable:
            is_cancelled = shipment.status == Status.CANCELLED
            return failure(_ALREADY_CANCELLED if is_cancelled else _ALREADY_PICKED_UP)
        simulation.stats.cancelled += 1
        return success()

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
        shipment = simulation.carrier.find(reference)
        if shipment is None or shipment.status == Status.CANCELLED:
            return failure(_NOT_FOUND, error_code="40102")
        return Answer(pdf=label_pdf(shipment, paper_size=paper_size or page_size, original=original))

    return await _answer_known_caller(request, simulation, operation="label", key=reference, work=work)


def _create(simulation: Simulation, body: object) -> Answer:
    stats = simulation.stats
    try:
        creation = read_creation(body, today=simulation.now().astimezone(VIETNAM).date())
    except InvalidCreation as error:
        stats.invalid += 1
        return failure(str(error))
    carrier, faults, dice = simulation.carrier, simulation.faults, simulation.dice
    is_new = carrier.find(f"partner_id:{creation.partner_id}") is None
    if is_new and dice.hits("cancelled_twin", rate=faults.cancelled_twin, key=creation.partner_id):
        stats.cancelled_twins += 1
        carrier.create_cancelled_twin(creation)
    elif is_new and dice.hits("refuse_creation", rate=faults.refuse_creation, key=creation.partner_id):
        stats.refused += 1
        return failure(faults.refusal_message)
    try:
        shipment = carrier.create(creation)
    except ReferenceTaken as taken:
        stats.duplicates_answered += 1
        return failure("Mã đơn hàng đã tồn tại", error=existing_order(taken.shipment))
    stats.created += 1
    content: dict[str, Any] = {"success": True, "message": "", "order": created_order(shipment)}
    return Answer(content, has_created=True)


async def _json(request: Request) -> object:
    try:
        body: object = await request.json()
    except (JSONDecodeError, UnicodeDecodeError):
        return None
    return body
