"""How carriers' statements look, as data: which columns they have, by carrier and version.

No carrier publishes its columns. These are those of settlement workbooks, exports and sessions that public integrations
and shops show (2026); names are as `plain` writes them: without case, accents and signs. A new form of a statement is a
further entry here; one that somebody met first is mapped by hand and remembered (`column_maps`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

from shared.workbook.headings import Headings, plain

Field = Literal[
    "waybill",
    "code",
    "session",
    "status",
    "cod",
    "compensation",
    "net",
    "fee_delivery",
    "fee_insurance",
    "fee_return",
    "fee_cod",
    "fee_redelivery",
    "fee_failed",
    "fee_storage",
    "fee_other",
    "fee_total",
]
FIELDS: Final[tuple[Field, ...]] = get_args(Field)
CODES: Final[tuple[Field, ...]] = ("waybill", "code")
"""A statement has one of these columns at least …"""
FEES: Final[tuple[Field, ...]] = tuple(field for field in FIELDS if field.startswith("fee_"))
MONEY: Final[tuple[Field, ...]] = ("cod", "compensation", "net", *FEES)
"""… and one of these."""
FIELD_WORDS: Final[Mapping[Field, tuple[str, str]]] = {
    "waybill": ("mã vận đơn", "waybill"),
    "code": ("mã đơn của shop", "the shop's own code"),
    "session": ("mã phiên đối soát", "session number"),
    "status": ("trạng thái", "status"),
    "cod": ("tiền COD", "COD"),
    "compensation": ("tiền bồi hoàn", "compensation"),
    "net": ("thực trả", "paid out"),
    "fee_delivery": ("phí giao hàng", "delivery fee"),
    "fee_insurance": ("phí bảo hiểm", "insurance fee"),
    "fee_return": ("phí chuyển hoàn", "return fee"),
    "fee_cod": ("phí thu hộ", "COD fee"),
    "fee_redelivery": ("phí giao lại", "redelivery fee"),
    "fee_failed": ("phí giao thất bại", "fee of a failed delivery"),
    "fee_storage": ("phí lưu kho", "storage fee"),
    "fee_other": ("phí khác", "other fee"),
    "fee_total": ("tổng phí", "all fees"),
}


@dataclass(frozen=True, slots=True)
class Layout:
    """One form of statement. `carrier` None: any carrier's."""

    code: str
    carrier: str | None
    title: str
    names: Mapping[Field, str]
    """Meaning → column names, with commas between them."""

    def fields(self) -> dict[str, Field]:
        """Column name → meaning."""
        return {name: field for field, names in self.names.items() for name in names.split(", ")}


LAYOUTS: Final[tuple[Layout, ...]] = (
    Layout(
        "ghtk-1",
        "ghtk",
        "GHTK · bảng đối soát",
        {
            "waybill": "ma don hang, ma van don, ma don ghtk",
            "code": "ma don hang shop, ma don shop, ma dh shop, ma don hang cua shop",
            "status": "trang thai, trang thai don hang",
            "cod": "tien thu ho, tien cod",
            "compensation": "tien boi hoan, boi hoan",
            "fee_delivery": "phi giao hang, phi van chuyen",
            "fee_insurance": "phi bao hiem",
            "fee_return": "phi chuyen hoan, phi tra hang",
            "fee_storage": "phi luu kho",
            "net": "thanh toan, tien thanh toan, tong thanh toan",
        },
    ),
    Layout(
        "ghtk-2",
        "ghtk",
        "GHTK · bảng đơn hàng",
        {
            "waybill": "ma dh",
            "code": "ma dh shop, ma don hang shop",
            "status": "trang thai don hang",
            "cod": "tien cod",
            "fee_delivery": "phi giao hang, phi ship",
        },
    ),
    Layout(
        "ghn-1",
        "ghn",
        "GHN · phiên đối soát",
        {
            "waybill": "ma don ghn, ma ghn, ma van don",
            "code": "ma don cua ban, ma don hang rieng, ma don khach hang",
            "session": "ma phien, ma phien chuyen tien, phien",
            "status": "trang thai ghn, trang thai",
            "cod": "tien cod",
            "compensation": "tien den bu, den bu",
            "fee_delivery": "phi giao hang, phi van chuyen",
            "fee_insurance": "phi bao hiem, phi khai gia",
            "fee_failed": "phi giao that bai",
            "fee_cod": "phi thu ho",
            "fee_redelivery": "phi kich hoat giao lai, phi giao lai",
            "fee_return": "phi hoan, phi hoan hang",
            "fee_total": "phi dv, tong phi dich vu",
            "net": "tong doi soat",
        },
    ),
    Layout(
        "viettelpost-1",
        "viettelpost",
        "ViettelPost · bảng kê",
        {
            "waybill": "ma phieu gui, so phieu gui, ma van don",
            "code": "ma don hang, ma tham chieu, so tham chieu, ma don hang doi tac",
            "status": "trang thai",
            "cod": "cod, tien cod, tien thu ho, so tien thu ho",
            "compensation": "boi thuong, tien boi thuong",
            "fee_delivery": "cuoc chinh, cuoc van chuyen",
            "fee_cod": "cuoc thu ho, phi thu ho",
            "fee_return": "cuoc chuyen hoan, phi chuyen hoan",
            "fee_total": "tong cuoc",
            "net": "so tien thanh toan, thuc tra, tien con lai",
        },
    ),
    Layout(
        "generic-1",
        None,
        "Bảng đối soát chung",
        {
            "waybill": "ma van don, van don, so van don, ma don van chuyen, ma van chuyen, waybill, tracking, "
            "tracking number, tracking code, tracking no, bill code, ma buu gui, so hieu buu gui, ma buu pham, label id",
            "code": "ma don hang shop, ma don shop, ma don hang, ma don, don hang, so don hang, order code, order id, "
            "order number, client order code, partner id, reference, ma tham chieu, ma don khach hang",
            "session": "phien doi soat, ma phien doi soat, ma doi soat, so bang ke, ma bang ke, session",
            "status": "trang thai, trang thai don hang, status",
            "cod": "tien thu ho, tien cod, cod, so tien thu ho, so tien cod, thu ho, cod amount, tien hang thu ho",
            "compensation": "tien boi hoan, boi hoan, tien den bu, den bu, tien boi thuong, boi thuong, compensation",
            "fee_delivery": "phi giao hang, phi van chuyen, cuoc van chuyen, cuoc chinh, cuoc phi, phi ship, "
            "shipping fee, delivery fee, freight",
            "fee_insurance": "phi bao hiem, phi khai gia, insurance fee",
            "fee_return": "phi chuyen hoan, phi hoan, phi hoan hang, phi tra hang, cuoc chuyen hoan, return fee",
            "fee_cod": "phi thu ho, phi cod, cuoc thu ho, cod fee",
            "fee_redelivery": "phi giao lai, phi kich hoat giao lai, redelivery fee",
            "fee_failed": "phi giao that bai, failed delivery fee",
            "fee_storage": "phi luu kho, storage fee",
            "fee_other": "phi khac, phu phi, other fee, surcharge",
            "fee_total": "tong phi, tong cuoc, phi dich vu, phi dv, tong phi dich vu, total fee",
            "net": "thanh toan, thuc tra, thuc nhan, thuc chuyen, tien cod thuc nhan, tong thanh toan, tong doi soat, "
            "so tien thanh toan, tien thanh toan, con lai, net, net amount, payout, amount paid",
        },
    ),
)
GENERIC: Final = LAYOUTS[-1]


