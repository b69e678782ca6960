"""Looking before leaping: which pool takes a lead, who would get the next ones, and who got how many."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from services.leads.api.dependencies import Distributor
from services.leads.distribution import Obstacle, Topic, Waiting, distribute
from services.leads.driver import connection_of
from services.leads.errors import PoolOrderIncomplete
from services.leads.intake.items import Channel
from services.leads.repository import figures, pools
from services.leads.rounds import people_now, utc_now
from services.leads.state import RuntimeDep
from shared.db import ReadSession
from shared.errors import NotFound, PreconditionFailed
from shared.etag import ExpectedVersion, tag
from shared.given import GivenDate

router = APIRouter(prefix="/v1", tags=["distribution"])

STEP = 10
"""Between the positions of pools, so that another can be put between two by hand."""


class TopicIn(BaseModel):
    """What the rules of pools and the skills of people look at."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"channel": "landing_page", "product": "SERUM-30"}}
    )

    channel: Channel = "manual"
    product: str = Field(default="", max_length=200)
    landing_page: str = Field(default="", max_length=200)

    @property
    def topic(self) -> Topic:
        return self.channel, self.product, self.landing_page


class LeadIn(TopicIn):
    returning_customer: bool = Field(default=False, description="something was once handed over to this number")


class Tried(BaseModel):
    """A pool that was looked at."""

    pool_id: UUID
    name: str
    position: int
    fits: bool
    unfit: list[Literal["channel", "product", "landing_page"]] = Field(description="rules that do not fit")


class Matched(BaseModel):
    """The pool that takes such a lead; null: none does, and it would wait without one."""

    pool_id: UUID | None
    pool: str | None
    returning: Literal["closer", "pool"] | None = Field(
        description="of a returning customer: first their last closer, or straight to the pool that cares for them"
    )
    tried: list[Tried]


class SimulationIn(TopicIn):
    leads: int = Field(default=10, ge=1, le=500, description="how many such leads come one after another")


class Turn(BaseModel):
    account_id: UUID
    code: str


class Share(BaseModel):
    account_id: UUID
    code: str
    weight: int
    leads: int = Field(description="of those simulated")
    state: Literal["free"] | Obstacle = Field(description="before the first of them")


class Simulation(BaseModel):
    """Who would get the next leads, were they to come now. Nothing is changed."""

    ahead: int = Field(description="leads that wait in the pool already, which would be served before")
    turns: list[Turn] = Field(description="owners in order")
    left: int = Field(description="leads that nobody could take, and that would wait")
    shares: list[Share]


class PlaceOut(BaseModel):
    id: UUID
    name: str
    position: int


class OrderIn(BaseModel):
    """All pools in use, in the order in which leads are to try them."""

    model_config = ConfigDict(extra="forbid")

    pools: list[UUID] = Field(max_length=1_000)


class Figure(BaseModel):
    """What one member got of a pool on a day."""

    account_id: UUID
    code: str
    given: int = Field(description="leads that the pool gave")
    turns: int = Field(description="of these by turns of the weights, not as the last owner or closer")
    target: float = Field(description="turns that the weights owed them while they could take leads")
    owed: float = Field(description="still owed at the end of the day, or now")


class Figures(BaseModel):
    on: date
    given: int
    people: list[Figure]


@router.post("/pools/match")
async def match_pool(body: LeadIn, _: Distributor, runtime: RuntimeDep) -> Matched:
    """Which pool takes a lead, and which rules of the pools before it do not fit."""
    async with runtime.db.read() as session:
        tried = [_tried(row, body) for row in await pools.in_order(session)]
        fitting = next((one for one in tried if one.fits), None)
        returning = None
        if fitting is not None and body.returning_customer:
            rules = await pools.one(session, fitting.pool_id)
            assert rules is not None, "pools are never deleted"
            returning = rules.returning_to
            if returning == "pool":
                care = await pools.one(session, rules.returning_pool_id)
                assert care is not None, "pools are never deleted"
                fitting = Tried(pool_id=care.id, name=care.name, position=care.position, fits=True, unfit=[])
    return Matched(
        pool_id=fitting.pool_id if fitting else None,
        pool=fitting.name if fitting else None,
        returning=returning,
        tried=tried,
    )


