"""Quotas, pauses, skills and shifts: who may be given a lead, exactly, and what makes room for those that wait."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx

from services.leads.app import SERVICE
from services.leads.distributor import Distributor, serve
from shared.contracts.events.orders import LEVEL_CHANGED, REASSIGNMENT_REQUESTED
from shared.contracts.events.staff import SHIFTS_CHANGED, ShiftsChanged, ShiftTimes
from tests.harness import Databases, Running, eventually, running
from tests.integration.leads.company import Colleague, hire, level, owner_of, pool, post, reassignment

NEVER = 3600.0
"""Seconds between the distributor's looks by itself: more than a test takes."""
HANOI = ZoneInfo("Asia/Ho_Chi_Minh")


async def seat(client: httpx.AsyncClient, made: dict[str, Any], people: list[Colleague], **limits: Any) -> None:
    """Gives everybody in a pool these limits; a list has one for each."""
    members = []
    for place, person in enumerate(people):
        own = {name: value[place] if isinstance(value, tuple) else value for name, value in limits.items()}
        members.append({"account_id": str(person.id), **own})
    url = f"/v1/pools/{made['id']}"
    tag = (await client.get(url)).headers["etag"]
    answer = await client.put(f"{url}/members", json={"members": members}, headers={"If-Match": tag})
    assert answer.status_code == 200, answer.text


async def sentence(client: httpx.AsyncClient, lead: dict[str, Any], language: str = "vi") -> str:
    """Why a lead is where it is, in words."""
    answer = await client.get(f"/v1/leads/{lead['id']}/why", headers={"Accept-Language": language})
    return str(answer.json()["steps"][-1]["sentence"])


async def in_shift(
    person: Colleague, *periods: str, version: int = 1, weekdays: Any = range(1, 8), **rules: Any
) -> None:
    """Staff tells of somebody's only shift."""
    times = ShiftTimes.model_validate(
        {
            "shift_id": UUID(int=7),
            "name": "Ca",
            "zone": str(HANOI),
            "weekdays": tuple(weekdays),
            "periods": periods,
            "works_on_holidays": rules.pop("works_on_holidays", False),
        }
    )
    holidays = rules.pop("holidays", ())
    now = datetime.now(UTC)
    change = ShiftsChanged(account_id=person.id, version=version, shifts=(times,), holidays=holidays, at=now)
    await person.leads.receive(SHIFTS_CHANGED, change, subject=person.id)


def later(seconds: float) -> str:
    """A time of day in Hanoi, to the second."""
    return f"{datetime.now(HANOI) + timedelta(seconds=seconds):%H:%M:%S}"


async def test_nobody_gets_more_than_their_quota_of_the_day(leads: Running) -> None:
    client = await leads.client()
    people = await hire(leads, "NV001", "NV002")
    made = await pool(client, people)
    await seat(client, made, people, day_quota=(1, 3))

    posted = [await post(client, f"09123456{place:02}") for place in range(6)]

    owners = [await owner_of(client, lead) for lead in posted]
    assert Counter(owners) == {"NV001": 1, "NV002": 3, None: 2}
    assert owners[4:] == [None, None]
    assert "NV001 (đã đủ quota ngày 1/1), NV002 (đã đủ quota ngày 3/3)" in await sentence(client, posted[4])
    assert "NV002 (has 3 of 3 leads of the day's quota)" in await sentence(client, posted[4], "en")
    members = (await client.get(f"/v1/pools/{made['id']}")).json()["members"]
    assert [(one["today"], one["state"]) for one in members] == [(1, "day_full"), (3, "day_full")]


async def test_a_pool_says_the_limits_of_those_who_have_none_of_their_own(leads: Running) -> None:
    client = await leads.client()
    people = await hire(leads, "NV001", "NV002")
    made = await pool(client, people, day_quota=1)
    await seat(client, made, people, day_quota=(None, 2))

    owners = [await owner_of(client, await post(client, f"09123456{place:02}")) for place in range(4)]

    assert Counter(owners) == {"NV001": 1, "NV002": 2, None: 1}


