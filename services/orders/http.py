"""What the routes of this service share."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, Query, Request

from services.orders.care.processes import PROCESSES, Processes
from services.orders.clock import CLOCK, Clock
from services.orders.settings import OrdersSettings
from shared.service import Runtime


def runtime(request: Request) -> Runtime[OrdersSettings]:
    return cast("Runtime[OrdersSettings]", request.app.state.runtime)


def clock(request: Request) -> Clock:
    return cast(Clock, runtime(request).state[CLOCK])


def processes(request: Request) -> Processes:
    return cast(Processes, runtime(request).state[PROCESSES])


RuntimeDep = Annotated[Runtime[OrdersSettings], Depends(runtime)]
ClockDep = Annotated[Clock, Depends(clock)]
ProcessesDep = Annotated[Processes, Depends(processes)]
Limit = Annotated[int, Query(ge=1, le=200)]
