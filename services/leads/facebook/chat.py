"""A message of a conversation → the phone numbers in it. Pure."""

from __future__ import annotations

import re
from typing import Final

from shared.phone import Phone, PhoneRule, read_phones
from shared.phone.pieces import pieces

_NAMED: Final = re.compile(r"(?:sđt|sdt|đt|dt|điện thoại|dien thoai|phone|tel|zalo)\W*\Z", re.IGNORECASE)
"""What stands before nine digits that are a number without its 0."""


def phones_in(text: str) -> tuple[Phone, ...]:
    """Numbers in what a customer writes, in the order in which they stand there, each once.

    Nine digits are a number that lost its 0 only where they are called one or are all that was written: within a
    sentence they are a price or a code of an order as well.
    """
    found: dict[str, Phone] = {}
    alone = not any(sign.isalpha() for sign in text)
    for piece in pieces(text):
        for phone in read_phones(piece).phones:
            before = piece.partition(phone.typed)[0]
            if PhoneRule.MISSING_ZERO not in phone.rules or alone or _NAMED.search(before):
                found.setdefault(phone.e164, phone)
    return tuple(found.values())
