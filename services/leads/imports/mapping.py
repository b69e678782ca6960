"""Which column is which: by name, by what the company said of files with the same header, or by what the sender says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import orjson
from pydantic import TypeAdapter, ValidationError

from services.leads.imports.errors import ColumnsWrong
from services.leads.workbook.columns import FIELDS, Field, read_as
from shared.workbook.headings import Column, plain

Wanted = dict[str, Field | None]
"""Label → meaning; null = kept with the row, not read."""

MAX_COLUMNS: Final = 200
_WANTED: Final = TypeAdapter(dict[str, Field | None])


def parse(text: str) -> Wanted:
    """The sender's word about columns, a JSON object of label → meaning.

    Raises:
        ColumnsWrong: it is none, or a meaning is unknown.
    """
    try:
        return _WANTED.validate_python(orjson.loads(text))
    except (orjson.JSONDecodeError, ValidationError):
        raise ColumnsWrong(columns=text[:200], known=", ".join(FIELDS)) from None


def apply(
    columns: Sequence[Column[Field]], wanted: Mapping[str, Field | None], *, strictly: bool
) -> tuple[Column[Field], ...]:
    """The columns as they are to be read.

    Args:
        strictly: whether names that the file does not have are a mistake; what is remembered may name more.

    Raises:
        ColumnsWrong: an unknown name, a meaning twice, or no phone column.
    """
    labels = {plain(column.label): column.label for column in columns} | {
        column.label: column.label for column in columns
    }
    found = {label: labels.get(label) or labels.get(plain(label)) for label in wanted}
    unknown = [label for label, known in found.items() if known is None] if strictly else []
    read = read_as(columns, {known: wanted[label] for label, known in found.items() if known is not None})
    twice = [field for field, count in Counter(column.field for column in read if column.field).items() if count > 1]
    wrong = [*unknown, *twice, *([] if any(column.field == "phone" for column in read) else ["phone"])]
    if wrong:
        raise ColumnsWrong(columns=", ".join(wrong), known=", ".join(f"“{column.label}”" for column in columns))
    return read
