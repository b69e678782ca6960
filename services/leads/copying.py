"""Columns as COPY reads them, as text or in PostgreSQL's binary form.

Text takes the least time to make. But long bytes would be decoded and searched for signs here and put together again by
PostgreSQL, so a table with them goes in binary (PostgreSQL manual, COPY: file formats).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain, islice, repeat
from struct import Struct
from typing import Any, Final, TypeVar

T = TypeVar("T", str, bytes)

_ESCAPES: Final = str.maketrans(
    {"\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\b": "\\b", "\f": "\\f", "\v": "\\v"}
)
_SPECIAL: Final = [chr(sign) for sign in _ESCAPES]
_NULL: Final = "\\N"


def _texts(values: Sequence[Any]) -> Sequence[str]:
    """Texts as COPY reads them. One look at all of them together: hardly any has a sign that must be escaped."""
    try:
        together = "\0".join(values)
    except TypeError:
        return [_NULL if value is None else value.translate(_ESCAPES) for value in values]
    if any(sign in together for sign in _SPECIAL):
        return [value.translate(_ESCAPES) for value in values]
    return values


def _uuids(values: Sequence[Any]) -> list[str]:
    return [_NULL if value is None else value.hex for value in values]


def _times(values: Sequence[Any]) -> list[str]:
    known: dict[datetime | None, str] = {None: _NULL}
    for value in set(values):
        if value is not None:
            known[value] = value.isoformat()
    return [known[value] for value in values]


def _numbers(values: Sequence[Any]) -> list[str]:
    return [_NULL if value is None else str(value) for value in values]


def _booleans(values: Sequence[Any]) -> list[str]:
    return ["t" if value else "f" for value in values]


def _hexadecimal(values: Sequence[Any]) -> list[str]:
    return [_NULL if value is None else "\\\\x" + value.hex() for value in values]


_TEXT: Final[Mapping[str, Callable[[Sequence[Any]], Sequence[str]]]] = {
    "uuid": _uuids,
    "text": _texts,
    "text[]": _texts,
    "uuid[]": _texts,
    "json": _texts,
    "jsonb": _texts,
    "timestamptz": _times,
    "integer": _numbers,
    "bigint": _numbers,
    "boolean": _booleans,
    "bytea": _hexadecimal,
}


_SIGNATURE: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END: Final = b"\xff\xff"
_NOTHING: Final = b"\xff\xff\xff\xff"
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_LENGTH: Final = Struct(">i")
_INTEGER: Final = Struct(">ii")
_MICROSECOND: Final = timedelta(microseconds=1)


def _sized(value: bytes) -> bytes:
    return _LENGTH.pack(len(value)) + value


def _moment(value: datetime) -> bytes:
    return b"\0\0\0\x08" + ((value - _EPOCH) // _MICROSECOND).to_bytes(8, "big", signed=True)


_BINARY: Final[Mapping[str, Callable[[Sequence[Any]], Sequence[bytes]]]] = {
    "uuid": lambda values: [_NOTHING if one is None else b"\0\0\0\x10" + one.bytes for one in values],
    "text": lambda values: [_NOTHING if one is None else _sized(one.encode()) for one in values],
    # Behind the version of its form.
    "jsonb": lambda values: [_NOTHING if one is None else _sized(b"\x01" + one.encode()) for one in values],
    "timestamptz": lambda values: [_NOTHING if one is None else _moment(one) for one in values],
    "integer": lambda values: [_NOTHING if one is None else _INTEGER.pack(4, one) for one in values],
    "bytea": lambda values: [_NOTHING if one is None else _LENGTH.pack(len(one)) + one for one in values],
}


def as_text(kinds: Iterable[str], columns: Sequence[Sequence[Any]]) -> bytes:
    """Rows as lines of text."""
    written = zip(*_written(_TEXT, "\t", kinds, columns), strict=False)  # what repeats has no end
    return ("\n".join(map("\t".join, islice(written, len(columns[0])))) + "\n").encode()


def as_binary(kinds: Iterable[str], columns: Sequence[Sequence[Any]]) -> bytes:
    """Rows in the binary form, arrays apart."""
    fields = repeat(len(columns).to_bytes(2, "big"))
    written = zip(fields, *_written(_BINARY, b"", kinds, columns), strict=False)
    return b"".join([_SIGNATURE, *chain.from_iterable(islice(written, len(columns[0]))), _END])


def _written(
    writers: Mapping[str, Callable[[Sequence[Any]], Sequence[T]]],
    between: T,
    kinds: Iterable[str],
    columns: Iterable[Sequence[Any]],
) -> Iterator[Iterable[T]]:
    """The columns as they are written. Two thirds of the columns of a long list are the same in all its rows: those that
    stand side by side are written as one."""
    alike: list[T] = []
    for kind, values in zip(kinds, columns, strict=True):
        first = values[0]
        if first == values[-1] and values.count(first) == len(values):
            alike += writers[kind]([first])
            continue
        if alike:
            yield repeat(between.join(alike))
            alike = []
        yield writers[kind](values)
    if alike:
        yield repeat(between.join(alike))
