"""Trying a care process on what was recorded: runs, and what they found."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

import orjson
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.orders.care.process import CareProcess
from services.orders.http import ClockDep, Limit, RuntimeDep
from services.orders.processes.access import Editor
from services.orders.processes.errors import ProcessUnsound
from services.orders.processes.findings import check
from shared import outbox
from shared.auth import Principal
from shared.contracts.workflows import start_what_if
from shared.db import ReadSession, Session
from shared.errors import Mistake, NotFound, Problem
from shared.given import GivenInstant
from shared.idempotency import OnceDep

router = APIRouter(prefix="/v1/what-if", tags=["what if"])

LONGEST: Final = timedelta(days=93)
"""A quarter; a longer run says little more and takes hours."""

ASSUMPTIONS: Final = {
    "vi": [
        "Khách và nhân viên đã làm gì, lúc nào thì vẫn như vậy; cuộc gọi tính cho việc mà quy trình đang chờ lúc đó.",
        "Kết quả mà bước đó không biết chỉ tính là một lần gọi (unplaced).",
        "Việc chia số, thu hồi và lấy từ kho giữ như đã xảy ra.",
        "Hẹn bị trễ vào lúc không ai được giao việc gì thì tính riêng (unasked), không tính là trễ.",
        "Đơn đã chuyển sang phiên bản khác: trước lần chuyển cuối vẫn theo phiên bản lúc đó, sau đó mới theo quy trình đang thử.",
        "Ca làm, bật/tắt nhận số, nghỉ việc, thao tác của người vận hành và kết quả bị hoàn tác giữ như đã xảy ra.",
    ],
    "en": [
        "People and customers did what they did when they did it; a call stands for what the process waited for then.",
        "A result that the step does not know counts as an attempt without a result (unplaced).",
        "Numbers were distributed, taken back and claimed as they were.",
        "A promise that was missed while nobody was asked for anything is counted apart (unasked), not as broken.",
        "Care that was moved between versions is in the version of then until its last move, and in the tried one afterwards.",
        "Shifts, duty and leaving of people, what operators did, and results that were taken back are as they were.",
    ],
}


class NewRun(BaseModel):
    """Which process is tried, on the numbers that were first assigned in which time. Exactly one of `version` (published),
    `draft_id` and neither of both with `body`."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "process": "cod_standard",
                    "version": 3,
                    "since": "2026-10-01T00:00:00+07:00",
                    "till": "2026-11-01T00:00:00+07:00",
                }
            ]
        },
    )

    process: str = Field(max_length=40, examples=["cod_standard"])
    version: int | None = Field(default=None, ge=1)
    draft_id: UUID | None = None
    body: dict[str, Any] | None = Field(default=None, description="a process that is kept nowhere yet")
    since: GivenInstant
    till: GivenInstant
    team: str = Field(default="", max_length=60, description="only numbers first assigned to this team")
    note: str = Field(default="", max_length=200)

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if sum(each is not None for each in (self.version, self.draft_id, self.body)) != 1:
            raise Mistake("gửi một trong version, draft_id, body", "give one of version, draft_id, body")
        if not timedelta() < self.till - self.since <= LONGEST:
            raise Mistake(
                f"till phải sau since, dài nhất {LONGEST.days} ngày",
                f"till must come after since, at most {LONGEST.days} days",
            )
        return self


class Side(BaseModel):
    """What is counted of all orders of a run under one process."""

    tasks: int = 0
    kept: int = 0
    broken: int = 0
    cancelled: int = 0
    open: int = 0
    unasked: int = Field(default=0, description="missed, but nobody was asked for anything then")
    first_calls: int = 0
    first_calls_late: int = Field(default=0, description="breaches of the first-call SLA")
    idle_minutes: int = Field(default=0, description="open minutes of people's days in which nothing was due for them")


class Run(BaseModel):
    id: UUID
    process: str
    version: int | None
    draft_id: UUID | None
    since: datetime
    till: datetime
    team: str
    note: str
    state: str = Field(description="running, done, cancelled")
    total: int | None = Field(description="orders; null: not counted yet")
    looked: int
    equal: int = Field(description="of which the process makes exactly what was recorded")
    undone: int = Field(description="with a result that was taken back, after which both lives went on from before it")
    failed: int = Field(description="that this process cannot bring to an end")
    unplaced: int = Field(description="results that no step knew")
    created_at: datetime
    created_by: str
    finished_at: datetime | None


