"""Pools: who is given which leads, in which shares."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from uuid_utils.compat import uuid7

from services.leads.api.dependencies import Distributor, Limit
from services.leads.distribution import Member, Obstacle, Skills, Waiting
from services.leads.distributor import match_waiting, serve
from services.leads.driver import connection_of, mark_outbox_written
from services.leads.errors import PoolCaresForReturning, PoolNameTaken, ReturningPoolUnknown
from services.leads.intake.items import Channel
from services.leads.replay import recorded_rounds
from services.leads.repository import backlog, pools
from services.leads.repository.pools import Rules, Seat
from services.leads.rounds import people_now, utc_now
from services.leads.rounds.people import Use
from services.leads.state import RuntimeDep
from shared.db import ReadSession, Session
from shared.errors import Mistake, NotFound, PreconditionFailed
from shared.etag import ExpectedVersion, tag
from shared.given import GivenInstant
from shared.idempotency import OnceDep

router = APIRouter(prefix="/v1", tags=["distribution"])

Texts = Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=500)]


Limited = Annotated[int | None, Field(ge=0, le=100_000)]


class SkillsIn(BaseModel):
    """What a colleague takes; an empty list takes everything."""

    model_config = ConfigDict(extra="forbid")

    products: Texts = Field(default=[], description="codes; KEM* is a product group, every code that begins with KEM")
    channels: list[Channel] = Field(default=[], max_length=20)
    landing_pages: Texts = []


class MemberIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    account_id: UUID
    weight: int = Field(default=1, ge=1, le=1000, description="share of the pool's leads, relative to the others'")
    capacity: Limited = Field(default=None, description="leads in care at most; null = as the pool says")
    day_quota: Limited = Field(default=None, description="leads of all pools in a day at most; null = as the pool says")
    shift_quota: Limited = Field(default=None, description="the same in the present shift")
    paused_until: GivenInstant | None = Field(default=None, description="gets no leads until then")
    skills: SkillsIn | None = Field(default=None, description="null: takes everything")

    def seat(self) -> Seat:
        values = self.model_dump(exclude={"skills"})
        return Seat(**values, skills=_skills(self.skills))


class MembersIn(BaseModel):
    """Everybody in the pool; whoever is not named leaves it."""

    model_config = ConfigDict(extra="forbid")

    members: list[MemberIn] = Field(max_length=1_000)

    @field_validator("members")
    @classmethod
    def _each_once(cls, members: list[MemberIn]) -> list[MemberIn]:
        if len({member.account_id for member in members}) != len(members):
            raise Mistake("một người có hai lần", "a colleague is named twice")
        return members

    def seats(self) -> list[Seat]:
        return [member.seat() for member in self.members]


class RulesIn(BaseModel):
    """An empty list fits everything. A lead goes to the first pool, by position, whose rules fit."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"name": "Nhóm mỹ phẩm", "position": 10, "products": ["SERUM-30"]}},
    )

    name: str = Field(min_length=1, max_length=200)
    position: int = Field(default=100, ge=0, le=10_000)
    channels: list[Channel] = Field(default=[], max_length=20)
    products: Texts = []
    landing_pages: Texts = []
    sticky: bool = Field(default=True, description="a number that comes again goes to its last owner, if eligible")
    active: bool = True
    capacity: Limited = Field(default=None, description="for members without their own; null = no bound")
    day_quota: Limited = Field(default=None, description="for members without their own; null = no bound")
    shift_quota: Limited = Field(default=None, description="for members without their own; null = no bound")
    returning_to: Literal["closer", "pool"] = Field(
        default="closer", description="returning customers: to whoever closed their last order, or to another pool"
    )
    returning_pool_id: UUID | None = Field(
        default=None, description="the pool that cares for them; with `closer`, when that person cannot take them"
    )

    @model_validator(mode="after")
    def _names_a_pool(self) -> RulesIn:
        if self.returning_to == "pool" and self.returning_pool_id is None:
            raise Mistake(
                "returning_to 'pool' cần kèm returning_pool_id", "returning_to 'pool' needs returning_pool_id"
            )
        return self

    def rules(self) -> Rules:
        return Rules(**self.model_dump(include=set(Rules.__slots__)))


class PoolIn(RulesIn, MembersIn):
    """A new pool."""

    members: list[MemberIn] = Field(default=[], max_length=1_000)


