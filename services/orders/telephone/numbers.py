"""Numbers as telephone systems tell them: dialled, not typed. Pure."""

from __future__ import annotations

import re
from typing import Final

from shared.phone import read_phone

_ADDRESS: Final = re.compile(
    r"(?:[^<]*<)?"  # "Lan" <…
    r"(?:[^@;,>]*[/:])?"  # sip: sips: tel: PJSIP/trunk/
    r"(?P<dialled>\+?[0-9][0-9 .()-]*)#?"
    r"(?:[@;,>].*)?"  # the host, parameters, what was dialled afterwards
)
_NO_PERSONS: Final = re.compile(r"(?:\+84|0084|84|0)?(1[89]00[0-9]{3,6}|69[0-9]{5,6})")
"""Hotlines, and the lines of police and army: no customer's numbers, but calls come from them and go to them."""


def outside_number(told: str) -> str | None:
    """The number of a telephone outside, in E.164; None for what is none: an extension ('101', 'sip:101@10.0.0.5'), a
    feature code ('*97'), a caller who hides ('anonymous').

    Args:
        told: as a telephone system says it: dialled digits, also with 00 and a country, a SIP or tel address
            (RFC 3261, RFC 3966), or what Asterisk dials ('trunk/0912345678').
    """
    address = _ADDRESS.fullmatch(told.strip())
    if address is None:
        return None
    dialled = re.sub(r"[^0-9+]", "", address["dialled"])
    if of_nobody := _NO_PERSONS.fullmatch(dialled):
        return f"+84{of_nobody[1]}"
    return read_phone(dialled) or (read_phone(f"+{dialled[2:]}") if dialled.startswith("00") else None)
