"""Statuses from a file or a pasted list: preview, apply, take back."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, File, Form, Query, UploadFile
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import RowMapping, text

from services.shipping.api.dependencies import After, ContextDep, LanguageDep, Limit, Writer, visible_to
from services.shipping.codes.mapping import CarrierStatus
from services.shipping.context import Context
from services.shipping.status_files import applying, preview
from services.shipping.status_files.judging import Verdict
from services.shipping.status_files.problems import UnknownConnectionOfFile
from services.shipping.status_files.sentences import SENTENCES
from services.shipping.view import STATUS_WORDS
from shared.auth import Principal
from shared.contracts.events.shipping import ShipmentStatus
from shared.db import ReadSession
from shared.errors import Language, NotFound
from shared.given import GivenInstant

router = APIRouter(prefix="/v1/status-files", tags=["status files"])

MAX_PASTED: Final = 500_000
"""Characters: 20,000 codes of 24 and what stands between them."""
MAX_NAME: Final = 200

Result = Literal[
    Verdict,
    "taken_back",
    "kept_settled",
    "kept_superseded",
]


class PastedStatuses(BaseModel):
    """Codes, and what holds for all of them."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"codes": "S1.A2.1373698\nDH-4F7K2M9Q", "status": "returned"}]},
    )

    codes: str = Field(
        max_length=MAX_PASTED,
        description="waybills, references or order codes; lines, blanks, commas, semicolons or bars between them",
    )
    status: CarrierStatus
    at: GivenInstant | None = Field(default=None, description="when it was so; left out: now")
    connection_id: UUID | None = Field(default=None, description="only parcels of this carrier connection are meant")


class Move(BaseModel):
    before: ShipmentStatus
    after: ShipmentStatus
    rows: int
    vi: str = Field(examples=["Đang giao → Giao thành công"])
    en: str = Field(examples=["Out for delivery → Delivered"])


class StatusFile(BaseModel):
    id: UUID
    name: str = Field(description="of the file; empty: a pasted list")
    state: Literal["previewed", "applying", "applied", "undoing", "undone"] = Field(
        description="applying, undoing: a process stopped meanwhile; ask for the same once more and it goes on"
    )
    connection_id: UUID | None
    status: ShipmentStatus | None = Field(description="of the rows that say none")
    at: datetime = Field(description="time of the rows that say none")
    rows: int
    parcels: int = Field(description="different parcels that were found")
    verdicts: dict[Verdict, int] = Field(description="rows by what they would do, when the file was previewed")
    moves: list[Move] = Field(
        description="what moves from where to where: as previewed, and once applied as it was done"
    )
    present: dict[ShipmentStatus, int] = Field(description="the parcels that were found, by their status now")
    results: dict[Result, int] = Field(description="rows by what became of them; empty until the file is applied")
    by: str = Field(description="staff code of who sent it")
    created_at: datetime
    applied_by: str
    applied_at: datetime | None
    undone_by: str
    undone_at: datetime | None


class StatusFilePage(BaseModel):
    items: list[StatusFile]
    next: UUID | None


class StatusFileRow(BaseModel):
    number: int = Field(description="Excel's row, or the place in the list")
    code: str
    told: str = Field(description="status as it is written; empty: that of the whole file")
    at: datetime | None
    shipment_id: UUID | None
    carrier_status: str = Field(description="the carrier's code for it")
    before: ShipmentStatus | None
    after: ShipmentStatus | None
    verdict: Verdict
    result: Result | None = Field(description="none until the file is applied")
    sentence: str = Field(description="the result, or else the verdict, in the language of the caller")


class StatusFileRows(BaseModel):
    items: list[StatusFileRow]
    next: int | None


_VISIBLE: Final = """(:sees_all OR f.by_id = :viewer
    OR f.by_id IN (SELECT account_id FROM staff_closure WHERE superior_id = :viewer))"""
