"""The columns of an exported workbook: what people read, labels instead of codes, numbers as the person may see them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from services.leads.labels import CHANNELS, SPAM, word
from services.leads.level_catalogue import name_of
from shared.errors import Language
from shared.phone.hiding import hidden
from shared.phone.masking import masked, national

Kind = Literal["text", "number", "time"]
Cell = str | int | float | None

_EXCEL_EPOCH: Final = datetime(1899, 12, 30)  # noqa: DTZ001  # Excel's days have no zone
_DAY: Final = timedelta(days=1)
_YES: Final = {"vi": "Có", "en": "Yes"}


@dataclass(frozen=True, slots=True)
class Reader:
    """For whom a workbook is written."""

    language: Language
    zone: ZoneInfo
    with_numbers: bool

    def phone(self, number: str) -> str:
        return national(number) if self.with_numbers else masked(number)

    def text(self, written: str) -> str:
        return written if self.with_numbers else hidden(written)

    def time(self, at: datetime | None) -> float | None:
        """A moment as Excel counts it: days since 1899-12-30, local."""
        return None if at is None else (at.astimezone(self.zone).replace(tzinfo=None) - _EXCEL_EPOCH) / _DAY

    def mark(self, on: bool) -> str:
        return _YES[self.language] if on else ""


@dataclass(frozen=True, slots=True)
class Column:
    vi: str
    en: str
    width: int
    """In characters."""
    kind: Kind
    value: Callable[[Any, Reader], Cell]


def _field(vi: str, en: str, width: int, name: str) -> Column:
    return Column(vi, en, width, "text", lambda row, _: getattr(row, name) or "")


def _written(vi: str, en: str, width: int, name: str) -> Column:
    """What people wrote, in which numbers may stand."""
    return Column(vi, en, width, "text", lambda row, who: who.text(getattr(row, name)))


COLUMNS: Final = (
    Column("Số điện thoại", "Phone", 16, "text", lambda row, who: who.phone(row.phone)),
    Column("Số khác", "Other numbers", 18, "text", lambda row, who: ", ".join(map(who.phone, row.other_phones))),
    _written("Tên khách", "Name", 24, "name"),
    _written("Địa chỉ", "Address", 40, "address"),
    _written("Ghi chú của khách", "Customer's note", 40, "note"),
    _field("Sản phẩm", "Product", 16, "product"),
    Column("Trạng thái", "Level", 22, "text", lambda row, who: name_of(row, who.language)),
    _field("Mã trạng thái", "Level code", 9, "level"),
    _field("Người chăm", "Owner", 12, "owner_code"),
    _field("Tên người chăm", "Owner's name", 22, "owner_name"),
    _field("Nhóm", "Team", 16, "owner_team"),
    Column("Ngày số về", "Arrived", 17, "time", lambda row, who: who.time(row.received_at)),
    Column("Ngày chia", "Assigned", 17, "time", lambda row, who: who.time(row.first_assigned_at)),
    Column("Kênh", "Channel", 18, "text", lambda row, who: word(CHANNELS, row.channel, who.language)),
    _field("Nguồn", "Source", 22, "source_name"),
    _field("Chiến dịch", "Campaign", 22, "campaign"),
    _field("Landing page", "Landing page", 22, "landing_page"),
    _field("Marketer", "Marketer", 12, "marketer"),
    Column("Khách cũ", "Returning customer", 9, "text", lambda row, who: who.mark(row.returning_customer)),
    Column("Không gọi", "Do not call", 9, "text", lambda row, who: who.mark(row.do_not_call)),
    Column("Số rác", "Spam", 10, "text", lambda row, who: word(SPAM, row.spam, who.language)),
    Column("Thẻ", "Tags", 24, "text", lambda row, _: ", ".join(tag["name"] for tag in row.tags)),
    Column("Số ghi chú", "Notes", 9, "number", lambda row, _: row.notes),
    Column("Thay đổi lúc", "Changed", 17, "time", lambda row, who: who.time(row.changed_at)),
    Column("Mã đơn", "Id", 38, "text", lambda row, _: str(row.id)),
)


def headings(language: Language) -> list[str]:
    return [column.vi if language == "vi" else column.en for column in COLUMNS]


def cells(row: Any, reader: Reader) -> list[Cell]:
    """One lead as a row of the workbook."""
    return [column.value(row, reader) for column in COLUMNS]
