"""A row of a workbook → an item. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Final
from uuid import UUID

import orjson

from services.leads.intake.items import Candidate, Item, Origin, Rejection, read_candidate
from services.leads.sources import KnownSource
from services.leads.text import cell, plain
from services.leads.workbook.columns import Field
from shared.identity import new_id

MAX_CAMPAIGN: Final = 200
MAX_ORIGINS: Final = 10_000

Columns = Sequence[tuple[str, Field | None]]
"""Label and meaning, in the order of a row's cells."""
Places = Sequence[tuple[Field, int]]
"""Which cell has which meaning; cells without one are left out."""


def places_of(columns: Columns) -> Places:
    return [(field, place) for place, (_, field) in enumerate(columns) if field]


@dataclass(frozen=True)
class Import:
    """What all rows of an import share: when the file arrived, and where its numbers come from unless a row says
    otherwise. `sources` are known sources by their plain name, `people` are colleagues by their code in capitals."""

    id: UUID
    received_at: datetime
    origin: Origin
    product: str
    sources: Mapping[str, KnownSource]
    correlation_id: str
    columns: Columns
    people: Mapping[str, UUID]
    origins: dict[tuple[str, str], Origin] = field(default_factory=dict)
    """What was made of the source and campaign columns so far: a list of a hundred thousand rows names a few."""

    @cached_property
    def places(self) -> Places:
        return places_of(self.columns)

    def label(self, field: Field) -> str:
        """The name of the column with this meaning."""
        return next((label for label, meaning in self.columns if meaning == field), "")


@dataclass(slots=True)
class Row:
    """A row as it is kept: Excel's number, its cells as a JSON list, and their texts."""

    number: int
    cells: bytes
    texts: list[str]

    def values(self, places: Places) -> dict[Field, str]:
        """The texts with a meaning; empty ones are left out."""
        texts = self.texts
        return {field: text for field, place in places if (text := texts[place])}


def row_of(number: int, cells: str | bytes) -> Row:
    """One row, from its cells."""
    return Row(number, cells.encode() if isinstance(cells, str) else cells, orjson.loads(cells))


def rows_of(numbers: Sequence[int], lines: bytes) -> list[Row]:
    """The rows of a page, its cells a line each."""
    texts = orjson.loads(b"[" + lines.replace(b"\n", b",") + b"]")
    return [Row(*row) for row in zip(numbers, lines.split(b"\n"), texts, strict=True)]


def item_of(row: Row, of: Import) -> Item:
    """The item of a row. Its body is the row's texts in the order of the sheet's columns."""
    values = row.values(of.places)
    origin, content, owner_id = _origin(values, of), _content(row.number, values, of), _owner(values, of)
    place = of.id, row.number
    # By their places: by their names it takes twice as long, for a hundred thousand of them.
    return Item(
        new_id(),
        of.received_at,
        origin,
        "application/json",
        row.cells,
        content,
        of.correlation_id,
        place,
        None,
        None,
        "",
        False,
        owner_id,
    )


def source_of(values: Mapping[Field, str], of: Import) -> KnownSource | None:
    """The source that a row names, if it is one of ours."""
    written = values.get("source", "")
    return of.sources.get(plain(written)) if written else None


def _origin(values: Mapping[Field, str], of: Import) -> Origin:
    named = values.get("source", ""), values.get("campaign", "")
    found = of.origins.get(named)
    if found is None:
        if len(of.origins) >= MAX_ORIGINS:
            of.origins.clear()
        found = of.origins[named] = _make_origin(values, of)
    return found


def _make_origin(values: Mapping[Field, str], of: Import) -> Origin:
    campaign = cell(values.get("campaign", ""), MAX_CAMPAIGN)
    known = source_of(values, of)
    if known is not None:
        origin = known.origin(created_by=of.origin.created_by)
        return replace(origin, campaign=campaign or known.campaign, marketer=known.marketer or of.origin.marketer)
    # A source that is only written there is still worth a dimension of the reports.
    written = cell(values.get("source", ""), MAX_CAMPAIGN)
    return replace(of.origin, campaign=campaign or written or of.origin.campaign)


def owner_code(text: str) -> str:
    """'nv001 – Nguyễn Lan' → 'NV001': the template offers codes with names."""
    return text.split()[0].upper() if text.strip() else ""


def _owner(values: Mapping[Field, str], of: Import) -> UUID | None:
    return of.people.get(owner_code(values["owner"])) if "owner" in values else None


def _content(number: int, values: Mapping[Field, str], of: Import) -> Candidate | Rejection:
    content = read_candidate(
        phone=values.get("phone", ""),
        other_phone=values.get("other_phone", ""),
        name=values.get("name", ""),
        product=values.get("product", "") or of.product,
        note=values.get("note", ""),
        address=values.get("address", ""),
    )
    if isinstance(content, Rejection):
        # Of the two columns, the one in which the number is wrong or missing.
        wrong: Field = "other_phone" if "phone" not in values and "other_phone" in values else "phone"
        return _at(number, of.label(wrong) or of.label("phone"), content)
    if "owner" in values and (code := owner_code(values["owner"])) and code not in of.people:
        unknown = Rejection(
            "owner_unknown",
            vi=f"không có người dùng mã “{code}”, hoặc tài khoản đã khóa. Sửa mã, hoặc để trống để hệ thống tự chia.",
            en=f"there is no colleague “{code}”, or the account is locked. Correct it, or leave it empty.",
        )
        return _at(number, of.label("owner"), unknown)
    return content


def _at(number: int, column: str, rejection: Rejection) -> Rejection:
    """A rejection that names row and column."""
    return replace(
        rejection,
        vi=f"Dòng {number}, cột “{column}”: {rejection.vi}",
        en=f"Row {number}, column “{column}”: {rejection.en}",
    )


_CONTENT: Final[tuple[Field, ...]] = ("name", "product", "source", "campaign", "address", "note")


def row_key(phones: Sequence[str], values: Mapping[Field, str]) -> bytes:
    """What makes two rows the same wherever they stand: the canonical numbers and what is said of the customer.

    Columns without a meaning (running numbers, say) and differences of case, accents and signs do not count.
    """
    parts = [*sorted(phones), *(plain(values.get(field, "")) for field in _CONTENT)]
    return hashlib.sha256("\n".join(parts).encode()).digest()
