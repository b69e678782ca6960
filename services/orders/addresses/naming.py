"""Names of units as people type them: without accents, abbreviated, in one line. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.orders.text import words

_KINDS: Final = (
    ("thanh", "pho"),
    ("thi", "xa"),
    ("thi", "tran"),
    ("dac", "khu"),
    ("tinh",),
    ("quan",),
    ("huyen",),
    ("phuong",),
    ("xa",),
)
"""What a unit's name begins with; the longer ones first."""
_SHORT: Final = {
    "tp": ("thanh", "pho"),
    "tx": ("thi", "xa"),
    "tt": ("thi", "tran"),
    "dk": ("dac", "khu"),
    "t": ("tinh",),
    "q": ("quan",),
    "h": ("huyen",),
    "p": ("phuong",),
    "f": ("phuong",),
    "x": ("xa",),
}
_NAMES: Final = {
    ("hcm",): ("ho", "chi", "minh"),
    ("hcmc",): ("ho", "chi", "minh"),
    ("sg",): ("ho", "chi", "minh"),
    ("tphcm",): ("thanh", "pho", "ho", "chi", "minh"),
    ("hn",): ("ha", "noi"),
    ("tphn",): ("thanh", "pho", "ha", "noi"),
    ("brvt",): ("ba", "ria", "vung", "tau"),
    ("thua", "thien", "hue"): ("hue",),
    ("dac", "lac"): ("dak", "lak"),
    ("dac", "lak"): ("dak", "lak"),
    ("daklak",): ("dak", "lak"),
    ("dac", "nong"): ("dak", "nong"),
    ("daknong",): ("dak", "nong"),
    ("bac", "can"): ("bac", "kan"),
    ("kontum",): ("kon", "tum"),
}
"""Other spellings and abbreviations that mean one thing only ('dn' may be Đà Nẵng or Đồng Nai, so it is not here)."""
_NUMBERED: Final = re.compile(r"(q|p|f|quan|phuong)([0-9]{1,2})")
_BREAK: Final = re.compile(r"[,;|/\n]| - ")


@dataclass(frozen=True)
class UnitKey:
    """What a unit is found by: the words of its name, with its kind and without."""

    own: str
    short: str


@dataclass(frozen=True)
class UnitQuery:
    """What somebody looks for.

    Args:
        key: all words in a row, which a unit of just this name equals.
        short: the same without kinds.
        exact: tsquery in which the words of each unit follow one another.
        loose: tsquery of the words without their kinds, in any order.
    """

    key: str
    short: str
    exact: str
    loose: str


def unit_key(name: str) -> UnitKey:
    """The keys of an official name: 'Phường 01' → 'phuong 1' and '1'."""
    plain = [_number(word) for word in words(name)]
    kind = _kind(plain)
    return UnitKey(" ".join(plain), " ".join(plain[kind:] or plain))


def read_query(text: str) -> UnitQuery | None:
    """What is meant by 'p. bến nghé, q1 tphcm'; None if there is no word in it."""
    groups: list[list[str]] = []
    bare: list[str] = []
    for part in _BREAK.split(text):
        for group in _groups(_expanded(words(part))):
            groups.append(group)
            bare += group[_kind(group) :] or group
    if not groups:
        return None
    last = groups[-1][-1]
    phrases = [" <-> ".join(group) for group in groups]
    loose = list(bare)
    # A number is whole ('quận 1' is not 'quận 10'); of a word the end may still be missing.
    if not last.isdigit():
        phrases[-1] += ":*"
        loose[-1] += ":*"
    return UnitQuery(
        key=" ".join(word for group in groups for word in group),
        short=" ".join(bare),
        exact=" & ".join(phrases),
        loose=" & ".join(loose),
    )


def _number(word: str) -> str:
    return str(int(word)) if word.isdigit() else word


def _kind(plain: Sequence[str]) -> int:
    """How many words at the beginning say what kind of unit it is; 0 if that is all there is."""
    for kind in _KINDS:
        if tuple(plain[: len(kind)]) == kind and len(plain) > len(kind):
            return len(kind)
    return 0


def _expanded(plain: Sequence[str]) -> list[str]:
    """Abbreviations in full."""
    found: list[str] = []
    position = 0
    while position < len(plain):
        for length in (3, 2, 1):
            name = _NAMES.get(tuple(plain[position : position + length]))
            if name is not None:
                found += name
                position += length
                break
        else:
            word = plain[position]
            position += 1
            numbered = _NUMBERED.fullmatch(word)
            if numbered is not None:
                found += (*_SHORT.get(numbered[1], (numbered[1],)), _number(numbered[2]))
            elif word in _SHORT and position < len(plain):
                found += _SHORT[word]
            else:
                found.append(_number(word))
    return found


def _groups(plain: Sequence[str]) -> list[list[str]]:
    """One list a unit: a kind begins another, unless it is the end of a name ('Hà Tĩnh') or its beginning ('huyện Quan
    Hóa')."""
    groups: list[list[str]] = []
    position = 0
    inside_kind = False
    while position < len(plain):
        kind = _kind(plain[position:])
        if kind and not inside_kind and (not groups or not _kind(plain[position + kind :])):
            groups.append(list(plain[position : position + kind]))
            position += kind
            inside_kind = True
            continue
        if not groups:
            groups.append([])
        groups[-1].append(plain[position])
        position += 1
        inside_kind = False
    return groups
