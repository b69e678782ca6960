"""What other services know of the staff: over real JetStream, checked through a probe service with records of people."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

import pytest
from fastapi import APIRouter, Depends, Request
from sqlalchemy import UUID as SqlUuid
from sqlalchemy import column, select, table, text
from uuid_utils.compat import uuid7

from deploy.local.engines import Nats
from shared.auth import Principal, require
from shared.contracts.events.staff import AccountChanged, DutyChanged
from shared.contracts.permissions import ORDERS_READ
from shared.directory import held_by_or_below, keep_accounts, keep_duties, member
from shared.service import Service
from shared.settings import Settings
from tests.harness import Databases, Running, eventually, running
from tests.integration.staff.company import Company, Person, founded

PROBE = Path(__file__).parents[1] / "probe"
NOW = datetime(2026, 11, 21, tzinfo=UTC)

records = table("effects", column("event_id", SqlUuid), column("order_id", SqlUuid))
"""The probe's table: a record and its owner."""

router = APIRouter()


@router.get("/v1/records")
async def list_records(request: Request, who: Annotated[Principal, Depends(require(ORDERS_READ))]) -> list[UUID]:
    """Records that one holds or somebody below."""
    async with request.app.state.runtime.db.read() as session:
        query = select(records.c.event_id).where(held_by_or_below(records.c.order_id, who.account_id))
        return list((await session.execute(query)).scalars())


@pytest.fixture
async def company(databases: Databases, nats: Nats) -> AsyncIterator[Company]:
    """A company whose staff service tells its events."""
    async with founded(databases, nats=nats) as made:
        made.staff.start("relay", "consumer")
        yield made


@pytest.fixture
async def orders(databases: Databases, nats: Nats, company: Company) -> AsyncIterator[Running]:
    """Another service, which listens to staff and trusts its keys."""
    service = Service(name="orders", title="probe", settings=Settings, migrations=PROBE, routers=lambda: (router,))
    async with running(service, databases, nats=nats) as probe:
        await company.trusted_by(probe)
        probe.start("consumer")
        yield probe


async def record_of(orders: Running, owner: Person) -> UUID:
    record = uuid7()
    async with orders.db.transaction() as session:
        await session.execute(text("INSERT INTO effects VALUES (:id, :owner)"), {"id": record, "owner": owner.id})
    return record


async def seen_by(orders: Running, who: Person) -> set[UUID] | int:
    """The records somebody is shown, or the status with which they are sent away."""
    client = await orders.anonymous()
    answer = await client.get("/v1/records", headers={"Authorization": who.bearer})
    return {UUID(item) for item in answer.json()} if answer.status_code == 200 else answer.status_code


async def shows(orders: Running, who: Person, wanted: set[UUID] | int) -> None:
    """Waits until somebody is shown these records, or is sent away with this status."""

    async def so() -> bool:
        found = await seen_by(orders, who)
        assert found == wanted
        return True

    await eventually(so)


async def test_managers_see_the_records_of_those_below_in_another_service(company: Company, orders: Running) -> None:
    admin = await company.admin()
    director = await company.hire(admin, "director", group="manager")
    manager = await company.hire(admin, "truong", group="manager", superior_id=director.id)
    lan = await company.hire(admin, "lan", superior_id=manager.id)
    other = await company.hire(admin, "other", group="manager")
    record = await record_of(orders, lan)

    for who, wanted in ((lan, {record}), (manager, {record}), (director, {record}), (other, set())):
        await shows(orders, who, wanted)

    await company.edit(admin, lan.id, superior_id=other.id)
    for who, wanted in ((lan, {record}), (manager, set()), (director, set()), (other, {record})):
        await shows(orders, who, wanted)


async def test_a_token_that_staff_ended_stops_working_in_another_service(company: Company, orders: Running) -> None:
    admin = await company.admin()
    lan, hoa = await company.hire(admin, "lan"), await company.hire(admin, "hoa")
    for who in (lan, hoa):
        await shows(orders, who, set())
    await admin.http.post(f"/v1/accounts/{lan.id}/sign-out")
    await admin.http.post(f"/v1/accounts/{hoa.id}/deactivate", json={})
    for who in (lan, hoa):
        await shows(orders, who, 401)


async def test_a_new_token_works_in_another_service_before_it_has_heard_of_the_account(
    company: Company, orders: Running
) -> None:
    await orders.stop("consumer")
    admin = await company.admin()
    lan = await company.hire(admin, "lan")
    assert await seen_by(orders, lan) == set()


async def test_a_duty_switch_reaches_another_service(company: Company, orders: Running) -> None:
    admin = await company.admin()
    lan = await company.hire(admin, "lan", team="Sale 1")

    async def on_duty() -> bool | None:
        async with orders.db.read() as session:
            found = await member(session, UUID(lan.id))
        return found.on_duty if found and found.team == "Sale 1" else None

    for wanted in (True, False):
        await lan.http.put("/v1/me/duty", json={"on_duty": wanted})

        async def so(wanted: bool = wanted) -> bool:
            return await on_duty() is wanted

        await eventually(so)


async def test_staff_that_hears_its_own_events_stays_as_it_is(company: Company) -> None:
    admin = await company.admin()
    lan = await company.hire(admin, "lan")
    await lan.http.put("/v1/me/duty", json={"on_duty": True})
    before = await company.staff.rows("SELECT * FROM staff_members ORDER BY code")

    async def heard() -> bool:
        told = await company.staff.outbox("staff.account.changed.v1", "staff.duty.changed.v1")
        handled = await company.staff.rows("SELECT 1 FROM inbox WHERE handled_at IS NOT NULL")
        return len(handled) == len(told) > 0

    await eventually(heard)
    assert await company.staff.rows("SELECT * FROM staff_members ORDER BY code") == before
    assert await company.staff.rows("SELECT 1 FROM dead_letters") == []


def account(account_id: UUID, version: int, superior_id: UUID | None = None) -> AccountChanged:
    return AccountChanged(
        account_id=account_id,
        version=version,
        code=f"NV00{version}",
        name="Lan",
        department="sale",
        group="sale",
        superior_id=superior_id,
        at=NOW,
    )


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one by one"])
async def test_the_newest_state_wins_in_whatever_order_states_arrive(databases: Databases, together: bool) -> None:
    service = Service(name="orders", title="probe", settings=Settings, migrations=PROBE)
    async with running(service, databases) as probe:
        for order in itertools.permutations([1, 2, 3]):
            lan, first, last = uuid7(), uuid7(), uuid7()
            superiors = {1: first, 2: None, 3: last}
            states = [account(lan, version, superiors[version]) for version in order]
            bosses = [account(first, 1), account(last, 1)]
            duties = [DutyChanged(account_id=lan, version=v, on_duty=v == 3, at=NOW) for v in order]
            async with probe.db.transaction() as session:
                if together:
                    await keep_duties(session, duties)
                    await keep_accounts(session, [*states, *bosses])
                else:
                    for item in duties:
                        await keep_duties(session, [item])
                    for state in [*states, *bosses]:
                        await keep_accounts(session, [state])
            async with probe.db.read() as session:
                known = await member(session, lan)
            assert known is not None
            assert (known.code, known.superior_id, known.on_duty) == ("NV003", last, True)
            above = await probe.rows("SELECT superior_id FROM staff_closure WHERE account_id = :lan", lan=lan)
            assert {row.superior_id for row in above} == {lan, last}
