"""What the routes of this service share."""

from __future__ import annotations

import re
from typing import Annotated, Final, cast

from fastapi import Depends, Header, Query, Request, Response

from services.orders.care.processes import PROCESSES, Processes
from services.orders.clock import CLOCK, Clock
from services.orders.settings import OrdersSettings
from shared.errors import PreconditionFailed, PreconditionRequired
from shared.service import Runtime


def runtime(request: Request) -> Runtime[OrdersSettings]:
    return cast("Runtime[OrdersSettings]", request.app.state.runtime)


def clock(request: Request) -> Clock:
    return cast(Clock, runtime(request).state[CLOCK])


def processes(request: Request) -> Processes:
    return cast(Processes, runtime(request).state[PROCESSES])


_VERSION: Final = re.compile(r'"(\d{1,9})"')


def _expected_version(
    if_match: Annotated[str | None, Header(description="ETag of the order that the edit starts from")] = None,
) -> int:
    """
    Raises:
        PreconditionRequired: there is no If-Match.
        PreconditionFailed: it is none of our ETags.
    """
    if if_match is None:
        raise PreconditionRequired
    match = _VERSION.fullmatch(if_match.strip().removeprefix("W/"))
    if match is None:
        raise PreconditionFailed
    return int(match[1])


def tag(response: Response, version: int) -> None:
    """Sets the ETag that the next edit must name."""
    response.headers["ETag"] = f'"{version}"'


ExpectedVersion = Annotated[int, Depends(_expected_version)]
RuntimeDep = Annotated[Runtime[OrdersSettings], Depends(runtime)]
ClockDep = Annotated[Clock, Depends(clock)]
ProcessesDep = Annotated[Processes, Depends(processes)]
Limit = Annotated[int, Query(ge=1, le=200)]
