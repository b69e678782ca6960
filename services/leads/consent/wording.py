"""What people agreed to when they left their number: each wording is kept once."""

from __future__ import annotations

import hashlib


def hash_of(text: str) -> bytes:
    """The name under which a wording is kept."""
    return hashlib.sha256(text.encode()).digest()
