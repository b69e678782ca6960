"""What carriers' codes mean, and those that nobody knows yet."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field
from sqlalchemy import text

from services.shipping.api.dependencies import Administrator, ContextDep, Limit, Reader
from services.shipping.carriers.registry import CARRIERS
from services.shipping.codes import mapping
from services.shipping.codes.catalogue import Kind
from services.shipping.codes.mapping import ChangedMeanwhile, InTheTable, NeverSeen, StatusMapping, Words
from services.shipping.context import Context
from services.shipping.problems import CodeInTheTable
from services.shipping.view import LEVEL_OF
from shared.contracts.events.shipping import ShipmentStatus
from shared.errors import NotFound, PreconditionFailed
from shared.etag import ExpectedVersion, tag

router = APIRouter(prefix="/v1/carrier-codes", tags=["carrier codes"])

Code = Annotated[str, Path(min_length=1, max_length=100, description="as the carrier writes it")]


class StatusCode(BaseModel):
    code: str = Field(examples=["5"])
    vi: str = Field(examples=["Đã giao hàng, chưa đối soát"])
    en: str = Field(examples=["Delivered, not reconciled"])
    status: ShipmentStatus
    level: str = Field(description="that the order is on then", examples=["L8"])
    provisional: bool
    settles: bool
    either_way: bool
    awaits_decision: bool
    needs_person: bool
    ours: bool = Field(description="a person of the company has said so; the carrier's own table does not have it")


class ReasonCode(BaseModel):
    code: str = Field(examples=["130"])
    vi: str = Field(examples=["Người nhận không đồng ý nhận sản phẩm"])
    en: str = Field(examples=["The receiver refuses"])
    ours: bool


class CodeTableView(BaseModel):
    carrier: str
    title: str
    statuses: list[StatusCode]
    reasons: list[ReasonCode]


class StrangeCode(BaseModel):
    carrier: str = Field(examples=["ghtk"])
    kind: Kind
    code: str = Field(examples=["99"])
    seen: int = Field(description="how often before it had a meaning, repetitions counted")
    shipment_id: UUID = Field(description="the first that had it")
    first_seen_at: datetime
    last_seen_at: datetime
    vi: str = Field(description="empty: nobody has said what it means")
    en: str
    status: ShipmentStatus | None
    level: str | None
    mapped_at: datetime | None
    mapped_by: UUID | None = Field(description="none although it has a meaning: the carrier's table has it since")
    version: int = Field(description="also the ETag; send it as If-Match with a meaning")


class StrangeCodes(BaseModel):
    items: list[StrangeCode]
    next: str | None


class MappedView(BaseModel):
    code: StrangeCode
    shipments: int = Field(description="whose timelines were read again and may have moved")


_COLUMNS = """
SELECT carrier, kind, code, seen, shipment_id, first_seen_at, last_seen_at, vi, en, status, provisional, settles, either_way,
    awaits_decision, needs_person, mapped_at, mapped_by, version
FROM carrier_codes
"""
_LIST = text(
    f"""
{_COLUMNS}
WHERE (CAST(:open AS boolean) IS NULL OR (mapped_at IS NULL) = :open)
    AND (CAST(:after AS text) IS NULL OR carrier || '/' || kind || '/' || code > :after)
