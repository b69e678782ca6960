"""Products and stock."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import text

from services.orders.access import Administrator, Reader
from services.orders.closing import fulfilment
from services.orders.goods import products, stock
from services.orders.goods.products import NewProduct, Product, ProductPage
from services.orders.http import ClockDep, Limit, RuntimeDep
from shared.db import Session
from shared.idempotency import OnceDep

router = APIRouter(prefix="/v1", tags=["products and stock"])


class ReceiptLine(BaseModel):
    model_config = ConfigDict(extra="forbid")

    sku: str
    quantity: int = Field(ge=1, le=1_000_000)


class Receipt(BaseModel):
    """Goods that came in."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"lines": [{"sku": "SERUM-C-30", "quantity": 500}], "note": "PN-0001"}]},
    )

    lines: list[ReceiptLine] = Field(min_length=1, max_length=500)
    note: str = Field(default="", max_length=500)


class Received(BaseModel):
    lines: int
    served_orders: int = Field(description="waiting orders that are now reserved in full")


class StockLevel(BaseModel):
    sku: str
    name: str
    on_hand: int
    reserved: int
    available: int
    waited_for: int = Field(description="units that closed orders wait for")


class StockPage(BaseModel):
    items: list[StockLevel]
    next: str | None = Field(description="`after` of the next page; null on the last")


@router.post("/products", status_code=201, response_model=Product)
async def create_product(who: Administrator, runtime: RuntimeDep, once: OnceDep, product: NewProduct) -> Response:
    """Adds a product to the catalogue."""

    async def effect(session: Session) -> Product:
        return await products.create(session, product)

    return await once.run(runtime.db, str(who.account_id), effect)


@router.get("/products")
async def list_products(_: Reader, runtime: RuntimeDep, limit: Limit = 50, after: str = "") -> ProductPage:
    """What is sold, by SKU."""
    async with runtime.db.read() as session:
        return await products.page(session, limit=limit, after=after)


@router.post("/stock/receipts", status_code=201, response_model=Received)
async def receive_stock(
    who: Administrator, runtime: RuntimeDep, once: OnceDep, clock: ClockDep, receipt: Receipt
) -> Response:
    """Takes goods into stock; orders that wait for them are served in the order in which they were closed."""

    async def effect(session: Session) -> Received:
        units: dict[str, int] = {}
        for line in receipt.lines:
            units[line.sku] = units.get(line.sku, 0) + line.quantity
        now = clock()
        served = await stock.receive(session, units, at=now, actor=who.code, note=receipt.note)
        await fulfilment.touch(session, served, at=now)
        return Received(lines=len(receipt.lines), served_orders=len(served))

    return await once.run(runtime.db, str(who.account_id), effect)


@router.get("/stock")
async def list_stock(
    _: Reader,
    runtime: RuntimeDep,
    limit: Limit = 50,
    after: str = "",
    sku: Annotated[str | None, Query(description="this one alone")] = None,
) -> StockPage:
    """What lies in the house, what of it is reserved, and what is waited for."""
    async with runtime.db.read() as session:
        rows = await session.execute(
            text(
                """
                SELECT p.sku, p.name, coalesce(s.on_hand, 0) AS on_hand, coalesce(s.reserved, 0) AS reserved,
                    coalesce(s.on_hand - s.reserved, 0) AS available,
                    (SELECT coalesce(sum(l.quantity), 0) FROM order_lines l JOIN reservations r USING (order_id)
                     WHERE l.sku = p.sku AND r.state = 'waiting') AS waited_for
                FROM products p LEFT JOIN stock_levels s ON s.sku = p.sku
                WHERE p.sku > :after AND (CAST(:sku AS text) IS NULL OR p.sku = :sku) ORDER BY p.sku LIMIT :limit
                """
            ),
            {"after": after, "sku": sku, "limit": limit},
        )
        items = [StockLevel.model_validate(dict(row._mapping)) for row in rows]
    return StockPage(items=items, next=items[-1].sku if len(items) == limit else None)
