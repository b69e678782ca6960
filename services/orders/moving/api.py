"""Routes of moves of running care."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from services.orders.actors import staff
from services.orders.http import ClockDep, Limit, RuntimeDep
from services.orders.moving import store
from services.orders.moving.views import MovedCarePage, MovePage, MoveView, NewMove
from services.orders.processes.access import Publisher
from services.orders.processes.api import Key
from shared.db import Session
from shared.idempotency import OnceDep

router = APIRouter(prefix="/v1/care-processes/{key}/moves", tags=["care processes"])


@router.post("", status_code=201, response_model=MoveView)
async def create_move(
    who: Publisher, runtime: RuntimeDep, once: OnceDep, clock: ClockDep, key: Key, wanted: NewMove
) -> Response:
    """Chooses running care and previews what each would do next in the other version. Nothing changes before `start`."""

    async def effect(session: Session) -> MoveView:
        return await store.create(session, key, wanted, actor=staff(who), at=clock())

    return await once.run(runtime.db, str(who.account_id), effect)


@router.get("")
async def list_moves(
    _: Publisher, runtime: RuntimeDep, key: Key, limit: Limit = 50, after: UUID | None = None
) -> MovePage:
    """The moves to versions of this process, the newest first."""
    async with runtime.db.read() as session:
        return await store.page(session, key, limit=limit, after=after)


@router.get("/{move_id}")
async def get_move(_: Publisher, runtime: RuntimeDep, key: Key, move_id: UUID) -> MoveView:
    """How far a move is, and how many cares by what becomes of them."""
    async with runtime.db.read() as session:
        return await store.read(session, key, move_id)


@router.get("/{move_id}/cares")
async def list_moved_cares(
    _: Publisher,
    runtime: RuntimeDep,
    key: Key,
    move_id: UUID,
    limit: Limit = 50,
    after: UUID | None = None,
    change: Annotated[str | None, Query(examples=["replaced"])] = None,
    state: Annotated[str | None, Query(examples=["failed"])] = None,
) -> MovedCarePage:
    """Each care of a move: what it owes next before and after, what became of it, and why it failed if it did."""
    async with runtime.db.read() as session:
        return await store.cares(session, key, move_id, limit=limit, after=after, change=change, state=state)


@router.post("/{move_id}/start", response_model=MoveView)
async def start_move(
    who: Publisher, runtime: RuntimeDep, once: OnceDep, clock: ClockDep, key: Key, move_id: UUID
) -> Response:
    """Moves what was previewed, no faster than `per_minute`; goes on with a move that was cancelled half-way."""

    async def effect(session: Session) -> MoveView:
        return await store.start(session, key, move_id, actor=staff(who), at=clock())

    return await once.run(runtime.db, str(who.account_id), effect, status=200)


@router.post("/{move_id}/cancel", response_model=MoveView)
async def cancel_move(
    who: Publisher, runtime: RuntimeDep, once: OnceDep, clock: ClockDep, key: Key, move_id: UUID
) -> Response:
    """Stops after the orders in hand. What was moved stays moved; the rest stays in its version."""

    async def effect(session: Session) -> MoveView:
        return await store.cancel(session, key, move_id, actor=staff(who), at=clock())

    return await once.run(runtime.db, str(who.account_id), effect, status=200)
