"""The catalogue."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import text

from shared.contracts.base import Dong
from shared.db import ReadSession, Session
from shared.errors import Problem


class UnknownProducts(Problem):
    type = "unknown-products"
    status = 422
    vi = "Không có sản phẩm với mã {skus}. Kiểm tra mã SKU hoặc tạo sản phẩm trước."
    en = "There are no products {skus}. Check the SKUs, or create the products first."


class ProductExists(Problem):
    type = "product-exists"
    status = 409
    vi = "Mã {sku} đã có sản phẩm khác. Chọn mã khác."
    en = "The SKU {sku} belongs to another product. Choose another one."


Amount = Annotated[int, Field(ge=0, le=10**12)]
"""Money that somebody enters, in đồng: never negative, and a million millions is a slip of the hand."""


class NewProduct(BaseModel):
    """A product as it is entered."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"sku": "SERUM-C-30", "name": "Serum vitamin C 30 ml", "price": 349000, "weight_grams": 120}]
        },
    )

    sku: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,39}$", description="stock keeping unit, unique")
    name: str = Field(min_length=1, max_length=200)
    price: Amount = Field(description="đồng")
    weight_grams: int = Field(gt=0, le=1_000_000)


class Product(BaseModel):
    sku: str
    name: str
    price: Dong
    weight_grams: int


class ProductPage(BaseModel):
    items: list[Product]
    next: str | None = Field(description="`after` of the next page; null on the last")


_INSERT: Final = text(
    """
INSERT INTO products (sku, name, price, weight_grams) VALUES (:sku, :name, :price, :weight_grams)
ON CONFLICT (sku) DO NOTHING RETURNING sku
"""
)
_ONE: Final = text("SELECT sku, name, price, weight_grams FROM products WHERE sku = :sku")
_PAGE: Final = text(
    """
SELECT sku, name, price, weight_grams FROM products
WHERE retired_at IS NULL AND sku > :after ORDER BY sku LIMIT :limit
"""
)
_SOLD: Final = text("SELECT sku, name, price, weight_grams FROM products WHERE sku = ANY(:skus) AND retired_at IS NULL")


async def create(session: Session, product: NewProduct) -> Product:
    """Adds a product; the same product twice is one.

    Raises:
        ProductExists: the SKU belongs to another one.
    """
    wanted = Product.model_validate(product.model_dump())
    if (await session.execute(_INSERT, product.model_dump())).scalar() is None:
        row = (await session.execute(_ONE, {"sku": product.sku})).one()
        if Product.model_validate(dict(row._mapping)) != wanted:
            raise ProductExists(sku=product.sku)
    return wanted


async def page(session: ReadSession, *, limit: int, after: str) -> ProductPage:
    """Products that are sold, by SKU."""
    rows = (await session.execute(_PAGE, {"limit": limit, "after": after})).all()
    items = [Product.model_validate(dict(row._mapping)) for row in rows]
    return ProductPage(items=items, next=items[-1].sku if len(items) == limit else None)


async def sold(session: ReadSession, skus: list[str]) -> dict[str, Product]:
    """The products of these SKUs.

    Raises:
        UnknownProducts: a SKU is not sold.
    """
    rows = (await session.execute(_SOLD, {"skus": skus})).all()
    found = {row.sku: Product.model_validate(dict(row._mapping)) for row in rows}
    unknown = sorted(set(skus) - found.keys())
    if unknown:
        raise UnknownProducts(skus=unknown)
    return found