class RunView(Run):
    recorded: Side
    tried: Side
    assumptions: dict[str, list[str]] = ASSUMPTIONS


class RunPage(BaseModel):
    items: list[Run]
    next: UUID | None = Field(description="`before` of the next page; null on the last")


class StepView(BaseModel):
    step: str
    promise: str
    side: Literal["recorded", "tried"]
    tasks: int
    done: int
    kept: int
    broken: int
    cancelled: int
    open: int
    unasked: int
    late_minutes: float


class StepPage(BaseModel):
    items: list[StepView]
    next: str | None = Field(description="`after` of the next page; null on the last")


class PersonView(BaseModel):
    on: date
    account_id: UUID
    code: str
    side: Literal["recorded", "tried"]
    due: int = Field(description="tasks that were due for them on this day")
    calls: int = Field(description="calls that they made")
    kept: int
    broken: int
    open_minutes: int
    idle_minutes: int = Field(description="open minutes in which nothing was due for them")


class PersonPage(BaseModel):
    items: list[PersonView]
    next: str | None = Field(description="`after` of the next page; null on the last")


class OrderView(BaseModel):
    order_id: UUID
    code: str
    verdict: str = Field(description="equal, different, failed")
    recorded: dict[str, Any]
    tried: dict[str, Any]
    differences: list[str] = Field(description="the first ones, earliest on top")


class OrderPage(BaseModel):
    items: list[OrderView]
    next: UUID | None = Field(description="`after` of the next page; null on the last")


class RunNotFound(NotFound):
    vi = "Không có lần chạy thử này. Xem danh sách ở /v1/what-if."
    en = "There is no such run. See the list at /v1/what-if."


class ProcessToTryNotFound(NotFound):
    vi = "Không có quy trình, phiên bản hoặc bản nháp này. Xem /v1/care-processes."
    en = "There is no such process, version or draft. See /v1/care-processes."


class RunEnded(Problem):
    type = "run-ended"
    status = 409
    vi = "Lần chạy thử đã kết thúc ({state}). Xem kết quả hoặc chạy lần mới."
    en = "The run has ended ({state}). Read what it found, or ask for another."


class ProcessUnreadable(Problem):
    type = "process-unreadable"
    status = 422
    vi = "Không đọc được quy trình: {reason}. Sửa rồi gửi lại."
    en = "The process cannot be read: {reason}. Correct it and send again."


_VERSION: Final = text("SELECT body FROM process_versions WHERE key = :process AND version = :version")
_DRAFT: Final = text("SELECT body FROM process_drafts WHERE key = :process AND id = :draft_id")
_INSERT: Final = text(
    """
INSERT INTO what_if_runs (id, process, version, draft_id, body, since, till, team, note, created_at, created_by_id, created_by)
VALUES (:id, :process, :version, :draft_id, CAST(:body AS json), :since, :till, :team, :note, :at, :by_id, :by)
"""
)
_SELECT: Final = """
SELECT id, process, version, draft_id, since, till, team, note, state, total, looked, equal, undone, failed, unplaced,
    created_at, created_by, finished_at FROM what_if_runs
"""
_ONE: Final = text(_SELECT + "WHERE id = :id")
_RUNS: Final = text(
    _SELECT + "WHERE CAST(:before AS uuid) IS NULL OR id < CAST(:before AS uuid) ORDER BY id DESC LIMIT :limit"
)
_SIDES: Final = text(
    """
SELECT s.*, coalesce(p.idle_minutes, 0) AS idle_minutes FROM (
    SELECT side, sum(tasks) AS tasks, sum(kept) AS kept, sum(broken) AS broken, sum(cancelled) AS cancelled, sum(open) AS open,
        sum(unasked) AS unasked, sum(tasks) FILTER (WHERE promise = 'first_call') AS first_calls,
        sum(broken) FILTER (WHERE promise = 'first_call') AS first_calls_late
    FROM what_if_steps WHERE run_id = :id GROUP BY side) AS s
LEFT JOIN (
    SELECT side, sum(open_minutes - bit_count(busy)) AS idle_minutes FROM what_if_people WHERE run_id = :id GROUP BY side
) AS p USING (side)
"""
)
_STEPS: Final = text(
    """
SELECT step, promise, side, tasks, done, kept, broken, cancelled, open, unasked, late_seconds / 60.0 AS late_minutes
FROM what_if_steps WHERE run_id = :id AND (step, promise, side) > (:a, :b, :c) ORDER BY step, promise, side LIMIT :limit
"""
)
_PEOPLE: Final = text(
    """
SELECT p."on", p.account_id, coalesce(m.code, '') AS code, p.side, p.due, p.calls, p.kept, p.broken, p.open_minutes,
    p.open_minutes - bit_count(p.busy) AS idle_minutes
FROM what_if_people p LEFT JOIN staff_members m ON m.account_id = p.account_id AND m.version > 0
WHERE p.run_id = :id AND (p."on", p.account_id, p.side) > (CAST(:a AS date), CAST(:b AS uuid), :c)
    AND (CAST(:account_id AS uuid) IS NULL OR p.account_id = CAST(:account_id AS uuid))
ORDER BY p."on", p.account_id, p.side LIMIT :limit
"""
)
_ORDERS: Final = text(
    """
SELECT w.order_id, o.code, w.verdict, w.recorded, w.tried, w.differences
FROM what_if_orders w JOIN orders o ON o.id = w.order_id
WHERE w.run_id = :id AND w.order_id > :after AND (CAST(:verdict AS text) IS NULL OR w.verdict = :verdict)
ORDER BY w.order_id LIMIT :limit
"""
)
_CANCEL: Final = text(
    "UPDATE what_if_runs SET state = 'cancelled', finished_at = :at WHERE id = :id AND state = 'running' RETURNING 1"
)
_FIRST: Final = UUID(int=0)


