"""Rows into a table: few by one INSERT, many by COPY, which PostgreSQL writes page by page at a third of the cost.

Both take the same rows, so what is written does not depend on how many come at once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal

from services.leads.copying import as_binary, as_text

if TYPE_CHECKING:
    from services.leads.driver import Connection

COPY_FROM: Final = 200
"""Rows from which COPY is cheaper than INSERT in spite of its two round trips."""

_UNNESTED: Final = {"text[]": "text", "uuid[]": "text", "jsonb": "text", "json": "text"}
"""Types that come to `unnest` as texts: an array of arrays would come apart there."""

Row = Sequence[Any]


@dataclass(frozen=True)
class Table:
    """Columns of a table that are written, by their types. Arrays and JSON are given as PostgreSQL's texts of them.

    `binary` says in which form many go: for tables of long bytes, which have no arrays.
    """

    name: str
    columns: Mapping[str, str]
    binary: bool = False

    @cached_property
    def _insert(self) -> str:
        kinds = self.columns.values()
        arrays = ", ".join(f"${place}::{_UNNESTED.get(kind, kind)}[]" for place, kind in enumerate(kinds, 1))
        values = ", ".join(f"{name}::{kind}" if kind in _UNNESTED else name for name, kind in self.columns.items())
        names = ", ".join(self.columns)
        return f"INSERT INTO {self.name} ({names}) SELECT {values} FROM unnest({arrays}) AS r ({names})"

    async def insert(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Writes rows, values in the order of the columns, in one statement."""
        if rows:
            await self.insert_columns(connection, [*zip(*rows, strict=True)])

    async def insert_columns(self, connection: Connection, columns: Sequence[Sequence[Any]]) -> None:
        """Writes at least one row, given as the values of each column."""
        if len(columns[0]) < COPY_FROM:
            await connection.execute(self._insert, *columns)
        else:
            await self._copy(connection, columns)

    async def _copy(self, connection: Connection, columns: Sequence[Sequence[Any]]) -> None:
        kinds = self.columns.values()
        content = as_binary(kinds, columns) if self.binary else as_text(kinds, columns)

        async def source() -> AsyncIterator[bytes]:
            yield content

        form: Literal["binary", "text"] = "binary" if self.binary else "text"
        await connection.copy_to_table(self.name, source=source(), columns=[*self.columns], format=form)


def array(texts: Sequence[str]) -> str:
    """Texts as PostgreSQL's text of an array of them."""
    if not texts:
        return "{}"
    return "{" + ",".join(['"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' for text in texts]) + "}"
