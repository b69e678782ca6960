"""Reads a creation request as GHTK documents it and refuses what GHTK would refuse.

Source: https://api.ghtk.vn/en/docs/submit-order/submit-order-express. Where the documentation's editions disagree (is
`district` required, or `street`/`hamlet` instead), both forms are accepted. Numbers may arrive as text, as in the
documentation's own sample.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Literal

from deploy.local.carriers.model import Product
from deploy.local.ghtk.model import PICK_UP_ADDRESSES, GhtkCreation

Fields = Mapping[str, Any]

KNOWN_TAGS = frozenset({1, 2, 7, 10, 11, 13, 17, 18, 19, 20, 22, 39, 40, 42, 52, 75})
_TAG_FEE_ON_FAILED_DELIVERY = 19
_MAX_NOT_DELIVERED_FEE = 20_000_000  # đồng
_MAX_NOTE = 120  # characters
_PHONE = re.compile(r"\+?[0-9](?:[0-9 .\-]{6,13})[0-9]")
_GRAM_PER_KILOGRAM = 1000


class InvalidCreation(Exception):
    """A creation request that GHTK would refuse; the text is the `message` of the answer, in Vietnamese."""


def read_creation(body: object, *, today: date) -> GhtkCreation:
    """The request as the carrier understands it, weight in grams.

    Raises InvalidCreation, naming the field.
    """
    if not isinstance(body, Mapping) or not isinstance(body.get("order"), Mapping):
        raise InvalidCreation("Thiếu thông tin đơn hàng (order)")
    order: Fields = body["order"]
    kilograms = _choice(order, "weight_option", ("kilogram", "gram"), default="kilogram") == "kilogram"
    products = _products(body.get("products"), kilograms=kilograms)
    deliver_option = _choice(order, "deliver_option", ("none", "xteam"), default="none")
    if deliver_option == "xteam" and order.get("pick_option") != "cod":
        raise InvalidCreation("Đơn xfast yêu cầu pick_option là cod")
    _choice(order, "pick_option", ("cod", "post"), default="cod")
    _require_phone(order, "pick_tel")
    _require_phone(order, "tel")
    _text(order, "pick_name")
    _require_finer_address(order)
    return GhtkCreation(
        reference=_text(order, "id"),
        products=products,
        weight_gram=_total_weight(order, products, kilograms=kilograms),
        cod=_integer(order, "pick_money"),
        value=_integer(order, "value", default=0),
        is_freeship=_integer(order, "is_freeship", default=0) == 1,
        transport=_transport(order),
        tags=_tags(order),
        note=_note(order),
        pick_province=_pick_province(order),
        name=_text(order, "name"),
        tel=_text(order, "tel"),
        address=_receiver_address(order),
        province=_text(order, "province"),
        pick_date=_date(order, "pick_date", default=today),
        pick_work_shift=_integer(order, "pick_work_shift", default=1),
        deliver_work_shift=_integer(order, "deliver_work_shift", default=1),
        is_xfast=deliver_option == "xteam",
    )


def partner_id_of(body: object) -> str:
    """The reference of a request that may be wrong in every other way; empty if it has none."""
    order = body.get("order") if isinstance(body, Mapping) else None
    return str(order.get("id", "")) if isinstance(order, Mapping) else ""


def _products(raw: object, *, kilograms: bool) -> tuple[Product, ...]:
    if not isinstance(raw, Sequence) or isinstance(raw, str) or not raw:
        raise InvalidCreation("Thiếu danh sách sản phẩm (products)")
    return tuple(_product(each, kilograms=kilograms) for each in raw)


def _product(raw: object, *, kilograms: bool) -> Product:
    if not isinstance(raw, Mapping):
        raise InvalidCreation("Sản phẩm không đúng định dạng (products)")
    quantity = _integer(raw, "quantity", default=1)
    if quantity < 1:
        raise InvalidCreation("Số lượng phải lớn hơn 0 (products.quantity)")
    return Product(
        name=_text(raw, "name"),
        weight_gram=_grams(_positive_number(raw, "weight"), kilograms=kilograms),
        quantity=quantity,
        price=_integer(raw, "price", default=0),
        product_code=str(raw.get("product_code", "")),
    )


def _total_weight(order: Fields, products: Sequence[Product], *, kilograms: bool) -> int:
    if order.get("total_weight") is not None:
        return _grams(_positive_number(order, "total_weight"), kilograms=kilograms)
    return sum(product.weight_gram * product.quantity for product in products)


def _grams(weight: float, *, kilograms: bool) -> int:
    return round(weight * _GRAM_PER_KILOGRAM) if kilograms else round(weight)


def _text(fields: Fields, name: str) -> str:
    value = fields.get(name)
    text = str(value).strip() if isinstance(value, str | int) else ""
    if not text:
        raise InvalidCreation(f"Thiếu thông tin bắt buộc: {name}")
    return text


def _integer(fields: Fields, name: str, *, default: int | None = None) -> int:
    value = fields.get(name)
    if value is None and default is not None:
        return default
    try:
        number = int(str(value))
    except ValueError:
        raise InvalidCreation(f"Giá trị phải là số nguyên: {name}") from None
    if number < 0:
        raise InvalidCreation(f"Giá trị không được âm: {name}")
    return number


def _positive_number(fields: Fields, name: str) -> float:
    try:
        number = float(str(fields.get(name)))
    except ValueError:
        raise InvalidCreation(f"Giá trị phải là số: {name}") from None
    if not 0 < number < float("inf"):
        raise InvalidCreation(f"Giá trị phải lớn hơn 0: {name}")
    return number


def _choice(fields: Fields, name: str, allowed: tuple[str, ...], *, default: str) -> str:
    value = fields.get(name) or default
    if value not in allowed:
        raise InvalidCreation(f"Giá trị không hợp lệ: {name}")
    return str(value)


def _transport(order: Fields) -> Literal["road", "fly"]:
    """GHTK falls back to its default when the value is unknown."""
    return "fly" if order.get("transport") == "fly" else "road"


def _require_phone(order: Fields, name: str) -> None:
    if not _PHONE.fullmatch(_text(order, name)):
        raise InvalidCreation(f"Số điện thoại không hợp lệ: {name}")


def _pick_province(order: Fields) -> str:
    """A known warehouse wins over the address fields."""
    for address in PICK_UP_ADDRESSES:
        if str(order.get("pick_address_id", "")) == address.pick_address_id:
            return address.province
    _text(order, "pick_address")
    return _text(order, "pick_province")


def _require_finer_address(order: Fields) -> None:
    _text(order, "ward")
    if not any(order.get(name) for name in ("district", "street", "hamlet")):
        raise InvalidCreation("Thiếu thông tin bắt buộc: street hoặc hamlet")


def _receiver_address(order: Fields) -> str:
    parts = [
        _text(order, "address"),
        *(str(order.get(name) or "").strip() for name in ("ward", "district", "province")),
    ]
    return ", ".join(part for part in parts if part)


def _tags(order: Fields) -> tuple[int, ...]:
    raw = order.get("tags") or []
    if not isinstance(raw, Sequence) or isinstance(raw, str):
        raise InvalidCreation("Giá trị phải là danh sách: tags")
    tags = tuple(_integer({"tags": each}, "tags") for each in raw)
    if not KNOWN_TAGS.issuperset(tags):
        raise InvalidCreation("Nhãn không tồn tại: tags")
    if _TAG_FEE_ON_FAILED_DELIVERY in tags and not 0 < _integer(order, "not_delivered_fee") <= _MAX_NOT_DELIVERED_FEE:
        raise InvalidCreation("Giá trị không hợp lệ: not_delivered_fee")
    return tags


def _note(order: Fields) -> str:
    note = str(order.get("note") or "")
    if len(note) > _MAX_NOTE:
        raise InvalidCreation(f"Ghi chú không được quá {_MAX_NOTE} ký tự: note")
    return note


def _date(order: Fields, name: str, *, default: date) -> str:
    value = order.get(name)
    if value is None:
        return default.isoformat()
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError:
        raise InvalidCreation(f"Ngày không hợp lệ: {name}") from None
