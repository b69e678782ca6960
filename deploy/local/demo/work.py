"""What people do all day: salespeople work their tasks, the COD desk posts, each through the HTTP APIs."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from deploy.local.demo.api import Person, Refused
from deploy.local.demo.company import PRODUCTS

RESULTS: Final = {
    "closed": 46,
    "no_answer": 14,
    "busy": 5,
    "switched_off": 4,
    "call_later": 10,
    "thinking": 6,
    "not_buying": 8,
    "refuses_contact": 3,
    "wrong_number": 4,
}
"""How calls end, in percent; closing is likelier than in life, so that two minutes have something to ship."""

TALKED: Final = frozenset({"closed", "call_later", "thinking", "not_buying", "refuses_contact"})

ADDRESSES: Final = (
    ("Thành phố Hà Nội", "Phường Hoàn Kiếm", "12 Hàng Bài"),
    ("Thành phố Hồ Chí Minh", "Phường Sài Gòn", "45 Lê Lợi"),
    ("Thành phố Đà Nẵng", "Phường Hải Châu", "8 Bạch Đằng"),
    ("Thành phố Cần Thơ", "Phường Ninh Kiều", "101 Trần Hưng Đạo"),
    ("Thành phố Hải Phòng", "Phường Lê Chân", "27 Tô Hiệu"),
)


@dataclass
class Tally:
    """What the salespeople did."""

    results: Counter[str] = field(default_factory=Counter)
    worked: set[str] = field(default_factory=set)
    """Orders that somebody called."""
    after_call: dict[str, Any] = field(default_factory=dict)
    """The next step of one order after its call, to show."""


class Salesperson:
    """Calls everybody on the list, a few at a time; each call ends as the dice say.

    Args:
        person: signed in.
        dice: seeded, so that two demos tell the same story.
    """

    def __init__(self, person: Person, dice: random.Random, tally: Tally) -> None:
        self._person = person
        self._dice = dice
        self._tally = tally

    async def work(self) -> int:
        """Works the present list once; returns how many calls were made."""
        calls = 0
        async for task in self._person.pages("orders", "/v1/tasks"):
            order_id = task["order_id"]
            if task["kind"] != "call" or order_id in self._tally.worked:
                continue
            self._tally.worked.add(order_id)
            await self._call(order_id)
            calls += 1
        return calls

    async def _call(self, order_id: str) -> None:
        (result,) = self._dice.choices(list(RESULTS), weights=list(RESULTS.values()))
        if result == "closed":
            await self._close(order_id)
        else:
            answer = await self._person.ask(
                "orders", "POST", f"/v1/orders/{order_id}/interactions", **self._log(result)
            )
            if result == "no_answer" and not self._tally.after_call:
                self._tally.after_call = answer
        self._tally.results[result] += 1

    def _log(self, result: str) -> dict[str, Any]:
        logged: dict[str, Any] = {"kind": "call", "result": result}
        if result in TALKED:
            logged["seconds"] = self._dice.randrange(20, 240)
        if result == "call_later":
            logged["promised_at"] = (datetime.now(UTC) + timedelta(hours=self._dice.randrange(2, 30))).isoformat()
        if result == "not_buying":
            logged["reason"] = self._dice.choice(["giá cao", "không có nhu cầu", "đã mua nơi khác"])
        return logged

    async def _close(self, order_id: str) -> None:
        province, ward, detail = self._dice.choice(ADDRESSES)
        sku = self._dice.choice(PRODUCTS)[0]
        await self._person.ask(
            "orders",
            "POST",
            f"/v1/orders/{order_id}/close",
            recipient="Khách hàng",
            address={"province": province, "ward": ward, "detail": detail},
            lines=[{"sku": sku, "quantity": self._dice.choice([1, 1, 1, 2])}],
            shipping_fee=30_000,
            call={"seconds": self._dice.randrange(60, 400)},
        )


async def work_all(salespeople: Sequence[Salesperson]) -> int:
    """Everybody works their list once, side by side."""
    return sum(await asyncio.gather(*(salesperson.work() for salesperson in salespeople)))


async def post_closed(cod_desk: Person, posted: set[str]) -> int:
    """The COD desk posts what was closed and is in stock; returns how many."""
    count = 0
    async for order in cod_desk.pages("orders", "/v1/orders", to_post="true"):
        if order["id"] in posted:
            continue
        try:
            await cod_desk.ask("orders", "POST", f"/v1/orders/{order['id']}/post")
        except Refused as refused:
            if refused.status != 409:  # stock that is not reserved yet: posted in the next round
                raise
            continue
        posted.add(order["id"])
        count += 1
    return count
