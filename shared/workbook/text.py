"""Tables as delimited text (CSV), the way that Excel, accounting programs and carriers write them.

Standard library only, because the child process imports it.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

_DELIMITERS: Final = "\t;,|"
_SAMPLE_LINES: Final = 20
_MAX_CELL: Final = 100_000
"""Characters; the default of `csv`, 131,072, is no limit of Excel's (32,767) either."""
_VIETNAMESE_WINDOWS: Final = "cp1258"
"""What Excel saves as “CSV” in where the language of the system is Vietnamese; English Windows differs in few letters."""


def decode(content: bytes) -> str:
    """The text of a file: Unicode with or without its mark, else the code page of Vietnamese Windows."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode(_VIETNAMESE_WINDOWS, errors="replace")


def delimiter_of(text: str) -> str:
    """The delimiter that the first lines have most of."""
    sample = "".join(islice(io.StringIO(text), _SAMPLE_LINES))
    return max(_DELIMITERS, key=sample.count)


class DelimitedText:
    """A file of delimited text, whose rows can be walked again and again."""

    def __init__(self, path: Path) -> None:
        self._text = decode(path.read_bytes())
        self._delimiter = delimiter_of(self._text)

    def rows(self) -> Iterator[list[str]]:
        """Every row, also the empty ones.

        Raises:
            csv.Error: a cell never ends.
        """
        csv.field_size_limit(_MAX_CELL)
        yield from csv.reader(io.StringIO(self._text, newline=""), delimiter=self._delimiter)
