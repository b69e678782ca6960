"""Which lead goes to whom, when, and why: pools, turns, capacity, the backlog."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from services.leads.app import SERVICE
from services.leads.distributor import Distributor
from shared.contracts.events.orders import LEVEL_CHANGED
from tests.harness import Databases, Running, running
from tests.integration.leads.company import hire, level, owner_of, pool, post


async def test_a_lead_is_assigned_in_the_transaction_that_takes_it_in(leads: Running) -> None:
    client = await leads.client()
    people = await hire(leads, "NV001", "NV002")
    await pool(client, people, weights=[3, 1])

    made = [await post(client, f"09123456{place:02}") for place in range(8)]

    owners = Counter([await owner_of(client, lead) for lead in made])
    assert owners == {"NV001": 6, "NV002": 2}
    first = [event for event in await leads.outbox() if event["subject"] == made[0]["id"]]
    assert [event["type"] for event in first] == ["leads.lead.accepted.v1", "leads.lead.assigned.v1"]
    assert (first[1]["payload"]["assignment"], first[1]["payload"]["cause"]) == (1, "distribution")
    assert first[1]["payload"]["owner_code"] == await owner_of(client, made[0])


async def test_leads_wait_in_order_and_go_to_the_first_who_comes_on_duty(leads: Running) -> None:
    client = await leads.client()
    people = await hire(leads, "NV001", on_duty=False)
    await pool(client, people)
    made = [await post(client, f"09123456{place:02}") for place in range(5)]
    waiting = (await client.get("/v1/backlog")).json()["items"]
    assert [one["lead_id"] for one in waiting] == [lead["id"] for lead in made]

    await people[0].duty(True)

    assigned = await leads.outbox("leads.lead.assigned.v1")
    assert [event["subject"] for event in assigned] == [lead["id"] for lead in made]
    assert (await client.get("/v1/backlog")).json()["items"] == []


async def test_a_duty_switch_that_is_told_twice_or_late_changes_nothing(leads: Running) -> None:
    client = await leads.client()
    (person,) = await hire(leads, "NV001")
    await pool(client, [person])
    await person.duty(False)
    person.duty_version -= 2

    await person.duty(True)  # the version of a switch that is history

    lead = await post(client, "0912345678")
    assert await owner_of(client, lead) is None


async def test_the_first_pool_by_position_whose_rules_fit_takes_a_lead(leads: Running) -> None:
    client = await leads.client()
    everyone, cosmetics = await hire(leads, "NV001", "NV002")
    await pool(client, [everyone], name="Chung", position=100)
    await pool(client, [cosmetics], name="Mỹ phẩm", position=10, products=["SERUM-30"])

    assert await owner_of(client, await post(client, "0912345678", product="SERUM-30")) == "NV002"
    assert await owner_of(client, await post(client, "0912345679", product="GIAY-01")) == "NV001"


async def test_a_lead_that_no_pool_takes_waits_until_one_does(leads: Running) -> None:
    client = await leads.client()
    lead = await post(client, "0912345678", product="GIAY-01")
    why = (await client.get(f"/v1/leads/{lead['id']}/why")).json()["steps"]
    assert "không có nhóm chia số nào" in why[0]["sentence"]
    people = await hire(leads, "NV001")

    await pool(client, people, products=["GIAY-01"])

    assert await owner_of(client, lead) == "NV001"


async def test_capacity_holds_leads_back_until_one_leaves_care(leads: Running) -> None:
    client = await leads.client()
    people = await hire(leads, "NV001")
    await pool(client, people, capacity=2)
    made = [await post(client, f"09123456{place:02}") for place in range(3)]
    assert [await owner_of(client, lead) for lead in made] == ["NV001", "NV001", None]

    await leads.receive(LEVEL_CHANGED, level(made[0], "L1.5"), subject=made[0]["id"])
    await Distributor(leads.db).step()

    assert await owner_of(client, made[2]) == "NV001"


async def test_a_final_level_of_the_company_gives_capacity_back_and_an_open_one_does_not(leads: Running) -> None:
    client = await leads.client()
    people = await hire(leads, "NV001")
    await pool(client, people, capacity=2)
    made = [await post(client, f"09123456{place:02}") for place in range(4)]

    for lead, to, final in ((made[0], "L1.7", True), (made[1], "L1.8", False)):
        change = level(lead, to).model_copy(update={"final": final})
        await leads.receive(LEVEL_CHANGED, change, subject=lead["id"])
    await Distributor(leads.db).step()

    assert [await owner_of(client, lead) for lead in made[2:]] == ["NV001", None]


async def test_a_product_is_the_same_however_its_code_is_written(leads: Running) -> None:
    client = await leads.client()
    people = await hire(leads, "NV001", "NV002", "NV003")
    seats = [{"account_id": str(people[0].id), "skills": {"products": ["Kem-*"]}}, {"account_id": str(people[1].id)}]
    rules = {"name": "Mỹ phẩm", "position": 1, "products": ["SERUM-30", "KEM-50"]}
    assert (await client.post("/v1/pools", json={**rules, "members": seats})).status_code == 201
    await pool(client, people[2:], name="Còn lại")

    made = [await post(client, f"091234567{place}", product=code) for place, code in enumerate(("serum-30", "kem-50"))]
    matched = (await client.post("/v1/pools/match", json={"channel": "manual", "product": "Serum-30"})).json()
    other = await post(client, "0987654321", product="serum-3")

    owners = [await owner_of(client, lead) for lead in (*made, other)]
    assert (owners[0], owners[2]) == ("NV002", "NV003")
    assert owners[1] == "NV001", "it is their turn, and KEM-50 is among the products that they take"
    assert matched["pool"] == "Mỹ phẩm"


async def test_why_names_who_was_passed_over_and_why(leads: Running) -> None:
    client = await leads.client()
    (on,) = await hire(leads, "NV001")
    (off,) = await hire(leads, "NV002", on_duty=False)
    await pool(client, [on, off], weights=[2, 5])

    lead = await post(client, "0912345678")

    (step,) = (await client.get(f"/v1/leads/{lead['id']}/why")).json()["steps"]
    assert "tới lượt NV001 trong 1 người đang nhận số (hệ số 2/2" in step["sentence"]
    assert "Không xét: NV002 (tạm ngưng nhận số)." in step["sentence"]
    assert {one["code"]: one["state"] for one in step["considered"]} == {"NV001": "free", "NV002": "off_duty"}


async def test_pools_are_edited_from_the_version_that_was_seen(leads: Running) -> None:
    client = await leads.client()
    people = await hire(leads, "NV001", "NV002")
    made = await pool(client, people[:1])
    url = f"/v1/pools/{made['id']}"
    tag = (await client.get(url)).headers["etag"]
    members = {"members": [{"account_id": str(person.id), "weight": 2} for person in people]}

    blind = await client.put(f"{url}/members", json=members)
    changed = await client.put(f"{url}/members", json=members, headers={"If-Match": tag})
    stale = await client.put(f"{url}/members", json=members, headers={"If-Match": tag})
    twice = await client.put(
        f"{url}/members", json={"members": members["members"][:1] * 2}, headers={"If-Match": changed.headers["etag"]}
    )
    renamed = await client.post("/v1/pools", json={"name": made["name"]})

    assert [blind.status_code, changed.status_code, stale.status_code, twice.status_code] == [428, 200, 412, 422]
    assert [member["code"] for member in changed.json()["members"]] == ["NV001", "NV002"]
    assert renamed.json()["title"] == "pool-name-taken"


async def test_a_pool_that_is_put_out_of_use_hands_its_backlog_to_another(leads: Running) -> None:
    client = await leads.client()
    (absent,) = await hire(leads, "NV001", on_duty=False)
    (present,) = await hire(leads, "NV002")
    first = await pool(client, [absent], name="Cũ", position=1)
    lead = await post(client, "0912345678")
    await pool(client, [present], name="Mới", position=2)
    assert await owner_of(client, lead) is None

    tag = (await client.get(f"/v1/pools/{first['id']}")).headers["etag"]
    await client.put(
        f"/v1/pools/{first['id']}", json={"name": "Cũ", "position": 1, "active": False}, headers={"If-Match": tag}
    )
    await Distributor(leads.db).step()

    assert await owner_of(client, lead) == "NV002"


async def test_leads_stay_fair_and_ordered_while_people_come_and_go(leads: Running, databases: Databases) -> None:
    """64 senders on two processes, people toggling duty: one owner each, none off duty, shares within one lead."""
    client = await leads.client()
    people = await hire(leads, *(f"NV{place:03}" for place in range(20)))
    weights = [1 + place % 3 for place in range(20)]
    made_pool = await pool(client, people, weights=weights)
    on_duty: dict[UUID, list[tuple[datetime, bool]]] = {
        person.id: [(datetime.min.replace(tzinfo=UTC), True)] for person in people
    }
    sending = True
    random_people = random.Random(7)

    async def toggle() -> None:
        while sending:
            person = random_people.choice(people)
            turned_on = not on_duty[person.id][-1][1]
            before = datetime.now(UTC)
            await person.duty(turned_on)
            on_duty[person.id].append((before if turned_on else datetime.now(UTC), turned_on))

    async with running(SERVICE, databases, database_url=leads.url) as second:
        senders = [await one.client("leads.create") for one in (leads, second)]
        toggling = asyncio.create_task(toggle())
        numbers = iter(range(600))

        async def send(place: int) -> None:
            for number in numbers:
                await post(senders[place % 2], f"09{number:08}")

        await asyncio.gather(*(send(place) for place in range(64)))
        sending = False
        await toggling
    for person in people:
        await person.duty(True)

    assigned = await leads.outbox("leads.lead.assigned.v1")
    assert len(assigned) == len({event["subject"] for event in assigned}) == 600
    for event in assigned:
        at = datetime.fromisoformat(event["payload"]["assigned_at"])
        switches = on_duty[UUID(event["payload"]["owner_id"])]
        assert not _was_off(switches, at)
    owed = {
        member["code"]: member["owed"]
        for member in (await client.get(f"/v1/pools/{made_pool['id']}")).json()["members"]
    }
    assert max(map(abs, owed.values())) <= 1
    shares = await _shares(client, made_pool["id"], leads)
    counts = Counter(event["payload"]["owner_code"] for event in assigned)
    assert all(abs(counts[code] - share) <= 1 for code, share in shares.items())
    replay = (await client.get(f"/v1/pools/{made_pool['id']}/replay", params={"limit": 2000})).json()
    assert (replay["decisions"], replay["differing"], replay["next"]) == (600, [], None)


def _was_off(switches: list[tuple[datetime, bool]], at: datetime) -> bool:
    """Whether the person was off duty at a moment, by the switches that were surely over then."""
    state = True
    for since, is_on in switches:
        if since <= at:
            state = is_on
    return not state


async def _shares(client: Any, pool_id: str, leads: Running) -> dict[str, float]:
    """Everybody's share of what was distributed, summed anew from the recorded rounds, decision by decision."""
    from services.leads.replay import recorded_rounds

    driver = await leads.db.driver()
    async with driver.acquire() as connection:
        rounds = await recorded_rounds(connection, UUID(pool_id))
    codes = {row.account_id: row.code for row in await leads.rows("SELECT account_id, code FROM staff_members")}
    shares: Counter[str] = Counter()
    for one in rounds:
        free = [member for member in one.members if member.free]
        for _ in one.owners:
            for member in free:
                shares[codes[member.account_id]] += member.weight / sum(other.weight for other in free)  # type: ignore[assignment]  # a Counter of floats
    return dict(shares)


async def test_a_backlog_larger_than_a_round_is_served_whole_and_in_order(leads: Running) -> None:
    client = await leads.client()
    people = await hire(leads, "NV001", "NV002", on_duty=False)
    await pool(client, people)
    made = await asyncio.gather(*(post(client, f"09{number:08}") for number in range(520)))
    arrivals = [str(row.id) for row in await leads.rows("SELECT id FROM leads ORDER BY received_at, id")]

    await people[0].duty(True)
    while await Distributor(leads.db).step():
        pass

    served = [event["subject"] for event in await leads.outbox("leads.lead.assigned.v1")]
    assert served == arrivals
    assert len(made) == len(served)
