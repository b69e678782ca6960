"""A number as people are shown it. Pure."""

from __future__ import annotations


def masked(phone: str) -> str:
    """A number as people without the right to it see it: '+84912345678' → '0912***678' (rule D26)."""
    shown = national(phone)
    return f"{shown[:4]}***{shown[-3:]}" if len(shown) > 7 else "***"


def national(phone: str) -> str:
    """A number as people here dial it: '+84912345678' → '0912345678'; foreign numbers stay as they are."""
    return f"0{phone[3:]}" if phone.startswith("+84") else phone
