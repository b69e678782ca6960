"""Moments and days that callers give in requests: within the years that we reckon with.

At the ends of the calendar a moment has no local time and a day no day after it: Python raises OverflowError there, and the
caller would hear of a failure here. So whatever takes a moment or a day in a request takes these.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Final

from pydantic import AwareDatetime, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

FIRST_YEAR: Final = 1900
LAST_YEAR: Final = 2199
"""Nothing that this company does lies outside, and a century beyond may be added to what lies within."""


@dataclass(frozen=True, slots=True)
class _WithinYears:
    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(_within_years, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        told = dict(handler(schema))
        clock = "T00:00:00Z" if told["format"] == "date-time" else ""
        return {
            **told,
            "formatMinimum": f"{FIRST_YEAR}-01-01{clock}",
            "formatExclusiveMaximum": f"{LAST_YEAR + 1}-01-01{clock}",
        }


def is_reckoned_with(value: date) -> bool:
    """Whether a moment or a day lies within these years; also of those that a caller sends inside something else, such as
    the place in a list."""
    return FIRST_YEAR <= value.year <= LAST_YEAR


def _within_years(value: Any) -> Any:
    assert isinstance(value, date)  # a datetime is one too
    if is_reckoned_with(value):
        return value
    raise PydanticCustomError(
        "outside_years", "must lie in the years {first} to {last}", {"first": FIRST_YEAR, "last": LAST_YEAR}
    )


GivenInstant = Annotated[AwareDatetime, _WithinYears()]
"""A moment with a zone, as it was given."""
GivenDate = Annotated[date, _WithinYears()]
"""A day."""
