"""Level codes that the code itself must know. A company adds child levels as data; these are the fixed points."""

from __future__ import annotations

from typing import Final

NEW: Final = "C3"
DUPLICATE: Final = "C3.1"
CLEAN: Final = "L1"
WRONG_NUMBER: Final = "L1.1"
CARE_AGAIN: Final = "L1.2"
REFUSES_CONTACT: Final = "L1.3"
UNREACHABLE: Final = "L1.4"
NOT_BUYING: Final = "L1.5"
BUY_LATER: Final = "L1.6"
CLOSED: Final = "L5"
CANCELLED_AFTER_CLOSING: Final = "L5.3"
SENT: Final = "L7"
OUT_FOR_DELIVERY: Final = "L7.1"
DELIVERY_FAILED: Final = "L7.2"
RETURNED: Final = "L7.3"
CANCELLED_AFTER_POSTING: Final = "L7.4"
RETURNING: Final = "L7.5"
LOST: Final = "L7.6"
DELIVERED: Final = "L8"

MAIN_LEVELS: Final = (NEW, CLEAN, CLOSED, SENT, DELIVERED)
"""The funnel, in order (domain.md)."""

SEED_FINAL: Final = frozenset(
    {
        DUPLICATE,
        WRONG_NUMBER,
        REFUSES_CONTACT,
        NOT_BUYING,
        CANCELLED_AFTER_CLOSING,
        RETURNED,
        CANCELLED_AFTER_POSTING,
        LOST,
        DELIVERED,
    }
)
"""Rule D35. A custom child level says for itself whether it is final."""


def is_final(code: str, told: bool | None = None) -> bool:
    """Whether a level ends an order.

    Args:
        told: what its event said; where it said nothing, a level that is not the seed's is open.
    """
    return code in SEED_FINAL if told is None else told


def main_level(code: str) -> str:
    """The main level of a code: 'L1.4' → 'L1'."""
    return code.split(".", 1)[0]