async def test_a_new_day_renews_the_quota_and_serves_what_waits_at_midnight(leads: Running) -> None:
    client = await leads.client()
    people = await hire(leads, "NV001")
    made = await pool(client, people, day_quota=1)
    first, second = [await post(client, f"09123456{place:02}") for place in range(2)]
    assert await owner_of(client, second) is None
    now = datetime.now(HANOI)
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    ahead = midnight - now - timedelta(seconds=0.5)
    distributor = Distributor(leads.db, pause=NEVER, now=lambda: datetime.now(UTC) + ahead)
    assert not await distributor.step(), "before midnight there is nobody"
    assert await owner_of(client, second) is None

    leads.roles["distributor"] = [asyncio.create_task(distributor.run())]

    async def served() -> bool:
        return await owner_of(client, second) == "NV001"

    await eventually(served)
    (assigned,) = await leads.rows("SELECT at FROM assignments WHERE lead_id = :id", id=UUID(second["id"]))
    assert midnight <= assigned.at < midnight + timedelta(seconds=5)
    assert first["id"] != second["id"]
    assert (await client.get(f"/v1/pools/{made['id']}/replay")).json()["differing"] == []


async def test_two_pools_with_a_common_member_never_pass_the_quota_together(
    leads: Running, databases: Databases
) -> None:
    client = await leads.client()
    people = await hire(leads, "NV001", "NV002", "NV003")
    for name, product, members in (("Kem", "KEM", people[:2]), ("Serum", "SERUM", people[1:])):
        made = await pool(client, members, name=name, products=[product])
        await seat(client, made, members, day_quota=20, capacity=18)

    async with running(SERVICE, databases, database_url=leads.url) as second:
        senders = [await one.client("leads.create") for one in (leads, second)]
        numbers = iter(range(120))

        async def send(place: int) -> None:
            for number in numbers:
                product = ("KEM", "SERUM")[number % 2]
                await post(senders[place % 2], f"09{number:08}", product=product)

        await asyncio.gather(*(send(place) for place in range(16)))

    owners = Counter(event["payload"]["owner_code"] for event in await leads.outbox("leads.lead.assigned.v1"))
    assert owners == {"NV001": 18, "NV002": 18, "NV003": 18}, "the capacity of 18, below the quota"
    for row in (await client.get("/v1/pools")).json()["items"]:
        assert (await client.get(f"/v1/pools/{row['id']}/replay")).json()["differing"] == []


async def test_quotas_count_what_distribution_gave_in_all_pools(leads: Running) -> None:
    client = await leads.client()
    people = await hire(leads, "NV001")
    for name, product in (("Kem", "KEM"), ("Serum", "SERUM")):
        made = await pool(client, people, name=name, products=[product])
        await seat(client, made, people, day_quota=2)

    owners = [
        await owner_of(client, await post(client, f"09123456{place:02}", product=product))
        for place, product in enumerate(("KEM", "SERUM", "KEM", "SERUM"))
    ]

    assert owners == ["NV001", "NV001", None, None]


async def test_somebody_paused_gets_nothing_until_the_pause_ends_and_then_at_once(leads: Running) -> None:
    client = await leads.client()
    people = await hire(leads, "NV001")
    made = await pool(client, people)
    until = datetime.now(UTC) + timedelta(seconds=2)
    await seat(client, made, people, paused_until=until.isoformat())
    lead = await post(client, "0912345678")
    assert await owner_of(client, lead) is None
    assert "NV001 (đang tạm nghỉ nhận số)" in await sentence(client, lead)

    leads.roles["distributor"] = [asyncio.create_task(Distributor(leads.db, pause=NEVER).run())]

    async def served() -> bool:
        return await owner_of(client, lead) == "NV001"

    await eventually(served)
    (assigned,) = await leads.rows("SELECT at FROM assignments")
    assert until <= assigned.at < until + timedelta(seconds=5)


async def test_a_lead_goes_to_somebody_who_takes_its_product_or_product_group(leads: Running) -> None:
    client = await leads.client()
    people = await hire(leads, "NV001", "NV002", "NV003")
    made = await pool(client, people)
    skills = ({"products": ["KEM-01"]}, {"products": ["SERUM*"]}, {"landing_pages": ["tet.example"]})
    await seat(client, made, people, skills=skills)

    kem = await post(client, "0912345601", product="KEM-01")
    serum = [await post(client, f"091234561{place}", product=f"SERUM-{place}") for place in range(3)]
    shoes = await post(client, "0912345603", product="GIAY-01")

    assert await owner_of(client, kem) == "NV001"
    assert {await owner_of(client, lead) for lead in serum} == {"NV002"}
    assert await owner_of(client, shoes) is None
    assert "NV001 (không phụ trách sản phẩm, nguồn này)" in await sentence(client, shoes)
    assert {await owner_of(client, await post(client, f"091234562{place}")) for place in range(2)} == {"NV001", "NV002"}
    assert (await client.get(f"/v1/pools/{made['id']}/replay")).json()["differing"] == []


