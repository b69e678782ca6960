"""What the columns of a workbook of leads mean, and the names that people give them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal, get_args

from shared.workbook.headings import Column, Headings, plain

Field = Literal["phone", "other_phone", "name", "product", "source", "campaign", "address", "note", "owner"]
FIELDS: Final[tuple[Field, ...]] = get_args(Field)

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

HEADINGS: Final[Headings[Field]] = Headings(
    aliases={field: aliases.split(", ") for field, aliases in ALIASES.items()},
    needed=("phone",),
    second={"phone": "other_phone"},
    qualifiers=(
        *("khach hang", "khach", "kh", "nguoi nhan", "nguoi mua", "lien he"),
        *("1", "01", "bat buoc"),
    ),
)


def read_as(columns: Sequence[Column[Field]], wanted: Mapping[str, Field | None]) -> tuple[Column[Field], ...]:
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


def header_key(columns: Sequence[Column[Field]]) -> str:
    """Which set of column names a file has: the same for all files with these, whatever their order, case and accents."""
    names = sorted({plain(column.label) for column in columns} - _OURS)
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:32]
