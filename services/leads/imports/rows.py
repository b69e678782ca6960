"""A row of a workbook → an item. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

import orjson
from uuid_utils.compat import uuid7

from services.leads.intake.items import Candidate, Item, Origin, Rejection, read_candidate
from services.leads.sources import KnownSource
from services.leads.text import cell, plain
from services.leads.workbook.columns import Field
from services.leads.workbook.reading import SheetHeader, SheetRow

MAX_CAMPAIGN: Final = 200


@dataclass(frozen=True, slots=True)
class Import:
    """What all rows of an import share: when the file arrived, and where its numbers come from unless a row says
    otherwise. `sources` are known sources by their plain name."""

    id: UUID
    received_at: datetime
    origin: Origin
    product: str
    sources: Mapping[str, KnownSource]
    correlation_id: str


def item_of(row: SheetRow, header: SheetHeader, of: Import) -> Item:
    """The item of a row. Its body is the row's texts in the order of the sheet's columns."""
    return Item(
        id=uuid7(),
        received_at=of.received_at,
        origin=_origin(row, of),
        content_type="application/json",
        body=orjson.dumps(row.cells),
        content=_content(row, header, product=of.product),
        correlation_id=of.correlation_id,
        place=(of.id, row.number),
    )


def _origin(row: SheetRow, of: Import) -> Origin:
    written = row.values.get("source", "")
    campaign = cell(row.values.get("campaign", ""), MAX_CAMPAIGN)
    known = of.sources.get(plain(written)) if written else None
    if known is not None:
        origin = known.origin(created_by=of.origin.created_by)
        return replace(origin, campaign=campaign or known.campaign, marketer=known.marketer or of.origin.marketer)
    # A source that is only written there is still worth a dimension of the reports.
    return replace(of.origin, campaign=campaign or cell(written, MAX_CAMPAIGN) or of.origin.campaign)


def _content(row: SheetRow, header: SheetHeader, *, product: str) -> Candidate | Rejection:
    content = read_candidate(
        phone=row.values.get("phone", ""),
        other_phone=row.values.get("other_phone", ""),
        name=row.values.get("name", ""),
        product=row.values.get("product", "") or product,
        note=row.values.get("note", ""),
        address=row.values.get("address", ""),
    )
    if isinstance(content, Candidate):
        return content
    column = _column(row, header)
    return replace(
        content,
        vi=f"Dòng {row.number}, cột “{column}”: {content.vi}",
        en=f"Row {row.number}, column “{column}”: {content.en}",
    )


def _column(row: SheetRow, header: SheetHeader) -> str:
    """The name of the column in which the number is wrong or missing."""
    field: Field = "other_phone" if "phone" not in row.values and "other_phone" in row.values else "phone"
    return header.fields[field]
