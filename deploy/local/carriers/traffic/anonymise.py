"""Takes everything about people out of a recording, and keeps what a program needs to be tested with it.

The same person is the same stand-in everywhere: in requests, answers and callbacks, whatever the spelling of a phone number.
What stays are codes, states, times, amounts and administrative units; names, phones, addresses, free texts and secrets are
replaced, bodies that are neither JSON nor forms are left out. In the end every replaced value is searched for in what was
made, and one that is still there is an error.
"""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from deploy.local.carriers.traffic.personal import Kind, carriers_words, kinds, normalised
from deploy.local.carriers.traffic.tape import Exchange

_PHONE = re.compile(r"(?<!\d)(?:\+?84|0084|0)[ .\-]?\d(?:[ .\-]?\d){8}(?!\d)")
# A callback secret in a path; labels have dots in them and references are shorter.
_SECRET_PART = re.compile(r"(?<=/)[A-Za-z0-9_\-]{24,}(?=/|$)")
_WORD = re.compile(r"\w+")
# Letters of a replaced value that is searched for in the end, and digits of a number: shorter ones are found by chance.
_TELLING_LETTERS = 5
_TELLING_DIGITS = 9
_PEOPLE = frozenset({Kind.NAME, Kind.ADDRESS, Kind.SECRET})
_MISSING = ("", "null", "none")


class PersonalDataLeft(Exception):
    """Something of a person would have survived; nothing was written. Names the exchanges (from 1), not the value."""

    def __init__(self, exchanges: list[int]) -> None:
        shown = ", ".join(map(str, exchanges[:5]))
        super().__init__(f"personal data would be left in {len(exchanges)} exchanges, the first: {shown}")


