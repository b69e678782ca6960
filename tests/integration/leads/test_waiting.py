"""New numbers without an owner, and the alarm about them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from services.leads.state import parts_of
from services.leads.upkeep import Upkeep
from tests.harness import Running
from tests.integration.leads.company import hire, pool, post, reassignment


def upkeep(leads: Running) -> Upkeep:
    parts = parts_of(leads.runtime)
    return Upkeep(leads.db, leads.runtime.settings, parts.hours, tell=parts.streams.hints.tell)


async def arrived_before(leads: Running, lead: dict[str, Any], since: timedelta) -> None:
    """The number came earlier than it did."""
    async with leads.db.transaction() as session:
        connection = await session.connection()
        seconds = since.total_seconds()
        for table, key in (("leads", "id"), ("backlog", "lead_id")):
            await connection.exec_driver_sql(
                f"UPDATE {table} SET received_at = received_at - interval '{seconds} seconds' WHERE {key} = '{lead['id']}'"
            )


async def now(leads: Running) -> datetime:
    (row,) = await leads.rows("SELECT clock_timestamp() AS at")
    at: datetime = row.at
    return at


async def test_a_new_number_without_owner_is_raised_once_when_fifteen_business_minutes_are_over(leads: Running) -> None:
    client = await leads.client()
    absent = await hire(leads, "NV001", on_duty=False)
    made = await pool(client, absent)
    late, fresh = await post(client, "0912345678"), await post(client, "0912345679")
    await arrived_before(leads, late, timedelta(days=3))  # there are business minutes in any three days
    moment = await now(leads)

    for _ in range(2):
        await upkeep(leads).step(now=moment)

    (event,) = await leads.outbox("leads.lead.unassigned.v1")
    assert (event["subject"], event["payload"]["pool_id"]) == (late["id"], made["id"])
    assert event["payload"]["waited_minutes"] >= 15
    listed = (await client.get("/v1/leads/waiting")).json()["items"]
    assert [(one["lead_id"], one["raised_at"] is not None) for one in listed] == [
        (late["id"], True),
        (fresh["id"], False),
    ]
    assert listed[0]["waited_minutes"] >= event["payload"]["waited_minutes"]
    only_late = (await client.get("/v1/leads/waiting", params={"minutes": 15})).json()["items"]
    assert [one["lead_id"] for one in only_late] == [late["id"]]
    (summary,) = (await client.get("/v1/pools")).json()["items"]
    assert (summary["waiting"], summary["raised"]) == (2, 1)


async def test_at_night_the_clock_of_a_waiting_number_stands_still(leads: Running) -> None:
    client = await leads.client()
    lead = await post(client, "0912345678")
    (row,) = await leads.rows("SELECT received_at FROM leads")
    hours = await parts_of(leads.runtime).hours.at(row.received_at)
    due = hours.add(row.received_at, timedelta(minutes=15))

    await upkeep(leads).step(now=due - timedelta(seconds=1))
    before = await leads.outbox("leads.lead.unassigned.v1")
    await upkeep(leads).step(now=due)

    assert before == []
    (event,) = await leads.outbox("leads.lead.unassigned.v1")
    assert (event["subject"], event["payload"]["pool_id"], event["payload"]["waited_minutes"]) == (lead["id"], None, 15)


async def test_a_number_that_was_taken_from_somebody_is_cares_to_raise_and_waits_since_then(leads: Running) -> None:
    client = await leads.client()
    people = await hire(leads, "NV001")
    await pool(client, people)
    lead = await post(client, "0912345678")
    await arrived_before(leads, lead, timedelta(days=3))
    from services.leads.distributor import Distributor
    from shared.contracts.events.orders import REASSIGNMENT_REQUESTED

    await leads.receive(REASSIGNMENT_REQUESTED, reassignment(lead, 1), subject=lead["id"])
    await Distributor(leads.db).step()
    await upkeep(leads).step(now=await now(leads))

    (waiting,) = (await client.get("/v1/leads/waiting")).json()["items"]
    assert (waiting["cause"], waiting["waited_minutes"]) == ("reassignment", 0)
    assert await leads.outbox("leads.lead.unassigned.v1") == []


async def test_waiting_numbers_are_for_those_who_distribute(leads: Running) -> None:
    client = await leads.client("leads.read")
    assert (await client.get("/v1/leads/waiting")).status_code == 403
