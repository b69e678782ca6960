"""The money that carriers collect: expected, delivered, settled, and what is still to come."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy import text

from services.shipping.api.dependencies import VISIBLE, ContextDep, Reader, visible_to

router = APIRouter(prefix="/v1/cod", tags=["cod"])


class CodTotals(BaseModel):
    """Gross COD in đồng, and numbers of shipments."""

    expected: int = Field(description="of parcels that the carrier has and has not delivered yet")
    expected_shipments: int
    delivered: int = Field(description="collected from customers, by the carrier's reports")
    delivered_shipments: int
    settled: int = Field(description="paid out to the shop, by the carrier's reports")
    settled_shipments: int
    difference: int = Field(description="delivered − settled: still to come, or to be asked for")
    fees: int = Field(description="the carrier's fees of delivered parcels")


class ConnectionCod(CodTotals):
    connection_id: UUID
    carrier: str
    shop_name: str


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
    coalesce(sum(s.settled_amount), 0)::bigint AS settled,
    count(s.settled_at) AS settled_shipments,
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


@router.get("/summary", summary="COD by connection")
async def summary(
    context: ContextDep,
    who: Reader,
    accepted_from: Annotated[AwareDatetime | None, Query(description="parcels accepted at or after")] = None,
    accepted_until: Annotated[AwareDatetime | None, Query(description="and before")] = None,
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
