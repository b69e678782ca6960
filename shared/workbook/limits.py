"""How much of the machine one uploaded workbook may take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Defaults fit 200,000 rows of ten columns twice (measured: 10 MB, 130 MB unpacked, 215 MB in the child)."""

    file_bytes: int = 20 * MIB
    unpacked_bytes: int = 400 * MIB
    entries: int = 1_000
    """Files in the zip: Excel writes about ten, and one for each picture."""
    ratio: int = 200
    """Unpacked ÷ packed of an entry above 1 MiB. Sheets reach 10 to 60; DEFLATE itself ends at 1,032."""
    memory_bytes: int = 512 * MIB
    """Address space of the child that parses."""
    cpu_seconds: int = 30
    wall_seconds: float = 60
    """Time spent waiting for the child; the time that the caller takes between chunks does not count."""
