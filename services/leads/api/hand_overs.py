"""Hand-over ("bàn giao"): everything that somebody holds goes to others, when they leave."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.leads.api import transfers
from services.leads.api.dependencies import Distributor, Limit
from services.leads.api.transfer_reads import add_reads
from services.leads.api.transfers import ConfirmIn, PeopleIn, TransferOut
from services.leads.driver import connection_of
from services.leads.errors import HandOverToSelf, NothingToTransfer
from services.leads.state import RuntimeDep
from services.leads.transfers import plan, store
from shared.db import Session
from shared.errors import Mistake, NotFound, language_of
from shared.idempotency import OnceDep

router = APIRouter(prefix="/v1/hand-overs", tags=["distribution"])


class HandOverIn(PeopleIn):
    """Whose leads, which of them, and who gets them."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "from_id": "0192f0a1-1111-7abc-8def-0123456789ab",
                "scope": "open",
                "strategy": "people",
                "people": [{"account_id": "0192f0a1-2222-7abc-8def-0123456789ab"}],
            }
        },
    )

    from_id: UUID
    scope: Literal["open", "all"] = Field(default="open", description="all: also orders that have ended")
    strategy: Literal["people", "pools"] = Field(
        default="people",
        description="people: to those named, split evenly; pools: the rules of the pools choose, as for new numbers",
    )

    @model_validator(mode="after")
    def _receivers(self) -> HandOverIn:
        if (self.strategy == "people") != bool(self.people):
            raise Mistake(
                "chọn người nhận, hoặc để các nhóm chia số quyết định",
                "name the people who receive, or leave it to the pools",
            )
        if any(share.count is not None for share in self.people):
            raise Mistake("bàn giao chia đều: bỏ count ra", "a hand-over is split evenly: leave the counts out")
        return self


class NeededOut(BaseModel):
    account_id: UUID
    code: str
    name: str
    team: str
    open_leads: int = Field(description="at a level that is not final")
    in_care: int = Field(description="of these, still to be called and closed")
    oldest: datetime = Field(description="arrival of the oldest")
    running_id: UUID | None = Field(description="a hand-over of this person that is being done")


class NeededPage(BaseModel):
    items: list[NeededOut]
    next: UUID | None


@router.get("/needed")
async def list_needed(
    who: Distributor, runtime: RuntimeDep, limit: Limit = 50, after: UUID | None = None
) -> NeededPage:
    """Portfolios without a holder: locked accounts, among those below you, that still have open leads.

    Empty when all is handed over."""
    rows = await store.needed(
        await runtime.db.driver(),
        everybody=who.sees_all,
        viewer=who.account_id,
        after=after,
        limit=limit,
    )
    items = [NeededOut.model_validate(dict(row)) for row in rows]
    return NeededPage(items=items, next=items[-1].account_id if len(items) == limit else None)


@router.post("", status_code=201, response_model=TransferOut)
async def preview_hand_over(
    body: HandOverIn, who: Distributor, once: OnceDep, runtime: RuntimeDep, request: Request
) -> Response:
    """Plans the hand-over of somebody below you and changes nothing: how many leads each would get. Good for an hour."""

    async def effect(session: Session) -> TransferOut:
        if any(share.account_id == body.from_id for share in body.people):
            raise HandOverToSelf
        connection = await connection_of(session)
        if not await store.may_hand_over(connection, body.from_id, everybody=who.sees_all, viewer=who.account_id):
            raise NotFound(what="colleague")
        leads = await plan.portfolio(connection, body.from_id, ended_too=body.scope == "all")
        if not leads:
            raise NothingToTransfer
        made = await plan.keep(
            connection,
            leads,
            body.shares(),
            kind="hand_over",
            strategy=body.strategy,
            who=who,
            now=datetime.now(UTC),
            from_id=body.from_id,
        )
        return await transfers.shown(connection, "hand_over", made.id, language_of(request))

    return await once.run(runtime.db, str(who.account_id), effect)


@router.post("/{transfer_id}/confirm", status_code=200)
async def confirm_hand_over(
    transfer_id: UUID, body: ConfirmIn, who: Distributor, runtime: RuntimeDep, request: Request
) -> TransferOut:
    """Hands over as planned, in batches. A large one goes on in the background: `GET …/{id}` shows how far it is.

    A lead that moved on since the preview is left alone. Open tasks and promises go with their lead.
    """
    return await transfers.confirm(
        runtime, "hand_over", transfer_id, by=who.account_id, reason=body.reason, language=language_of(request)
    )


@router.post("/{transfer_id}/cancel", status_code=200)
async def cancel_hand_over(transfer_id: UUID, _: Distributor, runtime: RuntimeDep, request: Request) -> TransferOut:
    """Stops a hand-over; what was given stays given, the rest stays where it is."""
    driver = await runtime.db.driver()
    async with driver.acquire() as connection, connection.transaction():
        await store.cancel(connection, "hand_over", transfer_id, now=datetime.now(UTC))
    return await transfers.shown(driver, "hand_over", transfer_id, language_of(request))


add_reads(router, "hand_over")
