"""What the child that parses says to its parent: frames of JSON on a pipe, each after its length. A page is followed by its
rows, which the parent passes on as they are."""

from __future__ import annotations

import struct
from typing import Any, BinaryIO, Final, Literal, TypedDict

import orjson

LENGTH: Final = struct.Struct(">I")
MAX_FRAME: Final = 8 * 1024 * 1024
"""Bytes: `child.CHUNK_CHARACTERS` and one more row, each character at its longest in JSON."""

Format = Literal["xlsx", "xls", "csv"]
"""What a file is by its content, whatever its name says."""
Refusal = Literal["area-too-large", "damaged", "no-header", "row-too-long", "too-many-columns"]


class Request(TypedDict):
    """The child's only argument, as JSON."""

    path: str
    format: Format
    memory_bytes: int
    cpu_seconds: int
    chunk_rows: int
    headings: dict[str, Any]
    """`Headings.as_json`."""
    max_sheets: int | None
    """Tables to send of those that fit; None = all."""


class HeaderFrame(TypedDict):
    kind: Literal["header"]
    sheet: str
    above: list[list[str]]
    """The rows above the header: a title, what the file is about."""
    row: int
    columns: list[tuple[int, str, str | None]]
    """Index, label, field."""
    other_sheets: list[str]


class PageFrame(TypedDict):
    kind: Literal["page"]
    numbers: list[int]
    """Excel's row numbers. Behind the frame comes a line for each: the texts of the header's columns in their order, as a
    JSON list, which has no line break."""


class EndFrame(TypedDict):
    """After the rows of each sheet, and once more after the last sheet."""

    kind: Literal["end"]


class RefusedFrame(TypedDict):
    """Also after rows: what is wrong with a row shows when it is reached."""

    kind: Literal["refused"]
    code: Refusal
    members: dict[str, Any]


Frame = HeaderFrame | PageFrame | EndFrame | RefusedFrame


def write_frame(pipe: BinaryIO, frame: Frame) -> None:
    write_block(pipe, orjson.dumps(frame))


def write_block(pipe: BinaryIO, content: bytes) -> None:
    pipe.write(LENGTH.pack(len(content)))
    pipe.write(content)
    pipe.flush()
