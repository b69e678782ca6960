"""The routes with which operators look after messages, the same in every service."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, ClassVar, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from shared import dead_letters
from shared.auth import Principal, require
from shared.consumer import Handlers
from shared.contracts.permissions import OPERATE
from shared.db import Database
from shared.dead_letters import DeadLetter, Replayed
from shared.errors import Problem
from shared.given import GivenInstant
from shared.retention import REPUBLISH_HORIZON

Operator = Annotated[Principal, Depends(require(OPERATE))]


class BeyondHorizon(Problem):
    type = "republish-beyond-horizon"
    status = 422
    vi = "Chỉ phát lại được sự kiện trong {days} ngày gần nhất. Chọn mốc thời gian muộn hơn."
    en = "Events of the last {days} days at most can be sent again. Choose a later moment."


class WorkflowsAway(Problem):
    type = "workflows-away"
    status = 503
    vi = (
        "Temporal đang không trả lời nên chưa đối chiếu hết. Thử lại sau ít giây; chạy lại không gây trùng, và hệ thống cũng "
        "tự đối chiếu vài phút một lần."
    )
    en = (
        "Temporal does not answer, so not everything was compared. Repeat in some seconds: nothing happens twice, and it is "
        "also done by itself every few minutes."
    )
    headers: ClassVar[dict[str, str]] = {"Retry-After": "10"}


class DeadLetterPage(BaseModel):
    items: list[DeadLetter]
    next: UUID | None = Field(description="`after` of the next page; null on the last")


class ReplayRequest(BaseModel):
    ids: list[UUID] = Field(min_length=1, max_length=200)


class RepublishRequest(BaseModel):
    since: GivenInstant


class Republished(BaseModel):
    events: int


def messaging_router(service: str, db: Database, handlers: Handlers) -> APIRouter:
    """Dead letters and republishing of one service."""
    router = APIRouter(prefix="/v1/messages", tags=["messages"])

    @router.get("/dead-letters")
    async def list_dead_letters(
        _: Operator, limit: Annotated[int, Query(ge=1, le=200)] = 50, after: UUID | None = None
    ) -> DeadLetterPage:
        """Messages set aside because they failed again and again, oldest first."""
        async with db.read() as session:
            items = await dead_letters.list_open(session, limit=limit, after=after)
        return DeadLetterPage(items=items, next=items[-1].id if len(items) == limit else None)

    @router.post("/dead-letters/replay")
    async def replay_dead_letters(who: Operator, request: ReplayRequest) -> list[Replayed]:
        """Tries dead letters again and says what became of each."""
        return await dead_letters.replay(db, service, handlers, request.ids, by=who.code)

    @router.post("/republish")
    async def republish(_: Operator, request: RepublishRequest) -> Republished:
        """Sends this service's events since a moment again; consumers drop what they know."""
        if datetime.now(UTC) - request.since > REPUBLISH_HORIZON:
            raise BeyondHorizon(days=REPUBLISH_HORIZON.days)
        return Republished(events=await dead_letters.republish(db, request.since))

    return router


_AWAY: Final = (RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED)
_NEVER_REACHED: Final = "Failed client connect"
"""What the SDK says when a lazy client cannot connect; it has no kind of error of its own for that."""


class Reconciled(BaseModel):
    nudged: dict[str, int] = Field(description="kind of workflow → how many were started or woken")


def reconcile_router(
    db: Database, temporal: Client, reconcile: Callable[[Database, Client], Awaitable[Mapping[str, int]]]
) -> APIRouter:
    """Comparing the database with the workflows by hand; the relay does it by itself every few minutes."""
    router = APIRouter(prefix="/v1/operations", tags=["operations"])

    @router.post("/reconcile")
    async def run(_: Operator) -> Reconciled:
        """Starts or wakes every workflow that is missing or behind the database; 503 while Temporal is away."""
        try:
            return Reconciled(nudged=dict(await reconcile(db, temporal)))
        except RPCError as error:
            if error.status in _AWAY:
                raise WorkflowsAway from error
            raise
        except RuntimeError as error:  # the client has never reached Temporal since it started
            if _NEVER_REACHED in str(error):
                raise WorkflowsAway from error
            raise

    return router
