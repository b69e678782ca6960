"""Which column is which: the header row found by the names that people give to columns.

Standard library only, because the child process imports it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

F = TypeVar("F", bound=str)
"""The meanings that columns have for one kind of upload, usually a `Literal`."""

HEADER_ROWS: Final = 20
"""Excel rows in which the header is looked for: above it stand a title, a logo, instructions."""

_IN_BRACKETS: Final = re.compile(r"\([^)]*\)|\[[^]]*\]")
_NOT_A_WORD: Final = re.compile(r"[\W_]+")
_MANY_DIGITS: Final = re.compile(r"(?:\D*\d){6}")
_MAX_LABEL: Final = 40
_MAX_FOUND: Final = 20


@dataclass(frozen=True, slots=True)
class Column(Generic[F]):
    """A column of the sheet: its place from 0, what it is called there (unique), and its meaning if we know it."""

    index: int
    label: str
    field: F | None


@dataclass(frozen=True, slots=True)
class Headings(Generic[F]):
    """What the columns of one kind of upload may be called.

    Args:
        aliases: meaning → names, as `plain` writes them.
        needed: meanings of which a header row has at least one.
        second: meaning → the meaning of a second column with the same.
        qualifiers: words at the end of a name that say nothing ('của khách hàng'), as `plain` writes them.
        further: names, as `plain` writes them, that mark a header row like the first of `needed`, without giving their
            column a meaning: what a company has said of its own files before.
    """

    aliases: Mapping[F, Sequence[str]]
    needed: Sequence[F]
    second: Mapping[F, F] = field(default_factory=dict)
    qualifiers: Sequence[str] = ()
    further: Collection[str] = ()

    @property
    def meanings(self) -> set[F]:
        """All that a column can mean."""
        return {*self.aliases, *self.second.values()}

    def field_of(self, label: str) -> F | None:
        """The meaning of a column name, None when it is not known."""
        return _Names(self).field_of(label)

    def as_json(self) -> dict[str, Any]:
        """For `Headings(**…)` in the child."""
        return {
            "aliases": {meaning: list(names) for meaning, names in self.aliases.items()},
            "needed": list(self.needed),
            "second": dict(self.second),
            "qualifiers": list(self.qualifiers),
            "further": sorted(self.further),
        }

    def find(self, rows: Sequence[Sequence[str]]) -> int | None:
        """The place of the header among the first rows: the one with a needed column and the most columns we know."""
        names = _Names(self)

        def known(row: Sequence[str]) -> set[F]:
            fields = {meaning for label in row if (meaning := names.field_of(label))}
            if self.further and any(plain(label) in self.further for label in row if label.strip()):
                fields.add(self.needed[0])
            return fields

        candidates = [
            (len(fields), -place)
            for place, row in enumerate(rows)
            if not (fields := known(row)).isdisjoint(self.needed)
        ]
        return -max(candidates)[1] if candidates else None

    def name(self, header: Sequence[str], used: set[int]) -> list[Column[F]]:
        """Gives every used column a meaning, or keeps it under its own name.

        Two columns of one meaning: the first has it, the second has the meaning of a second one, or keeps its name.
        Columns without a name, and names that come twice, get their letter: '(H)', 'Ghi chú (H)'.

        Args:
            header: the texts of the header row.
            used: indexes of the columns with a name or with data below.
        """
        names = _Names(self)
        columns: list[Column[F]] = []
        fields: set[F] = set()
        labels: set[str] = set()
        for index in sorted(used):
            written = " ".join(header[index].split()) if index < len(header) else ""
            label = written if written and written not in labels else f"{written} ({letter_of(index)})".strip()
            labels.add(label)
            meaning = names.field_of(written)
            if meaning in fields:
                meaning = self.second.get(meaning)
            if meaning in fields:
                meaning = None
            if meaning:
                fields.add(meaning)
            columns.append(Column(index, label, meaning))
        return columns


class _Names(Generic[F]):
    """The names of headings, made ready for many look-ups."""

    def __init__(self, headings: Headings[F]) -> None:
        self._fields = {name: meaning for meaning, names in headings.aliases.items() for name in names}
        words = "|".join(map(re.escape, headings.qualifiers))
        self._qualifier = re.compile(rf" (?:cua )?(?:{words})$") if words else None

    def field_of(self, label: str) -> F | None:
        name = plain(label)
        while name:
            if meaning := self._fields.get(name):
                return meaning
            shorter = self._qualifier.sub("", name) if self._qualifier else name
            name = shorter if shorter != name else ""
        return None


def plain(label: str) -> str:
    """'  Số ĐIỆN-thoại (*) ' → 'so dien thoai': what stays of a name when case, accents, signs and brackets go."""
    words = _bare(_IN_BRACKETS.sub(" ", label))
    return words or _bare(label)


def _bare(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.casefold().replace("đ", "d"))
    letters = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return _NOT_A_WORD.sub(" ", letters).strip()


def letter_of(index: int) -> str:
    """Excel's letters of a column: 0 → 'A', 27 → 'AB'."""
    letters = ""
    while index >= 0:
        index, rest = divmod(index, 26)
        letters = chr(ord("A") + rest) + letters
        index -= 1
    return letters


def describe(rows: Sequence[Sequence[str]]) -> str:
    """What stands where the header should be, for the sender to recognise; what may be a phone number is left out."""
    fullest: Sequence[str] = max(rows, key=lambda row: sum(bool(text.strip()) for text in row), default=())
    texts = [" ".join(text.split())[:_MAX_LABEL] for text in fullest if text.strip() and not _MANY_DIGITS.match(text)]
    return ", ".join(f"“{text}”" for text in texts[:_MAX_FOUND]) or "—"
