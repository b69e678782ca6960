"""What an operator may do to a care, and doing it: a fact that is recorded, and that the care process then decides upon.

As with a call, the request answers with what the decision made of it, and it works while Temporal is away; the workflow
is told to look.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.orders.actors import Actor
from services.orders.care import service as care_service
from services.orders.care.process import CareProcess, Text
from services.orders.care.processes import Processes
from services.orders.care.reading import Care, lock_care
from services.orders.care.service import Advanced
from services.orders.contact import answer, sentences
from services.orders.operators.errors import (
    CareIsNotPaused,
    CareIsPaused,
    NothingToBringForward,
    NotInCare,
    PauseInThePast,
    StepToChoose,
)
from services.orders.record import Order
from shared.db import Session
from shared.given import GivenInstant

Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class _Command(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: Reason = Field(examples=["khách nhờ gọi ngay"])


class Skip(_Command):
    """“Bỏ qua”: the task at hand is not needed; care goes on at another step."""

    kind: Literal["skip"]
    to: str = Field(max_length=60, description="the step to go to, as the process names it", examples=["thinking"])


class Repeat(_Command):
    """“Làm lại bước”: the step begins afresh, with a new task and a new time."""

    kind: Literal["repeat"]


class BringForward(_Command):
    """“Làm ngay”: the open task is due now, or as soon as the number may be called."""

    kind: Literal["bring_forward"]


class Halt(_Command):
    """“Tạm dừng”: no task, no reminder, no escalation, until a time or until somebody resumes it."""

    kind: Literal["pause"]
    until: GivenInstant | None = None


class Resume(_Command):
    """“Tiếp tục”: care goes on where it stood; what became due meanwhile is due now."""

    kind: Literal["resume"]


NewCommand = Annotated[Skip | Repeat | BringForward | Halt | Resume, Field(discriminator="kind")]

_RECORD: Final = text(
    """
INSERT INTO care_commands (id, order_id, number, kind, target, until, at, step, by_id, by_code, reason)
SELECT :id, :order_id, coalesce(max(number), 0) + 1, :kind, :target, :until, :at, :step, :by_id, :by_code, :reason
FROM care_commands WHERE order_id = :order_id
"""
)


async def operate(
    session: Session, processes: Processes, order: Order, command: NewCommand, actor: Actor, *, now: datetime
) -> tuple[UUID, Advanced]:
    """Records a command about a locked order and lets its care decide.

    Returns:
        the id of the command, and the order and its care after it.

    Raises:
        NotInCare, CareIsPaused, CareIsNotPaused, PauseInThePast, StepToChoose, NothingToBringForward: nothing was done.
    """
    care = await lock_care(session, order.id)
    if care is None or not care.is_open or care.state is None:
        raise NotInCare
    process = await processes.get(session, care.process, care.process_version, now=now)
    _check(process, care, command, now=now)
    command_id = uuid7()
    await session.execute(
        _RECORD,
        {
            "id": command_id,
            "order_id": order.id,
            "kind": command.kind,
            "target": command.to if isinstance(command, Skip) else None,
            "until": command.until if isinstance(command, Halt) else None,
            "at": now,
            "step": care.state.step,
            "by_id": actor.account_id,
            "by_code": actor.code,
            "reason": command.reason,
        },
    )
    advanced = await care_service.advance_by_request(session, processes, order, care, now=now)
    if isinstance(command, BringForward) and not any(each.cause == "operator" for each in advanced.decision.effects):
        why = await _why_not_earlier(session, processes, order, now=now)
        step = process.steps[care.state.step]
        raise NothingToBringForward(step_vi=step.name.vi, step_en=step.name.en, why_vi=why.vi, why_en=why.en)
    return command_id, advanced


def _check(process: CareProcess, care: Care, command: NewCommand, *, now: datetime) -> None:
    assert care.state is not None
    if isinstance(command, Resume):
        if not care.state.paused:
            raise CareIsNotPaused
    elif care.state.paused and not isinstance(command, Halt):
        raise CareIsPaused
    if isinstance(command, Halt) and command.until is not None and command.until <= now:
        raise PauseInThePast
    if isinstance(command, Skip) and command.to not in (steps := skippable_to(process, care.state.step)):
        raise StepToChoose(
            to=command.to,
            steps=", ".join(steps),
            steps_vi=", ".join(f"“{process.steps[each].name.vi}” ({each})" for each in steps),
            steps_en=", ".join(f"“{process.steps[each].name.en}” ({each})" for each in steps),
        )


async def _why_not_earlier(session: Session, processes: Processes, order: Order, *, now: datetime) -> Text:
    """What stands in the way: the legal gate, or that nothing waits for its time."""
    found = await answer.of_order(session, processes, order.id, by="call", purpose="request", now=now)
    if not found.permission.allowed:
        return sentences.of(found)
    return Text(
        vi="Bước này không có việc mở, hoặc việc đã đến hạn: xem đơn đang chờ gì.",
        en="It has no open task, or what it has is due already: look what the order waits for.",
    )


def skippable_to(process: CareProcess, step: str) -> list[str]:
    """The steps to which care may be sent from a step by hand: those that wait for somebody, and the archive. Other ends
    need what leads there: a logged call, a closing."""
    return [name for name, there in process.steps.items() if name != step and (not there.end or there.archive)]
