"""Who is mentioned in a note. Pure."""

from __future__ import annotations

import re
from typing import Final

# After a letter or digit it is the middle of an e-mail address, not a mention.
_MENTION: Final = re.compile(r"(?<![\w.])@([A-Za-z0-9](?:[A-Za-z0-9_.-]{0,38}[A-Za-z0-9])?)")


def mentioned(text: str) -> list[str]:
    """The staff codes after each `@`, in capitals, each once, in their order: '@nv02 xem giúp' → ['NV02']."""
    return list(dict.fromkeys(match[1].upper() for match in _MENTION.finditer(text)))
