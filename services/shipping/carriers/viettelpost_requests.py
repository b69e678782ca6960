"""What ViettelPost is asked: creations and price requests, in its words and units (gram, đồng, centimetres)."""

from __future__ import annotations

from typing import Any, Final

from services.shipping.carriers.parcel import Address, CarrierUnits, Parcel, PickUp
from shared.phone.masking import national

Body = dict[str, Any]

GOODS: Final = "HH"
DOMESTIC: Final = 1
MAX_PRODUCT_NAME: Final = 250
"""Characters of the summary on the slip; every product is named in LIST_ITEM."""
MAX_NOTE: Final = 150
"""Bytes of ORDER_NOTE."""
INSPECTION: Final = {"none": "Không cho xem hàng", "look": "Cho xem hàng", "try": "Cho thử hàng"}
"""There is no field for it: couriers read the note."""

COLLECT_NOTHING: Final = 1
COLLECT_GOODS_AND_FEE: Final = 2
COLLECT_GOODS: Final = 3
COLLECT_FEE: Final = 4


def order_payment(*, cod: int, customer_pays: bool) -> int:
    """ORDER_PAYMENT: what the courier asks of the customer.

    The COD is all that the customer owes (rule D30), so the fee is asked on top of it only where the order says so: with 2
    instead of 3 a customer would pay the shipping twice.
    """
    if customer_pays:
        return COLLECT_GOODS_AND_FEE if cod else COLLECT_FEE
    return COLLECT_GOODS if cod else COLLECT_NOTHING


def has_ids(parcel: Parcel) -> bool:
    """Both ends are known in the carrier's own three-tier list. Else the addresses are sent as text (…Nlp)."""
    return all(units is not None and units.district is not None for units in (parcel.to.units, parcel.pick_up_units))


def creation(parcel: Parcel, *, service: str, note: str) -> Body:
    """The body of createOrder or createOrderNlp.

    Args:
        service: ORDER_SERVICE, which has no default.
        note: at most `MAX_NOTE` bytes.
    """
    options = parcel.options
    return {
        "ORDER_NUMBER": parcel.reference,
        "CHECK_UNIQUE": True,
        **({"GROUPADDRESS_ID": int(parcel.pick_up.place_id)} if parcel.pick_up.place_id.isdecimal() else {}),
        "SENDER_FULLNAME": parcel.pick_up.name,
        "SENDER_PHONE": national(parcel.pick_up.phone),
        "RECEIVER_FULLNAME": parcel.recipient,
        "RECEIVER_PHONE": national(parcel.phone),
        **_places(parcel),
        **_goods(parcel),
        "PRODUCT_NAME": "; ".join(f"{line.quantity} x {line.name}" for line in parcel.lines)[:MAX_PRODUCT_NAME],
        "PRODUCT_QUANTITY": sum(line.quantity for line in parcel.lines),
        "ORDER_PAYMENT": order_payment(cod=parcel.cod, customer_pays=options.payer == "customer"),
        "ORDER_SERVICE": service,
        "ORDER_SERVICE_ADD": ",".join(options.add_ons),
        "ORDER_VOUCHER": "",
        "ORDER_NOTE": note,
        "LIST_ITEM": [
            {
                "PRODUCT_NAME": line.name,
                "PRODUCT_QUANTITY": line.quantity,
                "PRODUCT_PRICE": line.unit_price,
                "PRODUCT_WEIGHT": line.weight_grams,
            }
            for line in parcel.lines
        ],
    }


def price_request(parcel: Parcel) -> Body:
    """The body of getPriceAll or getPriceAllNlp."""
    return {**_places(parcel), **_goods(parcel), "TYPE": DOMESTIC}


def full_note(parcel: Parcel) -> str:
    """What the courier has to read first stands first: the note is cut at its end."""
    inspection = parcel.options.inspection
    return ". ".join(filter(None, (INSPECTION[inspection] if inspection else "", parcel.note)))


def _goods(parcel: Parcel) -> Body:
    options = parcel.options
    sizes = {
        "PRODUCT_LENGTH": options.length_cm,
        "PRODUCT_WIDTH": options.width_cm,
        "PRODUCT_HEIGHT": options.height_cm,
    }
    return {
        "PRODUCT_TYPE": GOODS,
        "PRODUCT_WEIGHT": parcel.weight_grams,
        "PRODUCT_PRICE": parcel.value if options.insured else 0,
        "MONEY_COLLECTION": parcel.cod,
        **{name: size for name, size in sizes.items() if size},
    }


def _places(parcel: Parcel) -> Body:
    if has_ids(parcel):
        return {
            "SENDER_ADDRESS": parcel.pick_up.detail,
            "RECEIVER_ADDRESS": parcel.to.detail,
            **_ids("SENDER", parcel.pick_up_units),
            **_ids("RECEIVER", parcel.to.units),
        }
    return {"SENDER_ADDRESS": _in_words(parcel.pick_up), "RECEIVER_ADDRESS": _in_words(parcel.to)}


def _ids(end: str, units: CarrierUnits | None) -> Body:
    assert units is not None
    assert units.district is not None
    return {
        f"{end}_PROVINCE": int(units.province.code),
        f"{end}_DISTRICT": int(units.district.code),
        f"{end}_WARD": int(units.ward.code),
    }


def _in_words(place: Address | PickUp) -> str:
    """'12 Trần Thái Tông, Phường Cầu Giấy, Hà Nội'; with the district where the address is of the old form."""
    return ", ".join(filter(None, (place.detail, place.ward, place.district, place.province)))