State = Literal["free"] | Obstacle


class MemberOut(BaseModel):
    account_id: UUID
    code: str
    name: str
    weight: int
    capacity: int | None
    day_quota: int | None
    shift_quota: int | None
    paused_until: datetime | None
    skills: SkillsIn | None
    on_duty: bool
    active: bool
    in_care: int = Field(description="leads this person has in care, of all pools")
    today: int = Field(description="leads that distribution gave them today, of all pools")
    in_shift: int = Field(description="the same in the present shift; without shifts, today")
    state: State = Field(description="free, or why no lead can be given to them now")
    owed: float = Field(description="leads still owed by the weights; negative: received ahead")


class PoolSummary(BaseModel):
    id: UUID
    name: str
    position: int
    channels: list[str]
    products: list[str]
    landing_pages: list[str]
    sticky: bool
    active: bool
    capacity: int | None
    day_quota: int | None
    shift_quota: int | None
    returning_to: Literal["closer", "pool"]
    returning_pool_id: UUID | None
    version: int = Field(description="also the ETag, for If-Match")
    waiting: int = Field(description="leads in the backlog")
    raised: int = Field(description="of these, new numbers that have waited too long (rule D7)")


class PoolOut(PoolSummary):
    members: list[MemberOut]


class PoolPage(BaseModel):
    items: list[PoolSummary]
    next: UUID | None


class WaitingOut(BaseModel):
    lead_id: UUID
    pool_id: UUID | None = Field(description="null: no pool's rules fit")
    pool: str | None
    received_at: datetime
    cause: str
    channel: str
    product: str
    landing_page: str


class BacklogPage(BaseModel):
    items: list[WaitingOut]
    next: UUID | None


class ReplayOut(BaseModel):
    """Rounds decided again from their records."""

    rounds: int
    decisions: int
    differing: list[UUID] = Field(description="leads that would now get another owner: must be empty")
    next: int | None = Field(description="`after` of the next page; null on the last")


@router.post("/pools", status_code=201, response_model=PoolOut)
async def create_pool(body: PoolIn, who: Distributor, once: OnceDep, runtime: RuntimeDep) -> Response:
    """Makes a pool; leads that wait without a pool and fit go to its members at once."""

    async def effect(session: Session) -> PoolOut:
        pool_id = uuid7()
        await _check_returning(session, pool_id, body)
        if not await pools.insert(session, pool_id, body.rules()):
            raise PoolNameTaken(name=body.name)
        await pools.lock(session, pool_id)
        await pools.set_members(session, pool_id, body.seats())
        await _serve_waiting(session, pool_id)
        return await _pool(session, pool_id)

    return await once.run(runtime.db, str(who.account_id), effect)


@router.get("/pools")
async def list_pools(_: Distributor, runtime: RuntimeDep, limit: Limit = 50, after: UUID | None = None) -> PoolPage:
    """All pools, in the order in which they were made."""
    async with runtime.db.read() as session:
        rows = await pools.page(session, after=after, limit=limit)
    items = [PoolSummary.model_validate(row._mapping) for row in rows]
    return PoolPage(items=items, next=items[-1].id if len(items) == limit else None)


@router.get("/pools/{pool_id}")
async def get_pool(pool_id: UUID, _: Distributor, runtime: RuntimeDep, response: Response) -> PoolOut:
    """One pool with its members: who is on duty, how much they have and are owed."""
    async with runtime.db.read() as session:
        pool = await _pool(session, pool_id)
    tag(response, pool.version)
    return pool


@router.put("/pools/{pool_id}")
async def change_rules(
    pool_id: UUID, body: RulesIn, version: ExpectedVersion, _: Distributor, runtime: RuntimeDep, response: Response
) -> PoolOut:
    """Changes a pool's rules. Leads that wait in a pool that is no longer active go to another that fits."""
    async with runtime.db.transaction() as session:
        await _lock(session, pool_id, version)
        await _check_returning(session, pool_id, body)
        if not await pools.update(session, pool_id, body.rules()):
            raise PoolNameTaken(name=body.name)
        await _serve_waiting(session, pool_id)
        pool = await _pool(session, pool_id)
    tag(response, pool.version)
    return pool


