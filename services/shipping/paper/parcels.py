"""What a slip says of a parcel, read from the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import orjson

from services.shipping.carriers.registry import CARRIERS
from services.shipping.paper.slip import Party, Slip, SlipLine
from shared.errors import ZONE
from shared.phone.masking import national

if TYPE_CHECKING:
    import asyncpg

    from services.shipping.work import Connection

_INSPECTION: Final[Mapping[str | None, str]] = {
    None: "",
    "none": "Không cho xem hàng",
    "look": "Cho xem hàng, không thử",
    "try": "Cho thử hàng",
}

_LOAD: Final = """
SELECT s.id, CASE WHEN s.cancel_requested_at IS NULL AND s.superseded_at IS NULL THEN s.status ELSE 'cancelled' END AS status,
    s.reference, s.waybill,
    s.sort_code, s.cod, s.options::text AS options, o.code, o.recipient, o.phone,
    o.detail, o.ward, o.district, o.province, o.lines::text AS lines, o.note, coalesce(c.carrier, '') AS carrier,
    c.options::text AS usual, coalesce(p.pick_up, c.pick_up)::text AS pick_up
FROM shipments s JOIN shippable_orders o ON o.order_id = s.order_id
LEFT JOIN carrier_connections c ON c.id = s.connection_id
LEFT JOIN pick_up_places p ON p.id = s.pick_up_id
WHERE s.id = ANY($1::uuid[])
"""


async def load(connection: Connection, shipment_ids: Sequence[UUID]) -> dict[UUID, asyncpg.Record]:
    """Shipment → the row that `slip_of` reads."""
    return {row["id"]: row for row in await connection.fetch(_LOAD, shipment_ids)}


def slip_of(row: asyncpg.Record, *, number: int, at: datetime, by: str) -> Slip:
    """The slip of a parcel.

    Args:
        number: how many-th slip of this parcel it is.
        at: when it is printed.
        by: staff code of who prints it.
    """
    options: dict[str, Any] = orjson.loads(row["options"] or row["usual"] or "{}")
    pick_up: dict[str, Any] = orjson.loads(row["pick_up"] or "{}")
    lines = orjson.loads(row["lines"])
    carrier = CARRIERS.get(row["carrier"])
    return Slip(
        code=row["waybill"] or row["reference"],
        order_code=row["code"],
        carrier=carrier.title if carrier else "",
        service=options.get("service", ""),
        sort_code=row["sort_code"],
        sender=Party(pick_up.get("name", ""), _dialled(pick_up.get("phone", "")), _address(pick_up)),
        receiver=Party(row["recipient"], _dialled(row["phone"]), _address(row)),
        lines=tuple(SlipLine(line["quantity"], line["name"], line["sku"]) for line in lines),
        weight_grams=sum(line["weight_grams"] * line["quantity"] for line in lines),
        cod=row["cod"],
        note=row["note"],
        inspection=_INSPECTION[options.get("inspection")],
        number=number,
        printed=f"{at.astimezone(ZONE):%d/%m/%Y %H:%M} · {by}",
    )


def _dialled(phone: str) -> str:
    """'+84912345678' as '0912 345 678', which a courier dials."""
    digits = national(phone)
    return f"{digits[:4]} {digits[4:7]} {digits[7:]}" if len(digits) == 10 else digits


def _address(place: Mapping[str, Any] | asyncpg.Record) -> str:
    parts = (place.get(name) or "" for name in ("detail", "ward", "district", "province"))
    return ", ".join(part for part in parts if part)
