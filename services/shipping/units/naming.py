"""Names of provinces, districts and wards, made comparable: carriers and the statistics office spell them differently.
Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

_KINDS: Final = (
    "thanh pho",
    "thi xa",
    "thi tran",
    "dac khu",
    "tinh",
    "quan",
    "huyen",
    "phuong",
    "xa",
    "tp",
    "tx",
    "tt",
    "dk",
    "q",
    "h",
    "p",
    "x",
)
"""What a unit's name begins with; the longer ones first."""
_SAME: Final = {
    "hcm": "ho chi minh",
    "thua thien hue": "hue",
    "dac lac": "dak lak",
    "dac lak": "dak lak",
    "daklak": "dak lak",
    "dac nong": "dak nong",
    "daknong": "dak nong",
    "bac can": "bac kan",
    "ba ria vung tau": "ba ria vung tau",
}
_WORDS: Final = re.compile(r"[a-z0-9]+")


def plain_name(name: str) -> str:
    """'Phường Bến Nghé' → 'phuong ben nghe'; numbers without leading zeros."""
    decomposed = unicodedata.normalize("NFKD", name.lower().replace("đ", "d"))
    letters = "".join(each for each in decomposed if not unicodedata.combining(each))
    return " ".join(word.lstrip("0") or "0" if word.isdigit() else word for word in _WORDS.findall(letters))


def unit_key(name: str) -> str:
    """The name without its kind: 'Phường 01' → '1', 'TP. Hồ Chí Minh' → 'ho chi minh'."""
    plain = plain_name(name)
    for kind in _KINDS:
        if plain.startswith(f"{kind} "):
            plain = plain[len(kind) + 1 :]
            break
    return _SAME.get(plain, plain)


def keys_of(name: str, other_names: Iterable[str] = ()) -> list[str]:
    """What a unit is found by, whole names before those without their kind."""
    names = [name, *other_names]
    return list(dict.fromkeys([*map(plain_name, names), *map(unit_key, names)]))
