"""Statements of carriers: send one, see what came of it, say what its columns mean, withdraw it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from fastapi import APIRouter, File, Form, Query, UploadFile
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from sqlalchemy import text

from services.shipping.api.dependencies import After, ContextDep, LanguageDep, Limit, Writer
from services.shipping.cod import ending, receive, store
from services.shipping.cod.layouts import FIELD_WORDS, FIELDS, LAYOUTS
from services.shipping.cod.problems import ColumnsWrong, StatementNotThere
from services.shipping.cod.words import KIND_WORDS, amount_words
from services.shipping.context import Context
from services.shipping.work import work
from shared.contracts.events.shipping import DifferenceKind
from shared.contracts.workflows import nudge_settlement
from shared.errors import Language, NotFound
from shared.given import GivenDate

router = APIRouter(prefix="/v1/cod/statements", tags=["cod"])

StatementState = Literal["unmapped", "doubtful", "matching", "matched", "withdrawing", "withdrawn"]
STATE_WORDS: dict[StatementState, tuple[str, str]] = {
    "unmapped": ("Chưa đọc được cột", "Its columns are not known"),
    "doubtful": ("Không dòng nào khớp", "No line is about a parcel of this shop"),
    "matching": ("Đang đối chiếu", "Being compared"),
    "matched": ("Đã đối chiếu", "Compared"),
    "withdrawing": ("Đang rút", "Being withdrawn"),
    "withdrawn": ("Đã rút", "Withdrawn"),
}
_SAID = TypeAdapter(dict[str, str | None])


class StatementView(BaseModel):
    """A statement. Money in đồng."""

    id: UUID
    connection_id: UUID
    carrier: str
    shop_name: str
    number: str = Field(description="the carrier's own number of the session; empty if the file does not say")
    paid_on: date = Field(
        description="the carrier's transfer, as the file or the sender says; else the day of the upload"
    )
    file_name: str
    state: StatementState
    state_label: str
    message: str = Field(description="what came of it, or what to do, in a sentence")
    layout: str = Field(description="the form in which it was read")
    lines: int
    matched: int = Field(description="lines whose parcel was found")
    compared: int = Field(description="lines compared so far")
    cod: int
    fees: int
    compensation: int
    net: int = Field(description="what it pays out")
    credited: int = Field(description="what of it the bank has credited")
    credited_at: datetime | None = Field(description="when it was whole")
    open_differences: int
    uploaded_by: str
    created_at: datetime
    finished_at: datetime | None
    withdrawn_by: str
    withdraw_reason: str


class StatementPage(BaseModel):
    items: list[StatementView]
    next: UUID | None


class SheetView(BaseModel):
    """How a sheet was read."""

    sheet: str
    header_row: int
    layout: str
    header_key: str = Field(description="what a mapping of its columns is remembered under")
    columns: dict[str, str | None] = Field(description="name → what it is read as; null: kept with the line, not read")
    skipped: list[str] | None = Field(default=None, description="why it was not read: 'code', 'money' = no such column")
    ignored_rows: int = Field(default=0, description="sums, and rows that say nothing of money")


class KindSum(BaseModel):
    kind: DifferenceKind
    label: str
    count: int
    amount: int = Field(description="what the carrier owes; below zero: what is owed to it")


class Unread(BaseModel):
    """Why a statement could not be read."""

    found: str = Field(description="what stands where the column names should be")
    missing: list[str] = Field(description="'code': a column with waybills or own codes; 'money': one with amounts")


class StatementDetail(StatementView):
    sheets: list[SheetView]
    unread: Unread | None
    differences: list[KindSum] = Field(description="those that are open")


class LineView(BaseModel):
    number: int
    sheet: int
    row: int = Field(description="Excel's")
    waybill: str
    code: str
    status: str = Field(description="as the carrier wrote it")
    cod: int | None
    compensation: int | None
    fee: int | None
    fees: dict[str, int] = Field(description="by kind")
    net: int | None
    unreadable: str = Field(description="names of the cells that should hold money and could not be read")
    shipment_id: UUID | None
    matched_by: str
    cells: list[str] = Field(description="the whole row")


class LinePage(BaseModel):
    items: list[LineView]
    next: int | None


class LayoutView(BaseModel):
    code: str
    carrier: str | None
    title: str
    columns: dict[str, list[str]] = Field(description="meaning → names, without accents and capitals")


class LayoutList(BaseModel):
    items: list[LayoutView]
    fields: dict[str, str] = Field(description="every meaning that a column can have, and what it is")
    next: None = None


class MapColumns(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={"example": {"columns": {"Số phiếu": "waybill", "Tiền": "cod", "Ghi chú": None}}}
    )

    columns: dict[str, str | None] = Field(min_length=1, description="name → meaning; null = kept, not read")


class Withdraw(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=3, max_length=300, examples=["Nhầm tệp của tháng trước"])


class MatchLine(BaseModel):
    model_config = ConfigDict(extra="forbid")

    shipment_id: UUID


_SELECT = """
SELECT t.id, t.connection_id, c.carrier, c.shop_name, t.number, t.paid_on, t.file_name, t.state, t.layout, t.lines,
    t.matched, least(t.compared_to, t.lines) AS compared, t.cod, t.fees, t.compensation, t.net, t.credited_at,
    t.uploaded_by, t.created_at, t.finished_at, t.withdrawn_by, t.withdraw_reason, t.sheets, t.problem,
    (SELECT coalesce(sum(amount), 0)::bigint FROM bank_credits WHERE statement_id = t.id) AS credited,
    (SELECT count(*) FROM cod_differences WHERE statement_id = t.id AND state = 'open') AS open_differences
