"""Routes of the reports."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request

from services.reporting import level_names, reports
from services.reporting.level_names import LevelName
from services.reporting.projection import COMPANY_ZONE
from services.reporting.reports import FunnelGroup, IncurredGroup, RemainingGroup, Scope
from services.reporting.schemas import (
    FunnelReport,
    IdentityReport,
    IncurredReport,
    MoneyReport,
    Period,
    RemainingReport,
    StatusReport,
    TransitionPage,
)
from services.reporting.settings import ReportingSettings
from shared.auth import Principal, require
from shared.contracts.permissions import REPORTS_READ, SEE_ALL
from shared.errors import Forbidden, Problem
from shared.given import GivenDate
from shared.service import Runtime

router = APIRouter(prefix="/v1/reports", tags=["reports"])

MAX_DAYS = 400
"""Days in one report: a year and a month, enough for any comparison with the year before."""


class PeriodUpsideDown(Problem):
    type = "period-upside-down"
    status = 422
    vi = "Ngày bắt đầu ({first}) sau ngày kết thúc ({last}). Đổi lại thứ tự."
    en = "The first day ({first}) is after the last ({last}). Swap them."


class PeriodTooLong(Problem):
    type = "period-too-long"
    status = 422
    vi = "Khoảng thời gian dài quá {days} ngày. Chia thành nhiều báo cáo."
    en = "The period is longer than {days} days. Split it into several reports."


def runtime_of(request: Request) -> Runtime[ReportingSettings]:
    return cast("Runtime[ReportingSettings]", request.app.state.runtime)


RuntimeDep = Annotated[Runtime[ReportingSettings], Depends(runtime_of)]
Reader = Annotated[Principal, Depends(require(REPORTS_READ))]


def today() -> date:
    """The company's present day."""
    return datetime.now(UTC).astimezone(COMPANY_ZONE).date()


Today = Annotated[date, Depends(today)]


def period(
    current: Today,
    first: Annotated[GivenDate | None, Query(description="first day, default 29 days before the last")] = None,
    last: Annotated[GivenDate | None, Query(description="last day, default today")] = None,
) -> Period:
    """The days of a report, both included, in the company's zone."""
    last = last or current
    first = first or last - timedelta(days=29)
    if first > last:
        raise PeriodUpsideDown(first=first, last=last)
    if (last - first).days > MAX_DAYS:
        raise PeriodTooLong(days=MAX_DAYS)
    return Period(first=first, last=last)


PeriodDep = Annotated[Period, Depends(period)]


def scope_of(who: Principal, group: str = "") -> Scope:
    """What the person may see; groupings by source mix everybody's numbers.

    Raises:
        Forbidden: the grouping needs the permission to see everything.
    """
    if reports.needs_all(group) and not who.sees_all:
        raise Forbidden(permission=SEE_ALL)
    return Scope(who.account_id, who.sees_all)


@router.get("/funnel")
async def funnel(runtime: RuntimeDep, who: Reader, days: PeriodDep, group_by: FunnelGroup = "total") -> FunnelReport:
    """Chuyển đổi phễu: of the numbers that arrived in the period, how many reached C3, L1, L5, L7, L8 at least once."""
    async with runtime.db.read() as session:
        rows = await reports.funnel(session, scope_of(who, group_by), first=days.first, last=days.last, group=group_by)
    return FunnelReport(period=days, rows=rows)


@router.get("/levels")
async def levels(_: Reader, runtime: RuntimeDep) -> list[LevelName]:
    """The levels in the order of the funnel with their names and colours, retired ones too: reports go on naming them."""
    async with runtime.db.read() as session:
        return await level_names.names(session)


@router.get("/status")
async def status(runtime: RuntimeDep, who: Reader, days: PeriodDep) -> StatusReport:
    """Trạng thái phễu: the present level of the orders that arrived in the period."""
    async with runtime.db.read() as session:
        rows = await reports.status(session, scope_of(who), first=days.first, last=days.last)
    return StatusReport(period=days, rows=rows)


@router.get("/incurred")
async def incurred(
    runtime: RuntimeDep, who: Reader, days: PeriodDep, group_by: IncurredGroup = "level"
) -> IncurredReport:
    """Phát sinh: entries into and exits from each level in the period, by event time."""
    async with runtime.db.read() as session:
        rows = await reports.incurred(
            session, scope_of(who, group_by), first=days.first, last=days.last, group=group_by
        )
    return IncurredReport(period=days, rows=rows)


@router.get("/remaining")
async def remaining(
    runtime: RuntimeDep,
    who: Reader,
    current: Today,
    at: Annotated[GivenDate | None, Query(description="end of this day, default today")] = None,
    group_by: RemainingGroup = "level",
    only_open: Annotated[bool, Query(description="without the levels that end an order")] = False,
) -> RemainingReport:
    """Còn lại: orders that stand in each level at the end of a day."""
    async with runtime.db.read() as session:
        rows = await reports.remaining(
            session, scope_of(who, group_by), at=at or current, group=group_by, only_open=only_open
        )
    return RemainingReport(at=at or current, rows=rows)


@router.get("/identity")
async def identity(
    runtime: RuntimeDep, _: Reader, __: Annotated[Principal, Depends(require(SEE_ALL))]
) -> IdentityReport:
    """The proof that the reports reconcile: remaining = entered − left for every level."""
    async with runtime.db.read() as session:
        rows = await reports.identity(session)
    return IdentityReport(holds=all(row.holds for row in rows), rows=rows)


@router.get("/money")
async def money(
    runtime: RuntimeDep, _: Reader, __: Annotated[Principal, Depends(require(SEE_ALL))], days: PeriodDep
) -> MoneyReport:
    """Doanh số chốt, doanh thu giao thành công, doanh thu thực nhận, each by the day of its fact: in a period more may come
    home than was delivered in it, for orders delivered before. All are without the fee that customers pay for the delivery
    (rule D28). An order without COD is received when it is delivered: the shop has its money. `compensated` is what carriers
    paid for lost parcels, which is no revenue."""
    async with runtime.db.read() as session:
        rows = await reports.money(session, first=days.first, last=days.last)
    return MoneyReport(period=days, rows=rows)


@router.get("/transitions")
async def transitions(
    runtime: RuntimeDep,
    who: Reader,
    days: PeriodDep,
    level: Annotated[str, Query(max_length=20, examples=["L5"])],
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    after: UUID | None = None,
) -> TransitionPage:
    """The facts behind a number of the incurred report."""
    async with runtime.db.read() as session:
        items = await reports.transitions(
            session, scope_of(who), level=level, first=days.first, last=days.last, limit=limit, after=after
        )
    return TransitionPage(items=list(items), next=items[-1].transition_id if len(items) == limit else None)