@router.post("/pools/{pool_id}/simulate")
async def simulate(pool_id: UUID, body: SimulationIn, _: Distributor, runtime: RuntimeDep) -> Simulation:
    """Who would get the next leads of a pool."""
    async with runtime.db.read() as session:
        pool = await pools.counted(session, pool_id)
        if pool is None:
            raise NotFound(what="pool")
        people = await people_now(await connection_of(session), [pool_id], at=utc_now())
    members = people.members[pool_id]
    coming = [Waiting(UUID(int=number), topic=body.topic) for number in range(body.leads)]
    outcome = distribute(members, coming)
    owners = [decision.owner_id for decision in outcome.decisions]
    return Simulation(
        ahead=pool.waiting,
        turns=[Turn(account_id=owner, code=people.names[owner][0]) for owner in owners],
        left=len(outcome.left),
        shares=[
            Share(
                account_id=member.account_id,
                code=people.names[member.account_id][0],
                weight=member.weight,
                leads=owners.count(member.account_id),
                state=member.obstacle(coming[0]) or "free",
            )
            for member in sorted(members, key=lambda member: people.names[member.account_id][0])
        ],
    )


@router.get("/pool-order")
async def get_order(_: Distributor, runtime: RuntimeDep, response: Response) -> list[PlaceOut]:
    """Pools in use, in the order in which leads try them."""
    async with runtime.db.read() as session:
        return await _order(session, response)


@router.put("/pool-order")
async def change_order(
    body: OrderIn, version: ExpectedVersion, _: Distributor, runtime: RuntimeDep, response: Response
) -> list[PlaceOut]:
    """Arranges the pools in use. Leads that wait in one stay there."""
    async with runtime.db.transaction() as session:
        await pools.lock_all(session)
        if await pools.order_version(session) != version:
            raise PreconditionFailed
        if sorted(body.pools) != sorted(row.id for row in await pools.in_order(session)):
            raise PoolOrderIncomplete
        positions = [STEP * place for place in range(1, len(body.pools) + 1)]
        await pools.reorder(session, body.pools, positions)
        return await _order(session, response)


@router.get("/pools/{pool_id}/figures")
async def get_figures(
    pool_id: UUID,
    _: Distributor,
    runtime: RuntimeDep,
    on: Annotated[GivenDate | None, Field(description="a day of the company's zone; default: today")] = None,
) -> Figures:
    """What everybody got of a pool on a day, against what the weights owed them while they could take leads."""
    zone = ZoneInfo(runtime.settings.timezone)
    day = on or datetime.now(UTC).astimezone(zone).date()
    since, till = (datetime(one.year, one.month, one.day, tzinfo=zone) for one in (day, day + timedelta(days=1)))
    async with runtime.db.read() as session:
        if await pools.one(session, pool_id) is None:
            raise NotFound(what="pool")
        found = await figures.of_day(session, pool_id, since=since, till=till)
    people = [
        Figure(
            account_id=one.account_id,
            code=one.code,
            given=one.given,
            turns=one.turns,
            target=round(one.turns + one.owed_after - one.owed_before, 3),
            owed=round(one.owed_after, 3),
        )
        for one in found
    ]
    return Figures(on=day, given=sum(one.given for one in people), people=people)


def _tried(row: Any, lead: LeadIn) -> Tried:
    rules = {"channel": row.channels, "product": map(str.lower, row.products), "landing_page": row.landing_pages}
    asked = {"channel": lead.channel, "product": lead.product.lower(), "landing_page": lead.landing_page}
    unfit = [name for name, allowed in rules.items() if (known := [*allowed]) and asked[name] not in known]
    return Tried.model_validate(
        {"pool_id": row.id, "name": row.name, "position": row.position, "fits": not unfit, "unfit": unfit}
    )


async def _order(session: ReadSession, response: Response) -> list[PlaceOut]:
    tag(response, await pools.order_version(session))
    return [PlaceOut(id=row.id, name=row.name, position=row.position) for row in await pools.in_order(session)]
