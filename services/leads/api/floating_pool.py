"""The floating pool ("kho số thả nổi"): see what lies there, look at one number at a time, claim it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from services.leads import events
from services.leads.api.dependencies import Claimer, Distributor, LanguageDep, Limit
from services.leads.driver import connection_of
from services.leads.errors import NotInFloatingPool
from services.leads.floating import claiming, reading, viewing
from services.leads.floating.reading import Cursor, Wanted
from services.leads.state import LeadsRuntime, RuntimeDep
from shared.db import Session
from shared.errors import Language
from shared.given import GivenInstant
from shared.idempotency import OnceDep
from shared.outbox import write
from shared.phone.hiding import hidden
from shared.phone.masking import masked, national

router = APIRouter(prefix="/v1/floating-pool", tags=["floating pool"])


class ViewerOut(BaseModel):
    code: str
    until: datetime = Field(description="until then nobody else may open or claim the number")
    yourself: bool


class FloatingOut(BaseModel):
    """A number of the pool; masked for everybody until it is claimed (rule D26)."""

    id: UUID = Field(description="also the id of its order")
    phone: str
    name: str
    product: str
    level: str
    level_name: str = Field(description="as the company calls it, in the language asked for")
    channel: str
    campaign: str
    landing_page: str
    source_id: UUID | None
    received_at: datetime
    returning_customer: bool
    released_at: datetime
    released_from: str | None = Field(description="staff code of the last holder")
    released_by: str = Field(description="staff code of whoever released it; empty: the care process did")
    reason: str
    archived_after: datetime = Field(description="when it is archived if nobody claims it")
    viewer: ViewerOut | None = Field(description="who is looking at it now")


class FloatingDetail(FloatingOut):
    note: str = Field(description="what the customer wrote")
    viewing_until: datetime = Field(description="until then it is yours alone to claim; ask again to go on looking")


class FloatingPage(BaseModel):
    items: list[FloatingOut]
    next: str | None = Field(description="`after` of the next page; null on the last")


class ClaimOut(BaseModel):
    lead_id: UUID
    assignment: int
    phone: str = Field(description="whole: the number is yours now")
    other_phones: list[str]
    claims_today: int
    claims_per_day: int
    uncalled: int = Field(description="claimed numbers that you have not called yet, this one included")
    uncalled_limit: int


class StandingOut(BaseModel):
    """How much of your bounds is used."""

    claims_today: int
    claims_per_day: int
    uncalled: int
    uncalled_limit: int


class ViewOut(BaseModel):
    id: UUID
    account_id: UUID
    code: str
    at: datetime


class ViewPage(BaseModel):
    items: list[ViewOut]
    next: UUID | None


@router.get("")
async def list_floating(
    who: Claimer,
    runtime: RuntimeDep,
    language: LanguageDep,
    limit: Limit = 50,
    after: Annotated[str | None, Query(max_length=80)] = None,
    product: Annotated[list[str] | None, Query(description="repeat it for several")] = None,
    level: Annotated[list[str] | None, Query()] = None,
    channel: str | None = None,
    source_id: UUID | None = None,
    released_from: Annotated[GivenInstant | None, Query(description="inclusive")] = None,
    released_to: Annotated[GivenInstant | None, Query(description="exclusive")] = None,
) -> FloatingPage:
    """Numbers that anybody with this permission may claim, those released last first."""
    wanted = Wanted(product, level, channel, source_id, released_from, released_to)
    stay = runtime.settings.floating_limits.stay
    place = Cursor.parse(after) if after else None
    rows = await reading.page(
        await runtime.db.driver(), wanted, after=place, limit=limit, now=datetime.now(UTC), stay=stay
    )
    items = [FloatingOut.model_validate(_values(row, who.account_id, runtime, language)) for row in rows]
    last = Cursor(rows[-1]["floating_since"], rows[-1]["id"]) if len(rows) == limit else None
    return FloatingPage(items=items, next=str(last) if last else None)


@router.get("/standing")
async def my_standing(who: Claimer, runtime: RuntimeDep) -> StandingOut:
    """What you have claimed today, what of it waits for a call, and the bounds."""
    driver = await runtime.db.driver()
    async with driver.acquire() as connection:
        return await _standing(connection, who.account_id, runtime, datetime.now(UTC))


@router.post("/{lead_id}/view", status_code=200)
async def view_number(lead_id: UUID, who: Claimer, runtime: RuntimeDep, language: LanguageDep) -> FloatingDetail:
    """Opens one number for you alone, for some minutes. Ask again to go on looking; leave with DELETE. Every look is kept.

    While somebody else looks at it the answer is 409 with their staff code.
    """
    now = datetime.now(UTC)
    limits = runtime.settings.floating_limits
    driver = await runtime.db.driver()
    async with driver.acquire() as connection, connection.transaction():
        if await reading.one(connection, lead_id, now=now, stay=limits.stay) is None:
            raise NotInFloatingPool
        until = await viewing.view(connection, lead_id, who, now=now, limits=limits)
        row = await reading.one(connection, lead_id, now=now, stay=limits.stay)
        if row is None:
            raise NotInFloatingPool
    values = {**_values(row, who.account_id, runtime, language), "note": hidden(row["note"]), "viewing_until": until}
    return FloatingDetail.model_validate(values)


@router.delete("/{lead_id}/view", status_code=204)
async def leave_number(lead_id: UUID, who: Claimer, runtime: RuntimeDep) -> None:
    """Stops looking, so that others may."""
    await viewing.leave(await runtime.db.driver(), lead_id, who.account_id)


@router.get("/{lead_id}/views")
async def list_views(
    lead_id: UUID, _: Distributor, runtime: RuntimeDep, limit: Limit = 50, after: UUID | None = None
) -> ViewPage:
    """Who opened a number of the floating pool, latest first."""
    rows = await viewing.log(await runtime.db.driver(), lead_id, after=after, limit=limit)
    items = [ViewOut.model_validate(row) for row in rows]
    return ViewPage(items=items, next=items[-1].id if len(items) == limit else None)


@router.post("/{lead_id}/claim", status_code=200, response_model=ClaimOut)
async def claim_number(lead_id: UUID, who: Claimer, once: OnceDep, runtime: RuntimeDep) -> Response:
    """Takes a number for yourself ("Lấy số"). Of many who ask at once one gets it, the others hear who was first.

    Asked again by its holder the answer is the same. Bounds: claims a day, uncalled claims, own releases (rule D40).
    """

    async def effect(session: Session) -> ClaimOut:
        connection = await connection_of(session)
        now = datetime.now(UTC)
        claimed = await claiming.claim(
            connection,
            lead_id,
            who,
            limits=runtime.settings.floating_limits,
            now=now,
        )
        if claimed is not None:
            await write(session, events.assigned([claimed]))
        lead = await connection.fetchrow("SELECT phone, other_phones, assignment FROM leads WHERE id = $1", lead_id)
        assert lead is not None, "a lead that was claimed is there"
        standing = await _standing(connection, who.account_id, runtime, now)
        return ClaimOut(
            lead_id=lead_id,
            assignment=lead["assignment"],
            phone=national(lead["phone"]),
            other_phones=[national(phone) for phone in lead["other_phones"]],
            **standing.model_dump(),
        )

    return await once.run(runtime.db, str(who.account_id), effect, status=200)


async def _standing(connection: Any, account_id: UUID, runtime: LeadsRuntime, now: datetime) -> StandingOut:
    limits = runtime.settings.floating_limits
    so_far = await claiming.claimer(connection, account_id, midnight=limits.midnight(now))
    return StandingOut(
        claims_today=so_far.today,
        claims_per_day=limits.per_day,
        uncalled=so_far.uncalled,
        uncalled_limit=limits.uncalled,
    )


def _values(row: Any, viewer: UUID, runtime: LeadsRuntime, language: Language) -> dict[str, Any]:
    seen_by = None
    if row["viewer_id"] is not None:
        seen_by = {"code": row["viewer_code"], "until": row["viewed_until"], "yourself": row["viewer_id"] == viewer}
    return {
        **row,
        "level_name": row[f"level_{language}"] or row["level"],
        "phone": masked(row["phone"]),
        "name": hidden(row["name"]),
        "reason": hidden(row["reason"]),
        "released_at": row["floating_since"],
        "archived_after": row["floating_since"] + runtime.settings.floating_limits.stay,
        "viewer": seen_by,
    }
