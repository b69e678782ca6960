"""The base of every model that crosses a process."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field


def _utc(value: datetime) -> datetime:
    """
    Raises:
        ValueError: in UTC it lies outside the years 1 to 9999.
    """
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("in UTC this lies outside the years 1 to 9999") from error


Instant = Annotated[AwareDatetime, AfterValidator(_utc)]
"""A moment with a zone, kept in UTC."""

Dong = Annotated[int, Field(ge=-(2**53), le=2**53)]
"""Money in Vietnamese đồng, which has no smaller unit in use."""


class Contract(BaseModel):
    """An immutable message. Unknown fields are ignored, because an older reader meets newer writers."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def personal(default: Any = ..., **kwargs: Any) -> Any:
    """A field that holds personal data: never logged, masked in dead letters shown to people without permission."""
    return Field(default, json_schema_extra={"personal": True}, **kwargs)
