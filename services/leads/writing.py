"""Rows into a table: few by one INSERT, many by COPY, which PostgreSQL writes page by page at a third of the cost.

Both take the same rows, so what is written does not depend on how many come at once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import islice, repeat
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from services.leads.driver import Connection

COPY_FROM: Final = 200
"""Rows from which COPY is cheaper than INSERT in spite of its two round trips."""

_ESCAPES: Final = str.maketrans(
    {"\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\b": "\\b", "\f": "\\f", "\v": "\\v"}
)
_SPECIAL: Final = [chr(sign) for sign in _ESCAPES]
_NULL: Final = "\\N"
_UNNESTED: Final = {"text[]": "text", "uuid[]": "text", "jsonb": "text", "json": "text"}
"""Types that come to `unnest` as texts: an array of arrays would come apart there."""

Row = Sequence[Any]


def _texts(values: Sequence[Any]) -> list[str]:
    """Texts as COPY reads them. One look at all of them together: hardly any has a sign that must be escaped."""
    try:
        together = "\0".join(values)
    except TypeError:
        return [_NULL if value is None else value.translate(_ESCAPES) for value in values]
    if any(sign in together for sign in _SPECIAL):
        return [value.translate(_ESCAPES) for value in values]
    return list(values)


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


def _bytes(values: Sequence[Any]) -> list[str]:
    """Bodies that are plain text go as they are, which is half as long as hexadecimal and is not decoded."""
    try:
        texts: list[str] = [value.decode() for value in values]
    except (AttributeError, UnicodeDecodeError):
        return _hexadecimal(values)
    together = "".join(texts)
    return _hexadecimal(values) if "\0" in together or any(sign in together for sign in _SPECIAL) else texts


def _hexadecimal(values: Sequence[Any]) -> list[str]:
    return [_NULL if value is None else "\\\\x" + value.hex() for value in values]


_WRITERS: Final[dict[str, Callable[[Sequence[Any]], list[str]]]] = {
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
    "bytea": _bytes,
}


def _written(kinds: Iterable[str], columns: Iterable[Sequence[Any]]) -> Iterator[Iterable[str]]:
    """Columns as COPY reads them. Two thirds of the columns of a long list are the same in all its rows: those that stand
    side by side are written as one."""
    alike: list[str] = []
    for kind, values in zip(kinds, columns, strict=True):
        first = values[0]
        if first == values[-1] and values.count(first) == len(values):
            alike += _WRITERS[kind]([first])
            continue
        if alike:
            yield repeat("\t".join(alike))
            alike = []
        yield _WRITERS[kind](values)
    if alike:
        yield repeat("\t".join(alike))


@dataclass(frozen=True)
class Table:
    """Columns of a table that are written, by their types. Arrays and JSON are given as PostgreSQL's texts of them."""

    name: str
    columns: Mapping[str, str]

    @cached_property
    def _insert(self) -> str:
        kinds = self.columns.values()
        arrays = ", ".join(f"${place}::{_UNNESTED.get(kind, kind)}[]" for place, kind in enumerate(kinds, 1))
        values = ", ".join(f"{name}::{kind}" if kind in _UNNESTED else name for name, kind in self.columns.items())
        names = ", ".join(self.columns)
        return f"INSERT INTO {self.name} ({names}) SELECT {values} FROM unnest({arrays}) AS r ({names})"

    async def insert(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Writes rows, values in the order of the columns, in one statement."""
        if not rows:
            return
        columns = [*zip(*rows, strict=True)]
        if len(rows) < COPY_FROM:
            await connection.execute(self._insert, *columns)
        else:
            await self._copy(connection, columns)

    async def _copy(self, connection: Connection, columns: Sequence[Sequence[Any]]) -> None:
        written = zip(*_written(self.columns.values(), columns), strict=False)  # what repeats has no end
        lines = "\n".join(map("\t".join, islice(written, len(columns[0]))))

        async def source() -> AsyncIterator[bytes]:
            yield lines.encode()
            yield b"\n"

        await connection.copy_to_table(self.name, source=source(), columns=[*self.columns])


def array(texts: Sequence[str]) -> str:
    """Texts as PostgreSQL's text of an array of them."""
    if not texts:
        return "{}"
    return "{" + ",".join(['"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' for text in texts]) + "}"
