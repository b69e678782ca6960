"""Names of what screens follow about calls."""

from __future__ import annotations

from typing import Final
from uuid import UUID

CALLS: Final = "calls"


def calls_of(account_id: UUID) -> str:
    """The topic of a person's calls."""
    return f"{CALLS}/{account_id}"
