"""A closed order is changed until the COD desk posts it: lines, money, address; each version is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import text

from services.orders import customers
from services.orders.actors import Actor
from services.orders.addresses.checking import DeliveryAddress, checked, unmasked_address
from services.orders.closing import contents, fulfilment
from services.orders.closing.contents import Contents
from services.orders.closing.demands import ensure_deposit
from services.orders.closing.domain import (
    ClosingLine,
    InvalidRecipientPhone,
    OutOfStock,
    PricedLine,
    Words,
    priced,
)
from services.orders.goods import products, stock
from services.orders.goods.products import Amount
from services.orders.hiding import unmasked
from services.orders.record import Order
from shared.contracts.levels import CLOSED, SENT
from shared.db import Session
from shared.errors import Mistake, PreconditionFailed, Problem
from shared.given import GivenDate
from shared.phone import PhoneProblem, one_phone
from shared.phone.masking import masked, national


class NotClosed(Problem):
    type = "not-closed"
    status = 409
    vi = "Chỉ sửa nội dung của đơn đã chốt (L5); đơn này đang ở {level}. Chốt đơn với nội dung đúng."
    en = "Only the contents of a closed order (L5) are edited; this one is at {level}. Close it as it should be."


class AlreadyPosted(Problem):
    type = "already-posted"
    status = 409
    vi = (
        "Đơn đã đăng cho hãng vận chuyển nên không sửa hay mở lại được nữa. Hủy vận đơn trước khi lấy hàng, hoặc gọi "
        "hãng để đổi địa chỉ."
    )
    en = (
        "The order was posted, and from then on the carrier's rules hold: it can be neither edited nor reopened. Cancel "
        "it before pick-up, or have the carrier change the address."
    )


class OrderEdit(BaseModel):
    """What is to be different; a field that is missing stays as it is."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "lines": [{"sku": "SERUM-C-30", "quantity": 3}],
                    "discount": 50000,
                    "reason": "khách lấy thêm một chai",
                }
            ]
        },
    )

    recipient: Words | None = None
    phone: str | None = Field(default=None, max_length=40, description="of the recipient")
    address: DeliveryAddress | None = None
    lines: list[ClosingLine] | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        description="all of them; where the price is left out, the one agreed before, or that of the catalogue",
    )
    discount: Amount | None = None
    shipping_fee: Amount | None = None
    deposit: Amount | None = None
    deliver_on: GivenDate | None = Field(default=None, description="null: no day is agreed any more")
    note: str | None = Field(default=None, max_length=500, description="for the courier")
    reason: str = Field(default="", max_length=200)

    @model_validator(mode="after")
    def _changes_something(self) -> OrderEdit:
        empty = [name for name in self.model_fields_set - {"deliver_on", "reason"} if getattr(self, name) is None]
        if empty:
            raise Mistake(
                f"{', '.join(sorted(empty))}: trường nào giữ nguyên thì bỏ ra",
                f"{', '.join(sorted(empty))}: leave a field out that is to stay as it is",
            )
        if not self.model_fields_set - {"reason"}:
            raise Mistake("chưa có gì thay đổi", "nothing is to be different")
        return self


_PHASE: Final = text("SELECT phase FROM fulfilments WHERE order_id = :id")


async def edit(
    session: Session,
    order: Order,
    wanted: OrderEdit,
    actor: Actor,
    *,
    version: int,
    now: datetime,
    allow_waiting: bool,
    blocked_deposit_percent: int = 0,
) -> Order:
    """Changes the contents of a locked order: a further version, the stock by difference, the event that shipping and
    reporting follow. Who closed it, and when, stays.

    Args:
        version: on which the edit rests.
        allow_waiting: whether it may wait for stock afterwards (rule D19).
        blocked_deposit_percent: of the total, what a blocked customer must pay as a deposit (rule D46).

    Raises:
        NotClosed, AlreadyPosted: it is not to be edited.
        PreconditionFailed: somebody edited it meanwhile.
        UnknownProducts, FreeOnlyAsGift, DiscountTooLarge, DepositTooLarge, InvalidRecipientPhone, OutOfStock,
            DepositRequired, UnknownUnit, UnitElsewhere, UnitsNotLoaded: the contents will not do.
    """
    await ensure_not_posted(session, order)
    if order.level != CLOSED:
        raise NotClosed(level=order.level)
    if order.version != version:
        raise PreconditionFailed
    before = await contents.read(session, order)
    after = await _changed(session, before, wanted)
    if after == before:
        return order
    if after.sums() != before.sums():
        await ensure_deposit(session, order.customer_id, after, percent=blocked_deposit_percent)
    edited = replace(order, version=order.version + 1)
    await contents.write(session, edited, after, actor, at=now, reason=wanted.reason.strip())
    await customers.remember(
        session, order.customer_id, name=after.recipient, address=after.address, actor=actor, at=now
    )
    waits_for, served = await stock.exchange(session, order.id, before=units_of(before.lines), at=now)
    if waits_for and not allow_waiting:
        raise OutOfStock(skus=", ".join(waits_for))
    await fulfilment.touch(session, [order.id, *(each for each in served if each != order.id)], at=now)
    return edited


async def ensure_not_posted(session: Session, order: Order) -> None:
    """
    Raises:
        AlreadyPosted: the locked order was handed to shipping, or is on its way.
    """
    phase = (await session.execute(_PHASE, {"id": order.id})).scalar()
    if order.main == SENT or (order.level == CLOSED and phase != "closed"):
        raise AlreadyPosted


async def _changed(session: Session, before: Contents, wanted: OrderEdit) -> Contents:
    given: dict[str, Any] = {
        name: getattr(wanted, name) for name in wanted.model_fields_set - {"reason", "lines", "phone"}
    }
    if wanted.lines is not None:
        given["lines"] = await _lines(session, before.lines, wanted.lines)
    for name in ("recipient", "note"):
        if name in given:
            given[name] = unmasked(given[name], getattr(before, name))
    if wanted.address is not None:
        given["address"] = await checked(session, unmasked_address(wanted.address, before.address))
    if wanted.phone is not None:
        shown = (before.phone, national(before.phone), masked(before.phone))
        phone = before.phone if wanted.phone in shown else one_phone(wanted.phone)
        if isinstance(phone, PhoneProblem):
            raise InvalidRecipientPhone(**phone.members())
        given["phone"] = phone
    return replace(before, **given)


async def _lines(session: Session, before: Sequence[PricedLine], wanted: Sequence[ClosingLine]) -> list[PricedLine]:
    """A price that was agreed stays agreed, also when the catalogue has changed since."""
    agreed = {(each.line.sku, each.gift): each.line.unit_price for each in before}
    lines = [
        line.model_copy(update={"unit_price": agreed.get((line.sku, line.gift), line.unit_price)})
        if line.unit_price is None
        else line
        for line in wanted
    ]
    return priced(lines, await products.sold(session, [line.sku for line in lines]))


def units_of(lines: Sequence[PricedLine]) -> Mapping[str, int]:
    """SKU → units."""
    units: Counter[str] = Counter()
    for each in lines:
        units[each.line.sku] += each.line.quantity
    return units
