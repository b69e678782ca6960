"""What GHN is asked for: a parcel in its words. Pure.

Source: https://api.ghn.vn/home/docs/detail?id=123 and developer.ghn.vn (2026) for addresses since 2025-07-01.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from services.shipping.carriers.checking import Breach
from services.shipping.carriers.parcel import Address, CarrierUnits, Parcel, PickUp, RecipientChange
from shared.phone.masking import national

Body = dict[str, Any]

LIGHT: Final = "2"
HEAVY: Final = "5"
SERVICES: Final = {LIGHT: "Hàng nhẹ (dưới 20 kg)", HEAVY: "Hàng nặng (từ 20 kg)"}
HEAVY_FROM: Final = 20_000
"""Grams; GHN takes lighter parcels as light and these as heavy, piece by piece."""
BOX: Final = 10
"""Centimetres of each side where nobody has measured the parcel: GHN wants sides, and charges by the volume from 500 g on,
which this is below. It measures every parcel itself (callback update_weight)."""
SIDE_MAX: Final = 200
"""Centimetres."""
INSPECTION: Final = {"none": "KHONGCHOXEMHANG", "look": "CHOXEMHANGKHONGTHU", "try": "CHOTHUHANG"}
USUAL_INSPECTION: Final = "look"
"""GHN wants one of the three with every order; looking without trying is what most shops agree to."""
CONTENT_MAX: Final = 2000
SHOP_PAYS, CUSTOMER_PAYS = 1, 2


def creation(parcel: Parcel, *, note: str) -> Body:
    """The request of a creation."""
    return {"client_order_code": parcel.reference, **preview(parcel), "note": note}


def preview(parcel: Parcel) -> Body:
    """The request of a creation without its reference: what GHN reckons a price from, for both forms of addresses."""
    options = parcel.options
    service = service_of(parcel)
    sides = {"length": options.length_cm or BOX, "width": options.width_cm or BOX, "height": options.height_cm or BOX}
    return {
        "to_name": parcel.recipient,
        "to_phone": national(parcel.phone),
        "to_address": parcel.to.detail,
        **_destination(parcel.to),
        **_origin(parcel.pick_up, parcel.pick_up_units),
        "cod_amount": parcel.cod,
        "cod_failed_amount": options.failed_delivery_fee,
        "content": ", ".join(f"{line.name} x{line.quantity}" for line in parcel.lines)[:CONTENT_MAX],
        "weight": parcel.weight_grams,
        **sides,
        "insurance_value": parcel.value if options.insured else 0,
        "order_value": parcel.value,
        "service_type_id": int(service),
        "payment_type_id": SHOP_PAYS if options.payer == "shop" else CUSTOMER_PAYS,
        "required_note": INSPECTION[options.inspection or USUAL_INSPECTION],
        "items": [
            {
                "name": line.name,
                "code": line.sku,
                "quantity": line.quantity,
                "price": line.unit_price,
                "weight": line.weight_grams,
                **(sides if service == HEAVY else {}),
            }
            for line in parcel.lines
        ],
    }


def service_of(parcel: Parcel) -> str:
    """The chosen one, or the one that GHN takes a parcel of this weight with."""
    return parcel.options.service or (HEAVY if parcel.weight_grams >= HEAVY_FROM else LIGHT)


def change_of(wanted: RecipientChange) -> Body:
    """The fields of an order's update; what is not named stays."""
    fields: Mapping[str, str | None] = {
        "to_name": wanted.recipient,
        "to_phone": None if wanted.phone is None else national(wanted.phone),
        "to_address": None if wanted.to is None else wanted.to.detail,
        "note": wanted.note,
    }
    places = {} if wanted.to is None else _destination(wanted.to)
    return {**{name: value for name, value in fields.items() if value is not None}, **places}


def too_large(parcel: Parcel) -> Iterator[Breach]:
    """GHN's rule about sides, which no other carrier declares."""
    options = parcel.options
    longest = max(options.length_cm, options.width_cm, options.height_cm)
    if longest > SIDE_MAX:
        yield Breach(
            "side_over_limit",
            f"GHN nhận kiện hàng có cạnh dài nhất {SIDE_MAX} cm; kiện này {longest} cm. Kiểm tra kích thước, đóng gói lại "
            "hoặc chọn hãng khác.",
            f"GHN takes parcels with sides of at most {SIDE_MAX} cm; this one has {longest} cm. Check the size, pack it "
            "otherwise or choose another carrier.",
        )


def _destination(to: Address) -> Body:
    """Two tiers go as the names of GHN's own list, three as its codes; without a place in its list, as written."""
    units = to.units
    if to.era == "new":
        return {
            "is_new_to_address": True,
            "to_ward_name": units.ward.name if units else to.ward,
            "to_province_name": units.province.name if units else to.province,
        }
    if units is not None and units.district is not None:
        return {"to_ward_code": units.ward.code, "to_district_id": int(units.district.code)}
    return {"to_ward_name": to.ward, "to_district_name": to.district, "to_province_name": to.province}


def _origin(pick_up: PickUp, units: CarrierUnits | None) -> Body:
    """Nothing where the place is a shop of the account: GHN knows its address."""
    if pick_up.place_id:
        return {}
    ward, province = (units.ward.name, units.province.name) if units else (pick_up.ward, pick_up.province)
    district = units.district.name if units and units.district else pick_up.district
    return {
        "from_name": pick_up.name,
        "from_phone": national(pick_up.phone),
        "from_address": pick_up.detail,
        "from_ward_name": ward,
        "from_province_name": province,
        **({"from_district_name": district} if district else {"is_new_from_address": True}),
    }
