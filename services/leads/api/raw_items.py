"""The raw inbox: everything that reached us, and why some of it is no lead."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from sqlalchemy import text

from services.leads.api.dependencies import Limit, Reader
from services.leads.repository.leads import viewer_of
from services.leads.state import RuntimeDep
from shared.contracts.permissions import PHONES_REVEAL
from shared.errors import Language, language_of

router = APIRouter(prefix="/v1/raw-items", tags=["leads"])

MAX_SHOWN: Final = 20_000
"""Characters of a body that are shown."""

# Written twice, because a condition on a parameter would keep the planner from the index of rejected items.
_SELECT: Final = """
SELECT id, channel, source_id, received_at, content_type, body, import_id, row_no, verdict, reason, reason_vi, reason_en
FROM raw_items
WHERE {verdict} AND (CAST(:after AS uuid) IS NULL OR id < CAST(:after AS uuid))
    AND (:everything OR created_by = ANY(CAST(:people AS uuid[])))
ORDER BY id DESC LIMIT :limit
"""
_ALL: Final = text(_SELECT.format(verdict="CAST(:verdict AS text) IN ('', verdict)"))
_REJECTED: Final = text(_SELECT.format(verdict="verdict = 'rejected' AND CAST(:verdict AS text) = 'rejected'"))


class RawItemOut(BaseModel):
    id: UUID = Field(description="also the id of the lead that came of it")
    channel: str
    source_id: UUID | None
    received_at: datetime
    verdict: Literal["lead", "duplicate", "rejected"]
    reason: str = Field(description="why it was rejected, as a code")
    message: str = Field(description="the same in words, and what to do")
    content_type: str
    body: str | None = Field(description="as it came; only for those who may reveal numbers")
    import_id: UUID | None
    row: int | None = Field(description="Excel's row number")


class RawItemPage(BaseModel):
    items: list[RawItemOut]
    next: UUID | None


@router.get("")
async def list_raw_items(
    who: Reader,
    runtime: RuntimeDep,
    request: Request,
    limit: Limit = 50,
    after: UUID | None = None,
    verdict: Annotated[Literal["lead", "duplicate", "rejected"] | None, Query()] = None,
) -> RawItemPage:
    """What reached us, newest first: yours and that of the people below you."""
    language = language_of(request)
    async with runtime.db.read() as session:
        viewer = await viewer_of(session, who)
        rows = await session.execute(
            _REJECTED if verdict == "rejected" else _ALL,
            {
                "verdict": verdict or "",
                "after": after,
                "limit": limit,
                "everything": viewer.everything or viewer.unassigned,
                "people": list(viewer.people),
            },
        )
    items = [_item(row, language, with_body=who.may(PHONES_REVEAL)) for row in rows]
    return RawItemPage(items=items, next=items[-1].id if len(items) == limit else None)


def _item(row: Any, language: Language, *, with_body: bool) -> RawItemOut:
    return RawItemOut(
        id=row.id,
        channel=row.channel,
        source_id=row.source_id,
        received_at=row.received_at,
        verdict=row.verdict,
        reason=row.reason,
        message=row.reason_vi if language == "vi" else row.reason_en,
        content_type=row.content_type,
        body=bytes(row.body).decode("utf-8", "replace")[:MAX_SHOWN] if with_body else None,
        import_id=row.import_id,
        row=row.row_no,
    )
