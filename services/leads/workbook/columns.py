"""Which column is which: the header row found by the names that people give to columns.

Standard library only, because the child process imports it.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

Field = Literal["phone", "other_phone", "name", "product", "source", "campaign", "address", "note", "owner"]
FIELDS: Final[tuple[Field, ...]] = get_args(Field)

HEADER_ROWS: Final = 20
"""Excel rows in which the header is looked for: above it stand a title, a logo, instructions."""

ALIASES: Final[dict[Field, str]] = {
    "phone": "so dien thoai, sdt, so dt, dt, dien thoai, dien thoai di dong, so dien thoai di dong, so di dong, di dong, "
    "dt di dong, so may, so phone, so lien lac, phone, phone number, phone no, phonenumber, mobile, mobile phone, "
    "mobile number, cell phone, tel, telephone, telephone number, contact number, contact phone, customer phone",
    "other_phone": "so dien thoai 2, sdt 2, so dt 2, dt 2, dien thoai 2, phone 2, phone number 2, mobile 2, so phu, "
    "so dien thoai phu, sdt phu, dien thoai phu, so dien thoai khac, sdt khac, so khac, other phone, second phone, "
    "alternative phone, so zalo, zalo, sdt zalo, whatsapp number",
    "name": "ho ten, ho va ten, ten, ten day du, khach hang, khach, nguoi mua, nguoi nhan, nguoi lien he, name, "
    "full name, fullname, customer, customer name, contact name, buyer, recipient",
    "product": "san pham, ten san pham, sp, ten sp, san pham quan tam, mat hang, ten hang, hang hoa, product, "
    "product name, item, goods",
    "source": "nguon, nguon so, nguon khach, nguon data, nguon don, nguon marketing, kenh, kenh marketing, source, "
    "lead source, channel, platform, utm source",
    "campaign": "chien dich, ten chien dich, chien dich quang cao, quang cao, campaign, campaign name, utm campaign, "
    "ad campaign",
    "address": "dia chi, dia chi giao hang, dia chi nhan hang, dia chi giao, noi giao, noi nhan, address, "
    "delivery address, shipping address, street address",
    "note": "ghi chu, noi dung, loi nhan, tin nhan, yeu cau, mo ta, nhu cau, binh luan, note, notes, comment, comments, "
    "message, remark, remarks, description",
    "owner": "giao cho, giao cho sale, giao cho nhan vien, giao cho nv, ma nhan vien, ma nv, ma sale, nv phu trach, "
    "nhan vien phu trach, sale phu trach, nguoi phu trach, owner, owner code, assigned to, assignee, assign to, staff code",
}
"""Names as `plain` writes them. Qualifiers such as 'khách hàng' need not be repeated here."""

_FIELD_BY_ALIAS: Final = {alias: field for field, aliases in ALIASES.items() for alias in aliases.split(", ")}
_IN_BRACKETS: Final = re.compile(r"\([^)]*\)|\[[^]]*\]")
_NOT_A_WORD: Final = re.compile(r"[\W_]+")
_QUALIFIER: Final = re.compile(r" (?:cua )?(?:khach hang|khach|kh|nguoi nhan|nguoi mua|lien he|0?1|bat buoc)$")
_MANY_DIGITS: Final = re.compile(r"(?:\D*\d){6}")
_MAX_LABEL: Final = 40
_MAX_FOUND: Final = 20


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the sheet: its place from 0, what it is called there (unique), and its meaning if we know it."""

    index: int
    label: str
    field: Field | None


def plain(label: str) -> str:
    """'  Số ĐIỆN-thoại (*) ' → 'so dien thoai': what stays of a name when case, accents, signs and brackets go."""
    words = _bare(_IN_BRACKETS.sub(" ", label))
    return words or _bare(label)


def _bare(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.casefold().replace("đ", "d"))
    letters = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return _NOT_A_WORD.sub(" ", letters).strip()


def field_of(label: str) -> Field | None:
    """The meaning of a column name, None when it is not known."""
    name = plain(label)
    while name:
        if field := _FIELD_BY_ALIAS.get(name):
            return field
        shorter = _QUALIFIER.sub("", name)
        name = shorter if shorter != name else ""
    return None


def letter_of(index: int) -> str:
    """Excel's letters of a column: 0 → 'A', 27 → 'AB'."""
    letters = ""
    while index >= 0:
        index, rest = divmod(index, 26)
        letters = chr(ord("A") + rest) + letters
        index -= 1
    return letters


def find_header(rows: Sequence[Sequence[str]], *, phones: Collection[str] = ()) -> int | None:
    """The place of the header among the first rows: the one with a phone column and the most columns we know.

    Args:
        phones: further names of phone columns, as `plain` writes them: what the company said of files before.
    """

    def known(row: Sequence[str]) -> set[Field]:
        fields = {field for label in row if (field := field_of(label))}
        if phones and any(plain(label) in phones for label in row if label.strip()):
            fields.add("phone")
        return fields

    candidates = [(len(fields), -place) for place, row in enumerate(rows) if "phone" in (fields := known(row))]
    return -max(candidates)[1] if candidates else None


def name_columns(header: Sequence[str], used: set[int]) -> list[Column]:
    """Gives every used column a meaning, or keeps it under its own name.

    Two columns of one meaning: the first has it, the second keeps its name; a second phone column is `other_phone`.
    Columns without a name, and names that come twice, get their letter: '(H)', 'Ghi chú (H)'.

    Args:
        header: the texts of the header row.
        used: indexes of the columns with a name or with data below.
    """
    columns: list[Column] = []
    fields: set[Field] = set()
    labels: set[str] = set()
    for index in sorted(used):
        written = " ".join(header[index].split()) if index < len(header) else ""
        label = written if written and written not in labels else f"{written} ({letter_of(index)})".strip()
        labels.add(label)
        field = field_of(written)
        if field == "phone" and "phone" in fields:
            field = "other_phone"
        if field in fields:
            field = None
        if field:
            fields.add(field)
        columns.append(Column(index, label, field))
    return columns


def read_as(columns: Sequence[Column], wanted: Mapping[str, Field | None]) -> tuple[Column, ...]:
    """The columns with other meanings.

    Args:
        wanted: label → meaning; labels that are left out keep theirs, unless another column has taken it.
    """
    taken = {field for field in wanted.values() if field}
    return tuple(
        replace(column, field=wanted[column.label])
        if column.label in wanted
        else replace(column, field=None if column.field in taken else column.field)
        for column in columns
    )


_OURS: Final = frozenset({"dong", "ket qua", "ly do", "row", "result", "reason"})
"""Columns of the workbook of verdicts, which comes back when its rows were corrected."""


def header_key(columns: Sequence[Column]) -> str:
    """Which set of column names a file has: the same for all files with these, whatever their order, case and accents."""
    names = sorted({plain(column.label) for column in columns} - _OURS)
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:32]


def describe(rows: Sequence[Sequence[str]]) -> str:
    """What stands where the header should be, for the sender to recognise; what may be a phone number is left out."""
    fullest: Sequence[str] = max(rows, key=lambda row: sum(bool(text.strip()) for text in row), default=())
    texts = [" ".join(text.split())[:_MAX_LABEL] for text in fullest if text.strip() and not _MANY_DIGITS.match(text)]
    return ", ".join(f"“{text}”" for text in texts[:_MAX_FOUND]) or "—"
