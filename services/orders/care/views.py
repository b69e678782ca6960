"""Care as screens and callers see it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field

from services.orders.care.process import CareProcess
from services.orders.care.reading import Care
from services.orders.care.transition import allowed_results


class ResultHint(BaseModel):
    """A result that may be logged at the present step."""

    result: str = Field(examples=["call_later"])
    vi: str = Field(examples=["Hẹn gọi lại"])
    en: str = Field(examples=["Call later"])
    reached: bool = Field(description="somebody spoke with us")
    needs_reason: bool


class CareView(BaseModel):
    """Where the care of an order stands, in the operator's words."""

    order_id: UUID
    is_open: bool
    outcome: str = Field(description="how it ended; empty while it is open")
    process: str
    process_version: int
    step: str | None
    step_vi: str = ""
    step_en: str = ""
    sentence_vi: str = Field(
        examples=["NV012 phải làm “Gọi lần đầu” lúc 21/11/2026 09:05, chậm nhất 21/11/2026 09:15…"]
    )
    sentence_en: str
    next_due: datetime | None = Field(description="when the process looks again by itself")
    results: list[ResultHint] = Field(description="what may be logged now; 'closed' goes through the closing")


def care_view(order_id: UUID, care: Care, process: CareProcess) -> CareView:
    """The care row with the names and results of its step."""
    step = care.step if care.step in process.steps else None
    name = process.steps[step].name if step is not None else None
    at = step if step is not None else process.start
    return CareView(
        order_id=order_id,
        is_open=care.is_open,
        outcome=care.outcome,
        process=care.process,
        process_version=care.process_version,
        step=care.step,
        step_vi=name.vi if name else "",
        step_en=name.en if name else "",
        sentence_vi=care.sentence_vi,
        sentence_en=care.sentence_en,
        next_due=care.next_due,
        results=[_hint(process, at, result) for result in allowed_results(process, at)] if care.is_open else [],
    )


def _hint(process: CareProcess, step: str, result: str) -> ResultHint:
    target = process.steps.get(process.table[step, result].to)
    about = process.results[result]
    return ResultHint(
        result=result,
        vi=about.name.vi,
        en=about.name.en,
        reached=about.reached,
        needs_reason=target is not None and target.needs == "reason",
    )
