"""The place in a list that is ordered by a time and an id."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def cursor_of(at: datetime, id: UUID) -> str:
    """The place of an item, as `after` of the next page: microseconds since 1970, id."""
    since = at - _EPOCH
    microseconds = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    return f"{microseconds}~{id}"


def read_cursor(after: str) -> tuple[datetime, str]:
    """Time and id of a place.

    Raises:
        ValueError: it is none; routes check its form before.
    """
    microseconds, id = after.split("~", 1)
    return _EPOCH + timedelta(microseconds=int(microseconds)), id
