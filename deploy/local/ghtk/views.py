"""The JSON that GHTK shows of a shipment. Field names and formats are the documentation's."""

from datetime import datetime, timedelta
from typing import Any

from deploy.local.carriers.model import VIETNAM, Shipment
from deploy.local.ghtk.life import Status
from deploy.local.ghtk.model import FIRST_TRACKING_ID, PickUpAddress, as_created

_SHIFTS = {1: "Sáng", 2: "Chiều", 3: "Tối"}
_DAYS_TO_DELIVER = timedelta(days=2)
_STORAGE_DAYS = 3
_KILOGRAM = 1000


def created_order(shipment: Shipment) -> dict[str, Any]:
    """`order` in the answer to a creation."""
    creation = as_created(shipment.creation)
    deliver = shipment.created.astimezone(VIETNAM).date() + _DAYS_TO_DELIVER
    return {
        "partner_id": shipment.reference,
        "label": shipment.waybill,
        "area": 1,
        "fee": shipment.fee,
        "insurance_fee": shipment.insurance_fee,
        "estimated_pick_time": f"{_shift(creation.pick_work_shift)} {creation.pick_date}",
        "estimated_deliver_time": f"{_shift(creation.deliver_work_shift)} {deliver.isoformat()}",
        "products": [
            {"name": product.name, "weight": product.weight_gram / _KILOGRAM, "quantity": product.quantity}
            for product in creation.products
        ],
        "status_id": shipment.status,
        "tracking_id": FIRST_TRACKING_ID + shipment.sequence - 1,
        "sorting_code": shipment.waybill.split(".")[1],
        "date_to_delay_pick": creation.pick_date,
        "pick_work_shift": creation.pick_work_shift,
        "date_to_delay_deliver": deliver.isoformat(),
        "deliver_work_shift": creation.deliver_work_shift,
        "pkg_draft_id": None,
        "is_xfast": int(creation.is_xfast),
    }


def existing_order(shipment: Shipment) -> dict[str, Any]:
    """`error` in the answer to a creation whose `order.id` is taken."""
    return {
        "code": "ORDER_ID_EXIST",
        "partner_id": shipment.reference,
        "ghtk_label": shipment.waybill,
        "created": _timestamp(shipment.created),
        "status": shipment.status,
    }


def tracked_order(shipment: Shipment) -> dict[str, Any]:
    """`order` in the answer to a status request: weight in grams, times in Vietnam without a zone."""
    creation = as_created(shipment.creation)
    picked_up = shipment.first_at(Status.PICKED_UP)
    delivered = shipment.first_at(Status.DELIVERED)
    expected = shipment.created.astimezone(VIETNAM).date() + _DAYS_TO_DELIVER
    return {
        "label_id": shipment.waybill,
        "partner_id": shipment.reference,
        "status": str(shipment.status),
        "status_text": shipment.status_text,
        "created": _timestamp(shipment.created),
        "modified": _timestamp(shipment.latest.at),
        "message": creation.note,
        "pick_date": _day(picked_up) if picked_up else creation.pick_date,
        "deliver_date": _day(delivered) if delivered else expected.isoformat(),
        "customer_fullname": creation.name,
        "customer_tel": creation.tel,
        "address": creation.address,
        "storage_day": _STORAGE_DAYS,
        "ship_money": shipment.fee,
        "insurance": shipment.insurance_fee,
        "value": creation.value,
        "weight": creation.weight_gram,
        "pick_money": shipment.cod,
        "is_freeship": int(creation.is_freeship),
        "products": [
            {
                "full_name": product.name,
                "product_code": product.product_code,
                "weight": product.weight_gram / _KILOGRAM,
                "quantity": product.quantity,
                "cost": product.price,
            }
            for product in creation.products
        ],
    }


def fee_view(*, shipping: int, insurance: int) -> dict[str, Any]:
    return {
        "name": "area1",
        "fee": shipping + insurance,
        "insurance_fee": insurance,
        "ship_fee_only": shipping,
        "include_vat": 1,
        "delivery": True,
        "distance": 0,
        "extFees": [],
        "a": 1,
        "dt": "local",
        "options": {},
    }


def pick_up_view(address: PickUpAddress) -> dict[str, str]:
    return {
        "pick_address_id": address.pick_address_id,
        "address": address.address,
        "pick_tel": address.pick_tel,
        "pick_name": address.pick_name,
    }


def _shift(number: int) -> str:
    return _SHIFTS.get(number, _SHIFTS[1])


def _timestamp(at: datetime) -> str:
    return at.astimezone(VIETNAM).strftime("%Y-%m-%d %H:%M:%S")


def _day(at: datetime) -> str:
    return at.astimezone(VIETNAM).date().isoformat()
