"""The JSON that ViettelPost shows: answers to creations and prices, and what it tells in a callback."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from zlib import crc32

from deploy.local.carriers.model import VIETNAM, Entry, Shipment
from deploy.local.viettelpost.life import BACK_AGAIN, OUT_AGAIN, STATUS_TEXT
from deploy.local.viettelpost.model import Inventory, as_created
from deploy.local.viettelpost.tariff import Service

_HOURS_TO_DELIVER = 72
_NEWER_NAMES = {"LOCALION_CURRENTLY": "LOCATION_CURRENTLY", "MONEY_TOTALFEE": "MONEY_TOTAL_FEE"}


def created_order(shipment: Shipment) -> dict[str, Any]:
    """`data` in the answer to a creation."""
    return {
        "ORDER_NUMBER": shipment.waybill,
        "MONEY_COLLECTION": shipment.cod,
        "EXCHANGE_WEIGHT": shipment.creation.weight_gram,
        "MONEY_TOTAL": shipment.fee + shipment.insurance_fee,
        "MONEY_TOTAL_FEE": shipment.fee,
        "MONEY_FEE": 0,
        "MONEY_COLLECTION_FEE": 0,
        "MONEY_OTHER_FEE": shipment.insurance_fee,
        "MONEY_VAS": 0,
        "MONEY_VAT": 0,
        "KPI_HT": _HOURS_TO_DELIVER,
        "RECEIVER_PROVINCE": 0,
        "RECEIVER_DISTRICT": 0,
        "RECEIVER_WARD": 0,
    }


def price(service: Service, *, fee: int) -> dict[str, Any]:
    """One line of getPriceAll."""
    return {
        "MA_DV_CHINH": service.code,
        "TEN_DICHVU": service.name,
        "GIA_CUOC": fee,
        "THOI_GIAN": service.duration,
        "EXCHANGE_WEIGHT": 0,
        "EXTRA_SERVICE": [],
    }


def inventory(place: Inventory) -> dict[str, Any]:
    """One line of listInventory, whose names are in another case than all others."""
    return {
        "groupaddressId": place.group_address_id,
        "cusId": 1,
        "name": place.name,
        "phone": place.phone,
        "address": place.address,
        "provinceId": place.province_id,
        "districtId": place.district_id,
        "wardsId": place.wards_id,
    }


def told(shipment: Shipment, entry: Entry) -> dict[str, Any]:
    """`DATA` of the callback for one change; times in Vietnam without a zone, weight in grams."""
    creation = as_created(shipment.creation)
    expected = (shipment.created + timedelta(hours=_HOURS_TO_DELIVER)).astimezone(VIETNAM)
    return {
        "ORDER_NUMBER": shipment.waybill,
        "ORDER_REFERENCE": creation.order_reference,
        "ORDER_STATUSDATE": entry.at.astimezone(VIETNAM).strftime("%d/%m/%Y %H:%M:%S"),
        "ORDER_STATUS": entry.status,
        "STATUS_NAME": STATUS_TEXT.get(entry.status, ""),
        "LOCALION_CURRENTLY": "",
        "NOTE": "",
        "MONEY_COLLECTION": shipment.cod,
        "MONEY_FEECOD": 0,
        "MONEY_TOTALFEE": shipment.fee,
        "MONEY_TOTAL": shipment.fee + shipment.insurance_fee,
        "EXPECTED_DELIVERY": "Khoảng 3 ngày làm việc",
        "EXPECTED_DELIVERY_DATE": expected.strftime("%d/%m/%Y %H:%M:%S"),
        "PRODUCT_WEIGHT": creation.weight_gram,
        "ORDER_SERVICE": creation.order_service,
        "ORDER_PAYMENT": creation.order_payment,
        "REASON_CODE": entry.reason_code,
        "IS_RETURNING": _is_returning(shipment, entry),
        "DETAIL": [],
    }


def callback_body(shipment: Shipment, entry: Entry, *, token: str, wobble: bool) -> bytes:
    """What is posted. With `wobble` the spelling depends on the parcel and the change, always alike."""
    data: Mapping[str, Any] = told(shipment, entry)
    secret = {"TOKEN": token} if token else {}
    body: dict[str, Any] = {"DATA": data, **secret}
    if wobble:
        match crc32(f"{shipment.waybill}/{entry.status}/{entry.at.isoformat()}".encode()) % 4:
            case 1:
                body = {name.lower(): value for name, value in body.items()}
                body["data"] = {name.lower(): value for name, value in data.items()}
            case 2:
                body["DATA"] = {
                    _NEWER_NAMES.get(name, name): str(value) if isinstance(value, int) else value
                    for name, value in data.items()
                }
            case 3:
                body = {**data, **secret}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _is_returning(shipment: Shipment, entry: Entry) -> bool:
    """Whether the parcel was on its way back when this happened."""
    back = False
    for past in shipment.history:
        if past.at > entry.at:
            break
        back = (back or past.status in BACK_AGAIN) and past.status not in OUT_AGAIN
    return back