@dataclass
class Anonymiser:
    """Stand-ins for recordings that belong together: a customer in the requests is the same one in the callbacks."""

    _stand_ins: dict[tuple[Kind, str], str] = field(default_factory=dict)
    _made: Counter[Kind] = field(default_factory=Counter)
    _replaced: dict[str, set[tuple[str, ...]]] = field(default_factory=dict)
    """Words of what was replaced, by the first word."""
    _numbers: set[str] = field(default_factory=set)

    def anonymised(self, recordings: Iterable[Iterable[Exchange]]) -> list[list[Exchange]]:
        """The recordings without their people.

        Raises:
            PersonalDataLeft: what was replaced in one place stands in another.
        """
        made = [[self._exchange(exchange) for exchange in recording] for recording in recordings]
        everything = [exchange for recording in made for exchange in recording]
        mine, lengths = set(self._stand_ins.values()), set(map(len, self._numbers))
        left = [
            number
            for number, exchange in enumerate(everything, 1)
            if self._gives_away(exchange, mine=mine, lengths=lengths)
        ]
        if left:
            raise PersonalDataLeft(left)
        return made

    def _exchange(self, exchange: Exchange) -> Exchange:
        query = parse_qsl(exchange.query, keep_blank_values=True)
        return replace(
            exchange,
            path=_SECRET_PART.sub("bi-mat", exchange.path),
            query=urlencode([(name, str(self._value(name, value))) for name, value in query]),
            body=self._body(exchange.body, exchange.content_type),
            answer=self._body(exchange.answer, exchange.answer_type),
        )

    def _body(self, body: bytes, content_type: str) -> bytes:
        if not body:
            return body
        if body.lstrip()[:1] in (b"{", b"["):
            try:
                content = json.loads(body)
            except ValueError:
                return b""
            return json.dumps(self._value("", content), ensure_ascii=False, separators=(",", ":")).encode()
        if not content_type.startswith("application/x-www-form-urlencoded"):
            return b""
        try:
            form = parse_qsl(body.decode(), keep_blank_values=True)
        except UnicodeDecodeError:
            return b""
        return urlencode([(name, str(self._value(name, value))) for name, value in form]).encode()

    def _value(self, name: str, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._value(key, inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._value(name, inner) for inner in value]
        if value is None or isinstance(value, bool) or str(value).strip().lower() in _MISSING:
            return value
        kind = kinds().get(normalised(name), Kind.TEXT)
        if isinstance(value, int | float):
            return self._number(kind, value)
        if kind in (Kind.HARMLESS, Kind.UNIT) or value in carriers_words():
            # In case somebody has typed a phone number there; as a shop's own order code it is not even rare.
            return _PHONE.sub(lambda found: self._stand_in(Kind.PHONE, found[0]), value)
        return self._stand_in(kind, value)

    def _number(self, kind: Kind, value: float) -> float | int:
        """A number says nothing about anybody, unless it is a phone number."""
        if kind is not Kind.PHONE:
            return value
        return int(self._stand_in(Kind.PHONE, str(value)))

    def _stand_in(self, kind: Kind, value: str) -> str:
        key = _digits(value) if kind is Kind.PHONE else _plain(value)
        stand_in = self._stand_ins.get((kind, key))
        if stand_in is None:
            self._made[kind] += 1
            stand_in = self._stand_ins[kind, key] = _MAKE[kind](self._made[kind])
            self._remember(kind, key, value)
        return stand_in

    def _remember(self, kind: Kind, key: str, value: str) -> None:
        """Keeps what has to be found nowhere in the end."""
        words = tuple(_WORD.findall(key))
        if kind in _PEOPLE and len(key) >= _TELLING_LETTERS and words:
            self._replaced.setdefault(words[0], set()).add(words)
        numbers = (key if kind is Kind.PHONE else "", *(_digits(found[0]) for found in _PHONE.finditer(value)))
        self._numbers |= {number for number in numbers if len(number) >= _TELLING_DIGITS}

    def _gives_away(self, exchange: Exchange, *, mine: Set[str], lengths: Set[int]) -> bool:
        """Whether anything that was replaced anywhere stands in this one.

        Parameters: `mine` are the stand-ins; `lengths` of the numbers that were replaced.
        """
        for name, text in _texts(exchange):
            if text in mine or text in carriers_words():
                continue
            digits = "".join(letter for letter in text if letter.isdigit())
            windows = (digits[at : at + length] for length in lengths for at in range(len(digits) - length + 1))
            if not self._numbers.isdisjoint(windows):
                return True
            is_unit = kinds().get(normalised(name)) is Kind.UNIT  # 'Hà Nội' is a person's name in none of these
            if not is_unit and self._names_somebody(_WORD.findall(_plain(text))):
                return True
        return False

    def _names_somebody(self, words: Sequence[str]) -> bool:
        return any(
            tuple(words[at : at + len(value)]) == value
            for at, word in enumerate(words)
            for value in self._replaced.get(word, ())
        )


_MAKE: dict[Kind, Callable[[int], str]] = {
    Kind.NAME: lambda number: f"Khách {number:04d}",
    # A number that nobody has: 000 follows no operator's code.
    Kind.PHONE: lambda number: f"0900{number:06d}",
    Kind.ADDRESS: lambda number: f"Số {number} đường Mẫu",
    Kind.SECRET: lambda number: f"bi-mat-{number}",
    Kind.TEXT: lambda number: f"văn bản {number}",
}


def _digits(text: str) -> str:
    """The part of a phone number that all its spellings share; all digits of anything else."""
    digits = "".join(letter for letter in text if letter.isdigit())
    return re.sub(r"^(?:0084|84|0)(?=\d{9}$)", "", digits)


def _plain(text: str) -> str:
    """Lower case without accents, as names are typed in a hurry."""
    decomposed = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    return " ".join("".join(letter for letter in decomposed if not unicodedata.combining(letter)).lower().split())


def _texts(exchange: Exchange) -> Iterator[tuple[str, str]]:
    """Every value of an exchange with the name of its field."""
    yield "path", exchange.path
    yield from parse_qsl(exchange.query)
    for body in (exchange.body, exchange.answer):
        if body[:1] in (b"{", b"["):
            yield from _leaves("", json.loads(body))
        else:
            yield from parse_qsl(body.decode())


def _leaves(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(key, inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(name, inner)
    elif value is not None and not isinstance(value, bool):
        yield name, str(value)