@router.put("/pools/{pool_id}/members")
async def change_members(
    pool_id: UUID, body: MembersIn, version: ExpectedVersion, _: Distributor, runtime: RuntimeDep, response: Response
) -> PoolOut:
    """Sets who is in a pool. Whoever stays keeps what they are owed; whoever is free gets what waits at once."""
    async with runtime.db.transaction() as session:
        await _lock(session, pool_id, version)
        await pools.set_members(session, pool_id, body.seats())
        await pools.touch(session, pool_id)
        await _serve_waiting(session, pool_id)
        pool = await _pool(session, pool_id)
    tag(response, pool.version)
    return pool


@router.get("/pools/{pool_id}/replay")
async def replay_pool(
    pool_id: UUID,
    _: Distributor,
    runtime: RuntimeDep,
    limit: Annotated[int, Query(ge=1, le=2_000, description="rounds decided again at most")] = 500,
    after: Annotated[int, Query(ge=0)] = 0,
) -> ReplayOut:
    """Decides a pool's rounds again from what was recorded and names every lead that would get another owner."""
    async with runtime.db.read() as session:
        if await pools.one(session, pool_id) is None:
            raise NotFound(what="pool")
    driver = await runtime.db.driver()
    async with driver.acquire() as connection:
        rounds = await recorded_rounds(connection, pool_id, after=after, limit=limit)
    return ReplayOut(
        rounds=len(rounds),
        decisions=sum(len(one.owners) for one in rounds),
        differing=[lead_id for one in rounds for lead_id in one.differing],
        next=rounds[-1].sequence if len(rounds) == limit else None,
    )


@router.get("/backlog")
async def list_backlog(
    _: Distributor, runtime: RuntimeDep, limit: Limit = 50, after: UUID | None = None, pool_id: UUID | None = None
) -> BacklogPage:
    """Leads that wait for somebody to take them, oldest arrival first."""
    async with runtime.db.read() as session:
        waiting = await backlog.page(session, pool_id=pool_id, after=after, limit=limit)
    items = [WaitingOut.model_validate(one, from_attributes=True) for one in waiting]
    return BacklogPage(items=items, next=items[-1].lead_id if len(items) == limit else None)


async def _lock(session: Session, pool_id: UUID, version: int) -> None:
    present = await pools.lock(session, pool_id)
    if present is None:
        raise NotFound(what="pool")
    if present != version:
        raise PreconditionFailed


async def _check_returning(session: Session, pool_id: UUID, rules: RulesIn) -> None:
    """Whether the pools that care for returning customers stay in use."""
    care_pool_id = rules.returning_pool_id
    if care_pool_id is not None and (care_pool_id == pool_id or not await pools.usable(session, care_pool_id)):
        raise ReturningPoolUnknown
    if not rules.active and (name := await pools.sends_returning(session, pool_id)) is not None:
        raise PoolCaresForReturning(name=name)


def _skills(skills: SkillsIn | None) -> Skills | None:
    if skills is None or not (skills.products or skills.channels or skills.landing_pages):
        return None
    return Skills(frozenset(skills.products), frozenset(skills.channels), frozenset(skills.landing_pages))


async def _serve_waiting(session: Session, pool_id: UUID) -> None:
    connection = await connection_of(session)
    await match_waiting(connection)
    await serve(connection, [pool_id])
    mark_outbox_written(session)


async def _pool(session: ReadSession, pool_id: UUID) -> PoolOut:
    row: Any = await pools.counted(session, pool_id)
    if row is None:
        raise NotFound(what="pool")
    people = await people_now(await connection_of(session), [pool_id], at=utc_now())
    now = {member.account_id: member for member in people.members[pool_id]}
    members = [
        _member(seat, now[seat.account_id], people.uses[seat.account_id])
        for seat in await pools.seats(session, pool_id)
        if seat.account_id in now  # somebody may edit the pool between the two looks
    ]
    return PoolOut(**row._mapping, members=members)


def _member(seat: Any, now: Member, use: Use) -> MemberOut:
    skills = {name: getattr(seat, name) for name in SkillsIn.model_fields}
    return MemberOut(
        **{name: value for name, value in seat._mapping.items() if name not in skills},
        skills=None if seat.products is None else SkillsIn(**skills),
        today=use.given,
        in_shift=use.in_shift,
        state=now.obstacle(_NO_LEAD) or "free",
    )


_NO_LEAD = Waiting(UUID(int=0))
"""Nothing that somebody could be excluded from or not skilled for."""
