"""What is refused before any parser sees it."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.workbook import errors
from shared.workbook.check import check_workbook
from shared.workbook.errors import WorkbookRefused, WorkbookSuspicious
from shared.workbook.limits import Limits
from tests.unit.workbook_support import LEAD_ROWS, WORKSHEET_PART, parts, save, write_parts

LIMITS = Limits()
COMPOUND_FILE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)


REFUSALS = [refusal for refusal in WorkbookRefused.__subclasses__() if refusal.__module__ == errors.__name__]
"""Those of every workbook; a service may have refusals of its own besides."""


def compound_file(*streams: str) -> bytes:
    """An OLE compound file with directory entries of the given names ([MS-CFB] 2.6.1: 64 bytes of UTF-16, then 64)."""
    names = ("Root Entry", *streams)
    return COMPOUND_FILE + b"".join(name.encode("utf-16-le").ljust(64, b"\0") + bytes(64) for name in names)


def archive(path: Path, *names: str) -> bytes:
    write_parts(path, dict.fromkeys(names, b"<a/>"))
    return path.read_bytes()


def refuse(path: Path, *, limits: Limits = LIMITS) -> WorkbookRefused:
    with pytest.raises(WorkbookRefused) as refused:
        check_workbook(path, limits=limits)
    return refused.value


def test_a_workbook_of_ordinary_make_passes(tmp_path: Path) -> None:
    check_workbook(save(tmp_path / "a.xlsx", {"Sheet1": [["SĐT", "Tên"], ["0912345678", "Hoa"]]}), limits=LIMITS)


def test_the_smallest_workbook_passes(tmp_path: Path) -> None:
    check_workbook(write_parts(tmp_path / "a.xlsx", parts(LEAD_ROWS)), limits=LIMITS)


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        pytest.param(b"", errors.WorkbookEmpty, id="empty"),
        pytest.param(compound_file("EncryptionInfo", "EncryptedPackage"), errors.WorkbookEncrypted, id="password"),
        pytest.param(compound_file("Workbook"), errors.WorkbookOldExcel, id="Excel 97"),
        pytest.param(compound_file("Book"), errors.WorkbookOldExcel, id="Excel 5"),
        pytest.param(compound_file("WordDocument"), errors.WorkbookUnknownFile, id="old Word"),
        pytest.param("SĐT,Tên\n0912345678,Hoa\n".encode(), errors.WorkbookIsText, id="CSV"),
        pytest.param("SĐT;Tên\r\n0912345678;Hoa".encode("utf-8-sig"), errors.WorkbookIsText, id="CSV of Excel"),
        pytest.param("SĐT\tTên\n0912345678\tHoa".encode("utf-16"), errors.WorkbookIsText, id="Unicode text of Excel"),
        pytest.param("Tên,SĐT\nHoa,0912345678".encode("cp1258"), errors.WorkbookIsText, id="CSV of old Windows"),
        pytest.param(b"<html><table><tr><td>SDT</td></tr></table></html>", errors.WorkbookIsWebPage, id="web page"),
        pytest.param(b"\xef\xbb\xbf\r\n<!DOCTYPE HTML>\n<html>", errors.WorkbookIsWebPage, id="web page with a mark"),
        pytest.param(b'<?xml version="1.0"?>\n<html>', errors.WorkbookIsWebPage, id="XHTML"),
        pytest.param(b"<table border=1>", errors.WorkbookIsWebPage, id="table of a web page"),
        pytest.param(
            b'<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet">',
            errors.WorkbookOtherFormat,
            id="XML of Excel 2003",
        ),
        pytest.param(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", errors.WorkbookUnknownFile, id="PDF"),
        pytest.param(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", errors.WorkbookUnknownFile, id="picture"),
        pytest.param(b"PK\x05\x06" + bytes(18), errors.WorkbookDamaged, id="empty archive"),
        pytest.param(b"PK\x03\x04" + b"\x07" * 500, errors.WorkbookDamaged, id="archive without an end"),
    ],
)
def test_what_only_carries_the_name_is_refused_by_what_it_is(
    tmp_path: Path, content: bytes, refusal: type[WorkbookRefused]
) -> None:
    path = tmp_path / "khach.xlsx"
    path.write_bytes(content)

    assert type(refuse(path)) is refusal


@pytest.mark.parametrize(
    ("names", "refusal"),
    [
        (("[Content_Types].xml", "xl/workbook.bin"), errors.WorkbookOtherFormat),
        (("mimetype", "content.xml", "META-INF/manifest.xml"), errors.WorkbookOtherFormat),
        (("[Content_Types].xml", "word/document.xml"), errors.WorkbookUnknownFile),
        (("anh.jpg", "ghi chu.txt"), errors.WorkbookUnknownFile),
    ],
    ids=["xlsb", "ods", "docx", "zip"],
)
def test_other_archives_are_refused_by_what_they_are(
    tmp_path: Path, names: tuple[str, ...], refusal: type[WorkbookRefused]
) -> None:
    path = tmp_path / "khach.xlsx"
    path.write_bytes(archive(path, *names))

    assert type(refuse(path)) is refusal


def test_a_file_above_the_limit_is_refused_with_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with path.open("wb") as file:
        file.truncate(LIMITS.file_bytes + 1)

    refused = refuse(path)

    assert type(refused) is errors.WorkbookTooLarge
    assert "20 MiB" in refused.detail("vi")


def test_half_an_upload_is_damaged(tmp_path: Path) -> None:
    path = save(tmp_path / "a.xlsx", {"S": [["SĐT"]]})
    path.write_bytes(path.read_bytes()[:3000])

    assert type(refuse(path)) is errors.WorkbookDamaged


def test_a_part_whose_content_is_broken_is_damaged(tmp_path: Path) -> None:
    path = write_parts(tmp_path / "a.xlsx", parts(LEAD_ROWS), method=zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"0912345678", b"0912345679"))

    assert type(refuse(path)) is errors.WorkbookDamaged


def test_parts_with_a_password_are_refused_as_such(tmp_path: Path) -> None:
    path = write_parts(tmp_path / "a.xlsx", parts(LEAD_ROWS))
    content = bytearray(path.read_bytes())
    place = content.find(b"PK\x01\x02")
    content[place + 8] |= 1  # the flag of the first entry in the directory
    path.write_bytes(content)

    assert type(refuse(path)) is errors.WorkbookEncrypted


def a_bomb(path: Path) -> Path:
    return write_parts(path, {**parts(LEAD_ROWS), "xl/sharedStrings.xml": b"<sst>" + b" " * 30_000_000 + b"</sst>"})


def too_many_entries(path: Path) -> Path:
    return write_parts(path, {**parts(LEAD_ROWS), **{f"xl/media/{n}.png": b"" for n in range(LIMITS.entries)}})


def a_large_directory(path: Path) -> Path:
    """The end record says five entries, the directory has 30,000."""
    write_parts(path, {**parts(LEAD_ROWS), **{f"xl/media/{n}.png": b"" for n in range(30_000)}})
    content = bytearray(path.read_bytes())
    place = content.rfind(b"PK\x05\x06")
    struct.pack_into("<2H", content, place + 8, 5, 5)
    path.write_bytes(content)
    return path


def a_large_archive_record(path: Path) -> Path:
    write_parts(path, parts(LEAD_ROWS))
    content = path.read_bytes()
    place = content.rfind(b"PK\x05\x06")
    path.write_bytes(content[:place] + b"PK\x06\x07" + bytes(16) + content[place:])
    return path


def a_name_that_climbs(path: Path) -> Path:
    return write_parts(path, {**parts(LEAD_ROWS), "../../etc/passwd": b""})


def an_absolute_name(path: Path) -> Path:
    return write_parts(path, {**parts(LEAD_ROWS), "/etc/passwd": b""})


def a_name_twice(path: Path) -> Path:
    return write_parts(path, {**parts(LEAD_ROWS), WORKSHEET_PART.upper(): b"<worksheet/>"})


def entries_that_overlap(path: Path) -> Path:
    """Every entry of the directory claims the whole file as its own."""
    write_parts(path, parts(LEAD_ROWS))
    content = bytearray(path.read_bytes())
    place = -1
    while (place := content.find(b"PK\x01\x02", place + 1)) >= 0:
        struct.pack_into("<I", content, place + 20, len(content))
    path.write_bytes(content)
    return path


def an_unusual_compression(path: Path) -> Path:
    return write_parts(path, parts(LEAD_ROWS), method=zipfile.ZIP_LZMA)


def entities(path: Path) -> Path:
    laughs = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><sst>&b;</sst>'
    return write_parts(path, {**parts(LEAD_ROWS), "xl/sharedStrings.xml": laughs})


def entities_in_utf16(path: Path) -> Path:
    outside = '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE x SYSTEM "file:///etc/passwd"><sst/>'
    return write_parts(path, {**parts(LEAD_ROWS), "xl/sharedStrings.xml": outside.encode("utf-16")})


@pytest.mark.parametrize(
    ("make", "finding"),
    [
        (a_bomb, "ratio"),
        (too_many_entries, "entries"),
        (a_large_directory, "entries"),
        (a_large_archive_record, "zip64"),
        (a_name_that_climbs, "names"),
        (an_absolute_name, "names"),
        (a_name_twice, "names"),
        (entries_that_overlap, "overlapping entries"),
        (an_unusual_compression, "compression"),
        (entities, "document type"),
        (entities_in_utf16, "document type"),
    ],
)
def test_what_excel_does_not_write_is_refused(tmp_path: Path, make: Callable[[Path], Path], finding: str) -> None:
    refused = refuse(make(tmp_path / "a.xlsx"))

    assert type(refused) is WorkbookSuspicious
    assert refused.members == {"finding": finding}


def test_more_than_may_be_unpacked_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.xlsx", {"S": [["SĐT"], *([f"09{n:08}"] for n in range(2000))]})

    refused = refuse(path, limits=Limits(unpacked_bytes=50_000))

    assert refused.members == {"finding": "unpacked size"}


def test_a_document_type_in_the_text_of_a_cell_is_only_text(tmp_path: Path) -> None:
    check_workbook(save(tmp_path / "a.xlsx", {"S": [["SĐT"], ["<!DOCTYPE html>"]]}), limits=LIMITS)


MEMBERS = {
    "columns": 300,
    "finding": "ratio",
    "format": ".ods",
    "found": "“Tên”",
    "limit": 200,
    "limit_mib": 20,
    "row": 7,
    "rows": 60_000,
    "seconds": 60,
    "sheet": "Tháng 11",
}


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.type)
def test_every_refusal_says_what_to_do_in_both_languages(refusal: type[WorkbookRefused]) -> None:
    refused = refusal(**MEMBERS)

    assert refused.type.startswith("workbook-")
    for language, verbs in (
        ("vi", ("gửi", "Điền", "Thử lại", "Chọn")),
        ("en", ("send", "Save", "save", "Split", "Fill", "Repeat", "choose", "Choose", "copy")),
    ):
        detail = refused.detail("vi" if language == "vi" else "en")
        assert "{" not in detail
        assert any(verb in detail for verb in verbs)


def test_refusals_have_types_of_their_own() -> None:
    types = [refusal.type for refusal in REFUSALS]

    assert len(set(types)) == len(types)
