"""Due lists as screens and callers see them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field

from services.orders.promises.priority import Priority


class Counts(BaseModel):
    """Open tasks of the list that was asked for, whatever bucket was filtered by."""

    overdue: int = Field(description="their deadline has passed: the promise is broken")
    now: int = Field(description="due, and still in time")
    today: int = Field(description="due later today")
    later: int


class DeskView(BaseModel):
    """A call about a failed delivery, as to whose turn it is."""

    at: datetime | None = Field(
        description="when the COD desk gets it too, or got it; null: it does not, as the customer was reached"
    )
    handed_over: bool = Field(description="the desk has it: GET /v1/tasks?desk=true")
    why: str = Field(description="call_hours, cut_off, desk_first, no_owner, left, off_duty; empty while `at` is null")
    why_vi: str = Field(examples=["quá 2 giờ gọi"])
    why_en: str
    from_code: str = Field(description="whose turn it was; they keep sight of it and may still call")
    reached_at: datetime | None = Field(description="when somebody spoke with the customer about it")
    reached_by: str


class TaskItem(BaseModel):
    """Something that somebody owes."""

    id: UUID
    order_id: UUID
    order_code: str = Field(examples=["DH-4F7K2M9Q"])
    kind: str = Field(description="call, message, or answer (to a colleague)")
    origin: str = Field(description="care = of the care process; note = a colleague asked; rescue = a delivery failed")
    subject_id: UUID | None = Field(
        default=None,
        description="the note that asks for an answer; the failed delivery (shipping: GET /v1/rescues/{id})",
    )
    asked_by_id: UUID | None = Field(default=None, description="who asked")
    step: str = Field(description="of the care process; empty for others", examples=["no_answer_2"])
    name_vi: str = Field(examples=["Gọi lại lần 2"])
    name_en: str
    promise: str = Field(description="rescue, first_call, retry, callback, follow_up, message, answer")
    priority: Priority
    bucket: str = Field(description="overdue, now, today, later")
    due_at: datetime
    deadline_at: datetime = Field(description="after it the promise is broken")
    shown_at: datetime = Field(description="where it stands on the list: when it is due, or snoozed until")
    seconds_left: int = Field(
        description="until its deadline if it is due, else until it is due; negative once it is overdue"
    )
    overdue: bool
    overdue_since: datetime | None
    reminded_at: datetime | None
    snoozed_until: datetime | None
    snoozes: int = Field(description="how often it was snoozed")
    owner_id: UUID | None
    owner_code: str = Field(description="who has to do it; empty while it is open to the team")
    to_team: bool = Field(description="whoever of the team takes it does it: POST /v1/tasks/{id}/claim")
    claimed_at: datetime | None = Field(description="when it was taken from the team's or the desk's list")
    claimed_by: str = Field(description="who took it")
    desk: DeskView | None = Field(description="of a call about a failed delivery; null for other tasks")
    customer: str
    phone: str = Field(description="whole for who has to call, else masked", examples=["0912345678"])
    level: str
    product: str
    returning_customer: bool


class TaskPage(BaseModel):
    server_time: datetime = Field(description="count down from this clock, not from the browser's")
    counts: Counts | None = Field(description="of the whole list, on the first page only")
    items: list[TaskItem]
    next: str | None = Field(description="`after` of the next page; null on the last")
