"""The routes by which operators step into a care."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Body, Query, Response
from pydantic import BaseModel, Field
from sqlalchemy import text

from services.orders.access import Operator, Reader, ensure_visible, lock_visible
from services.orders.actors import staff
from services.orders.care.views import CareView, care_view
from services.orders.http import ClockDep, Limit, ProcessesDep, RuntimeDep
from services.orders.operators.commands import NewCommand, operate
from services.orders.reading.one import TaskView, open_tasks
from shared.db import Session
from shared.idempotency import OnceDep

router = APIRouter(prefix="/v1/orders", tags=["operators"])


class Operated(BaseModel):
    """A care after an operator stepped in."""

    command_id: UUID
    order_id: UUID
    level: str
    care: CareView
    tasks: list[TaskView] = Field(description="what is open now, the task due first on top")


class CommandView(BaseModel):
    id: UUID
    number: int = Field(description="counts the commands of the order")
    kind: str = Field(description="skip, repeat, bring_forward, pause, resume")
    step: str = Field(description="where the care stood")
    to: str | None = Field(description="where a skip went")
    until: datetime | None = Field(description="of a pause")
    at: datetime
    by_code: str
    reason: str


class CommandPage(BaseModel):
    items: list[CommandView]
    next: int | None = Field(description="`after` of the next page; null on the last")


_PAGE: Final = text(
    """
SELECT id, number, kind, step, target AS to, until, at, by_code, reason FROM care_commands
WHERE order_id = :id AND (CAST(:after AS integer) IS NULL OR number < :after) ORDER BY number DESC LIMIT :limit
"""
)

EXAMPLES: Final = {
    "skip": {"value": {"kind": "skip", "to": "thinking", "reason": "khách đã nhận tin, chờ suy nghĩ"}},
    "repeat": {"value": {"kind": "repeat", "reason": "ghi nhầm, làm lại bước này"}},
    "bring_forward": {"value": {"kind": "bring_forward", "reason": "khách nhờ gọi ngay"}},
    "pause": {"value": {"kind": "pause", "until": "2026-11-25T09:00:00+07:00", "reason": "khách đi viện"}},
    "resume": {"value": {"kind": "resume", "reason": "khách đã về"}},
}


@router.post("/{order_id}/care/commands", status_code=201, response_model=Operated)
async def command_care(
    who: Operator,
    runtime: RuntimeDep,
    once: OnceDep,
    clock: ClockDep,
    processes: ProcessesDep,
    order_id: UUID,
    command: Annotated[NewCommand, Body(openapi_examples=EXAMPLES)],
) -> Response:
    """Steps into the care of an order, with a reason: skip the step, repeat it, bring its task forward, pause, resume.

    The answer says what the care owes now; the timeline and the operator's sentence in the Temporal UI tell it too.
    """

    async def effect(session: Session) -> Operated:
        order = await lock_visible(session, order_id, who)
        now = clock()
        command_id, advanced = await operate(session, processes, order, command, staff(who), now=now)
        care = advanced.care
        process = await processes.get(session, care.process, care.process_version, now=now)
        return Operated(
            command_id=command_id,
            order_id=order_id,
            level=advanced.order.level,
            care=care_view(order_id, care, process),
            tasks=await open_tasks(session, order_id),
        )

    return await once.run(runtime.db, str(who.account_id), effect)


@router.get("/{order_id}/care/commands")
async def list_commands(
    who: Reader,
    runtime: RuntimeDep,
    order_id: UUID,
    limit: Limit = 50,
    after: Annotated[int | None, Query(ge=1)] = None,
) -> CommandPage:
    """How operators stepped into the care of an order, the latest first."""
    async with runtime.db.read() as session:
        await ensure_visible(session, order_id, who)
        rows = await session.execute(_PAGE, {"id": order_id, "after": after, "limit": limit})
        items = [CommandView.model_validate(dict(row._mapping)) for row in rows]
    return CommandPage(items=items, next=items[-1].number if len(items) == limit else None)
