"""The table of public holidays."""

from __future__ import annotations

from datetime import date

import pytest

from shared.public_holidays import TABLE, vietnam, vietnam_named
from tests.holiday_table import written


def test_the_table_is_what_the_installed_package_computes() -> None:
    assert TABLE.read_text(encoding="utf-8") == written(), "write it anew with `python -m tests.holiday_table`"


def test_a_holiday_has_its_names_and_only_the_wanted_years_are_told() -> None:
    named = vietnam_named([2026, 2028, 2026])
    assert named[date(2026, 9, 2)] == ("Quốc khánh", "National Day")
    assert {on.year for on in named} == {2026, 2028}
    assert vietnam([2026, 2028]) == named.keys()


def test_a_year_that_nobody_computed_is_not_taken_for_one_without_holidays() -> None:
    with pytest.raises(KeyError):
        vietnam([2101])