@router.post("", status_code=201, response_model=RunView)
async def start_run(who: Editor, runtime: RuntimeDep, once: OnceDep, clock: ClockDep, wanted: NewRun) -> Response:
    """Lets the numbers that were first assigned in a stretch of time live once more under a process, in the background.

    Nothing of the orders changes. Read how far it is, and what it found, at `/v1/what-if/{id}`."""

    async def effect(session: Session) -> RunView:
        body = await _body(session, wanted)
        await _require_sound(session, body)
        run_id = uuid7()
        await session.execute(_INSERT, _values(run_id, wanted, body, who, at=clock()))
        await outbox.send(session, start_what_if(run_id))
        return await _view(session, run_id)

    return await once.run(runtime.db, str(who.account_id), effect)


@router.get("")
async def list_runs(_: Editor, runtime: RuntimeDep, limit: Limit = 20, before: UUID | None = None) -> RunPage:
    """Runs, the last on top."""
    async with runtime.db.read() as session:
        rows = (await session.execute(_RUNS, {"before": before, "limit": limit})).all()
    items = [Run.model_validate(dict(row._mapping)) for row in rows]
    return RunPage(items=items, next=items[-1].id if len(items) == limit else None)


@router.get("/{run_id}")
async def get_run(_: Editor, runtime: RuntimeDep, run_id: UUID) -> RunView:
    """How far a run is, and the sums of what was recorded and of what would have been."""
    async with runtime.db.read() as session:
        return await _view(session, run_id)


@router.post("/{run_id}/cancel", status_code=200)
async def cancel_run(_: Editor, runtime: RuntimeDep, clock: ClockDep, run_id: UUID) -> RunView:
    """Ends a run; what it found so far stays."""
    async with runtime.db.transaction() as session:
        cancelled = (await session.execute(_CANCEL, {"id": run_id, "at": clock()})).first()
        view = await _view(session, run_id)
    if cancelled is None and view.state != "cancelled":
        raise RunEnded(state=view.state)
    return view


@router.get("/{run_id}/steps")
async def list_steps(
    _: Editor, runtime: RuntimeDep, run_id: UUID, limit: Limit = 100, after: Annotated[str, Query(max_length=200)] = ""
) -> StepPage:
    """Tasks and promises by step, recorded and tried."""
    a, b, c = _place(after, ("", "", ""))
    async with runtime.db.read() as session:
        await _existing(session, run_id)
        rows = (await session.execute(_STEPS, {"id": run_id, "a": a, "b": b, "c": c, "limit": limit})).all()
    items = [StepView.model_validate(dict(row._mapping)) for row in rows]
    last = items[-1] if len(items) == limit else None
    return StepPage(items=items, next=f"{last.step}~{last.promise}~{last.side}" if last else None)