FROM cod_statements t JOIN carrier_connections c ON c.id = t.connection_id
"""
_GET = text(f"{_SELECT} WHERE t.id = :id")
_LIST = text(
    f"""
{_SELECT}
WHERE (CAST(:connection_id AS uuid) IS NULL OR t.connection_id = :connection_id)
    AND (CAST(:state AS text) IS NULL OR t.state = :state)
    AND (CAST(:after AS uuid) IS NULL OR t.id < :after)
ORDER BY t.id DESC LIMIT :limit
"""
)
_KINDS = text(
    """
SELECT kind, count(*) AS count, sum(amount)::bigint AS amount FROM cod_differences
WHERE statement_id = :id AND state = 'open' GROUP BY kind ORDER BY kind
"""
)
_LINES = text(
    """
SELECT number, sheet, row, waybill, code, status, cod, compensation, fee, fees, net, unreadable, shipment_id, matched_by,
    cells
FROM cod_lines
WHERE statement_id = :id AND number > :after AND (NOT CAST(:unmatched AS boolean) OR shipment_id IS NULL)
ORDER BY number LIMIT :limit
"""
)
_CONFIRM = """
UPDATE cod_statements SET state = 'matching' WHERE id = $1 AND state = 'doubtful' RETURNING round
"""


@router.get("/layouts", summary="The forms of statements that are known, and what columns can mean")
async def list_layouts(_: Writer, language: LanguageDep) -> LayoutList:
    items = [
        LayoutView(
            code=layout.code,
            carrier=layout.carrier,
            title=layout.title,
            columns={field: names.split(", ") for field, names in layout.names.items()},
        )
        for layout in LAYOUTS
    ]
    return LayoutList(items=items, fields={field: FIELD_WORDS[field][language != "vi"] for field in FIELDS})


@router.post("", status_code=201, summary="Send a carrier's statement")
async def upload(
    context: ContextDep,
    who: Writer,
    language: LanguageDep,
    file: Annotated[UploadFile, File(description="an .xlsx, .xls or .csv of 200,000 lines at most")],
    connection_id: Annotated[UUID, Form(description="the shop at the carrier whose statement it is")],
    number: Annotated[str, Form(max_length=60, description="of the session, if the file does not say")] = "",
    paid_on: Annotated[
        GivenDate | None, Form(description="day of the carrier's transfer, if the file does not say")
    ] = None,
    replaces: Annotated[
        bool, Form(description="it corrects the statement of this session, which is withdrawn")
    ] = False,
    columns: Annotated[
        str, Form(description='what columns mean, as JSON: {"Số phiếu": "waybill", "Ghi chú": null}; remembered')
    ] = "",
) -> StatementDetail:
    """Keeps the file's lines with their parcels; they are compared in the background: look at
    `GET /v1/cod/statements/{id}`.

    The same file is refused with the statement that it became (`statement-imported-before`), so a request whose answer
    was lost can be repeated; so is another file of the same session (`statement-session-imported-before`). A file whose
    columns are not known is kept (`unmapped`) until somebody says what they mean.
    """
    order = receive.Order(
        connection_id=connection_id,
        file_name=" ".join((file.filename or "").split())[:200],
        by=who.code,
        number=" ".join(number.split()),
        paid_on=paid_on,
        columns=_said(columns) if columns else None,
        replaces=replaces,
    )
    async with context.statements:
        statement_id = await receive.receive(context.db, file.file, order, now=context.now())
    return await _detail(context, statement_id, language)


@router.get("", summary="Statements, newest first")
async def list_statements(
    context: ContextDep,
    _: Writer,
    language: LanguageDep,
    connection_id: UUID | None = None,
    state: StatementState | None = None,
    limit: Limit = 50,
    after: After = None,
) -> StatementPage:
    parameters = {"connection_id": connection_id, "state": state, "limit": limit + 1, "after": after}
    async with context.db.read() as session:
        rows = (await session.execute(_LIST, parameters)).mappings().all()
    items = [StatementView.model_validate(_fields(row, language)) for row in rows[:limit]]
    return StatementPage(items=items, next=items[-1].id if len(rows) > limit else None)


@router.get("/{statement_id}", summary="One statement: how it was read, and what is wrong in it")
async def get_statement(statement_id: UUID, context: ContextDep, _: Writer, language: LanguageDep) -> StatementDetail:
    return await _detail(context, statement_id, language)


@router.get("/{statement_id}/lines", summary="The lines of a statement, in order")
async def list_lines(
    statement_id: UUID,
    context: ContextDep,
    _: Writer,
    unmatched: Annotated[bool, Query(description="only those without a parcel")] = False,
    limit: Limit = 50,
    after: Annotated[int, Query(ge=0, description="'next' of the page before")] = 0,
) -> LinePage:
    parameters = {"id": statement_id, "unmatched": unmatched, "limit": limit + 1, "after": after}
    async with context.db.read() as session:
        rows = (await session.execute(_LINES, parameters)).mappings().all()
    items = [LineView.model_validate(dict(row)) for row in rows[:limit]]
    return LinePage(items=items, next=items[-1].number if len(rows) > limit else None)


@router.post("/{statement_id}/columns", summary="Say what the columns of an unread statement mean")
async def map_columns(
    statement_id: UUID, body: MapColumns, context: ContextDep, who: Writer, language: LanguageDep
) -> StatementDetail:
    """It is read at once, and so are further files with the same column names."""
    said = receive.check_fields(body.columns)
    async with context.statements:
        await receive.map_columns(context.db, statement_id, said, by=who.code, now=context.now())
    return await _detail(context, statement_id, language)


@router.post("/{statement_id}/confirm", summary="Compare a statement although none of its lines is about our parcels")
async def confirm(statement_id: UUID, context: ContextDep, _: Writer, language: LanguageDep) -> StatementDetail:
    before = await _detail(context, statement_id, language)
    async with work(context.db) as current:
        round = await current.connection.fetchval(_CONFIRM, statement_id)
        if round is not None:
            current.send(nudge_settlement(statement_id, round=round))
    if round is None and before.state not in ("matching", "matched"):
        raise StatementNotThere(state=before.state_label)
    return await _detail(context, statement_id, language)


@router.post("/{statement_id}/withdraw", summary="Take a statement out of what counts")
async def withdraw(
    statement_id: UUID, body: Withdraw, context: ContextDep, who: Writer, language: LanguageDep
) -> StatementDetail:
    """As if it had never come: its parcels are compared again without it, its bank credits are free. The same file may be
    sent again afterwards. Withdrawing twice changes nothing."""
    await _detail(context, statement_id, language)
    async with work(context.db) as current:
        await store.withdraw(current, statement_id, by=who.code, reason=body.reason, now=context.now())
    return await _detail(context, statement_id, language)


@router.post("/{statement_id}/lines/{number}/match", summary="Give a line its parcel by hand")
async def match_line(
    statement_id: UUID, number: int, body: MatchLine, context: ContextDep, _: Writer, language: LanguageDep
) -> StatementDetail:
    async with work(context.db) as current:
        await ending.match_line(current, statement_id, number, body.shipment_id, now=context.now())
    return await _detail(context, statement_id, language)


def _said(columns: str) -> receive.Said:
    try:
        return receive.check_fields(_SAID.validate_python(orjson.loads(columns)))
    except (orjson.JSONDecodeError, ValidationError):
        raise ColumnsWrong(columns=columns[:200], known=", ".join(FIELDS)) from None


async def _detail(context: Context, statement_id: UUID, language: Language) -> StatementDetail:
    async with context.db.read() as session:
        row = (await session.execute(_GET, {"id": statement_id})).mappings().one_or_none()
        if row is None:
            raise NotFound(what="bảng đối soát / statement")
        kinds = (await session.execute(_KINDS, {"id": statement_id})).mappings().all()
    sheets = [{**sheet, "columns": dict(sheet["columns"])} for sheet in row["sheets"]]
    sums = [KindSum(**kind, label=KIND_WORDS[kind["kind"]][language != "vi"]) for kind in kinds]
    fields = {**_fields(row, language), "sheets": sheets, "unread": row["problem"], "differences": sums}
    return StatementDetail.model_validate(fields)


def _fields(row: Any, language: Language) -> dict[str, Any]:
    vi = language == "vi"
    return {**row, "state_label": STATE_WORDS[row["state"]][not vi], "message": _message(row)[not vi]}


def _message(row: Any) -> tuple[str, str]:
    if row["state"] == "unmapped":
        found = row["problem"]["found"]
        lacks = " và ".join({"code": "mã vận đơn", "money": "số tiền"}[what] for what in row["problem"]["missing"])
        lacks_en = " and ".join({"code": "waybills", "money": "amounts"}[what] for what in row["problem"]["missing"])
        return (
            f"Đã giữ tệp, chưa đọc được: không thấy cột {lacks}. Tệp có: {found}. Khai báo ý nghĩa các cột rồi đọc lại; "
            "lần sau tệp cùng cột sẽ tự đọc.",
            f"Kept, not read: no column with {lacks_en}. The file has: {found}. Say what its columns mean; files with "
            "the same columns are then read by themselves.",
        )
    if row["state"] == "doubtful":
        return (
            f"Đọc được {row['lines']} dòng nhưng không dòng nào khớp vận đơn của shop này. Kiểm tra đã chọn đúng shop; "
            "nếu nhầm, rút rồi nhập lại; nếu đúng, xác nhận để đối chiếu.",
            f"None of {row['lines']} lines is about a parcel of this shop. Check the shop: withdraw the statement if it "
            "was the wrong one, confirm it if it was right.",
        )
    if row["state"] in ("withdrawn", "withdrawing"):
        return f"Đã rút: {row['withdraw_reason']}.", f"Withdrawn: {row['withdraw_reason']}."
    net = amount_words(row["net"])
    return (
        f"{row['matched']}/{row['lines']} dòng khớp vận đơn, {row['open_differences']} chênh lệch; thực trả {net}.",
        f"{row['matched']} of {row['lines']} lines have their parcel, {row['open_differences']} differences; pays {net}.",
    )
