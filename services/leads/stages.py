"""What the level of an order means for the number behind it. Pure."""

from __future__ import annotations

from typing import Final

from shared.contracts import levels

BEFORE_HAND_OVER: Final = frozenset({levels.SENT, levels.CANCELLED_AFTER_POSTING})
"""At these L7 levels the parcel has not left us (rules D4, D5); at every other it has."""


def ends_window(level: str) -> bool:
    """Whether an anchor that reached this level no longer makes duplicates of later arrivals (rule D9)."""
    return levels.main_level(level) in (levels.SENT, levels.DELIVERED) or level == levels.CANCELLED_AFTER_CLOSING


def is_handed_over(level: str) -> bool:
    """Whether an order that reached this level has been handed over to the carrier, so its customer will be a returning
    one."""
    main = levels.main_level(level)
    return main == levels.DELIVERED or (main == levels.SENT and level not in BEFORE_HAND_OVER)


def is_in_care(level: str, *, final: bool | None = None) -> bool:
    """Whether an order at this level is still to be called and closed.

    Args:
        final: what orders says of the level, which may be one that the company added (rule D35).
    """
    return levels.main_level(level) in (levels.NEW, levels.CLEAN) and not levels.is_final(level, final)


def is_closed(level: str) -> bool:
    """Whether an order at this level was ever won: it is past being a duplicate."""
    return levels.main_level(level) not in (levels.NEW, levels.CLEAN)