async def test_leads_that_nobody_present_is_skilled_for_stand_in_nobodys_way(leads: Running) -> None:
    client = await leads.client()
    (kem,) = await hire(leads, "NV001", on_duty=False)
    (serum,) = await hire(leads, "NV002", on_duty=False)
    people = [kem, serum]
    made = await pool(client, people)
    await seat(client, made, people, skills=({"products": ["KEM*"]}, {"products": ["SERUM*"]}))
    await asyncio.gather(*(post(client, f"09{number:08}", product=f"KEM-{number % 7}") for number in range(510)))
    behind = [await post(client, f"098{number:07}", product="SERUM-1") for number in range(3)]

    await serum.duty(True)

    assert [await owner_of(client, lead) for lead in behind] == ["NV002"] * 3
    await kem.duty(True)
    while await Distributor(leads.db).step():
        pass
    arrivals = await leads.rows("SELECT id FROM leads WHERE product LIKE 'KEM%' ORDER BY received_at, id")
    served = [event["subject"] for event in await leads.outbox("leads.lead.assigned.v1")][3:]
    assert served == [str(row.id) for row in arrivals]


async def test_a_new_skill_serves_at_once_what_waited_for_it(leads: Running) -> None:
    client = await leads.client()
    people = await hire(leads, "NV001")
    made = await pool(client, people)
    await seat(client, made, people, skills={"products": ["KEM*"]})
    lead = await post(client, "0912345678", product="SERUM-1")
    assert await owner_of(client, lead) is None

    await seat(client, made, people, skills={"products": ["KEM*", "SERUM*"]})

    assert await owner_of(client, lead) == "NV001"


async def test_a_higher_quota_serves_at_once_what_waited_for_it(leads: Running) -> None:
    client = await leads.client()
    people = await hire(leads, "NV001")
    made = await pool(client, people)
    await seat(client, made, people, day_quota=0)
    lead = await post(client, "0912345678")
    assert await owner_of(client, lead) is None

    await seat(client, made, people, day_quota=1)

    assert await owner_of(client, lead) == "NV001"


async def test_an_account_that_is_opened_again_is_served_at_once(leads: Running) -> None:
    client = await leads.client()
    (person,) = await hire(leads, "NV001")
    await pool(client, [person])
    await person.change(active=False)
    lead = await post(client, "0912345678")
    assert await owner_of(client, lead) is None

    await person.change(active=True)

    assert await owner_of(client, lead) == "NV001"


async def test_a_lead_that_leaves_care_makes_room_at_once(leads: Running) -> None:
    client = await leads.client()
    people = await hire(leads, "NV001")
    await pool(client, people, capacity=1)
    first, second = [await post(client, f"09123456{place:02}") for place in range(2)]
    leads.roles["distributor"] = [asyncio.create_task(Distributor(leads.db, pause=NEVER).run())]

    await leads.receive(LEVEL_CHANGED, level(first, "L1.5"), subject=first["id"])

    async def served() -> bool:
        return await owner_of(client, second) == "NV001"

    await eventually(served)


async def test_outside_their_shift_people_get_nothing_and_at_its_start_what_waits_in_order(leads: Running) -> None:
    client = await leads.client()
    (person,) = await hire(leads, "NV001")
    await pool(client, [person])
    start = later(2)
    await in_shift(person, f"{start}-24:00" if start < "23:59" else "00:01-24:00")
    made = [await post(client, f"09123456{place:02}") for place in range(3)]
    assert [await owner_of(client, lead) for lead in made] == [None] * 3
    assert "NV001 (ngoài ca)" in await sentence(client, made[0])

    leads.roles["distributor"] = [asyncio.create_task(Distributor(leads.db, pause=NEVER).run())]

    async def served() -> bool:
        return await owner_of(client, made[-1]) == "NV001"

    await eventually(served)
    rows = await leads.rows("SELECT lead_id, at FROM assignments ORDER BY round, position")
    assert [str(row.lead_id) for row in rows] == [lead["id"] for lead in made]
    assert f"{rows[0].at.astimezone(HANOI):%H:%M:%S}" >= start


async def test_a_shift_that_has_ended_ends_the_leads(leads: Running) -> None:
    client = await leads.client()
    (person,) = await hire(leads, "NV001")
    await pool(client, [person])
    await in_shift(person, "00:00-24:00")
    assert await owner_of(client, await post(client, "0912345601")) == "NV001"

    yesterday = (datetime.now(HANOI) - timedelta(days=1)).isoweekday()
    await in_shift(person, "00:00-24:00", version=2, weekdays=[yesterday])

    assert await owner_of(client, await post(client, "0912345602")) is None


