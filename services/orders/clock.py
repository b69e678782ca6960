"""What time it is for this service; tests of long care put another clock here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

Clock = Callable[[], datetime]

CLOCK: Final = "clock"
"""Name of the clock in the runtime's state."""


def utc_now() -> datetime:
    return datetime.now(UTC)
