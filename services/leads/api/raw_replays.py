"""Replays: the rejected items of a time range, read again by today's maps and rules."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.leads.api.dependencies import Corrector, Limit
from services.leads.driver import connection_of
from services.leads.errors import RangeTooLong, ReplayTooLarge
from services.leads.inbox import replays
from services.leads.inbox.replays import MAX_TOTAL
from services.leads.state import RuntimeDep
from shared.auth import Principal
from shared.contracts.permissions import SEE_ALL
from shared.db import ReadSession, Session
from shared.errors import Forbidden, NotFound
from shared.given import GivenInstant
from shared.idempotency import OnceDep

router = APIRouter(prefix="/v1/raw-items/replays", tags=["raw inbox"])

MAX_DAYS: Final = 92
"""Days of a range: a quarter."""

_SELECT: Final = """
SELECT id, since, until, source_id, dry_run, by, created_at, state, total, read, leads, duplicates, rejected, finished_at
FROM raw_replays
"""
_ONE: Final = text(_SELECT + " WHERE id = :id")
_LIST: Final = text(
    _SELECT + " WHERE CAST(:after AS uuid) IS NULL OR id < CAST(:after AS uuid) ORDER BY id DESC LIMIT :limit"
)
_CANCEL: Final = text(
    "UPDATE raw_replays SET state = 'cancelled', finished_at = now() WHERE id = :id AND state = 'running'"
)


class ReplayIn(BaseModel):
    """Which rejected items are read again: those that arrived from `since` until before `until`."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"since": "2026-11-20T00:00:00+07:00", "until": "2026-11-21T00:00:00+07:00", "dry_run": True}
        },
    )

    since: GivenInstant
    until: GivenInstant
    source_id: UUID | None = None
    dry_run: bool = Field(default=True, description="only count what would become of them; nothing is written")


class ReplayOut(BaseModel):
    id: UUID
    since: datetime
    until: datetime
    source_id: UUID | None
    dry_run: bool
    by: str = Field(description="staff code")
    created_at: datetime
    state: Literal["running", "done", "cancelled"]
    total: int = Field(description="rejected items of the range when it was asked for")
    read: int
    leads: int = Field(description="that became leads, or would")
    duplicates: int
    rejected: dict[str, int] = Field(description="reason → how many stay rejected for it")
    finished_at: datetime | None


class ReplayPage(BaseModel):
    items: list[ReplayOut]
    next: UUID | None


def _everything(who: Principal) -> None:
    """A replay goes over everybody's items."""
    if not who.sees_all:
        raise Forbidden(permission=SEE_ALL)


@router.post("", status_code=201, response_model=ReplayOut)
async def start_replay(body: ReplayIn, who: Corrector, once: OnceDep, runtime: RuntimeDep) -> Response:
    """Reads the rejected items of a range again, in the background: forms by the map their page has now, numbers by
    today's rules. What can be read becomes a lead or a duplicate as of its arrival; everything else stays as it is."""
    _everything(who)
    if not 0 < (body.until - body.since).total_seconds() <= MAX_DAYS * 86_400:
        raise RangeTooLong(days=MAX_DAYS)

    async def effect(session: Session) -> ReplayOut:
        connection = await connection_of(session)
        request = replays.Request(id=uuid7(), by_id=who.account_id, by=who.code, **body.model_dump())
        total = await replays.total(connection, request)
        if total > MAX_TOTAL:
            raise ReplayTooLarge(found=total, limit=MAX_TOTAL)
        await replays.add(connection, request, total=total)
        return _out(await _one(session, request.id))

    return await once.run(runtime.db, str(who.account_id), effect)


@router.get("")
async def list_replays(who: Corrector, runtime: RuntimeDep, limit: Limit = 50, after: UUID | None = None) -> ReplayPage:
    """Replays, newest first."""
    _everything(who)
    async with runtime.db.read() as session:
        rows = (await session.execute(_LIST, {"after": after, "limit": limit})).all()
    items = [_out(row) for row in rows]
    return ReplayPage(items=items, next=items[-1].id if len(items) == limit else None)


@router.get("/{replay_id}")
async def get_replay(replay_id: UUID, who: Corrector, runtime: RuntimeDep) -> ReplayOut:
    """One replay with its progress."""
    _everything(who)
    async with runtime.db.read() as session:
        return _out(await _one(session, replay_id))


@router.post("/{replay_id}/cancel")
async def cancel_replay(replay_id: UUID, who: Corrector, runtime: RuntimeDep) -> ReplayOut:
    """Stops a replay behind the batch it is at. What became leads stays leads."""
    _everything(who)
    async with runtime.db.transaction() as session:
        await session.execute(_CANCEL, {"id": replay_id})
        return _out(await _one(session, replay_id))


async def _one(session: ReadSession, replay_id: UUID) -> Any:
    row = (await session.execute(_ONE, {"id": replay_id})).one_or_none()
    if row is None:
        raise NotFound(what="replay")
    return row


def _out(row: Any) -> ReplayOut:
    return ReplayOut.model_validate(dict(row._mapping))