_SELECT: Final = """
SELECT f.id, f.name, f.state, f.connection_id, f.status, f.at, f.rows, f.by_code AS by, f.created_at, f.applied_by,
    f.applied_at, f.undone_by, f.undone_at FROM status_files f
"""
_ONE: Final = text(f"{_SELECT} WHERE f.id = :id AND {_VISIBLE}")
_PAGE: Final = text(
    f"{_SELECT} WHERE {_VISIBLE} AND (CAST(:after AS uuid) IS NULL OR f.id < :after) ORDER BY f.id DESC LIMIT :limit"
)
_COUNTS: Final = text(
    """
SELECT file_id, verdict, result, before, after, count(*) AS count FROM status_file_rows WHERE file_id = ANY(:ids)
GROUP BY 1, 2, 3, 4, 5
"""
)
_PRESENT: Final = text(
    """
SELECT r.file_id, s.status, count(DISTINCT s.id) AS count FROM status_file_rows r JOIN shipments s ON s.id = r.shipment_id
WHERE r.file_id = ANY(:ids) GROUP BY 1, 2
"""
)
_ROWS: Final = text(
    """
SELECT number, code, told, at, shipment_id, carrier_status, before, after, verdict, nullif(result, '') AS result
FROM status_file_rows
WHERE file_id = :id AND number > :after AND (CAST(:only AS text) IS NULL OR coalesce(nullif(result, ''), verdict) = :only)
ORDER BY number LIMIT :limit
"""
)


@router.post("", status_code=201, summary="Preview a file of statuses")
async def preview_file(
    context: ContextDep,
    who: Writer,
    file: Annotated[
        UploadFile, File(description=".xlsx, .xls or CSV with waybills or order codes; 20,000 rows at most")
    ],
    status: Annotated[CarrierStatus | None, Form(description="of rows that say none")] = None,
    at: Annotated[GivenInstant | None, Form(description="time of rows that say none; left out: now")] = None,
    connection_id: Annotated[UUID | None, Form(description="only parcels of this connection are meant")] = None,
) -> StatusFile:
    """Nothing moves yet. The same file sent again by the same person replaces its preview, so a request whose answer was
    lost can be repeated; a file that was applied is refused until it is taken back."""
    await _check_connection(context, connection_id)
    file_id = await preview.preview_file(
        context,
        file.file,
        name=(file.filename or "")[:MAX_NAME],
        status=status,
        at=at,
        connection_id=connection_id,
        by=who,
    )
    return await _found(context, file_id, who)


@router.post("/pasted", status_code=201, summary="Preview a pasted list of codes with one status")
async def preview_pasted(body: PastedStatuses, context: ContextDep, who: Writer) -> StatusFile:
    """As for a file. Nothing moves yet."""
    await _check_connection(context, body.connection_id)
    file_id = await preview.preview_list(
        context, body.codes, status=body.status, at=body.at, connection_id=body.connection_id, by=who
    )
    return await _found(context, file_id, who)


@router.get("", summary="Files of statuses: yours and those of the people below you, newest first")
async def list_files(context: ContextDep, who: Writer, limit: Limit = 50, after: After = None) -> StatusFilePage:
    async with context.db.read() as session:
        parameters = {**visible_to(who), "after": after, "limit": limit + 1}
        rows = (await session.execute(_PAGE, parameters)).mappings().all()
        items = await _views(session, rows[:limit])
    return StatusFilePage(items=items, next=items[-1].id if len(rows) > limit else None)


@router.get("/{file_id}", summary="What a file would do, or has done")
async def get_file(file_id: UUID, context: ContextDep, who: Writer) -> StatusFile:
    return await _found(context, file_id, who)


