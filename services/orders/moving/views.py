"""What the routes of moves answer, and what an operator sees of one. Codes, times and counts only."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.contracts.activities import OperatorView

Code = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
Codes = Annotated[list[Code], Field(default_factory=list, max_length=500)]


class Selection(BaseModel):
    """Which running care: all conditions must hold, an empty one holds always."""

    model_config = ConfigDict(extra="forbid")

    process: str | None = Field(
        default=None, max_length=40, description="it runs in this process; the target's if left out"
    )
    versions: Annotated[list[int], Field(default_factory=list, max_length=500)]
    steps: Codes
    owners: Annotated[Codes, Field(description="staff codes")]
    teams: Codes
    channels: Codes
    campaigns: Codes


class NewMove(BaseModel):
    """A wish to move running care."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"to_version": 4, "reason": "Gọi lại lần 2 sau 30 phút"},
                {
                    "to_version": 4,
                    "select": {"versions": [3], "steps": ["no_answer_6"], "owners": ["NV01"]},
                    "steps": {"no_answer_6": "no_answer_5"},
                    "per_minute": 600,
                    "reason": "Bỏ lần gọi thứ sáu",
                },
            ]
        },
    )

    to_version: int = Field(ge=1)
    select: Selection = Field(default_factory=lambda: Selection.model_validate({}))
    steps: dict[str, str] = Field(
        default_factory=dict,
        max_length=200,
        description="step there → step here, where names do not say it; others are found by name, family or level",
    )
    per_minute: int = Field(default=1200, ge=1, le=60_000, description="most orders a minute")
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class Counts(BaseModel):
    """How many cares: by what becomes of the next thing owed, and by how far each is."""

    change: dict[str, int] = Field(
        examples=[{"same": 1800, "retimed": 150, "renamed": 0, "replaced": 40, "waits": 10}],
        description="same, renamed, retimed, replaced, opened, waits (in the pool), ends, ended (by itself), gone, already",
    )
    found_by: dict[str, int] = Field(
        examples=[{"name": 1960, "map": 40}], description="how its step was found: name, map, family, level, start"
    )
    state: dict[str, int] = Field(
        examples=[{"previewed": 200, "moved": 1800}], description="selected, previewed, moved, left, failed"
    )


class MoveView(BaseModel):
    id: UUID
    process: str
    to_version: int
    select: Selection
    steps: dict[str, str]
    per_minute: int
    reason: str
    state: str = Field(description="previewing, previewed, moving, done, cancelled")
    total: int
    counts: Counts
    created_at: datetime
    created_by: str
    started_at: datetime | None
    started_by: str
    ended_at: datetime | None
    cancelled_by: str
    cleared_at: datetime | None = Field(description="since when its cares are not listed any more; the counts stay")


class MovePage(BaseModel):
    items: list[MoveView]
    next: UUID | None = Field(description="`after` of the next page; null on the last")


class Next(BaseModel):
    """What a care owes next."""

    step: str
    level: str
    task: str | None
    promise: str | None
    due_at: datetime | None
    deadline_at: datetime | None


class MovedCare(BaseModel):
    order_id: UUID
    code: str
    owner_code: str
    state: str
    change: str
    found_by: str
    before: Next | None = Field(description="what it owes next in the old version")
    after: Next | None = Field(description="and in the new one")
    error: str
    decided_at: datetime | None


class MovedCarePage(BaseModel):
    items: list[MovedCare]
    next: UUID | None = Field(description="`after` of the next page; null on the last")


_HEADS: Final = {
    "previewing": ("Đang xem trước", "Previewing"),
    "previewed": ("Đã xem trước", "Previewed"),
    "moving": ("Đang chuyển", "Moving"),
    "done": ("Đã chuyển xong", "Moved"),
    "cancelled": ("Đã dừng", "Cancelled"),
}


def operator_view(row: Mapping[str, Any], counts: Counts) -> OperatorView:
    """The sentence about a move for the screen of Temporal."""
    vi, en = _HEADS[row["state"]]
    waiting = ("selected",) if row["state"] in ("previewing", "previewed") else ("selected", "previewed")
    done = row["total"] - sum(counts.state.get(state, 0) for state in waiting)
    target = f"{row['process']}@{row['to_version']}"
    failed = counts.state.get("failed", 0)
    return OperatorView(
        sentence_vi=f"{vi} sang {target}: {done}/{row['total']} đơn" + (f", {failed} lỗi." if failed else "."),
        sentence_en=f"{en} to {target}: {done} of {row['total']} orders" + (f", {failed} failed." if failed else "."),
    )
