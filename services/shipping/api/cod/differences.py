"""Differences between what carriers paid and what they should have paid: the work list."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import text

from services.shipping.api.dependencies import (
    VISIBLE,
    After,
    ContextDep,
    LanguageDep,
    Limit,
    Reader,
    Writer,
    visible_to,
)
from services.shipping.cod import ending
from services.shipping.cod.reckoning import GIVES_UP
from services.shipping.cod.words import KIND_WORDS, WHAT_TO_DO
from services.shipping.context import Context
from services.shipping.work import work
from shared.auth import Principal
from shared.contracts.events.shipping import DifferenceKind
from shared.db import ReadSession
from shared.errors import Language, NotFound

router = APIRouter(prefix="/v1/cod/differences", tags=["cod"])

DifferenceState = Literal["open", "mended", "resolved", "written_off"]
STATE_WORDS: Final[dict[DifferenceState, tuple[str, str]]] = {
    "open": ("Chưa xử lý", "Open"),
    "mended": ("Tự khớp lại", "Mended"),
    "resolved": ("Đã xử lý", "Resolved"),
    "written_off": ("Đã xóa nợ", "Written off"),
}
EXPORT_PAGE: Final = 1_000


class DifferenceView(BaseModel):
    """One thing that is wrong. Money in đồng."""

    id: UUID
    kind: DifferenceKind
    label: str
    what_to_do: str
    state: DifferenceState
    state_label: str
    connection_id: UUID | None = Field(description="null: of the carrier, which has several of the company's shops")
    carrier: str
    shop_name: str = Field(description="empty where there is no connection")
    shipment_id: UUID | None
    order_id: UUID | None
    order_code: str
    waybill: str
    about: str = Field(description="where there is no parcel: the code in the line, or the statement")
    statement_id: UUID | None
    statement_number: str
    line: int | None = Field(description="of the statement")
    expected: int
    found: int
    amount: int = Field(description="what the carrier owes; below zero: what is owed to it")
    since: datetime = Field(description="since when the money is owed")
    age_days: int
    gives_up: bool = Field(description="to end it by hand is to give money up: permission shipping.write_off")
    opened_at: datetime
    times: int = Field(description="how often it was opened")
    closed_at: datetime | None
    closed_by: str
    reason: str
    cause: str = Field(description="what mended it")


class DifferencePage(BaseModel):
    items: list[DifferenceView]
    next: UUID | None


class Resolve(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=3, max_length=500, examples=["Hãng xác nhận trừ ở phiên sau, biên bản 12/2026"])


_FROM = """
FROM cod_differences d
LEFT JOIN carrier_connections c ON c.id = d.connection_id
LEFT JOIN cod_statements t ON t.id = d.statement_id
LEFT JOIN shipments s ON s.id = d.shipment_id
LEFT JOIN shippable_orders o ON o.order_id = s.order_id
"""
_SELECT = f"""
SELECT d.id, d.kind, d.state, d.connection_id, coalesce(d.carrier, c.carrier) AS carrier,
    coalesce(c.shop_name, '') AS shop_name, d.shipment_id, s.order_id,
    coalesce(o.code, '') AS order_code, coalesce(s.waybill, '') AS waybill, d.label AS about, d.statement_id,
    coalesce(t.number, '') AS statement_number, d.line, d.expected, d.found, d.amount, d.since,
    greatest(0, extract(day FROM coalesce(d.closed_at, :now) - d.since))::integer AS age_days, d.opened_at, d.times,
    d.closed_at, d.closed_by, d.reason, d.cause
{_FROM}
"""
_FILTER = f"""
WHERE {VISIBLE}
    AND (CAST(:state AS text) IS NULL OR d.state = :state)
    AND (CAST(:kind AS text[]) IS NULL OR d.kind = ANY(:kind))
    AND (CAST(:connection_id AS uuid) IS NULL OR d.connection_id = :connection_id)
    AND (CAST(:carrier AS text) IS NULL OR coalesce(d.carrier, c.carrier) = :carrier)
    AND (CAST(:statement_id AS uuid) IS NULL OR d.statement_id = :statement_id)
    AND (CAST(:shipment_id AS uuid) IS NULL OR d.shipment_id = :shipment_id)
    AND (CAST(:older_than AS integer) IS NULL OR d.since < CAST(:now AS timestamptz) - make_interval(days => :older_than))
    AND (CAST(:after AS uuid) IS NULL OR d.id < :after)