@router.get("/{file_id}/rows", summary="The rows of a file, each with its verdict and result")
async def list_rows(
    file_id: UUID,
    context: ContextDep,
    who: Writer,
    language: LanguageDep,
    only: Annotated[Result | None, Query(description="rows with this result, or verdict where there is none")] = None,
    limit: Limit = 50,
    after: Annotated[int, Query(ge=0, description="'next' of the page before")] = 0,
) -> StatusFileRows:
    async with context.db.read() as session:
        await _row(session, file_id, who)
        parameters = {"id": file_id, "after": after, "only": only, "limit": limit + 1}
        rows = (await session.execute(_ROWS, parameters)).mappings().all()
    items = [
        StatusFileRow(**row, sentence=_sentence(row["result"] or row["verdict"], language)) for row in rows[:limit]
    ]
    return StatusFileRows(items=items, next=items[-1].number if len(rows) > limit else None)


@router.post("/{file_id}/apply", summary="Let the parcels move as previewed")
async def apply_file(file_id: UUID, context: ContextDep, who: Writer) -> StatusFile:
    """Each row is judged once more, because parcels went on meanwhile. Applying twice changes nothing."""
    await _found(context, file_id, who)
    await applying.apply(context, file_id, by=who.code)
    return await _found(context, file_id, who)


@router.post("/{file_id}/undo", summary="Take a file back")
async def undo_file(file_id: UUID, context: ContextDep, who: Writer) -> StatusFile:
    """What only this file has told leaves the timelines, and the states are made of what remains. Undoing twice changes
    nothing."""
    await _found(context, file_id, who)
    await applying.undo(context, file_id, by=who.code)
    return await _found(context, file_id, who)


async def _check_connection(context: Context, connection_id: UUID | None) -> None:
    if connection_id is None:
        return
    async with context.db.read() as session:
        if (
            await session.execute(text("SELECT 1 FROM carrier_connections WHERE id = :id"), {"id": connection_id})
        ).scalar() is None:
            raise UnknownConnectionOfFile


async def _found(context: Context, file_id: UUID, who: Principal) -> StatusFile:
    async with context.db.read() as session:
        return (await _views(session, [await _row(session, file_id, who)]))[0]


async def _row(session: ReadSession, file_id: UUID, who: Principal) -> RowMapping:
    row = (await session.execute(_ONE, {"id": file_id, **visible_to(who)})).mappings().one_or_none()
    if row is None:
        raise NotFound(what="tệp trạng thái / status file")
    return row


async def _views(session: ReadSession, files: Any) -> list[StatusFile]:
    ids = [file["id"] for file in files]
    counts = (await session.execute(_COUNTS, {"ids": ids})).mappings().all()
    present = (await session.execute(_PRESENT, {"ids": ids})).mappings().all()
    return [
        StatusFile(
            **file,
            parcels=sum(row["count"] for row in present if row["file_id"] == file["id"]),
            present={row["status"]: row["count"] for row in present if row["file_id"] == file["id"]},
            **_summed([row for row in counts if row["file_id"] == file["id"]]),
        )
        for file in files
    ]


def _summed(rows: list[RowMapping]) -> dict[str, Any]:
    verdicts: Counter[str] = Counter()
    results: Counter[str] = Counter()
    moves: Counter[tuple[ShipmentStatus, ShipmentStatus]] = Counter()
    for row in rows:
        verdicts[row["verdict"]] += row["count"]
        results[row["result"]] += row["count"]
        if row["before"] is not None:
            moves[row["before"], row["after"]] += row["count"]
    del results[""]
    return {
        "verdicts": verdicts,
        "results": results,
        "moves": [
            Move(before=before, after=after, rows=count, vi=_arrow(before, after, 0), en=_arrow(before, after, 1))
            for (before, after), count in sorted(moves.items())
        ],
    }


def _arrow(before: ShipmentStatus, after: ShipmentStatus, language: int) -> str:
    return f"{STATUS_WORDS[before][language]} → {STATUS_WORDS[after][language]}"


def _sentence(result: str, language: Language) -> str:
    vi, en = SENTENCES[result]
    return vi if language == "vi" else en