def layouts_of(carrier: str) -> tuple[Layout, ...]:
    """Those of a carrier, the general one last."""
    return (*(layout for layout in LAYOUTS if layout.carrier == carrier), GENERIC)


def headings(carrier: str, said: Mapping[str, Field]) -> Headings[Field]:
    """What marks the header row in a file of a carrier.

    Args:
        said: names, as `plain` writes them → what people said that they mean.
    """
    meanings: dict[str, Field] = dict(said)
    for layout in layouts_of(carrier):
        for name, field in layout.fields().items():
            meanings.setdefault(name, field)
    aliases: dict[Field, list[str]] = {}
    for name, field in meanings.items():
        aliases.setdefault(field, []).append(name)
    return Headings(aliases=aliases, needed=CODES)


@dataclass(frozen=True, slots=True)
class Reading:
    """How the columns of a sheet are read."""

    layout: str
    fields: tuple[Field | None, ...]
    """In the order of the columns; None = kept, not read."""

    @property
    def missing(self) -> tuple[str, ...]:
        """What a statement needs and this sheet lacks: 'code', 'money'."""
        known = set(self.fields)
        return tuple(what for what, fields in (("code", CODES), ("money", MONEY)) if known.isdisjoint(fields))


def read_columns(carrier: str, labels: Sequence[str], said: Mapping[str, Field | None] | None) -> Reading:
    """The meanings of columns: as people said of files with these columns, else by the layout that knows most of them.

    Args:
        labels: names of the columns as they stand in the sheet.
        said: name, as `plain` writes it → meaning; None = kept, not read. What it leaves out is read by the layout.
    """
    names = [plain(label) for label in labels]
    layout = max(layouts_of(carrier), key=lambda layout: len(_known(layout, names)))
    by_layout, by_general = layout.fields(), GENERIC.fields()
    wanted = said or {}
    fields: list[Field | None] = [None] * len(names)
    taken: set[Field] = set()
    for known in (wanted, by_layout, by_general):
        for place, name in enumerate(names):
            field = known.get(name)
            free = fields[place] is None and (known is wanted or name not in wanted)
            if field is not None and free and field not in taken:
                fields[place] = field
                taken.add(field)
    return Reading("by hand" if said else layout.code, tuple(fields))


def header_key(labels: Sequence[str]) -> str:
    """Which set of column names a sheet has, whatever their order, case and accents."""
    return hashlib.sha256("\n".join(sorted({plain(label) for label in labels})).encode()).hexdigest()[:32]


def _known(layout: Layout, names: Sequence[str]) -> set[Field]:
    fields = layout.fields()
    return {fields[name] for name in names if name in fields}
