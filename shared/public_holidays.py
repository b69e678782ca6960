"""Public holidays as closed dates for a calendar.

They come from the table beside this file. What computes them, the `holidays` package, loads two hundred countries for
Vietnam's: a second of a busy machine's time and 18 MiB that a process never gives back, and nearly every process asks.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Final

TABLE: Final = Path(__file__).with_name("vietnam_holidays.json")
"""Written by `python -m tests.holiday_table`; a test fails when an update of the package knows other dates."""


def vietnam(years: Iterable[int]) -> frozenset[date]:
    """Days off in Vietnam: Tết and the other public holidays, the days off in lieu and the announced swaps.

    Source: the `holidays` package (Labour Code 2019 article 112 and the yearly announcements). The days around a Tết
    that has not been announced yet are its estimate; a company edits the dates it works differently.

    Raises:
        KeyError: a year before 2000 or after 2100.
    """
    return frozenset(vietnam_named(years))


def vietnam_named(years: Iterable[int]) -> Mapping[date, tuple[str, str]]:
    """The same days with their names in Vietnamese and English.

    Raises:
        KeyError: a year before 2000 or after 2100.
    """
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    names = [(vi, en) for vi, en in table["names"]]
    return {
        date.fromisoformat(f"{year}-{day}"): names[name]
        for year in sorted(set(years))
        for day, name in table["years"][str(year)].items()
    }
