"""What became of a row of an import, apart from the workbook that says so: writing one takes a large library."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """What became of a row."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"
    REPEATED = "repeated"
    WAITING = "waiting"
    UNDONE = "undone"
    KEPT = "kept"
