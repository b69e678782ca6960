"""What the end of a call means: a result that is beyond doubt, a question to the salesperson, or nothing at all. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

ASK: Final = "ask"
"""Only who called can say: it was answered, or the cause may mean several things."""
NOTHING: Final = "nothing"
"""It never reached the customer: no attempt, nothing to log."""

USUAL: Final[Mapping[str, str]] = {
    # Dispositions of Asterisk's CDR and of the systems built on it
    "BUSY": "busy",
    "NO ANSWER": "no_answer",
    "NOANSWER": "no_answer",
    "CANCEL": ASK,
    "FAILED": NOTHING,
    "CONGESTION": NOTHING,
    "CHANUNAVAIL": NOTHING,
    # Causes of FreeSWITCH (Q.850 by name)
    "USER BUSY": "busy",
    "NO USER RESPONSE": "no_answer",
    "ALLOTTED TIMEOUT": "no_answer",
    "SUBSCRIBER ABSENT": "switched_off",
    "SWITCHED OFF": "switched_off",
    "POWER OFF": "switched_off",
    "NETWORK OUT OF ORDER": NOTHING,
    "NORMAL TEMPORARY FAILURE": NOTHING,
    "SWITCH CONGESTION": NOTHING,
    # Q.850 by number (Asterisk: Hangup Cause Mappings)
    "17": "busy",
    "18": "no_answer",
    "19": "no_answer",
    "20": "switched_off",
    "34": NOTHING,
    "38": NOTHING,
    "41": NOTHING,
    "42": NOTHING,
    # SIP answers (Stringee's endCallCause begins with them)
    "408": "no_answer",
    "486": "busy",
    "500": NOTHING,
    "502": NOTHING,
    "503": NOTHING,
    "504": NOTHING,
    "600": "busy",
}
"""What is beyond doubt everywhere. 480, 487, 603 and 404 are not: networks here use them for a telephone that is off, for a
caller who gave up, for a rejected call; what is not listed is asked."""

_CODE: Final = re.compile(r"(\d{1,3})\b")


def meaning(cause: str, *, answered: bool | None, own: Mapping[str, str]) -> str:
    """A result of the care process, ASK or NOTHING.

    Args:
        cause: in the system's words.
        answered: a call that was answered is always asked about: somebody spoke, or an announcement did.
        own: what the company says of its system's causes, by `normal` cause.
    """
    if answered:
        return ASK
    name = normal(cause)
    code = _CODE.match(name)
    for table in (own, USUAL):
        for key in (name, code[1] if code else ""):
            if key in table:
                return table[key]
    return ASK


def normal(cause: str) -> str:
    """A cause as it is looked up: 'no_answer' and 'No Answer' are one."""
    return " ".join(cause.replace("_", " ").replace("-", " ").upper().split())
