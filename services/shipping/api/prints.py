"""Slips and labels of many parcels in one PDF."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import text

from services.shipping.api.dependencies import VISIBLE, After, ContextDep, Limit, Writer, visible_to
from services.shipping.carriers.registry import CARRIERS
from services.shipping.paper import asking
from services.shipping.paper.asking import MAX, Kind
from services.shipping.paper.slip import SIZES
from services.shipping.problems import FileForgotten, FileNotReady, NothingPrinted, SizeNotOffered, UnknownShipments
from shared.auth import Principal
from shared.db import ReadSession, Session
from shared.errors import NotFound
from shared.idempotency import OnceDep

router = APIRouter(prefix="/v1/prints", tags=["paper"])

MEDIA: Final = "application/pdf"


class AskPrint(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kind: Kind = Field(description="slip: our own; label: the carrier's")
    size: str = Field(
        default="A6",
        max_length=20,
        description="of slips A5, A6 or 80mm (a roll); of labels what the carrier has, `label_sizes` in GET /v1/carriers",
    )
    shipment_ids: list[UUID] = Field(min_length=1, max_length=MAX, description="in the order of the pages")


class PrintProblem(BaseModel):
    shipment_id: UUID
    order_code: str
    problem: str = Field(description="why there is no page of this parcel")


class PrintView(BaseModel):
    id: UUID
    kind: Kind
    size: str
    state: Literal["running", "done", "forgotten"] = Field(description="forgotten: files are kept for a day")
    wanted: int
    done: int = Field(description="parcels that have their page")
    failed: int = Field(description="parcels that cannot be printed; see `problems`")
    reprints: int = Field(description="parcels whose paper of this kind had been printed before; their pages say so")
    requested_by: str = Field(description="staff code", examples=["NV007"])
    requested_at: datetime
    finished_at: datetime | None
    problems: list[PrintProblem] = Field(default=[], description="of one print; at most 100")


class PrintPage(BaseModel):
    items: list[PrintView]
    next: UUID | None


_VISIBLE_ONES = text(
    f"""
SELECT s.id FROM shipments s JOIN shippable_orders o ON o.order_id = s.order_id WHERE s.id = ANY(:ids) AND {VISIBLE}
"""
)
_SELECT = """
SELECT p.id, p.kind, p.size, p.state, p.requester_code AS requested_by, p.requested_at, p.finished_at, i.*
FROM prints p CROSS JOIN LATERAL (
    SELECT count(*) AS wanted, count(printed_at) AS done, count(*) FILTER (WHERE problem <> '') AS failed,
        count(*) FILTER (WHERE number > 1) AS reprints
    FROM print_items WHERE print_id = p.id
) AS i
"""
_MINE = "(:sees_all OR p.requested_by = :viewer)"
_LIST = text(
    f"{_SELECT} WHERE {_MINE} AND (CAST(:after AS uuid) IS NULL OR p.id < :after) ORDER BY p.id DESC LIMIT :limit"
)
_GET = text(f"{_SELECT} WHERE p.id = :id AND {_MINE}")
_FILE = text(f"SELECT p.state, p.file FROM prints p WHERE p.id = :id AND {_MINE}")
_PROBLEMS = text(
    """
SELECT i.shipment_id, o.code AS order_code, i.problem FROM print_items i JOIN shipments s ON s.id = i.shipment_id
JOIN shippable_orders o ON o.order_id = s.order_id
WHERE i.print_id = :id AND i.problem <> '' ORDER BY i.position LIMIT 100
"""
)


@router.post("", status_code=201, response_model=PrintView, summary="Ask for slips or labels as one PDF")
async def ask_print(body: AskPrint, context: ContextDep, who: Writer, once: OnceDep) -> Response:
    """The pages show names, phones and addresses, so this takes the permission of those who pack. Parcels that were
    printed before say so on their page. Follow `GET /v1/prints/{id}` until it is done, then fetch the file."""
    _check_size(body)
    ids = list(dict.fromkeys(body.shipment_ids))
    async with context.db.read() as session:
        seen = set((await session.execute(_VISIBLE_ONES, {**visible_to(who), "ids": ids})).scalars())
    if missing := [str(each) for each in ids if each not in seen]:
        raise UnknownShipments(count=len(missing), first=missing[0])

    async def effect(session: Session) -> PrintView:
        print_id = await asking.ask(
            session,
            kind=body.kind,
            size=body.size,
            shipment_ids=ids,
            by=who.account_id,
            by_code=who.code,
            now=context.now(),
        )
        return await _read(session, print_id, who)

    return await once.run(context.db, str(who.account_id), effect)


@router.get("", summary="My prints, newest first; all of them for who sees all")
async def list_prints(context: ContextDep, who: Writer, limit: Limit = 50, after: After = None) -> PrintPage:
    async with context.db.read() as session:
        parameters = {**visible_to(who), "after": after, "limit": limit + 1}
        rows = (await session.execute(_LIST, parameters)).mappings().all()
    items = [PrintView.model_validate(dict(row)) for row in rows[:limit]]
    return PrintPage(items=items, next=items[-1].id if len(rows) > limit else None)


@router.get("/{print_id}", summary="How far a print is, and what could not be printed")
async def get_print(print_id: UUID, context: ContextDep, who: Writer) -> PrintView:
    async with context.db.read() as session:
        view = await _read(session, print_id, who)
        problems = (await session.execute(_PROBLEMS, {"id": print_id})).mappings().all()
    return view.model_copy(update={"problems": [PrintProblem.model_validate(dict(row)) for row in problems]})


@router.get(
    "/{print_id}/file",
    summary="The PDF",
    response_class=Response,
    responses={200: {"content": {MEDIA: {}}}},
)
async def get_file(print_id: UUID, context: ContextDep, who: Writer) -> Response:
    async with context.db.read() as session:
        row = (await session.execute(_FILE, {**visible_to(who), "id": print_id})).one_or_none()
    if row is None:
        raise NotFound(what="bản in / print")
    if row.state == "running":
        raise FileNotReady
    if row.state == "forgotten":
        raise FileForgotten
    if row.file is None:
        raise NothingPrinted
    disposition = f'inline; filename="{print_id}.pdf"'
    return Response(bytes(row.file), media_type=MEDIA, headers={"Content-Disposition": disposition})


def _check_size(body: AskPrint) -> None:
    """Labels come in sizes that at least one carrier has; a parcel whose carrier has not gets no page, and the reason."""
    labels = dict.fromkeys(size for carrier in CARRIERS.values() for size in carrier.capabilities.label_sizes)
    sizes = SIZES if body.kind == "slip" else tuple(labels)
    if body.size not in sizes:
        what = "Phiếu giao của shop / our own slip" if body.kind == "slip" else "Nhãn của hãng / carriers' labels"
        raise SizeNotOffered(what=what, size=body.size, sizes=", ".join(sizes))


async def _read(session: ReadSession, print_id: UUID, who: Principal) -> PrintView:
    row = (await session.execute(_GET, {**visible_to(who), "id": print_id})).mappings().one_or_none()
    if row is None:
        raise NotFound(what="bản in / print")
    return PrintView.model_validate(dict(row))
