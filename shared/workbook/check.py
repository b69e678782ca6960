"""Checks of an uploaded workbook before any parser sees it: what it is, and that it unpacks to something sane."""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from shared.workbook.errors import (
    WorkbookDamaged,
    WorkbookEmpty,
    WorkbookEncrypted,
    WorkbookIsText,
    WorkbookIsWebPage,
    WorkbookOldExcel,
    WorkbookOtherFormat,
    WorkbookRefused,
    WorkbookSuspicious,
    WorkbookTooLarge,
    WorkbookUnknownFile,
)
from shared.workbook.frames import Format
from shared.workbook.limits import MIB, Limits

XLSX: Final[tuple[Format, ...]] = ("xlsx",)
HEAD_BYTES: Final = 4096
PROLOG_BYTES: Final = 64 * 1024
"""Where the root element of an XML part must have begun; Excel needs 60 bytes."""
DIRECTORY_BYTES_PER_ENTRY: Final = 1024
"""A directory entry is 46 bytes and a name; Excel's have no more than 150."""

_ZIP: Final = b"PK\x03\x04"
_EMPTY_ZIP: Final = b"PK\x05\x06"
_ZIP64_LOCATOR: Final = b"PK\x06\x07"
_END_OF_DIRECTORY: Final = struct.Struct("<4s4H2LH")
_MAX_COMMENT: Final = 0xFFFF
_COMPOUND_FILE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""OLE compound file: old Excel, and the envelope of encrypted new Excel ([MS-CFB], [MS-OFFCRYPTO])."""
_ENCRYPTED: Final = 0x1

_WEB_PAGE: Final = re.compile(
    rb"(?:<\?xml[^>]*>\s*)?<(?:!doctype html|html|head|meta|body|table|style|div|script)\b", re.IGNORECASE
)
_XML_SPREADSHEET: Final = b"urn:schemas-microsoft-com:office:spreadsheet"
_DOCUMENT_TYPE: Final = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_ROOT_ELEMENT: Final = re.compile(rb"<[A-Za-z_]")
_OTHER_FORMATS: Final[dict[type[WorkbookRefused], Format]] = {WorkbookOldExcel: "xls", WorkbookIsText: "csv"}
"""What is read as well where it is wanted, by the refusal where it is not."""
_CONTROL_BYTES: Final = frozenset(range(0x20)) - frozenset(b"\t\r\n\f")


def check_workbook(path: Path, *, limits: Limits, formats: Collection[Format] = XLSX) -> Format:
    """What a file is, by its content; refuses what is not wanted, and an .xlsx that Excel could not have written.
    Blocking, a few milliseconds.

    Args:
        formats: what is wanted; `xlsx` always is.

    Raises:
        WorkbookRefused: one of its subclasses says why.
    """
    size = path.stat().st_size
    if size == 0:
        raise WorkbookEmpty
    if size > limits.file_bytes:
        raise WorkbookTooLarge(limit_mib=limits.file_bytes // MIB)
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        if not head.startswith(_ZIP):
            other = _what_else(head, file)
            if (format := _OTHER_FORMATS.get(type(other))) in formats and format is not None:
                return format
            raise other
        _check_directory(file, size, limits)
        try:
            with zipfile.ZipFile(file) as archive:
                _check_entries(archive, size, limits)
                _check_prologs(archive)
        except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, NotImplementedError) as error:
            raise WorkbookDamaged from error
    return "xlsx"


def _what_else(head: bytes, file: BinaryIO) -> WorkbookRefused:
    """What a file is that is no zip archive."""
    if head.startswith(_COMPOUND_FILE):
        return _compound_file(head + file.read())
    if head.startswith(_EMPTY_ZIP):
        return WorkbookDamaged()
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if _WEB_PAGE.match(text):
        return WorkbookIsWebPage()
    if _XML_SPREADSHEET in head:
        return WorkbookOtherFormat(format="XML 2003 (.xml)")
    is_utf16 = head.startswith((b"\xff\xfe", b"\xfe\xff"))
    if is_utf16 or (_CONTROL_BYTES.isdisjoint(head) and not head.startswith(b"%PDF")):
        return WorkbookIsText()
    return WorkbookUnknownFile()


def _compound_file(content: bytes) -> WorkbookRefused:
    """Old Excel and encrypted new Excel, told apart by the names in the directory, which are UTF-16."""
    if "EncryptedPackage".encode("utf-16-le") in content:
        return WorkbookEncrypted()
    if any(name.encode("utf-16-le") in content for name in ("Workbook\0", "Book\0")):
        return WorkbookOldExcel()
    return WorkbookUnknownFile()


def _check_directory(file: BinaryIO, size: int, limits: Limits) -> None:
    """Bounds what `zipfile` is going to hold in memory, from the record at the end of the archive."""
    tail_start = max(0, size - _MAX_COMMENT - _END_OF_DIRECTORY.size)
    file.seek(tail_start)
    tail = file.read()
    place = tail.rfind(_EMPTY_ZIP)
    if place < 0 or len(tail) - place < _END_OF_DIRECTORY.size:
        raise WorkbookDamaged
    _, _, _, _, entries, directory_bytes, _, _ = _END_OF_DIRECTORY.unpack_from(tail, place)
    if _ZIP64_LOCATOR in tail[:place]:
        # Meant for archives above 4 GiB; its numbers would override those checked here.
        raise WorkbookSuspicious(finding="zip64")
    if entries > limits.entries or directory_bytes > limits.entries * DIRECTORY_BYTES_PER_ENTRY:
        raise WorkbookSuspicious(finding="entries")


def _check_entries(archive: zipfile.ZipFile, size: int, limits: Limits) -> None:
    entries = archive.infolist()
    names = {entry.filename for entry in entries}
    if len(entries) > limits.entries:
        raise WorkbookSuspicious(finding="entries")
    if len({name.casefold() for name in names}) != len(entries) or any(_escapes(name) for name in names):
        raise WorkbookSuspicious(finding="names")
    if any(entry.flag_bits & _ENCRYPTED for entry in entries):
        raise WorkbookEncrypted
    if other := _other_format(names):
        raise other
    if any(entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for entry in entries):
        raise WorkbookSuspicious(finding="compression")
    if sum(entry.file_size for entry in entries) > limits.unpacked_bytes:
        raise WorkbookSuspicious(finding="unpacked size")
    if sum(entry.compress_size for entry in entries) > size:
        raise WorkbookSuspicious(finding="overlapping entries")
    if any(entry.file_size > MIB and entry.file_size > limits.ratio * entry.compress_size for entry in entries):
        raise WorkbookSuspicious(finding="ratio")


def _escapes(name: str) -> bool:
    path = PurePosixPath(name.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts


def _other_format(names: set[str]) -> WorkbookRefused | None:
    if {"[Content_Types].xml", "xl/workbook.xml"} <= names:
        return None
    if "xl/workbook.bin" in names:
        return WorkbookOtherFormat(format=".xlsb")
    if {"mimetype", "content.xml"} <= names:
        return WorkbookOtherFormat(format=".ods")
    return WorkbookUnknownFile()


def _check_prologs(archive: zipfile.ZipFile) -> None:
    """Refuses parts with a document type: Office forbids them, and entities are how small XML grows large."""
    for entry in archive.infolist():
        if not entry.filename.endswith((".xml", ".rels")):
            continue
        with archive.open(entry) as part:
            # Without NUL bytes, UTF-16 reads like ASCII.
            prolog = part.read(PROLOG_BYTES).replace(b"\0", b"")
        root = _ROOT_ELEMENT.search(prolog)
        if _DOCUMENT_TYPE.search(prolog, 0, root.start() if root else len(prolog)):
            raise WorkbookSuspicious(finding="document type")
        if not root:
            raise WorkbookDamaged