@router.get("/{run_id}/people")
async def list_people(
    _: Editor,
    runtime: RuntimeDep,
    run_id: UUID,
    account_id: UUID | None = None,
    limit: Limit = 100,
    after: Annotated[str, Query(max_length=200)] = "",
) -> PersonPage:
    """What was due for each person on each day, what they called, and how long nothing was due for them."""
    on, account, side = _place(after, (date.min.isoformat(), str(_FIRST), ""))
    values = {
        "id": run_id,
        "a": _date(on),
        "b": _uuid(account),
        "c": side,
        "account_id": account_id,
        "limit": limit,
    }
    async with runtime.db.read() as session:
        await _existing(session, run_id)
        rows = (await session.execute(_PEOPLE, values)).all()
    items = [PersonView.model_validate(dict(row._mapping)) for row in rows]
    last = items[-1] if len(items) == limit else None
    return PersonPage(items=items, next=f"{last.on}~{last.account_id}~{last.side}" if last else None)


@router.get("/{run_id}/orders")
async def list_orders(
    _: Editor,
    runtime: RuntimeDep,
    run_id: UUID,
    verdict: Literal["equal", "different", "failed"] | None = None,
    limit: Limit = 50,
    after: UUID = _FIRST,
) -> OrderPage:
    """Orders of a run, each with both lives in a few figures and where they first differ."""
    values = {"id": run_id, "after": after, "verdict": verdict, "limit": limit}
    async with runtime.db.read() as session:
        await _existing(session, run_id)
        rows = (await session.execute(_ORDERS, values)).all()
    items = [OrderView.model_validate(dict(row._mapping)) for row in rows]
    return OrderPage(items=items, next=items[-1].order_id if len(items) == limit else None)


async def _body(session: ReadSession, wanted: NewRun) -> dict[str, Any]:
    if wanted.body is not None:
        found: dict[str, Any] | None = wanted.body
    elif wanted.version is not None:
        values = {"process": wanted.process, "version": wanted.version}
        found = (await session.execute(_VERSION, values)).scalar_one_or_none()
    else:
        values = {"process": wanted.process, "draft_id": wanted.draft_id}
        found = (await session.execute(_DRAFT, values)).scalar_one_or_none()
    if found is None:
        raise ProcessToTryNotFound
    return found | {"key": wanted.process, "version": wanted.version or 1}


async def _require_sound(session: ReadSession, body: dict[str, Any]) -> None:
    try:
        process = CareProcess.model_validate(body)
    except ValueError as error:
        raise ProcessUnreadable(reason=str(error).split("\n")[1] if "\n" in str(error) else str(error)) from None
    checked = await check(session, process)
    if not checked.sound:
        errors = [each for each in checked.findings if each.severity == "error"]
        raise ProcessUnsound(count=len(errors), findings=[each.model_dump() for each in checked.findings])


def _values(run_id: UUID, wanted: NewRun, body: dict[str, Any], who: Principal, *, at: datetime) -> dict[str, Any]:
    return {
        "id": run_id,
        **wanted.model_dump(include={"process", "version", "draft_id", "since", "till", "team", "note"}),
        "body": orjson.dumps(body).decode(),
        "at": at,
        "by_id": who.account_id,
        "by": who.code,
    }


async def _existing(session: ReadSession, run_id: UUID) -> Any:
    row = (await session.execute(_ONE, {"id": run_id})).one_or_none()
    if row is None:
        raise RunNotFound
    return row


async def _view(session: ReadSession, run_id: UUID) -> RunView:
    row = await _existing(session, run_id)
    sides = {
        each.side: Side.model_validate({name: value or 0 for name, value in each._mapping.items() if name != "side"})
        for each in await session.execute(_SIDES, {"id": run_id})
    }
    return RunView(**row._mapping, recorded=sides.get("recorded", Side()), tried=sides.get("tried", Side()))


def _place(after: str, first: tuple[str, str, str]) -> tuple[str, str, str]:
    """The place behind which a page begins; whatever is no place of ours is the beginning."""
    parts = after.split("~")
    return (parts[0], parts[1], parts[2]) if len(parts) == 3 else first


def _date(written: str) -> date:
    try:
        return date.fromisoformat(written)
    except ValueError:
        return date.min


def _uuid(written: str) -> UUID:
    try:
        return UUID(written)
    except ValueError:
        return _FIRST
