"""Reading what carriers send: numbers as text, texts as numbers, times without zones, and things that are neither."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

VIETNAM: Final = timezone(timedelta(hours=7))
"""Carriers write local times without a zone; Vietnam has had no daylight saving since 1975."""
MAX_TEXT: Final = 500
"""Characters kept of a text; the raw body is kept whole beside it."""
MAX_DONG: Final = 10**12
EARLIEST: Final = datetime(2010, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2100, 1, 1, tzinfo=UTC)
"""Times outside are misreadings (seconds taken for milliseconds, year 0001), and would win or lose every comparison."""


def text_of(value: Any) -> str:
    """A short text; numbers become text, anything else is empty. NUL is not storable and goes."""
    if not isinstance(value, str):  # asked first: nearly everything is text, and this is asked of every field
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return ""
        return str(value)[:MAX_TEXT]
    return value.replace("\0", "").strip()[:MAX_TEXT]


def integer_of(value: Any) -> int:
    """A whole number from 12, 12.0, '12' or '12.0'.

    Raises:
        ValueError: it is not one.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("not a number")
    try:
        number = float(value)
        whole = int(number)
    except (OverflowError, ValueError):
        raise ValueError("not a number") from None
    if whole != number or abs(whole) > MAX_DONG:
        raise ValueError("not a whole number of a sensible size")
    return whole


def money_of(value: Any) -> int | None:
    """An amount in đồng, or None where there is none to be read."""
    try:
        amount = integer_of(value)
    except ValueError:
        return None
    return amount if amount >= 0 else None


def moment_of(value: Any, *, zone: timezone = VIETNAM) -> datetime:
    """A moment in UTC from ISO 8601, with or without a zone.

    Args:
        zone: the zone of a time that names none.

    Raises:
        ValueError: it is not a moment, or one that no parcel can have.
    """
    text = text_of(value)
    # A form-encoded '+07:00' whose plus was not encoded arrives as a space (GHTK's own sample does it).
    if len(text) > 6 and text[-6] == " " and text[-3] == ":":
        text = f"{text[:-6]}+{text[-5:]}"
    try:
        moment = datetime.fromisoformat(text)
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError:
        raise ValueError("not a moment") from None
    if not EARLIEST <= moment <= LATEST:
        raise ValueError("not a moment that a parcel can have")
    return moment
