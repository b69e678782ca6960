"""The checker as its users see it: each finding with its path, in both languages."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, Field
from sqlalchemy import text

from services.orders.calendars import store
from services.orders.care.check import problems
from services.orders.care.process import CareProcess
from services.orders.care.route import route
from services.orders.care.warnings import warnings
from shared.db import ReadSession

_LEVELS: Final = text("SELECT code FROM levels WHERE retired_at IS NULL")
_MOVES: Final = text("SELECT from_level, to_level, who FROM level_transitions")

_NAMES: Final = frozenset(
    {"unknown_step", "unknown_level", "unknown_escalation", "unknown_calendar", "unknown_result", "endless"}
)
"""Faults with which a process is not yet looked at for more."""


class Finding(BaseModel):
    """What is wrong with a process, or what its editor should look at once more."""

    code: str = Field(examples=["dead_end"], description="stable kind")
    severity: str = Field(description="error (it cannot be published) or warning")
    where: str = Field(examples=["steps.thinking.then"], description="place in the body of the process")
    path: list[str] = Field(
        examples=[["first_call", "thinking"]], description="steps that lead there, the offending last"
    )
    path_vi: str = Field(examples=["Gọi lần đầu → [Đang suy nghĩ] → Hỏi lại khách đang suy nghĩ"])
    path_en: str = Field(examples=["First call → [Thinking it over] → Ask again after thinking it over"])
    vi: str
    en: str


class Check(BaseModel):
    """The answer of the checker."""

    sound: bool = Field(description="it may be published")
    findings: list[Finding]


async def check(session: ReadSession, process: CareProcess) -> Check:
    """Everything that the checker says of a process, with the company's own calendars, levels and table of moves. Errors
    first."""
    process = await _in_company_time(session, process)
    levels = frozenset((await session.execute(_LEVELS)).scalars())
    moves = {(row.from_level, row.to_level): row.who for row in await session.execute(_MOVES)}
    errors = problems(process, levels=levels, moves=moves)
    # While names are unknown, hints about numbers mean nothing yet.
    hints = warnings(process) if not any(error.code in _NAMES for error in errors) else ()
    findings = []
    for found in (*errors, *hints):
        way = route(process, found)
        findings.append(
            Finding(
                code=found.code,
                severity="warning" if found.warning else "error",
                where=found.where,
                path=list(found.path),
                path_vi=way.vi,
                path_en=way.en,
                vi=found.text.vi,
                en=found.text.en,
            )
        )
    return Check(sound=not errors, findings=findings)


async def _in_company_time(session: ReadSession, process: CareProcess) -> CareProcess:
    """The process with the company's calendars in the place of those that it brings, as it will be followed. What it does
    not say stays unsaid: only numbers that somebody wrote need a reason."""
    time = await store.business_time(session, revision=await store.revision(session))
    managed = {
        key: hours.model_dump(mode="json", exclude_unset=True) for key, hours in time.of_team(store.COMPANY).items()
    }
    body = process.model_dump(mode="json", exclude_unset=True)
    return CareProcess.model_validate({**body, "calendars": {**body["calendars"], **managed}})
