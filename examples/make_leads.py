"""Makes leads.xlsx, the list of numbers that the demo imports, and leads.expected.json, what must become of each row.

    python examples/make_leads.py

The people are invented. What is expected is known from how each row was made, not from how the product reads it: a row
is written as a new number, as an earlier one in another spelling, or as something that is no number. The same seed
makes the same files, byte for byte.
"""

from __future__ import annotations

import io
import json
import random
import re
import sys
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.styles import Font

SEED = 20261121
TITLE = "DANH SÁCH KHÁCH ĐỂ LẠI SỐ – THÁNG 11/2026"
HEADINGS = ("STT", "Ngày", "Họ và tên", "SĐT khách hàng", "Sản phẩm", "Nguồn", "Chiến dịch", "Địa chỉ", "Ghi chú")
HEADER_ROW = 3
FIRST_ROW = HEADER_ROW + 1
FIRST_DAY = date(2026, 11, 1)
STAMP = datetime(2026, 11, 21, tzinfo=UTC)
SAVED_AT = re.compile(rb"(?<=<dcterms:modified xsi:type=\"dcterms:W3CDTF\">)[^<]*")

OLD_PREFIXES = {"38": "168", "39": "169", "35": "165", "70": "120", "79": "121", "83": "123", "84": "124", "56": "186"}
"""New → old mobile prefix (2018), for the numbers that the example writes in the old way."""
PREFIXES = (*OLD_PREFIXES, "32", "33", "34", "86", "88", "90", "91", "93", "94", "96", "97", "98")
AREAS = (("24", "3825"), ("28", "3822"), ("236", "382"), ("225", "384"), ("292", "383"))
OLD_AREAS = {"236": "511"}
"""Đà Nẵng as old lists still write it: area codes changed in 2017."""

PRODUCTS = (
    "Máy lọc không khí mini",
    "Nồi chiên không dầu 5 lít",
    "Máy massage cổ vai gáy",
    "Bộ dao nhà bếp 6 món",
    "Kem chống nắng SPF50",
    "Gối cao su non",
)
SOURCES = ("Facebook", "Landing page", "TikTok", "Zalo", "Giới thiệu", "Sự kiện")
CAMPAIGNS = ("Khai trương tháng 11", "Sale 11.11", "Video bác sĩ Hà", "")
SURNAMES = (
    "Nguyễn",
    "Trần",
    "Lê",
    "Phạm",
    "Hoàng",
    "Huỳnh",
    "Phan",
    "Vũ",
    "Võ",
    "Đặng",
    "Bùi",
    "Đỗ",
    "Hồ",
    "Ngô",
    "Dương",
)
MIDDLE_NAMES = ("Thị", "Văn", "Minh", "Ngọc", "Thanh", "Đức", "Hữu", "Quỳnh", "Thùy", "Gia", "")
GIVEN_NAMES = (
    "Hoa",
    "Lan",
    "Hùng",
    "Dũng",
    "Trang",
    "Linh",
    "Phượng",
    "Nghĩa",
    "Quân",
    "Yến",
    "Thắm",
    "Khôi",
    "Như",
    "Ý",
)
STREETS = ("Lê Lợi", "Nguyễn Huệ", "Trần Phú", "Hai Bà Trưng", "Lý Thường Kiệt", "Quang Trung", "Điện Biên Phủ")
PLACES = (
    "phường Sài Gòn, TP. Hồ Chí Minh",
    "phường Hoàn Kiếm, Hà Nội",
    "phường Hải Châu, Đà Nẵng",
    "phường Ninh Kiều, Cần Thơ",
    "phường Hồng Bàng, Hải Phòng",
    "xã Diễn Châu, Nghệ An",
)
NOTES = (
    "",
    "",
    "",
    "Gọi sau 17 giờ",
    "Gọi buổi sáng",
    "Hỏi giá sỉ",
    "Cần tư vấn kỹ",
    "Đã mua lần trước",
    "=) nhớ gọi em nha",
)


@dataclass
class Line:
    """One row in the making. `numbers` are canonical; `first` is the line whose number it repeats."""

    phone: str | int
    numbers: Sequence[str] = ()
    first: Line | None = None
    reason: str | None = None
    cells: list[Any] = field(default_factory=list)


def grouped(digits: str, sign: str) -> str:
    return sign.join((digits[:4], digits[4:7], digits[7:]))


def full_width(digits: str) -> str:
    return "".join(chr(ord(digit) - ord("0") + ord("０")) for digit in digits)


