"""Public holidays as closed dates for a calendar.

Apart from `shared.calendar`, and with the library imported only when asked: it costs a seventh of a second and 18 MB,
which a process that merely computes with finished calendars should not pay.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date


def vietnam(years: Iterable[int]) -> frozenset[date]:
    """Days off in Vietnam: Tết and the other public holidays, the days off in lieu and the announced swaps.

    Source: the `holidays` package (Labour Code 2019 article 112 and the yearly announcements). The days around a Tết
    that has not been announced yet are its estimate; a company edits the dates it works differently.
    """
    from holidays import country_holidays

    return frozenset(country_holidays("VN", years=set(years)))


def vietnam_named(years: Iterable[int]) -> Mapping[date, tuple[str, str]]:
    """The same days with their names in Vietnamese and English."""
    from holidays import country_holidays

    wanted = set(years)
    vi = country_holidays("VN", years=wanted, language="vi")
    en = country_holidays("VN", years=wanted, language="en_US")
    return {on: (name, en[on]) for on, name in vi.items()}