ORDER BY d.id DESC LIMIT :limit
"""
_LIST = text(f"{_SELECT} {_FILTER}")
_GET = text(f"{_SELECT} WHERE d.id = :id AND {VISIBLE}")


class Filters(BaseModel):
    """Which differences."""

    model_config = ConfigDict(extra="forbid")

    state: DifferenceState | None = "open"
    kind: list[DifferenceKind] | None = Field(default=None, description="one or several")
    connection_id: UUID | None = None
    carrier: str | None = Field(default=None, max_length=40, description="all its shops, and what is of none of them")
    statement_id: UUID | None = None
    shipment_id: UUID | None = None
    older_than: int | None = Field(default=None, ge=0, le=3650, description="owed for more than so many days")

    def parameters(self, who: Principal, *, now: datetime) -> dict[str, Any]:
        return {**self.model_dump(), **visible_to(who), "now": now}


class Listed(Filters):
    limit: Limit = 50
    after: After = None


@router.get("", summary="Differences, newest first")
async def list_differences(
    context: ContextDep, who: Reader, language: LanguageDep, listed: Annotated[Listed, Query()]
) -> DifferencePage:
    """One sees those of the orders that oneself or somebody below oneself closed; who sees everything sees also those
    that are about no order."""
    parameters = {**listed.parameters(who, now=context.now()), "limit": listed.limit + 1}
    async with context.db.read() as session:
        rows = (await session.execute(_LIST, parameters)).mappings().all()
    items = [_view(row, language) for row in rows[: listed.limit]]
    return DifferencePage(items=items, next=items[-1].id if len(rows) > listed.limit else None)


@router.get(
    "/export",
    summary="Differences as a file that Excel opens",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {}}}},
)
async def export_differences(
    context: ContextDep, who: Reader, language: LanguageDep, filters: Annotated[Filters, Query()]
) -> StreamingResponse:
    """CSV in UTF-8, to be sent to the carrier; every text is written so that no program takes it for a formula."""
    headers = {"Content-Disposition": 'attachment; filename="chenh-lech-cod.csv"'}
    rows = _exported(context, filters.parameters(who, now=context.now()), language)
    return StreamingResponse(rows, media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/{difference_id}", summary="One difference")
async def get_difference(
    difference_id: UUID, context: ContextDep, who: Reader, language: LanguageDep
) -> DifferenceView:
    return await _one(context, difference_id, who, language)


@router.post("/{difference_id}/resolve", summary="End a difference, with a reason")
async def resolve(
    difference_id: UUID, body: Resolve, context: ContextDep, who: Writer, language: LanguageDep
) -> DifferenceView:
    """Where that gives money up (`gives_up`) it takes the permission shipping.write_off, and the whole debt of the parcel
    is written off. A later payment still counts."""
    await _one(context, difference_id, who, language)
    async with work(context.db) as current:
        await ending.resolve(current, difference_id, reason=body.reason, who=who, now=context.now())
    return await _one(context, difference_id, who, language)


async def differences_of(session: ReadSession, parameters: dict[str, Any], language: Language) -> list[DifferenceView]:
    """Those of one parcel, of which there are few."""
    rows = await session.execute(_LIST, {**parameters, "after": None, "limit": EXPORT_PAGE})
    return [_view(row, language) for row in rows.mappings()]


async def _one(context: Context, difference_id: UUID, who: Principal, language: Language) -> DifferenceView:
    async with context.db.read() as session:
        parameters = {**visible_to(who), "id": difference_id, "now": context.now()}
        row = (await session.execute(_GET, parameters)).mappings().one_or_none()
    if row is None:
        raise NotFound(what="chênh lệch / difference")
    return _view(row, language)


def _view(row: Any, language: Language) -> DifferenceView:
    place = int(language != "vi")
    return DifferenceView.model_validate(
        {
            **row,
            "label": KIND_WORDS[row["kind"]][place],
            "what_to_do": WHAT_TO_DO[row["kind"]][place],
            "state_label": STATE_WORDS[row["state"]][place],
            "gives_up": row["kind"] in GIVES_UP,
        }
    )


_HEADINGS: Final[dict[Language, tuple[str, ...]]] = {
    "vi": ("Hãng", "Shop", "Loại", "Mã vận đơn", "Mã đơn", "Phiên", "Dòng", "Phải trả", "Đã trả", "Chênh lệch", "Từ ngày",
           "Số ngày", "Trạng thái", "Lý do"),
    "en": ("Carrier", "Shop", "Kind", "Waybill", "Order", "Session", "Line", "Expected", "Found", "Difference", "Since",
           "Days", "State", "Reason"),
}  # fmt: skip


async def _exported(context: Context, parameters: dict[str, Any], language: Language) -> AsyncIterator[str]:
    yield "\ufeff" + _csv(_HEADINGS[language])  # without the mark, Excel reads accents wrong
    after: UUID | None = None
    while True:
        async with context.db.read() as session:
            page = {**parameters, "after": after, "limit": EXPORT_PAGE}
            rows = (await session.execute(_LIST, page)).mappings().all()
        for row in rows:
            view = _view(row, language)
            yield _csv(
                (
                    view.carrier.upper(),
                    view.shop_name,
                    view.label,
                    view.waybill or view.about,
                    view.order_code,
                    view.statement_number,
                    "" if view.line is None else str(view.line),
                    str(view.expected),
                    str(view.found),
                    str(view.amount),
                    f"{view.since:%Y-%m-%d}",
                    str(view.age_days),
                    view.state_label,
                    view.reason,
                )
            )
        if len(rows) < EXPORT_PAGE:
            return
        after = rows[-1]["id"]


def _csv(cells: tuple[str, ...]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow([_safe(cell) for cell in cells])
    return line.getvalue()


def _safe(cell: str) -> str:
    """A text that would start a formula gets an apostrophe, as Excel itself writes it; amounts below zero stay numbers."""
    risky = cell[:1] in ("=", "+", "-", "@", "\t", "\r") and not cell.removeprefix("-").isdigit()
    return f"'{cell}" if risky else cell
