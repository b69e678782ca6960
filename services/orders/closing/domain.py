"""What closing an order needs (rule D16) and how its money adds up (rules D28, D30). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.orders.addresses.checking import DeliveryAddress
from services.orders.goods.products import Amount, Product
from shared.contracts.events.orders import OrderLine
from shared.errors import Problem
from shared.given import GivenDate, GivenInstant

INBOUND_CHANNELS: Final = frozenset({"hotline", "facebook_chat"})
"""Sources that are a conversation already: the customer rang or wrote to us."""

Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]


class InvalidRecipientPhone(Problem):
    type = "invalid-phone"
    status = 422
    vi = "Số điện thoại người nhận chưa đúng. {reason_vi}"
    en = "The recipient's phone number will not do. {reason_en}"


class DiscountTooLarge(Problem):
    type = "discount-too-large"
    status = 422
    vi = "Giảm giá {discount} đ lớn hơn tiền hàng {goods} đ. Giảm lại cho đúng."
    en = "The discount of {discount} đ exceeds the goods of {goods} đ. Lower it."


class DepositTooLarge(Problem):
    type = "deposit-too-large"
    status = 422
    vi = "Tiền cọc {deposit} đ lớn hơn tổng đơn {total} đ nên COD bị âm. Sửa tiền cọc."
    en = "The deposit of {deposit} đ exceeds the total of {total} đ, so the COD would be negative. Correct the deposit."


class FreeOnlyAsGift(Problem):
    type = "free-only-as-gift"
    status = 422
    vi = "Dòng {sku} có giá 0 đ. Nhập giá, hoặc đánh dấu là quà tặng."
    en = "The line {sku} costs nothing. Give it a price, or mark it as a gift."


class ConversationRequired(Problem):
    type = "conversation-required"
    status = 422
    vi = "Chưa ghi cuộc gọi hay tin nhắn nào với khách. Ghi cuộc gọi (trường 'call') cùng lúc chốt."
    en = "No conversation with the customer is logged. Send the call along with the closing (field 'call')."


class AlreadyClosed(Problem):
    type = "already-closed"
    status = 409
    vi = "Đơn này đã chốt rồi. Tải lại đơn để xem nội dung đã chốt."
    en = "This order is closed already. Load it again to see what was agreed."


class OutOfStock(Problem):
    type = "out-of-stock"
    status = 409
    vi = "Không đủ hàng: {skus}. Giảm số lượng, đổi sản phẩm, hoặc nhờ quản lý cho phép chờ hàng."
    en = "There is not enough stock of {skus}. Take fewer, another product, or ask to allow waiting for stock."


class ClosingLine(BaseModel):
    model_config = ConfigDict(extra="forbid")

    sku: str = Field(examples=["SERUM-C-30"])
    quantity: int = Field(ge=1, le=10_000)
    unit_price: Amount | None = Field(default=None, description="đồng; the catalogue's price if left out")
    gift: bool = False


class ClosingCall(BaseModel):
    """The call in which the customer agreed, logged together with the closing."""

    model_config = ConfigDict(extra="forbid")

    at: GivenInstant | None = Field(default=None, description="when it took place; now if left out")
    seconds: int = Field(default=0, ge=0, le=86_400)
    note: str = Field(default="", max_length=2000)


class Closing(BaseModel):
    """A closed order as the salesperson sends it."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "recipient": "Nguyễn Thị Hoa",
                    "address": {
                        "province": "Thành phố Hồ Chí Minh",
                        "ward": "Phường Bến Thành",
                        "detail": "12 Lê Lợi",
                    },
                    "lines": [{"sku": "SERUM-C-30", "quantity": 2}],
                    "shipping_fee": 30000,
                    "call": {"seconds": 184},
                }
            ]
        },
    )

    recipient: Words
    phone: str = Field(default="", description="of the recipient; the customer's own if left out", max_length=40)
    address: DeliveryAddress
    lines: list[ClosingLine] = Field(min_length=1, max_length=100)
    discount: Amount = 0
    shipping_fee: Amount = Field(default=0, description="charged to the customer")
    deposit: Amount = 0
    deliver_on: GivenDate | None = Field(default=None, description="'hẹn giao': not before this day")
    note: str = Field(default="", max_length=500, description="for the courier")
    call: ClosingCall | None = None


@dataclass(frozen=True)
class PricedLine:
    line: OrderLine
    gift: bool


def priced(lines: Sequence[ClosingLine], products: Mapping[str, Product]) -> list[PricedLine]:
    """The lines with names, prices and weights of the catalogue.

    Raises:
        FreeOnlyAsGift: a line costs nothing and is no gift.
    """
    found = []
    for line in lines:
        product = products[line.sku]
        price = 0 if line.gift and line.unit_price is None else line.unit_price
        price = product.price if price is None else price
        if price == 0 and not line.gift:
            raise FreeOnlyAsGift(sku=line.sku)
        found.append(
            PricedLine(
                OrderLine(
                    sku=product.sku,
                    name=product.name,
                    quantity=line.quantity,
                    unit_price=price,
                    weight_grams=product.weight_grams,
                ),
                line.gift,
            )
        )
    return found


@dataclass(frozen=True)
class Money:
    """In đồng. `total` is what the customer pays in all, `cod` what the courier asks of them."""

    goods: int
    total: int
    cod: int


def money(lines: Iterable[OrderLine], *, discount: int, shipping_fee: int, deposit: int) -> Money:
    """
    Raises:
        DiscountTooLarge, DepositTooLarge: something would be negative.
    """
    goods = sum(line.unit_price * line.quantity for line in lines)
    if discount > goods:
        raise DiscountTooLarge(discount=discount, goods=goods)
    total = goods - discount + shipping_fee
    if deposit > total:
        raise DepositTooLarge(deposit=deposit, total=total)
    return Money(goods=goods, total=total, cod=total - deposit)
