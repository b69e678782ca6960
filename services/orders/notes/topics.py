"""Names of what screens follow about notes."""

from __future__ import annotations

from typing import Final
from uuid import UUID

NOTES: Final = "notes"


def notes_of(account_id: UUID) -> str:
    """The topic of what concerns a person in notes."""
    return f"{NOTES}/{account_id}"
