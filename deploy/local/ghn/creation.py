"""Reads a creation request as GHN documents it and refuses what GHN would refuse.

Source: https://api.ghn.vn/home/docs/detail?id=123 and developer.ghn.vn (2026) for the addresses since 2025-07-01, which
are names only. Numbers have to be numbers: GHN's server is strict about types.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from deploy.local.carriers.model import Product
from deploy.local.ghn.model import GhnCreation
from deploy.local.ghn.places import Place, country

Fields = Mapping[str, Any]

REQUIRED_NOTES = ("CHOTHUHANG", "CHOXEMHANGKHONGTHU", "KHONGCHOXEMHANG")
LIGHT, HEAVY = 2, 5
MAX_COD = 50_000_000  # đồng
MAX_INSURANCE = 5_000_000  # đồng; 10,000,000 in older text
MAX_WEIGHT = 50_000  # grams
MAX_SIDE = 200  # centimetres
MAX_REFERENCE = 50  # characters
_HEAVY_FROM = 20_000  # grams
_PHONE = re.compile(r"0[0-9]{9,10}")


class InvalidRequest(Exception):
    """A request that GHN would refuse with HTTP 400.

    Parameters:
        message: in GHN's mixture of languages.
        code_message: GHN's stable word for it.
        shown: the sentence for people (`code_message_value`).
    """

    def __init__(self, message: str, code_message: str = "USER_ERR_COMMON", shown: str = "") -> None:
        super().__init__(message)
        self.code_message = code_message
        self.shown = shown or "Sai thông tin đầu vào. Vui lòng thử lại."


def read_creation(body: Fields) -> GhnCreation:
    """The order that a request asks for. Raises InvalidRequest, naming the field."""
    service = _integer(body, "service_type_id", default=LIGHT)
    if service not in (LIGHT, HEAVY):
        raise InvalidRequest("Sai thông tin service_type_id")
    items = _items(body.get("items"), measured=service == HEAVY)
    weight = _bounded(body, "weight", most=MAX_WEIGHT)
    if weight == 0 or (service == LIGHT and weight >= _HEAVY_FROM):
        raise InvalidRequest("Cân nặng không hợp lệ")
    ward, is_new = _destination(body)
    payer = _integer(body, "payment_type_id")
    if payer not in (1, 2):
        raise InvalidRequest("Sai thông tin payment_type_id")
    if body.get("required_note") not in REQUIRED_NOTES:
        raise InvalidRequest("Sai thông tin Required Note")
    reference = _text(body, "client_order_code", required=False)
    if len(reference) > MAX_REFERENCE:
        raise InvalidRequest(f"client_order_code tối đa {MAX_REFERENCE} ký tự")
    district = None if is_new else ward.parent
    province = ward.parent if is_new else district.parent if district else None
    return GhnCreation(
        reference=reference,
        products=items,
        weight_gram=weight,
        cod=_bounded(body, "cod_amount", most=MAX_COD),
        value=_integer(body, "order_value", default=0) or _integer(body, "insurance_value", default=0),
        note=_text(body, "note", required=False),
        name=_text(body, "to_name"),
        tel=_phone(body, "to_phone"),
        address=", ".join(
            part for part in (_text(body, "to_address"), ward.name, district.name if district else "") if part
        ),
        province=province.name if province else "",
        length=_bounded(body, "length", most=MAX_SIDE),
        width=_bounded(body, "width", most=MAX_SIDE),
        height=_bounded(body, "height", most=MAX_SIDE),
        insurance_value=_bounded(body, "insurance_value", most=MAX_INSURANCE),
        service_type_id=service,
        payment_type_id=payer,
        required_note=str(body["required_note"]),
        content=_text(body, "content", required=False),
        cod_failed_amount=_integer(body, "cod_failed_amount", default=0),
        is_new_to_address=is_new,
        to_district_id=int(district.code) if district else 0,
        to_ward_code="" if is_new else ward.code,
        from_name=_text(body, "from_name", required=False),
        from_phone=_text(body, "from_phone", required=False),
        from_address=_text(body, "from_address", required=False),
    )


def read_update(before: GhnCreation, body: Fields) -> GhnCreation:
    """The order as an update wants it; what is not named stays. Raises InvalidRequest, naming the field."""
    names = {"to_name": "name", "note": "note", "weight": "weight_gram"}
    changed: dict[str, Any] = {ours: body[theirs] for theirs, ours in names.items() if body.get(theirs) is not None}
    if body.get("to_phone") is not None:
        changed["tel"] = _phone(body, "to_phone")
    if body.get("to_address") is not None:
        changed["address"] = _text(body, "to_address")
    if any(body.get(name) for name in ("to_ward_name", "to_ward_code")):
        ward, is_new = _destination(body)
        district = None if is_new else ward.parent
        province = ward.parent if is_new else district.parent if district else None
        parts = (changed.get("address", ""), ward.name, district.name if district else "")
        changed |= {
            "address": ", ".join(part for part in parts if part),
            "province": province.name if province else "",
            "is_new_to_address": is_new,
            "to_district_id": int(district.code) if district else 0,
            "to_ward_code": "" if is_new else ward.code,
        }
    return replace(before, **changed)


def reference_of(body: Fields) -> str:
    """What the call is about; empty if it names nothing."""
    codes = body.get("order_codes")
    named = codes[0] if isinstance(codes, Sequence) and codes and not isinstance(codes, str) else ""
    return str(body.get("client_order_code") or body.get("order_code") or named or "")


def _destination(body: Fields) -> tuple[Place, bool]:
    units = country()
    if body.get("is_new_to_address") is True:
        province, ward = _text(body, "to_province_name"), _text(body, "to_ward_name")
        if units.new.part(province) is None:
            raise InvalidRequest("province name is invalid", "PROVINCE_NAME_NOT_VALID", "Không tìm thấy tỉnh thành.")
        found = units.new_ward_by_name(province=province, ward=ward)
    elif body.get("to_ward_code") or body.get("to_district_id"):
        found = units.old_ward(
            district_id=_integer(body, "to_district_id"), ward_code=str(body.get("to_ward_code") or "")
        )
        if found is None:
            raise InvalidRequest("to_ward_code is invalid", "WARD_IS_INVALID", "Phường xã không hợp lệ.")
    else:
        found = units.old_ward_by_name(
            province=_text(body, "to_province_name"),
            district=_text(body, "to_district_name"),
            ward=_text(body, "to_ward_name"),
        )
    if found is None:
        raise InvalidRequest(
            "Fail when get place name of to ward code: Lỗi gọi API: tenant_masterdata_get_ward_byname - <nil>",
            "WARD_NAME_NOT_VALID",
            "Không tìm thấy thông tin phường xã. Vui lòng thử lại sau.",
        )
    return found, body.get("is_new_to_address") is True


def _items(raw: object, *, measured: bool) -> tuple[Product, ...]:
    if raw is None and not measured:
        return ()
    if not isinstance(raw, Sequence) or isinstance(raw, str) or (measured and not raw):
        raise InvalidRequest("Cân nặng không hợp lệ" if measured else "Sai thông tin items")
    return tuple(_item(each, measured=measured) for each in raw)


def _item(raw: object, *, measured: bool) -> Product:
    if not isinstance(raw, Mapping):
        raise InvalidRequest("Sai thông tin items")
    if measured:  # each piece of a heavy parcel is weighed and measured
        for name in ("weight", "length", "width", "height"):
            if _integer(raw, name, default=0) <= 0:
                raise InvalidRequest(f"Sai thông tin items.{name}")
    return Product(
        name=_text(raw, "name"),
        weight_gram=_integer(raw, "weight", default=0),
        quantity=_integer(raw, "quantity"),
        price=_integer(raw, "price", default=0),
        product_code=_text(raw, "code", required=False),
    )


def _text(fields: Fields, name: str, *, required: bool = True) -> str:
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidRequest(f"Unmarshal type error: expected=string, got={type(value).__name__}, field={name}")
    text = (value or "").strip()
    if required and not text:
        raise InvalidRequest(f"{name} is required")
    return text


def _integer(fields: Fields, name: str, *, default: int | None = None) -> int:
    value = fields.get(name)
    if value is None and default is not None:
        return default
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidRequest(f"Unmarshal type error: expected=int, got={type(value).__name__}, field={name}")
    if value < 0:
        raise InvalidRequest(f"{name} is invalid")
    return value


def _bounded(fields: Fields, name: str, *, most: int) -> int:
    value = _integer(fields, name, default=0)
    if value > most:
        raise InvalidRequest(f"{name} vượt quá {most}")
    return value


def _phone(fields: Fields, name: str) -> str:
    phone = _text(fields, name)
    if not _PHONE.fullmatch(phone):
        raise InvalidRequest(f"{name} is invalid", "PHONE_INVALID", "Số điện thoại không hợp lệ.")
    return phone
