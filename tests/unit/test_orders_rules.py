"""The pure rules of orders: codes, words, numbers, money, and who gets the stock."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.orders.access import REVEALED_AFTER_END, sees_numbers
from services.orders.closing.domain import (
    ClosingLine,
    DepositTooLarge,
    DiscountTooLarge,
    FreeOnlyAsGift,
    money,
    priced,
)
from services.orders.goods.allotment import allot, missing
from services.orders.goods.products import Product
from services.orders.text import order_code, read_code, words
from shared.auth import Principal
from shared.contracts import permissions
from shared.contracts.events.orders import OrderLine
from shared.phone.masking import masked, national

SKUS = ("A", "B", "C")
quantities = st.dictionaries(st.sampled_from(SKUS), st.integers(1, 5), min_size=1)
ORDERS = UUID(int=7)


def queue(needs: list[dict[str, int]]) -> list[tuple[UUID, dict[str, int]]]:
    return [(uuid5(ORDERS, str(number)), each) for number, each in enumerate(needs)]


@given(st.dictionaries(st.sampled_from(SKUS), st.integers(0, 12)), st.lists(quantities, max_size=8))
def test_never_more_is_allotted_than_there_is(available: dict[str, int], needs: list[dict[str, int]]) -> None:
    taken: Counter[str] = Counter()
    for _, units in allot(available, queue(needs)):
        taken.update(units)
    assert all(units <= available.get(sku, 0) for sku, units in taken.items())


@given(st.dictionaries(st.sampled_from(SKUS), st.integers(0, 12)), st.lists(quantities, max_size=8))
def test_nobody_overtakes_an_order_that_waits_for_the_same_goods(
    available: dict[str, int], needs: list[dict[str, int]]
) -> None:
    served = {order_id for order_id, _ in allot(available, queue(needs))}
    waited_for: set[str] = set()
    for order_id, units in queue(needs):
        if order_id in served:
            assert waited_for.isdisjoint(units)
        else:
            waited_for.update(units)


@given(st.dictionaries(st.sampled_from(SKUS), st.integers(0, 12)), st.lists(quantities, min_size=1, max_size=8))
def test_the_first_in_the_queue_is_served_if_there_is_enough(
    available: dict[str, int], needs: list[dict[str, int]]
) -> None:
    first = queue(needs)[0]
    assert (first in allot(available, queue(needs))) == (not missing(available, first[1]))


def test_order_codes_differ_and_can_be_typed_back() -> None:
    codes = {order_code(number) for number in range(1, 50_001)}
    assert len(codes) == 50_000
    assert all(read_code(code.lower().replace("-", "")) == code for code in list(codes)[:100])


@given(st.integers(0, 32**8 - 1), st.integers(0, 32**8 - 1))
def test_two_numbers_have_two_codes(one: int, other: int) -> None:
    assert (order_code(one) == order_code(other)) == (one == other)


@pytest.mark.parametrize("text", ["", "DH-", "DH-123", "0912345678", "Nguyễn", "XX-4F7K2M9Q"])
def test_what_is_no_code_is_not_read_as_one(text: str) -> None:
    assert read_code(text) is None


def test_words_lose_accents_and_case() -> None:
    assert words("ĐẶNG Thị  Ánh-Nguyệt 2") == ["dang", "thi", "anh", "nguyet", "2"]


def test_numbers_are_masked_and_shown_as_people_dial_them() -> None:
    assert masked("+84912345678") == "0912***678"
    assert national("+84912345678") == "0912345678"
    assert national("+6591234567") == "+6591234567"
    assert "1234" not in masked("+1234")


def test_numbers_are_whole_for_owner_closer_whoever_calls_and_by_permission() -> None:
    ended = datetime(2026, 11, 23, tzinfo=UTC)
    owner, closer, other = (Principal(UUID(int=n), f"NV{n}", frozenset()) for n in (1, 2, 3))
    row = {"owner_id": owner.account_id, "closer_id": closer.account_id, "is_open": False, "level_since": ended}
    later = ended + REVEALED_AFTER_END
    assert [sees_numbers(who, {**row, "is_open": True}, now=later) for who in (owner, closer, other)] == [
        True,
        True,
        False,
    ]
    assert sees_numbers(owner, row, now=later - timedelta(seconds=1))
    assert not sees_numbers(owner, row, now=later)
    assert sees_numbers(other, row, calls=True, now=later)
    assert sees_numbers(Principal(UUID(int=4), "NV4", frozenset({permissions.PHONES_REVEAL})), row, now=later)


def line(price: int, quantity: int = 1) -> OrderLine:
    return OrderLine(sku="A", name="A", quantity=quantity, unit_price=price, weight_grams=1)


def test_the_courier_asks_for_goods_less_discount_plus_fee_less_deposit() -> None:
    sums = money([line(200_000, 2), line(0)], discount=50_000, shipping_fee=30_000, deposit=100_000)
    assert (sums.goods, sums.total, sums.cod) == (400_000, 380_000, 280_000)


def test_nothing_may_be_negative() -> None:
    with pytest.raises(DiscountTooLarge):
        money([line(100)], discount=101, shipping_fee=0, deposit=0)
    with pytest.raises(DepositTooLarge):
        money([line(100)], discount=0, shipping_fee=0, deposit=101)


def test_a_line_takes_the_price_of_the_catalogue_unless_it_has_its_own_or_is_a_gift() -> None:
    catalogue = {"A": Product(sku="A", name="A", price=100, weight_grams=1)}
    lines = [
        ClosingLine(sku="A", quantity=1),
        ClosingLine(sku="A", quantity=1, unit_price=90),
        ClosingLine(sku="A", quantity=1, gift=True),
    ]
    assert [each.line.unit_price for each in priced(lines, catalogue)] == [100, 90, 0]
    with pytest.raises(FreeOnlyAsGift):
        priced([ClosingLine(sku="A", quantity=1, unit_price=0)], catalogue)
