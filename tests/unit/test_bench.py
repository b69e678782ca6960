"""How benchmarks compare ours with the limit of the same run."""

from __future__ import annotations

import io
from typing import Literal

from rich.console import Console

from bench.pairs import Pair, in_turns, median
from bench.result import Result, show


def result(*, ours: float, budget: float, better: Literal["higher", "lower"] = "higher") -> Result:
    return Result(
        job="a job", ours=ours, limit=100.0, unit="requests/s", limit_is="the bare thing", budget=budget, better=better
    )


def test_a_rate_meets_its_budget_from_that_share_of_the_limit_on() -> None:
    assert result(ours=70, budget=0.7).met
    assert not result(ours=69, budget=0.7).met


def test_a_time_meets_its_budget_up_to_that_multiple_of_the_limit() -> None:
    assert result(ours=200, budget=2.0, better="lower").met
    assert not result(ours=201, budget=2.0, better="lower").met


def test_the_round_with_the_median_ratio_is_shown_whatever_the_absolute_numbers() -> None:
    rounds = [Pair(ours=1.0, limit=10.0), Pair(ours=900.0, limit=1000.0), Pair(ours=5.0, limit=10.0)]

    assert median(rounds, float) == Pair(ours=5.0, limit=10.0)


async def test_ours_and_the_limit_take_turns_in_going_first() -> None:
    order: list[str] = []

    async def note(name: str) -> str:
        order.append(name)
        return name

    pairs = await in_turns(ours=lambda: note("ours"), limit=lambda: note("limit"), rounds=3)

    assert order == ["limit", "ours", "ours", "limit", "limit", "ours"]
    assert pairs == [Pair(ours="ours", limit="limit")] * 3


def test_the_table_fits_a_terminal_of_eighty_columns_with_every_figure_in_full() -> None:
    written = io.StringIO()
    shown = Result(
        job="callbacks accepted",
        ours=1234.5,
        limit=2345.6,
        unit="requests/s",
        limit_is="the bare thing",
        budget=0.7,
        p50=12.3,
        p99=456.7,
        memory=131.0,
    )

    show([shown], Console(file=written, width=80))

    lines = written.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert "…" not in written.getvalue()
    for figure in ("1,234", "2,346", "0.53", "≥ 0.7", "12.3", "457", "131", "requests/s"):
        assert figure in written.getvalue()