SPELLINGS: tuple[Callable[[str], str | int], ...] = (
    lambda national: f"0{national}",
    lambda national: grouped(f"0{national}", " "),
    lambda national: grouped(f"0{national}", "."),
    lambda national: grouped(f"0{national}", "-"),
    lambda national: f"+84{national}",
    lambda national: f"+84 {national[:2]} {national[2:5]} {national[5:]}",
    lambda national: f"84{national}",
    lambda national: f"0084{national}",
    lambda national: f"(+84) {national}",
    int,  # what Excel makes of 0912…: a number without its 0
    lambda national: int(f"84{national}"),
    lambda national: f"{national}.0",
    lambda national: f"'0{national}",
    lambda national: f"O{national}",
    lambda national: full_width(f"0{national}"),
    lambda national: f"\u200b0{national}\u200b",
    lambda national: grouped(f"0{national}", "\u00a0"),
    lambda national: f"p:+84{national}",
    lambda national: f"SĐT: 0{national}",
    lambda national: f"0{national} (Zalo)",
)
ORDINARY = SPELLINGS[:4]


def old(national: str) -> str:
    """The number as it was before 2018, with its 0."""
    return f"0{OLD_PREFIXES[national[:2]]}{national[2:]}"


class Maker:
    """Makes lines; every number is new unless it is asked to repeat one."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._serial = 0

    def mobile(self, prefixes: Sequence[str] = PREFIXES) -> str:
        """A national number in the block 000…, so that the example reads as invented."""
        self._serial += 1
        return f"{self.random.choice(prefixes)}000{self._serial:04}"

    def plain_leads(self, count: int) -> list[Line]:
        lines = []
        for n in range(count):
            national = self.mobile()
            spell = self.random.choice(ORDINARY) if n % 3 else SPELLINGS[n // 3 % len(SPELLINGS)]
            lines.append(Line(spell(national), [f"+84{national}"]))
        return lines

    def old_leads(self, count: int) -> list[Line]:
        lines = []
        for n in range(count):
            national = self.mobile(tuple(OLD_PREFIXES))
            written = old(national)
            spelled = (written, grouped(written, " "), int(written), f"+84{written[1:]}")[n % 4]
            lines.append(Line(spelled, [f"+84{national}"]))
        return lines

    def double_leads(self, count: int) -> list[Line]:
        """Two numbers in a cell."""
        signs = (" / ", "/", " - ", ", ", "; ", "\n", " hoặc ", " ")
        lines = []
        for n in range(count):
            one, two = self.mobile(), self.mobile()
            written = f"0{one}{signs[n % len(signs)]}{grouped(f'0{two}', '.') if n % 2 else f'0{two}'}"
            lines.append(Line(written, [f"+84{one}", f"+84{two}"]))
        return lines

    def landline_leads(self) -> list[Line]:
        lines = []
        for area, block in AREAS:
            self._serial += 1
            local = f"{block}{self._serial:04}"
            written = OLD_AREAS.get(area, area)
            lines.append(Line(f"(0{written}) {local}", [f"+84{area}{local}"]))
        return lines

    def foreign_leads(self) -> list[Line]:
        """Numbers that the United States keep for films."""
        return [Line("+1 415 555 0132", ["+14155550132"]), Line("+14155550178", ["+14155550178"])]

    def duplicates(self, plain: list[Line], olds: list[Line], doubles: list[Line]) -> list[Line]:
        """Earlier numbers in other spellings; also the second number of a cell, and a known beside a new one."""
        lines = []
        for n, first in enumerate(plain):
            national = first.numbers[0].removeprefix("+84")
            spelled = next(
                text
                for text in (SPELLINGS[(7 * n + k) % len(SPELLINGS)](national) for k in range(len(SPELLINGS)))
                if text != first.phone
            )
            lines.append(Line(spelled, first.numbers, first))
        lines += [Line("0" + first.numbers[0].removeprefix("+84"), first.numbers, first) for first in olds]
        for n, first in enumerate(doubles):
            known = "0" + first.numbers[1].removeprefix("+84")
            if n % 2:
                new = self.mobile()
                lines.append(Line(f"0{new} / {known}", [f"+84{new}", first.numbers[1]], first))
            else:
                lines.append(Line(known, [first.numbers[1]], first))
        return lines

    def broken(self) -> list[Line]:
        whole = [f"0{self.mobile()}" for _ in range(12)]
        texts: list[tuple[str, str]] = [
            *(("", "empty") for _ in range(4)),
            *((number[:-1], "missing_digits") for number in whole[:3]),
            (grouped(whole[3][:-2], " "), "missing_digits"),
            (whole[4][:4] + "xxx" + whole[4][7:], "unclear"),
            *((number + "5", "extra_digits") for number in whole[5:7]),
            (whole[7] + " 5", "extra_digits"),
            *((text, "no_digits") for text in ("không cho số", "ib Zalo nhé", "chưa có", "...")),
            *((text, "hotline") for text in ("1900 1234", "18001090", "1900.6868.68")),
            *(("010" + number[3:], "unknown_prefix") for number in whole[8:9]),
            ("0123456789", "unknown_prefix"),
            ("9.12E+08", "rounded_by_excel"),
            ("113", "short_code"),
        ]
        return [Line(text, reason=reason) for text, reason in texts]

    def details(self, number: int, line: Line) -> list[Any]:
        """The other cells of a row; a repeated number belongs to the same person."""
        pick = self.random.choice
        name = " ".join(part for part in (pick(SURNAMES), pick(MIDDLE_NAMES), pick(GIVEN_NAMES)) if part)
        if line.first:
            name = line.first.cells[2]
        address = (
            f"{self.random.randint(1, 300)} {pick(STREETS)}, {pick(PLACES)}" if self.random.random() < 0.7 else None
        )
        day = FIRST_DAY + timedelta(days=number // 10)
        return [
            number,
            day,
            name,
            line.phone,
            pick(PRODUCTS),
            pick(SOURCES),
            pick(CAMPAIGNS) or None,
            address,
            pick(NOTES) or None,
        ]


def make(seed: int = SEED) -> list[Line]:
    """All rows in the order of the sheet; a repeated number stands below its first."""
    maker = Maker(seed)
    plain, olds, doubles = maker.plain_leads(115), maker.old_leads(18), maker.double_leads(12)
    lines = [*plain, *olds, *doubles, *maker.landline_leads(), *maker.foreign_leads(), *maker.broken()]
    maker.random.shuffle(lines)
    for line in maker.duplicates(plain[:16], olds[:4], doubles[:5]):
        assert line.first is not None
        lines.insert(maker.random.randint(lines.index(line.first) + 1, len(lines)), line)
    for number, line in enumerate(lines, 1):
        line.cells = maker.details(number, line)
    return lines


def expected(lines: Sequence[Line]) -> dict[str, Any]:
    """What must become of each row, by Excel's row number."""
    rows = {id(line): row for row, line in enumerate(lines, FIRST_ROW)}
    verdicts: list[dict[str, Any]] = []
    for line in lines:
        verdict: dict[str, Any] = {"row": rows[id(line)]}
        if line.reason:
            verdict |= {"outcome": "rejected", "reason": line.reason}
        elif line.first:
            verdict |= {"outcome": "duplicate", "phones": list(line.numbers), "duplicate_of_row": rows[id(line.first)]}
        else:
            verdict |= {"outcome": "lead", "phones": list(line.numbers)}
        verdicts.append(verdict)
    outcomes = [verdict["outcome"] for verdict in verdicts]
    return {
        "rows": len(lines),
        "leads": outcomes.count("lead"),
        "duplicates": outcomes.count("duplicate"),
        "rejected": outcomes.count("rejected"),
        "verdicts": verdicts,
    }