async def test_whoever_is_put_into_a_shift_that_runs_is_served_at_once(leads: Running) -> None:
    client = await leads.client()
    (person,) = await hire(leads, "NV001")
    await pool(client, [person])
    await in_shift(person, "00:00-24:00", weekdays=[])
    lead = await post(client, "0912345678")
    assert await owner_of(client, lead) is None

    await in_shift(person, "00:00-24:00", version=2)

    assert await owner_of(client, lead) == "NV001"


async def test_what_staff_told_earlier_of_shifts_changes_nothing_when_it_comes_late(leads: Running) -> None:
    client = await leads.client()
    (person,) = await hire(leads, "NV001")
    await pool(client, [person])
    await in_shift(person, "00:00-24:00", version=2, weekdays=[])

    await in_shift(person, "00:00-24:00", version=1)

    assert await owner_of(client, await post(client, "0912345678")) is None


async def test_on_a_holiday_only_those_whose_shift_works_on_it_get_leads(leads: Running) -> None:
    client = await leads.client()
    people = await hire(leads, "NV001", "NV002")
    await pool(client, people)
    today = datetime.now(HANOI).date()
    await in_shift(people[0], "00:00-24:00", holidays=(today,))
    await in_shift(people[1], "00:00-24:00", holidays=(today,), works_on_holidays=True)

    made = [await post(client, f"09123456{place:02}") for place in range(3)]

    assert {await owner_of(client, lead) for lead in made} == {"NV002"}
    assert "NV001 (nghỉ lễ)" in await sentence(client, made[0])


async def test_the_quota_of_a_shift_counts_within_it(leads: Running) -> None:
    client = await leads.client()
    people = await hire(leads, "NV001", "NV002")
    made = await pool(client, people, shift_quota=2)
    await in_shift(people[0], "00:00-24:00")

    posted = [await post(client, f"09123456{place:02}") for place in range(5)]

    assert Counter([await owner_of(client, lead) for lead in posted]) == {"NV001": 2, "NV002": 2, None: 1}
    assert "NV001 (đã đủ quota ca 2/2)" in await sentence(client, posted[4])
    members = {one["code"]: one for one in (await client.get(f"/v1/pools/{made['id']}")).json()["members"]}
    assert (members["NV001"]["in_shift"], members["NV001"]["state"]) == (2, "shift_full")


async def test_a_reassignment_counts_and_skips_who_is_full(leads: Running) -> None:
    client = await leads.client()
    people = await hire(leads, "NV001", "NV002", "NV003")
    made = await pool(client, people)
    await seat(client, made, people, day_quota=(5, 0, 5), weight=(1000, 1, 1))
    lead = await post(client, "0912345678")
    assert await owner_of(client, lead) == "NV001"

    await leads.receive(REASSIGNMENT_REQUESTED, reassignment(lead, 1), subject=lead["id"])
    await Distributor(leads.db).step()

    assert await owner_of(client, lead) == "NV003"
    assert "NV002 (đã đủ quota ngày 0/0)" in await sentence(client, lead)
    today = {one["code"]: one["today"] for one in (await client.get(f"/v1/pools/{made['id']}")).json()["members"]}
    assert today == {"NV001": 1, "NV002": 0, "NV003": 1}


async def test_a_round_waits_for_another_that_decides_about_the_same_person_in_another_pool(leads: Running) -> None:
    client = await leads.client()
    (person,) = await hire(leads, "NV001", on_duty=False)
    pools = [
        await pool(client, [person], name=product, products=[product], day_quota=1) for product in ("KEM", "SERUM")
    ]
    for place, product in enumerate(("KEM", "SERUM")):
        await post(client, f"09123456{place:02}", product=product)
    driver = await leads.db.driver()
    # On duty without the round that the event brings.
    await driver.execute("UPDATE staff_members SET on_duty = true")

    async def second() -> int:
        async with driver.acquire() as connection, connection.transaction():
            return len((await serve(connection, [UUID(pools[1]["id"])])).placed)

    async with driver.acquire() as connection, connection.transaction():
        first = len((await serve(connection, [UUID(pools[0]["id"])])).placed)
        other = asyncio.create_task(second())

        async def waits() -> bool:
            waiting = await driver.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted")
            return other.done() or bool(waiting)

        await eventually(waits)

    assert (first, await other) == (1, 0), "the quota of the day is one lead of all pools"
