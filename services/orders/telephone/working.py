"""What salespeople do with calls: start them, see what they owe, deal with unknown callers."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

import httpx
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from services.orders.access import Carer, Reader, ensure_visible, lock_visible
from services.orders.http import ClockDep, Limit, ProcessesDep, RuntimeDep
from services.orders.telephone import calls, dialling
from services.orders.telephone.api import VaultDep
from services.orders.telephone.calls import Handled, OrderCallPage, UnknownPage, WaitingPage
from services.orders.telephone.dialling import CallAsked, CallWanted
from shared.db import Session
from shared.idempotency import OnceDep

router = APIRouter(prefix="/v1", tags=["telephone"])

DIALLER: Final = "telephone.dialler"
"""Name of what makes HTTP clients towards telephone systems, in the runtime's state; a test may replace it."""


class CallDone(BaseModel):
    call_id: UUID


@router.get("/calls/waiting")
async def list_waiting(
    who: Carer,
    runtime: RuntimeDep,
    clock: ClockDep,
    mine: Annotated[bool, Query(description="false: also those of the people below you")] = True,
    limit: Limit = 50,
    after: UUID | None = None,
) -> WaitingPage:
    """'Chưa ghi kết quả': calls whose result is missing, the oldest first. Log the call at its order; the telephone
    system's call is found by its time, or named by `telephone_call`."""
    async with runtime.db.read() as session:
        return await calls.waiting(session, who, mine=mine, limit=limit, after=after, now=clock())


@router.get("/calls/unknown")
async def list_unknown(who: Carer, runtime: RuntimeDep, limit: Limit = 50, after: UUID | None = None) -> UnknownPage:
    """Calls from numbers that belong to no open order, the newest first: make a lead of each (`POST /v1/leads` of the
    leads service, channel `hotline`), or say why not. One leaves the list by itself when its lead arrives."""
    async with runtime.db.read() as session:
        return await calls.unknown(session, who, limit=limit, after=after)


@router.post("/calls/{call_id}/handled", status_code=200, response_model=CallDone)
async def handle_call(
    who: Carer, runtime: RuntimeDep, clock: ClockDep, once: OnceDep, call_id: UUID, done: Handled
) -> Response:
    """There is nothing further to do about a call from an unknown number, or one that was about something else."""

    async def effect(session: Session) -> CallDone:
        await calls.handle(session, call_id, done, who, now=clock())
        return CallDone(call_id=call_id)

    return await once.run(runtime.db, str(who.account_id), effect, status=200)


@router.get("/orders/{order_id}/calls")
async def list_calls_of_order(
    who: Reader, runtime: RuntimeDep, order_id: UUID, limit: Limit = 50, after: UUID | None = None
) -> OrderCallPage:
    """What telephone systems told of an order: lengths, recordings, how each call ended; the newest first."""
    async with runtime.db.read() as session:
        await ensure_visible(session, order_id, who)
        return await calls.of_order(session, order_id, limit=limit, after=after)


@router.post("/orders/{order_id}/call", status_code=201)
async def click_to_call(
    who: Carer,
    runtime: RuntimeDep,
    clock: ClockDep,
    processes: ProcessesDep,
    vault: VaultDep,
    once: OnceDep,
    order_id: UUID,
    wanted: CallWanted,
) -> CallAsked:
    """'Gọi': asks your telephone system to ring you and then the customer, if the number may be called now.

    With an `Idempotency-Key`, a repeated click rings once. The number itself is not in the answer.
    """
    # What is asked for is durable, and nothing is locked, before anything goes out: the other side may take its time.
    async with runtime.db.transaction() as session:
        order = await lock_visible(session, order_id, who)
        before = await dialling.asked_before(session, order, who, key=once.key)
        if before is not None:
            return before
        dialled = await dialling.prepare(session, processes, order, wanted, who, key=once.key, now=clock())
    client: httpx.AsyncClient = runtime.state[DIALLER]()
    async with client:
        answer = await dialling.dial(dialled, vault, client, now=clock())
    async with runtime.db.transaction() as session:
        return await dialling.keep_answer(session, answer)