def workbook(lines: Sequence[Line]) -> bytes:
    """The sheet as a marketer would send it: a title, a gap, the headings, the rows."""
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = "Tháng 11"
    sheet["A1"] = TITLE
    sheet["A1"].font = Font(bold=True, size=14)
    for column, heading in enumerate(HEADINGS, 1):
        sheet.cell(HEADER_ROW, column, heading).font = Font(bold=True)
    for row, line in enumerate(lines, FIRST_ROW):
        for column, value in enumerate(line.cells, 1):
            cell = sheet.cell(row, column, value)
            if isinstance(value, str):
                cell.data_type = "s"
            elif isinstance(value, date):
                cell.number_format = "dd/mm/yyyy"
    for letter, width in zip("ABCDEFGHI", (6, 12, 24, 28, 28, 16, 24, 48, 24), strict=True):
        sheet.column_dimensions[letter].width = width
    book.properties.creator = "Chốt"
    book.properties.created = STAMP.replace(tzinfo=None)
    content = io.BytesIO()
    book.save(content)
    return without_time(content.getvalue())


def without_time(content: bytes) -> bytes:
    """The same archive with one date on all its entries and properties, so that it only changes when its rows do."""
    repacked = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old_archive, zipfile.ZipFile(repacked, "w") as new_archive:
        for name in old_archive.namelist():
            entry = zipfile.ZipInfo(name, STAMP.timetuple()[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            new_archive.writestr(
                entry, SAVED_AT.sub(STAMP.strftime("%Y-%m-%dT%H:%M:%SZ").encode(), old_archive.read(name))
            )
    return repacked.getvalue()


def as_json(facts: dict[str, Any]) -> str:
    """One verdict a line."""
    verdicts = ",\n".join("  " + json.dumps(verdict) for verdict in facts["verdicts"])
    counts = "".join(f' "{key}": {count},\n' for key, count in facts.items() if key != "verdicts")
    return f'{{\n{counts} "verdicts": [\n{verdicts}\n ]\n}}\n'


def main(directory: Path) -> None:
    lines = make()
    (directory / "leads.xlsx").write_bytes(workbook(lines))
    (directory / "leads.expected.json").write_text(as_json(expected(lines)), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
