"""Reads a creation request as ViettelPost documents it and refuses what ViettelPost would refuse.

Numbers may arrive as text. Several mistakes are told as a list, a single one as a text.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from deploy.local.carriers.model import Product
from deploy.local.viettelpost import units
from deploy.local.viettelpost.model import VtpCreation

Fields = Mapping[str, Any]

_PHONE = re.compile(r"\+?[0-9]{8,15}")
_MAX_NOTE = 150  # bytes
_PAYMENTS = (1, 2, 3, 4)
_PARTS_OF_AN_ADDRESS = 3  # detail, ward, province: less cannot be read out of a text


class InvalidRequest(Exception):
    """A request that ViettelPost would refuse; the texts become its `message`."""

    def __init__(self, *mistakes: str) -> None:
        super().__init__("; ".join(mistakes))
        self.mistakes = mistakes


def read_creation(body: object, *, in_words: bool) -> VtpCreation:
    """The request as the carrier understands it.

    Parameters: `in_words` is createOrderNlp, whose addresses are text.

    Raises InvalidRequest, naming the fields.
    """
    order = _object(body)
    mistakes = [f"Thiếu thông tin bắt buộc: {name}" for name in _REQUIRED if not _text(order, name)]
    mistakes += [
        f"Số điện thoại không hợp lệ: {name}"
        for name in ("SENDER_PHONE", "RECEIVER_PHONE")
        if _text(order, name) and not _PHONE.fullmatch(_text(order, name))
    ]
    if len(_text(order, "ORDER_NOTE").encode()) > _MAX_NOTE:
        mistakes.append(f"ORDER_NOTE không được quá {_MAX_NOTE} byte")
    if mistakes:
        raise InvalidRequest(*mistakes)
    weight, cod = _integer(order, "PRODUCT_WEIGHT"), _integer(order, "MONEY_COLLECTION")
    payment = _integer(order, "ORDER_PAYMENT")
    if weight <= 0:
        raise InvalidRequest("PRODUCT_WEIGHT phải lớn hơn 0 (gram)")
    if payment not in _PAYMENTS:
        raise InvalidRequest("ORDER_PAYMENT không hợp lệ")
    sender, _ = address_of(order, "SENDER", in_words=in_words)
    receiver, province = address_of(order, "RECEIVER", in_words=in_words)
    reference = _text(order, "ORDER_NUMBER")
    return VtpCreation(
        reference=reference,
        order_reference=reference,
        products=_products(order),
        weight_gram=weight,
        cod=cod if payment in (2, 3) else 0,
        value=_integer(order, "PRODUCT_PRICE"),
        note=_text(order, "ORDER_NOTE"),
        name=_text(order, "RECEIVER_FULLNAME"),
        tel=_text(order, "RECEIVER_PHONE"),
        address=receiver,
        province=province,
        order_payment=payment,
        order_service=_text(order, "ORDER_SERVICE"),
        sender_address=sender,
    )


_REQUIRED = (
    "SENDER_FULLNAME",
    "SENDER_PHONE",
    "SENDER_ADDRESS",
    "RECEIVER_FULLNAME",
    "RECEIVER_PHONE",
    "RECEIVER_ADDRESS",
    "PRODUCT_NAME",
    "ORDER_SERVICE",
)


def reference_of(body: object) -> str:
    """The shop's number of a request that may be wrong in every other way; empty if it has none."""
    return _text(body, "ORDER_NUMBER") if isinstance(body, Mapping) else ""


def wants_unique(body: object) -> bool:
    """Only then a second order under one number is refused."""
    return isinstance(body, Mapping) and body.get("CHECK_UNIQUE") is True


def address_of(order: Fields, end: str, *, in_words: bool) -> tuple[str, str]:
    """The whole address and its province. Raises InvalidRequest."""
    given = _text(order, f"{end}_ADDRESS")
    if in_words:
        parts = [part.strip() for part in given.split(",") if part.strip()]
        if len(parts) < _PARTS_OF_AN_ADDRESS:
            raise InvalidRequest(f"Không nhận diện được địa chỉ: {end}_ADDRESS")
        return given, parts[-1]
    ids = [_integer(order, f"{end}_{level}") for level in ("PROVINCE", "DISTRICT", "WARD")]
    found = units.names(*ids)
    if found is None:
        raise InvalidRequest(f"Mã tỉnh, huyện, xã không hợp lệ: {end}")
    return ", ".join((given, *found)), found[-1]


def weight_of(body: object) -> int:
    """PRODUCT_WEIGHT in grams. Raises InvalidRequest."""
    weight = _integer(_object(body), "PRODUCT_WEIGHT")
    if weight <= 0:
        raise InvalidRequest("PRODUCT_WEIGHT phải lớn hơn 0 (gram)")
    return weight


def _object(body: object) -> Fields:
    if not isinstance(body, Mapping):
        raise InvalidRequest("Dữ liệu không đúng định dạng")
    return body


def _products(order: Fields) -> tuple[Product, ...]:
    raw = order.get("LIST_ITEM") or [order]
    if not isinstance(raw, Sequence) or isinstance(raw, str) or not all(isinstance(each, Mapping) for each in raw):
        raise InvalidRequest("LIST_ITEM không đúng định dạng")
    return tuple(
        Product(
            name=_text(each, "PRODUCT_NAME"),
            weight_gram=_integer(each, "PRODUCT_WEIGHT"),
            quantity=_integer(each, "PRODUCT_QUANTITY", default=1),
            price=_integer(each, "PRODUCT_PRICE"),
            product_code="",
        )
        for each in raw
    )


def _text(fields: Fields, name: str) -> str:
    value = fields.get(name)
    return str(value).strip() if isinstance(value, str | int) else ""


def _integer(fields: Fields, name: str, *, default: int = 0) -> int:
    value = fields.get(name)
    if value is None or value == "":
        return default
    try:
        number = int(str(value))
    except ValueError:
        raise InvalidRequest(f"{name} phải là số nguyên") from None
    if number < 0:
        raise InvalidRequest(f"{name} không được âm")
    return number
