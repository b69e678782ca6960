"""Our references at carriers: the order's code and a number that grows with each new attempt. Pure."""

from __future__ import annotations


def reference_of(code: str, number: int) -> str:
    """'DH-4F7K2M9Q' and 2 → 'DH-4F7K2M9Q-2'.

    The number tells a shop apart from its cancelled twin; people who read a reference out still name the order.
    """
    return f"{code}-{number}"
