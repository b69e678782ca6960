"""GHN's lists: provinces, districts and wards of both eras, the account's shops, pick-up shifts; and its label pages."""

from datetime import timedelta
from html import escape
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from deploy.local.carriers.answers import Answer
from deploy.local.carriers.dependency import Sim
from deploy.local.carriers.model import Shipment
from deploy.local.carriers.simulation import Simulation
from deploy.local.ghn.model import as_created, own
from deploy.local.ghn.places import Place, country
from deploy.local.ghn.routes import BASE, Body, failure, respond, success

router = APIRouter()

MAX_PAGE = 200
_ACTIVE = 1
_PAGES = {"printA5": "A5", "print80x80": "80x80", "print52x70": "52x70"}
_TOKEN_LIVES = timedelta(minutes=30)


@router.api_route(f"{BASE}/master-data/province", methods=["GET", "POST"])
async def provinces(request: Request, simulation: Sim) -> Response:
    def work(simulation: Simulation, body: Body) -> Answer:
        return success(
            [
                {"ProvinceID": int(each.code), "ProvinceName": each.name, "NameExtension": each.extension_names}
                for each in country().old.parts.values()
                if _is_told(simulation, each)
            ]
        )

    return await respond(request, simulation, work, operation="province")


@router.api_route(f"{BASE}/master-data/district", methods=["GET", "POST"])
async def districts(request: Request, simulation: Sim) -> Response:
    """Of a province, or all."""

    def work(simulation: Simulation, body: Body) -> Answer:
        wanted = body.get("province_id")
        return success(
            [
                {
                    "DistrictID": number,
                    "ProvinceID": int(each.parent.code),
                    "DistrictName": each.name,
                    "NameExtension": each.extension_names,
                    "SupportType": 3,
                }
                for number, each in country().old_districts.items()
                if each.parent is not None
                and wanted in (None, int(each.parent.code))
                and _is_told(simulation, each.parent)
            ]
        )

    return await respond(request, simulation, work, operation="district")


def _is_told(simulation: Simulation, province: Place) -> bool:
    told = own(simulation.settings).lists_only
    return not told or province.name in told


@router.api_route(f"{BASE}/master-data/ward", methods=["GET", "POST"])
async def wards(request: Request, simulation: Sim) -> Response:
    def work(simulation: Simulation, body: Body) -> Answer:
        district = country().old_districts.get(body.get("district_id", 0))
        if district is None:
            return failure("district_id is invalid", code_message="USER_ERR_COMMON")
        return success(
            [
                {
                    "WardCode": each.code,
                    "DistrictID": int(district.code),
                    "WardName": each.name,
                    "NameExtension": each.extension_names,
                    "SupportType": 3,
                }
                for each in district.parts.values()
            ]
            or None  # a district without wards has no list, not an empty one
        )

    return await respond(request, simulation, work, operation="ward")


@router.api_route(f"{BASE}/v3/master-data/province/all", methods=["GET", "POST"])
async def new_provinces(request: Request, simulation: Sim) -> Response:
    def work(simulation: Simulation, body: Body) -> Answer:
        return success([_new_place(each, "province") for each in _page(list(country().new.parts.values()), body)])

    return await respond(request, simulation, work, operation="new-province")


@router.api_route(f"{BASE}/v3/master-data/ward/all-by-province-id", methods=["GET", "POST"])
async def new_wards(request: Request, simulation: Sim) -> Response:
    """Empty for a province that does not exist."""

    def work(simulation: Simulation, body: Body) -> Answer:
        province = next(
            (each for each in country().new.parts.values() if each.code == str(body.get("province_id"))), None
        )
        found = list(province.parts.values()) if province else []
        return success([_new_place(each, "ward") for each in _page(found, body)])

    return await respond(request, simulation, work, operation="new-ward")