ORDER BY carrier || '/' || kind || '/' || code LIMIT :limit
"""
)
_OF_CARRIER = text(f"{_COLUMNS} WHERE carrier = :carrier AND mapped_at IS NOT NULL ORDER BY kind, code")
_ONE = text(f"{_COLUMNS} WHERE (carrier, kind, code) = (:carrier, :kind, :code)")


@router.get("", summary="Codes that stand in no carrier's table: first those that need a meaning")
async def list_strange_codes(
    context: ContextDep,
    _: Reader,
    state: Annotated[Literal["open", "mapped", "all"], Query()] = "open",
    limit: Limit = 50,
    after: Annotated[str | None, Query(max_length=300, description="'next' of the page before")] = None,
) -> StrangeCodes:
    wanted = {"open": True, "mapped": False, "all": None}[state]
    async with context.db.read() as session:
        rows = (await session.execute(_LIST, {"open": wanted, "after": after, "limit": limit + 1})).mappings().all()
    items = [_strange(row) for row in rows[:limit]]
    last = items[-1] if len(rows) > limit else None
    return StrangeCodes(items=items, next=f"{last.carrier}/{last.kind}/{last.code}" if last else None)


@router.get("/{carrier}", summary="All codes of one carrier, and the level that each maps to")
async def get_carrier_codes(carrier: str, context: ContextDep, _: Reader) -> CodeTableView:
    known = CARRIERS.get(carrier)
    if known is None:
        raise NotFound(what="hãng vận chuyển / carrier")
    async with context.db.read() as session:
        ours = (await session.execute(_OF_CARRIER, {"carrier": carrier})).mappings().all()
    statuses = [
        StatusCode(code=code, level=LEVEL_OF[meaning.status], ours=False, **_flags(vars(meaning)))
        for code, meaning in known.codes.statuses.items()
    ]
    statuses += [
        StatusCode(code=row["code"], level=LEVEL_OF[row["status"]], ours=True, **_flags(row))
        for row in ours
        if row["kind"] == "status" and row["code"] not in known.codes.statuses
    ]
    reasons = [
        ReasonCode(code=code, vi=meaning.vi, en=meaning.en, ours=False) for code, meaning in known.codes.reasons.items()
    ]
    reasons += [
        ReasonCode(code=row["code"], vi=row["vi"], en=row["en"], ours=True)
        for row in ours
        if row["kind"] == "reason" and row["code"] not in known.codes.reasons
    ]
    return CodeTableView(carrier=carrier, title=known.title, statuses=statuses, reasons=reasons)


@router.put("/{carrier}/status/{code}", summary="Say what a strange status code means; its parcels are read again")
async def map_status(
    carrier: str,
    code: Code,
    body: StatusMapping,
    context: ContextDep,
    who: Administrator,
    version: ExpectedVersion,
    response: Response,
) -> MappedView:
    return await _map(context, carrier, "status", code, body, by=who.account_id, version=version, response=response)


@router.put("/{carrier}/reason/{code}", summary="Say what a strange reason code means")
async def map_reason(
    carrier: str,
    code: Code,
    body: Words,
    context: ContextDep,
    who: Administrator,
    version: ExpectedVersion,
    response: Response,
) -> MappedView:
    return await _map(context, carrier, "reason", code, body, by=who.account_id, version=version, response=response)


async def _map(
    context: Context, carrier: str, kind: Kind, code: str, body: Words, *, by: UUID, version: int, response: Response
) -> MappedView:
    if carrier not in CARRIERS:
        raise NotFound(what="hãng vận chuyển / carrier")
    try:
        mapped = await mapping.map_code(
            context.db, carrier, kind, code, body, by=by, expected_version=version, now=context.now(), pace=context.pace
        )
    except InTheTable:
        raise CodeInTheTable(code=code, carrier=CARRIERS[carrier].title) from None
    except NeverSeen:
        raise NotFound(what="mã lạ chưa ai gặp / a code that was ever met") from None
    except ChangedMeanwhile:
        raise PreconditionFailed from None
    async with context.db.read() as session:
        row = (await session.execute(_ONE, {"carrier": carrier, "kind": kind, "code": code})).mappings().one()
    tag(response, mapped.version)
    return MappedView(code=_strange(row), shipments=mapped.shipments)


def _strange(row: Any) -> StrangeCode:
    return StrangeCode.model_validate({**row, "level": LEVEL_OF[row["status"]] if row["status"] else None})


def _flags(meaning: Any) -> dict[str, Any]:
    names = ("vi", "en", "status", "provisional", "settles", "either_way", "awaits_decision", "needs_person")
    return {name: meaning[name] for name in names}
