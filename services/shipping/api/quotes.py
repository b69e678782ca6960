"""What sending an order would cost with each carrier, and how it is to be sent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from services.shipping import quoting
from services.shipping.api.dependencies import ContextDep, LanguageDep, Writer
from services.shipping.carriers.checking import Breach
from services.shipping.carriers.parcel import Options
from services.shipping.connections import Connection, load
from services.shipping.context import Context
from services.shipping.problems import AlreadyAtCarrier, OrderNotShippable, UnknownConnection, UnknownPlace
from services.shipping.work import work
from shared.auth import Principal
from shared.errors import Language

router = APIRouter(tags=["quotes"])


class QuoteRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    order_id: UUID = Field(description="a closed order; it need not be posted yet")
    connection_ids: list[UUID] = Field(default=[], max_length=50, description="empty: all that are enabled")


class Rule(BaseModel):
    """Why a carrier would not take the parcel, and what to do."""

    code: str = Field(examples=["cod_over_limit"])
    message: str


class QuoteView(BaseModel):
    service: str = Field(description="for options.service", examples=["road"])
    title: str
    fee: int = Field(description="đồng, insurance too")
    insurance_fee: int
    hours: int | None = Field(description="until delivery, as the carrier promises; null: it does not say")
    cheapest: bool
    fastest: bool


class ConnectionQuotes(BaseModel):
    connection_id: UUID
    carrier: str
    shop_name: str
    quotes: list[QuoteView]
    problems: list[Rule] = Field(description="why there are no quotes")


class Quotes(BaseModel):
    order_id: UUID
    items: list[ConnectionQuotes]
    quoted_at: datetime


class PlanBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    connection_id: UUID
    pick_up_id: UUID | None = Field(default=None, description="one of the connection's places; null: its default")
    options: Options | None = Field(default=None, description="null: the connection's own")
    waybill: str = Field(
        default="",
        max_length=60,
        pattern=r"^[A-Za-z0-9._/-]*$",
        description="typed from a sticker, for a carrier that is told of nothing; empty: our reference",
    )


class PlanView(PlanBody):
    order_id: UUID
    planned_at: datetime
    planned_by: str
    problems: list[Rule] = Field(description="what the carrier would refuse as things stand")


_VISIBLE: Final = """($2 OR o.closer_id = $3 OR o.owner_id = $3
    OR o.closer_id IN (SELECT account_id FROM staff_closure WHERE superior_id = $3)
    OR o.owner_id IN (SELECT account_id FROM staff_closure WHERE superior_id = $3))"""
_ORDER: Final = f"""
SELECT version, recipient, phone, province, district, ward, detail, province_code, district_code, ward_code,
    lines::text AS lines, goods_value, cod, shipping_fee, note
FROM shippable_orders o WHERE order_id = $1 AND version > 0 AND {_VISIBLE}
"""
_ENABLED: Final = """
SELECT id FROM carrier_connections
WHERE state = 'enabled' AND (cardinality($1::uuid[]) = 0 OR id = ANY($1)) ORDER BY id
"""
_PLACE: Final = "SELECT true FROM pick_up_places WHERE id = $1 AND connection_id = $2"
_LIVE: Final = """
SELECT s.id, s.waybill, a.state AS attempt FROM shipments s JOIN creation_attempts a ON a.reference = s.reference
WHERE s.order_id = $1 AND s.superseded_at IS NULL FOR UPDATE OF s, a
"""
_PLAN: Final = """
INSERT INTO shipping_plans (order_id, connection_id, pick_up_id, options, waybill, planned_at, planned_by)
VALUES ($1, $2, $3, $4::text::jsonb, $5, $6, $7)
ON CONFLICT (order_id) DO UPDATE SET connection_id = excluded.connection_id, pick_up_id = excluded.pick_up_id,
    options = excluded.options, waybill = excluded.waybill, planned_at = excluded.planned_at,
    planned_by = excluded.planned_by
"""


@router.post("/v1/quotes", summary="Ask carriers what sending an order would cost")
async def ask_quotes(body: QuoteRequest, context: ContextDep, who: Writer, language: LanguageDep) -> Quotes:
    """All connections are asked at once; whoever has not answered after eight seconds is left out, with the reason. The
    answers are kept with the order, so that what is charged later can be compared."""
    order = await _order(context, body.order_id, who)
    pool = await context.db.driver()
    ids = [row["id"] for row in await pool.fetch(_ENABLED, body.connection_ids)]
    if len(ids) < len(set(body.connection_ids)):
        raise UnknownConnection
    connections = [found for each in ids if (found := await load(context.db, each)) is not None]
    answers = await quoting.quote(context, order, body.order_id, connections)
    fees = [each.fee for answer in answers for each in answer.quotes]
    hours = [each.hours for answer in answers for each in answer.quotes if each.hours is not None]
    items = [
        ConnectionQuotes(
            connection_id=answer.connection.id,
            carrier=answer.connection.carrier,
            shop_name=answer.connection.shop_name,
            quotes=[
                QuoteView(
                    service=each.service,
                    title=each.title,
                    fee=each.fee,
                    insurance_fee=each.insurance_fee,
                    hours=each.hours,
                    cheapest=each.fee == min(fees),
                    fastest=each.hours is not None and each.hours == min(hours),
                )
                for each in sorted(answer.quotes, key=lambda quote: quote.fee)
            ],
            problems=_rules(answer.breaches, language),
        )
        for answer in answers
    ]
    return Quotes(order_id=body.order_id, items=items, quoted_at=context.now())


@router.put("/v1/plans/{order_id}", summary="Choose how an order is sent")
async def plan_order(
    order_id: UUID, body: PlanBody, context: ContextDep, who: Writer, language: LanguageDep
) -> PlanView:
    """Before it is posted, or after the carrier refused it (then post it again). Without a plan the rules choose."""
    order = await _order(context, order_id, who)
    connection = await load(context.db, body.connection_id)
    if connection is None or not connection.enabled:
        raise UnknownConnection
    now = context.now()
    async with work(context.db) as current:
        if body.pick_up_id is not None and not await current.connection.fetchval(
            _PLACE, body.pick_up_id, connection.id
        ):
            raise UnknownPlace(pick_up_id=str(body.pick_up_id))
        live = await current.connection.fetchrow(_LIVE, order_id)
        if live is not None and (live["waybill"] or live["attempt"] == "unknown"):
            raise AlreadyAtCarrier
        options = body.options.model_dump_json() if body.options else None
        await current.connection.execute(
            _PLAN, order_id, connection.id, body.pick_up_id, options, body.waybill, now, who.code
        )
        if live is not None:
            await current.connection.execute(
                "UPDATE shipments SET connection_id = $2, pick_up_id = NULL WHERE id = $1", live["id"], connection.id
            )
    problems = await _problems(context, order, order_id, connection, language)
    return PlanView(**body.model_dump(), order_id=order_id, planned_at=now, planned_by=who.code, problems=problems)


async def _order(context: Context, order_id: UUID, who: Principal) -> Any:
    pool = await context.db.driver()
    order = await pool.fetchrow(_ORDER, order_id, who.sees_all, who.account_id)
    if order is None:
        raise OrderNotShippable
    return order


async def _problems(
    context: Context, order: Any, order_id: UUID, connection: Connection, language: Language
) -> list[Rule]:
    _, breaches = await quoting.checked(context, order, order_id, connection)
    return _rules(breaches, language)


def _rules(breaches: Sequence[Breach], language: Language) -> list[Rule]:
    return [Rule(code=each.code, message=each.vi if language == "vi" else each.en) for each in breaches]
