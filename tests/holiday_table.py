"""Writes the table of public holidays from the `holidays` package: `python -m tests.holiday_table` after its update."""

from __future__ import annotations

import json
from typing import Final

from holidays import country_holidays

from shared.public_holidays import TABLE

YEARS: Final = range(2000, 2101)


def written() -> str:
    """The table as the installed package knows it, a year a line."""
    vi = country_holidays("VN", years=YEARS, language="vi")
    en = country_holidays("VN", years=YEARS, language="en_US")
    names: dict[tuple[str, str], int] = {}
    years: dict[int, dict[str, int]] = {}
    for on in sorted(vi):
        number = names.setdefault((vi[on], en[on]), len(names))
        years.setdefault(on.year, {})[f"{on:%m-%d}"] = number
    named = ",\n".join(json.dumps(pair, ensure_ascii=False) for pair in names)
    dated = ",\n".join(f'"{year}": {json.dumps(days)}' for year, days in years.items())
    return f'{{"names": [\n{named}\n],\n"years": {{\n{dated}\n}}}}\n'


if __name__ == "__main__":
    TABLE.write_text(written(), encoding="utf-8")
