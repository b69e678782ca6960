"""The JSON that GHN shows of an order. Field names and formats are the documentation's; times are UTC."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from zlib import crc32

from deploy.local.carriers.life import CREATED, STATUS
from deploy.local.carriers.model import Fees, Shipment
from deploy.local.ghn.life import Status
from deploy.local.ghn.model import GhnCreation, SimulatorSettings, as_created, timestamp

DAYS_TO_DELIVER = timedelta(days=2)
_STATUS_KINDS = (STATUS, CREATED)


def fee_table(fees: Fees) -> dict[str, int]:
    """The parts of the price, as creation and preview list them."""
    zero = ("cod_fee", "station_do", "station_pu", "return", "r2s", "return_again", "coupon", "document_return")
    more = ("double_check", "pick_remote_areas_fee", "deliver_remote_areas_fee", "cod_failed_fee")
    return {"main_service": fees.shipping, "insurance": fees.insurance, **dict.fromkeys((*zero, *more), 0)}


def created_order(*, order_code: str, fees: Fees, creation: GhnCreation, expected: str) -> dict[str, Any]:
    """`data` of a creation and of a preview, which has no order code."""
    return {
        "order_code": order_code,
        "sort_code": sort_code(creation),
        "trans_type": "truck",
        "ward_encode": "",
        "district_encode": "",
        "fee": fee_table(fees),
        "total_fee": fees.shipping + fees.insurance,
        "expected_delivery_time": expected,
        "operation_partner": "",
    }


def sort_code(creation: GhnCreation) -> str:
    hub = crc32(creation.province.encode()) % 900 + 100
    return f"{hub}-M-{crc32(creation.address.encode()) % 90 + 10}-00"


def detail(shipment: Shipment, settings: SimulatorSettings) -> dict[str, Any]:
    """`data` of an order's detail."""
    creation = as_created(shipment.creation)
    statuses = [entry for entry in shipment.history if entry.kind in _STATUS_KINDS]
    delivered, transferred = shipment.first_at(Status.DELIVERED), shipment.transferred_at
    return {
        "shop_id": settings.shop_id,
        "client_id": settings.client_id,
        "from_name": creation.from_name,
        "from_phone": creation.from_phone,
        "from_address": creation.from_address,
        "to_name": creation.name,
        "to_phone": creation.tel,
        "to_address": creation.address,
        "to_ward_code": creation.to_ward_code,
        "to_district_id": creation.to_district_id,
        "is_new_to_address": creation.is_new_to_address,
        "weight": creation.weight_gram,
        "length": creation.length,
        "width": creation.width,
        "height": creation.height,
        "converted_weight": creation.converted_weight,
        "service_type_id": creation.service_type_id,
        "payment_type_id": creation.payment_type_id,
        "sort_code": sort_code(creation),
        "cod_amount": shipment.cod,
        "cod_collect_date": timestamp(delivered) if delivered else None,
        "cod_transfer_date": timestamp(transferred) if transferred else None,
        "is_cod_transferred": transferred is not None,
        "is_cod_collected": delivered is not None,
        "insurance_value": creation.insurance_value,
        "order_value": creation.value,
        "client_order_code": shipment.reference,
        "cod_failed_amount": creation.cod_failed_amount,
        "cod_failed_collect_date": None,
        "required_note": creation.required_note,
        "content": creation.content,
        "note": creation.note,
        "items": [
            {
                "name": product.name,
                "code": product.product_code,
                "quantity": product.quantity,
                "weight": product.weight_gram,
                "item_order_code": f"{shipment.waybill}_{number}",
            }
            for number, product in enumerate(creation.products, 1)
        ],
        "order_code": shipment.waybill,
        "status": str(shipment.status),
        "created_date": timestamp(shipment.created),
        "order_date": timestamp(shipment.created),
        "updated_date": timestamp(shipment.latest.at),
        "leadtime": timestamp(shipment.created + DAYS_TO_DELIVER),
        "finish_date": timestamp(delivered) if delivered else None,
        "log": [
            {
                "status": str(entry.status),
                "payment_type_id": creation.payment_type_id,
                "updated_date": timestamp(entry.at),
                **({"reason_code": entry.reason_code} if entry.reason_code else {}),
            }
            for entry in statuses[1:]
        ],
        "is_partial_return": any(entry.partial for entry in shipment.history),
        "tag": ["truck"],
        "fee": fee_table(Fees(shipment.fee, shipment.insurance_fee)),
        "total_fee": shipment.fee + shipment.insurance_fee,
    }


def callback_fields(shipment: Shipment, *, kind: str, settings: SimulatorSettings, entry: Mapping[str, Any]) -> Any:
    """The documented body of a callback.

    Parameters:
        kind: the `Type`.
        entry: `Status`, `Time`, `Reason`, `ReasonCode`, `IsPartialReturn` of the change.
    """
    creation = as_created(shipment.creation)
    transferred = shipment.transferred_at
    total = shipment.fee + shipment.insurance_fee
    zero = ("CODFailedFee", "CODFee", "Coupon", "DeliverRemoteAreasFee", "DocumentReturn", "DoubleCheck")
    more = ("PickRemoteAreasFee", "R2S", "Return", "StationDO", "StationPU")
    return {
        "CODAmount": shipment.cod,
        "CODTransferDate": timestamp(transferred) if transferred else None,
        "ClientOrderCode": shipment.reference,
        "ConvertedWeight": creation.converted_weight,
        "Description": shipment.status_text,
        "Fee": {
            **dict.fromkeys((*zero, *more), 0),
            "MainService": shipment.fee,
            "Insurance": shipment.insurance_fee,
            "Total": total,
        },
        "Height": creation.height,
        "Length": creation.length,
        "OrderCode": shipment.waybill,
        "PartialReturnCode": "",
        "PaymentType": creation.payment_type_id,
        "ShopID": settings.shop_id,
        "TotalFee": total,
        "Type": kind,
        "Warehouse": f"Bưu cục {creation.province}",
        "Weight": creation.weight_gram,
        "Width": creation.width,
        **entry,
    }