def _new_place(place: Place, kind: str) -> dict[str, Any]:
    return {
        "_id": int(place.code),
        "name": place.name,
        "extension_names": place.extension_names,
        "type": kind,
        "parent_id": int(place.parent.code) if place.parent else 1,
        "status": _ACTIVE,
    }


def _page(places: list[Place], body: Body) -> list[Place]:
    offset, limit = int(body.get("offset", 0)), min(int(body.get("limit", MAX_PAGE)), MAX_PAGE)
    return places[offset : offset + limit]


@router.api_route(f"{BASE}/v2/shop/all", methods=["GET", "POST"])
async def shops(request: Request, simulation: Sim) -> Response:
    def work(simulation: Simulation, body: Body) -> Answer:
        settings = own(simulation.settings)
        shop = {
            "_id": settings.shop_id,
            "name": "Kho Cầu Giấy",
            "phone": "0900000001",
            "address": "12 Trần Thái Tông",
            "ward_code": "",
            "district_id": 0,
            "client_id": settings.client_id,
            "status": _ACTIVE,
        }
        shown = [shop] if int(body.get("offset", 0)) == 0 else []
        return success({"last_offset": len(shown), "shops": shown})

    return await respond(request, simulation, work, operation="shops")


@router.api_route(f"{BASE}/v2/shift/date", methods=["GET", "POST"])
async def shifts(request: Request, simulation: Sim) -> Response:
    def work(simulation: Simulation, body: Body) -> Answer:
        tomorrow = f"{simulation.now() + timedelta(days=1):%d-%m-%Y}"
        return success(
            [
                {"id": 3, "title": f"Ca lấy {tomorrow} (7h00 - 12h00)", "from_time": 111_600, "to_time": 129_600},
                {"id": 4, "title": f"Ca lấy {tomorrow} (12h00 - 18h00)", "from_time": 129_600, "to_time": 151_200},
            ]
        )

    return await respond(request, simulation, work, operation="shift")


@router.post(f"{BASE}/v2/a5/gen-token")
async def print_token(request: Request, simulation: Sim) -> Response:
    """A token for label pages: no secret of ours, it names the orders and when it ends."""

    def work(simulation: Simulation, body: Body) -> Answer:
        codes = body.get("order_codes")
        if not isinstance(codes, list) or not codes:
            return failure("order_codes is required", code_message="USER_ERR_COMMON")
        if any(simulation.carrier.find_by_waybill(str(code)) is None for code in codes):
            return failure("Lỗi gọi API: corev2_tenant_order_detail - code=404, message=Đơn hàng không tồn tại")
        ends = int((simulation.now() + _TOKEN_LIVES).timestamp())
        return success({"token": f"{ends}.{'.'.join(str(code) for code in codes)}"})

    return await respond(request, simulation, work, operation="gen-token")


@router.get("/a5/public-api/{page}")
async def label_page(simulation: Sim, page: str, token: str = "") -> Response:
    """An HTML page to print, one sheet for each order; not a PDF."""
    ends, *codes = token.split(".")
    shipments = [simulation.carrier.find_by_waybill(code) for code in codes]
    is_alive = ends.isdecimal() and int(ends) > simulation.now().timestamp()
    if page not in _PAGES or not is_alive or not shipments or None in shipments:
        return HTMLResponse("<html><body>Token không hợp lệ hoặc đã hết hạn</body></html>", status_code=400)
    sheets = "".join(_sheet(shipment) for shipment in shipments if shipment is not None)
    return HTMLResponse(f"<html><head><title>{_PAGES[page]}</title></head><body>{sheets}</body></html>")


def _sheet(shipment: Shipment) -> str:
    creation = as_created(shipment.creation)
    lines = (
        shipment.waybill,
        creation.name,
        creation.tel,
        creation.address,
        creation.content,
        f"COD {shipment.cod}",
        creation.required_note,
    )
    return "<section>" + "".join(f"<p>{escape(line)}</p>" for line in lines) + "</section>"
