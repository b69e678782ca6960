"""Routes of rescue: who calls first, as a setting; and calls that are logged by hand."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from services.orders.access import Administrator, Caller, Reader, ensure_visible
from services.orders.actors import staff
from services.orders.http import ClockDep, Limit, RuntimeDep
from services.orders.promises.claim import lock_order_of
from services.orders.rescue import attempts, setting, waking
from services.orders.rescue.attempts import Attempt, NewAttempt
from services.orders.rescue.setting import Version
from services.orders.rescue.turn import FirstCaller
from shared.db import Session
from shared.etag import ExpectedVersion, tag
from shared.idempotency import OnceDep

router = APIRouter(prefix="/v1", tags=["rescue"])

_HOUR: Final = timedelta(hours=1)


class RescueSettingIn(BaseModel):
    """Who calls about a failed delivery."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"first_caller": "closer", "call_hours": 2}]}
    )

    first_caller: FirstCaller = Field(
        description="closer: whoever holds the order, else who closed it; desk: the COD desk at once"
    )
    call_hours: float = Field(
        default=2,
        ge=0.25,
        le=24,
        multiple_of=0.25,
        description="of the calling hours, that the closer has before the COD desk gets the call too; sooner if the carrier's "
        "cut-off is near",
    )


class RescueSettingOut(BaseModel):
    first_caller: FirstCaller
    call_hours: float
    version: int = Field(description="also the ETag, for If-Match; 0: as installed")
    changed_at: datetime | None
    changed_by: str = Field(description="staff code")


class RescueSettingPage(BaseModel):
    items: list[RescueSettingOut]
    next: int | None = Field(description="`after` of the next page; null on the last")


@router.get("/settings/rescue")
async def get_setting(_: Reader, runtime: RuntimeDep, response: Response) -> RescueSettingOut:
    """Who calls about a failed delivery now."""
    async with runtime.db.read() as session:
        found = await setting.present(session)
    tag(response, found.setting.version)
    return _shown(found)


@router.put("/settings/rescue")
async def change_setting(
    body: RescueSettingIn,
    version: ExpectedVersion,
    who: Administrator,
    runtime: RuntimeDep,
    clock: ClockDep,
    response: Response,
) -> RescueSettingOut:
    """Changes who calls first, and for how long. It holds for calls that wait as well: their call hours count from when
    each became known. What the COD desk has it keeps."""
    async with runtime.db.transaction() as session:
        found = await setting.change(
            session,
            first_caller=body.first_caller,
            call_time=body.call_hours * _HOUR,
            expected=version,
            at=clock(),
            by=staff(who),
        )
        if found.setting.version != version:
            await waking.all_waiting(session)
    tag(response, found.setting.version)
    return _shown(found)


@router.get("/settings/rescue/history")
async def list_versions(
    _: Administrator, runtime: RuntimeDep, limit: Limit = 50, after: Annotated[int | None, Query(ge=0)] = None
) -> RescueSettingPage:
    """What the setting was and who changed it, newest first."""
    async with runtime.db.read() as session:
        found = await setting.history(session, before=2**31 - 1 if after is None else after, limit=limit)
    items = [_shown(each) for each in found]
    return RescueSettingPage(items=items, next=items[-1].version if len(items) == limit else None)


def _shown(found: Version) -> RescueSettingOut:
    return RescueSettingOut(
        first_caller=found.setting.first_caller,
        call_hours=found.setting.call_time / _HOUR,
        version=found.setting.version,
        changed_at=found.at,
        changed_by=found.by,
    )


@router.post("/tasks/{task_id}/attempts", status_code=201, response_model=Attempt)
async def log_attempt(
    who: Caller, runtime: RuntimeDep, clock: ClockDep, once: OnceDep, task_id: UUID, made: NewAttempt
) -> Response:
    """“Đã gọi khách”: logs a call about a failed delivery. Once the customer was reached the call is not handed to the COD
    desk any more; whoever reached them tells the carrier (shipping: `POST /v1/rescues/{id}/requests`)."""

    async def effect(session: Session) -> Attempt:
        order = await lock_order_of(session, task_id)
        await ensure_visible(session, order.id, who)
        return await attempts.log(session, order, task_id, made, who=who, now=clock())

    return await once.run(runtime.db, str(who.account_id), effect)
