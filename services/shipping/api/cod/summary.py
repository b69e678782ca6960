"""The money that carriers collect: expected, delivered, settled, and what is still to come."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlalchemy import text

from services.shipping.api.dependencies import VISIBLE, ContextDep, Reader, visible_to
from services.shipping.cod.contracts import DAYS_TO_PAY
from shared.given import GivenInstant

router = APIRouter(prefix="/v1/cod", tags=["cod"])


class CodTotals(BaseModel):
    """Gross COD in đồng, and numbers of shipments."""

    expected: int = Field(description="of parcels that the carrier has and has not delivered yet")
    expected_shipments: int
    delivered: int = Field(description="collected from customers, by the carrier's reports")
    delivered_shipments: int
    settled: int = Field(description="home, by what was agreed to be the proof of it")
    settled_shipments: int
    difference: int = Field(description="delivered − settled: still to come, or to be asked for")
    fees: int = Field(description="the carrier's fees of delivered parcels")


class ConnectionCod(CodTotals):
    connection_id: UUID
    carrier: str
    shop_name: str


class Owed(BaseModel):
    """Parcels of one age, and what the carrier owes for them in đồng."""

    shipments: int
    amount: int


class ConnectionAgeing(BaseModel):
    """What a carrier owes, by how long it is past the day that was agreed."""

    connection_id: UUID
    carrier: str
    shop_name: str
    days_to_pay: int = Field(description="from delivery, as agreed")
    oldest: datetime = Field(description="of the deliveries that are not paid")
    owed: Owed
    not_due: Owed
    to_3_days: Owed = Field(description="overdue for up to three days")
    to_7_days: Owed
    to_14_days: Owed
    beyond: Owed


class Ageing(BaseModel):
    items: list[ConnectionAgeing]
    next: None = None


class CodSummary(BaseModel):
    accepted_from: datetime | None
    accepted_until: datetime | None
    total: CodTotals
    connections: list[ConnectionCod]


_SUMMARY = text(
    f"""
SELECT c.id AS connection_id, c.carrier, c.shop_name,
    coalesce(sum(s.cod) FILTER (WHERE on_the_way), 0)::bigint AS expected,
    count(*) FILTER (WHERE on_the_way) AS expected_shipments,
    coalesce(sum(coalesce(s.collected, s.cod)) FILTER (WHERE s.status = 'delivered'), 0)::bigint AS delivered,
    count(*) FILTER (WHERE s.status = 'delivered') AS delivered_shipments,
    coalesce(sum(s.settled_amount) FILTER (WHERE s.status = 'delivered'), 0)::bigint AS settled,
    count(s.settled_at) FILTER (WHERE s.status = 'delivered') AS settled_shipments,
    coalesce(sum(s.fee) FILTER (WHERE s.status = 'delivered'), 0)::bigint AS fees
FROM shipments s
JOIN carrier_connections c ON c.id = s.connection_id
JOIN shippable_orders o ON o.order_id = s.order_id
CROSS JOIN LATERAL (
    SELECT s.status IN ('accepted', 'picked_up', 'out_for_delivery', 'delivery_failed') AS on_the_way
) AS way
WHERE s.waybill <> '' AND {VISIBLE}
    AND (CAST(:since AS timestamptz) IS NULL OR s.accepted_at >= :since)
    AND (CAST(:until AS timestamptz) IS NULL OR s.accepted_at < :until)
GROUP BY c.id ORDER BY c.id
"""
)


_AGES: Final = {
    "owed": "true",
    "not_due": "late <= 0",
    "to_3_days": "late > 0 AND late <= 3",
    "to_7_days": "late > 3 AND late <= 7",
    "to_14_days": "late > 7 AND late <= 14",
    "beyond": "late > 14",
}
_AGE_COLUMNS: Final = ", ".join(
    f"json_build_object('shipments', count(*) FILTER (WHERE {when}), "
    f"'amount', coalesce(sum(owed) FILTER (WHERE {when}), 0)::bigint) AS {name}"
    for name, when in _AGES.items()
)
_AGEING = text(
    f"""
SELECT c.id AS connection_id, c.carrier, c.shop_name, coalesce(k.days_to_pay, :days_to_pay) AS days_to_pay,
    min(s.delivered_at) AS oldest, {_AGE_COLUMNS}
FROM shipments s
JOIN carrier_connections c ON c.id = s.connection_id
JOIN shippable_orders o ON o.order_id = s.order_id
LEFT JOIN cod_contracts k ON k.connection_id = s.connection_id
CROSS JOIN LATERAL (
    SELECT coalesce(sum(l.cod), 0) AS amount FROM cod_lines l JOIN cod_statements t ON t.id = l.statement_id
    WHERE l.shipment_id = s.id AND t.state IN ('matching', 'matched')
        AND (k.proof IS DISTINCT FROM 'bank' OR t.credited_at IS NOT NULL)
) AS paid
CROSS JOIN LATERAL (
    SELECT greatest(0, coalesce(s.collected, s.cod) - paid.amount) AS owed,
        extract(epoch FROM CAST(:now AS timestamptz) - s.delivered_at) / 86400
            - coalesce(k.days_to_pay, :days_to_pay) AS late
) AS age
WHERE s.status = 'delivered' AND s.settled_at IS NULL AND s.cod > 0 AND age.owed > 0 AND {VISIBLE}
    AND NOT EXISTS (SELECT 1 FROM cod_write_offs w WHERE w.shipment_id = s.id)
GROUP BY c.id, k.days_to_pay ORDER BY c.id
"""
)


@router.get("/ageing", summary="What each carrier owes, by how long it is overdue")
async def ageing(context: ContextDep, who: Reader) -> Ageing:
    """Delivered parcels whose money is not home, by what was agreed to be the proof of it. Overdue counts from the day
    that was agreed with the carrier."""
    async with context.db.read() as session:
        parameters = {**visible_to(who), "now": context.now(), "days_to_pay": DAYS_TO_PAY}
        rows = (await session.execute(_AGEING, parameters)).mappings().all()
    return Ageing(items=[ConnectionAgeing.model_validate(dict(row)) for row in rows])


@router.get("/summary", summary="COD by connection")
async def summary(
    context: ContextDep,
    who: Reader,
    accepted_from: Annotated[GivenInstant | None, Query(description="parcels accepted at or after")] = None,
    accepted_until: Annotated[GivenInstant | None, Query(description="and before")] = None,
) -> CodSummary:
    """Compares gross COD, fees apart (rule D30). A partial delivery counts with what was collected."""
    async with context.db.read() as session:
        parameters = {**visible_to(who), "since": accepted_from, "until": accepted_until}
        rows = (await session.execute(_SUMMARY, parameters)).mappings().all()
    connections = [ConnectionCod(**row, difference=row["delivered"] - row["settled"]) for row in rows]
    total = CodTotals(
        **{name: sum(getattr(connection, name) for connection in connections) for name in CodTotals.model_fields}
    )
    return CodSummary(accepted_from=accepted_from, accepted_until=accepted_until, total=total, connections=connections)
