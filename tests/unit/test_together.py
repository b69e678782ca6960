"""Calls to a carrier that are under way together."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from services.shipping.carriers.errors import Away
from services.shipping.carriers.together import AT_ONCE, together


async def test_results_come_in_the_order_of_the_calls_and_no_more_than_a_few_are_under_way() -> None:
    under_way = most = 0

    async def call(number: int) -> int:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        for _ in range(number % 5):
            await asyncio.sleep(0)
        under_way -= 1
        return number

    assert await together([partial(call, number) for number in range(60)]) == list(range(60))
    assert most == AT_ONCE
    assert await together([]) == []


async def test_the_first_failure_ends_the_others_and_is_raised_as_it_is() -> None:
    ended = []

    async def call(number: int) -> None:
        if number == 3:
            raise Away("gone")
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(number)

    with pytest.raises(Away, match="gone"):
        await together([partial(call, number) for number in range(60)])
    assert sorted(ended) == [number for number in range(AT_ONCE) if number != 3]
