"""Who gets a lead, when, and why."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from services.leads.app import SERVICE
from services.leads.distributor import Distributor
from shared.contracts.events.orders import LEVEL_CHANGED, REASSIGNMENT_REQUESTED, LevelChanged, ReassignmentRequested
from tests.harness import Databases, Running, eventually, running
from tests.integration.leads.company import NOW, Colleague, hire, owner_of, pool, post


def level(lead: dict[str, Any], to: str, sequence: int = 2) -> LevelChanged:
    return LevelChanged(
        transition_id=uuid7(),
        order_id=UUID(lead["id"]),
        sequence=sequence,
        from_level="L1",
        to_level=to,
        at=NOW,
        recorded_at=NOW,
        cause="operator",
        cohort_at=NOW,
    )


def reassignment(lead: dict[str, Any], assignment: int, to: Any = "another") -> ReassignmentRequested:
    return ReassignmentRequested(
        order_id=UUID(lead["id"]), assignment=assignment, to=to, reason="quá 30 phút chưa gọi", at=NOW
    )


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


async def test_a_returning_customer_goes_back_to_the_last_owner(leads: Running) -> None:
    client = await leads.client()
    people = await hire(leads, "NV001", "NV002", "NV003")
    await pool(client, people)
    first = await post(client, "0912345678")
    owner = await owner_of(client, first)
    for sequence, to in enumerate(("L5", "L7", "L7.1", "L8"), 2):
        await leads.receive(LEVEL_CHANGED, level(first, to, sequence), subject=first["id"])

    again = await post(client, "+84 912 345 678")

    assert (again["verdict"], again["returning_customer"]) == ("lead", True)
    assert await owner_of(client, again) == owner
    step = (await client.get(f"/v1/leads/{again['id']}/why", headers={"Accept-Language": "en"})).json()["steps"][0]
    assert step["cause"] == "sticky"
    assert f"{owner} held this number last" in step["sentence"]


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


async def test_a_returning_customer_of_somebody_off_duty_is_distributed(leads: Running) -> None:
    client = await leads.client()
    people = await hire(leads, "NV001", "NV002")
    await pool(client, people)
    first = await post(client, "0912345678")
    owner = await owner_of(client, first)
    await leads.receive(LEVEL_CHANGED, level(first, "L8"), subject=first["id"])
    await next(person for person in people if person.code == owner).duty(False)

    again = await post(client, "0912345678")

    assert await owner_of(client, again) not in (owner, None)


async def test_a_reassignment_goes_to_another_person(leads: Running) -> None:
    client = await leads.client()
    people = await hire(leads, "NV001", "NV002")
    await pool(client, people)
    lead = await post(client, "0912345678")
    holder = await owner_of(client, lead)

    event_id = await leads.receive(REASSIGNMENT_REQUESTED, reassignment(lead, 1), subject=lead["id"])
    await Distributor(leads.db).step()
    await leads.receive(REASSIGNMENT_REQUESTED, reassignment(lead, 1), subject=lead["id"], event_id=event_id)
    await leads.receive(REASSIGNMENT_REQUESTED, reassignment(lead, 1), subject=lead["id"])  # asked for twice
    await Distributor(leads.db).step()

    assert await owner_of(client, lead) not in (holder, None)
    *_, fact = await leads.outbox("leads.lead.assigned.v1")
    assert (fact["payload"]["assignment"], fact["payload"]["cause"]) == (2, "reassignment")
    assert fact["payload"]["previous_owner_id"] == str(next(one.id for one in people if one.code == holder))
    why = (await client.get(f"/v1/leads/{lead['id']}/why")).json()["steps"]
    assert why[1]["sentence"].startswith("Chuyển người chăm theo quy trình chăm sóc.")
    assert f"{holder} (vừa bị thu hồi số này)" in why[1]["sentence"]


async def test_a_reassignment_that_nobody_else_can_take_releases_the_lead_into_the_backlog(leads: Running) -> None:
    client = await leads.client()
    (first,) = await hire(leads, "NV001")
    (second,) = await hire(leads, "NV002", on_duty=False)
    await pool(client, [first, second])
    lead = await post(client, "0912345678")

    await leads.receive(REASSIGNMENT_REQUESTED, reassignment(lead, 1), subject=lead["id"])
    await Distributor(leads.db).step()
    await Distributor(leads.db).step()

    assert await owner_of(client, lead) is None
    (released,) = await leads.outbox("leads.lead.released.v1")
    assert (released["payload"]["assignment"], released["payload"]["cause"]) == (2, "reassignment")
    fresh = await post(client, "0912345679")
    assert await owner_of(client, fresh) == "NV001", "the lead that NV001 may not have stands in nobody's way"

    await second.duty(True)

    assert await owner_of(client, lead) == "NV002"
    *_, assigned = await leads.outbox("leads.lead.assigned.v1")
    assert (assigned["payload"]["assignment"], assigned["payload"]["cause"]) == (3, "reassignment")


async def test_a_release_into_the_floating_pool_leaves_the_lead_to_nobody(leads: Running) -> None:
    client = await leads.client()
    people = await hire(leads, "NV001", "NV002")
    await pool(client, people)
    lead = await post(client, "0912345678")

    await leads.receive(REASSIGNMENT_REQUESTED, reassignment(lead, 1, "floating_pool"), subject=lead["id"])
    await Distributor(leads.db).step()

    shown = (await client.get(f"/v1/leads/{lead['id']}")).json()
    assert (shown["owner"], shown["held"], shown["assignment"]) == (None, "released", 2)
    (released,) = await leads.outbox("leads.lead.released.v1")
    assert released["payload"]["cause"] == "floating_pool"
    assert (await client.get("/v1/backlog")).json()["items"] == []


async def test_the_distributor_does_as_a_background_part_what_it_does_step_by_step(leads: Running) -> None:
    client = await leads.client()
    people = await hire(leads, "NV001", "NV002")
    await pool(client, people)
    lead = await post(client, "0912345678")
    holder = await owner_of(client, lead)
    leads.roles["distributor"] = [asyncio.create_task(Distributor(leads.db).run())]

    await leads.receive(REASSIGNMENT_REQUESTED, reassignment(lead, 1), subject=lead["id"])

    async def moved_on() -> bool:
        return await owner_of(client, lead) not in (holder, None)

    await eventually(moved_on)


async def test_a_manager_gives_a_lead_to_somebody_by_hand(leads: Running) -> None:
    client = await leads.client(code="QL001")
    (first,) = await hire(leads, "NV001")
    (other,) = await hire(leads, "NV009", on_duty=False)
    await pool(client, [first])
    lead = await post(client, "0912345678")

    body = {"owner_id": str(other.id), "reason": "khách quen"}
    for _ in range(2):
        answer = await client.post(f"/v1/leads/{lead['id']}/assign", json=body)
        assert (answer.status_code, answer.json()["owner"]["code"]) == (200, "NV009")

    *_, fact = await leads.outbox("leads.lead.assigned.v1")
    assert len(await leads.outbox("leads.lead.assigned.v1")) == 2, "giving it to its owner again is no fact"
    assert (fact["payload"]["cause"], fact["payload"]["assignment"]) == ("manual", 2)
    assert fact["payload"]["previous_owner_id"] == str(first.id)
    why = (await client.get(f"/v1/leads/{lead['id']}/why")).json()["steps"]
    assert [step["sentence"] for step in why][1] == "QL001 giao tay cho NV009: khách quen."


async def test_a_lead_taken_out_of_the_backlog_by_hand_is_not_distributed_again(leads: Running) -> None:
    client = await leads.client()
    (person,) = await hire(leads, "NV001", on_duty=False)
    (other,) = await hire(leads, "NV002")
    await pool(client, [person])
    lead = await post(client, "0912345678")
    await client.post(f"/v1/leads/{lead['id']}/assign", json={"owner_id": str(other.id)})

    await person.duty(True)

    assert await owner_of(client, lead) == "NV002"
    assert len(await leads.outbox("leads.lead.assigned.v1")) == 1


async def test_duplicates_and_strangers_are_not_assigned(leads: Running) -> None:
    client = await leads.client()
    (person,) = await hire(leads, "NV001")
    first = await post(client, "0912345678")
    duplicate = await post(client, "0912345678")
    await person.change(active=False)

    of_duplicate = await client.post(f"/v1/leads/{duplicate['id']}/assign", json={"owner_id": str(person.id)})
    to_locked = await client.post(f"/v1/leads/{first['id']}/assign", json={"owner_id": str(person.id)})
    to_nobody = await client.post(f"/v1/leads/{first['id']}/assign", json={"owner_id": str(uuid7())})

    assert (of_duplicate.status_code, of_duplicate.json()["title"]) == (409, "lead-is-duplicate")
    assert [to_locked.json()["title"], to_nobody.json()["title"]] == ["staff-unknown"] * 2


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


async def test_sellers_see_their_own_leads_and_leaders_those_of_their_people(leads: Running) -> None:
    (leader,) = await hire(leads, "TN001", on_duty=False)
    people = await hire(leads, "NV001", "NV002", superior=leader)
    admin = await leads.client()
    await pool(admin, people)
    made = [await post(admin, f"09123456{place:02}") for place in range(4)]

    async def seen(person: Colleague) -> list[str]:
        client = await leads.client("leads.read", account_id=person.id, code=person.code)
        return [one["id"] for one in (await client.get("/v1/leads")).json()["items"]]

    first, second = await seen(people[0]), await seen(people[1])
    assert (len(first), len(second)) == (2, 2)
    assert sorted(first + second) == sorted(await seen(leader)) == sorted(lead["id"] for lead in made)
    stranger = await leads.client("leads.read", account_id=people[0].id, code="NV001")
    assert (await stranger.get(f"/v1/leads/{second[0]}")).status_code == 404
    assert (await stranger.get(f"/v1/leads/{second[0]}/why")).status_code == 404


async def test_numbers_are_whole_for_the_owner_and_masked_for_others(leads: Running) -> None:
    (leader,) = await hire(leads, "TN001", on_duty=False)
    (person,) = await hire(leads, "NV001", superior=leader)
    admin = await leads.client()
    await pool(admin, [person])
    lead = await post(admin, "0912345678 - 0987654321")

    async def shown(*granted: str, viewer: Colleague) -> Any:
        client = await leads.client(*granted, account_id=viewer.id, code=viewer.code)
        answer = (await client.get(f"/v1/leads/{lead['id']}")).json()
        return answer["phone"], answer["other_phones"]

    assert await shown("leads.read", viewer=person) == ("0912345678", ["0987654321"])
    assert await shown("leads.read", viewer=leader) == ("0912***678", ["0987***321"])
    assert await shown("leads.read", "phones.reveal", viewer=leader) == ("0912***678", ["0987***321"])
    await leads.receive(LEVEL_CHANGED, level(lead, "L1.5"), subject=lead["id"])
    assert await shown("leads.read", viewer=person) == ("0912***678", ["0987***321"])


async def test_leads_are_found_by_a_number_in_any_spelling_and_paged(leads: Running) -> None:
    client = await leads.client()
    made = [
        await post(client, f"09123456{place:02}", other_phone="0168 234 5678" if place == 3 else "")
        for place in range(5)
    ]

    by_first = (await client.get("/v1/leads", params={"phone": "+84 (0)912 345 602"})).json()["items"]
    by_second = (await client.get("/v1/leads", params={"phone": "0382.345.678"})).json()["items"]
    unreadable = await client.get("/v1/leads", params={"phone": "12"})
    pages, after = [], None
    while True:
        page = (await client.get("/v1/leads", params={"limit": 2, **({"after": after} if after else {})})).json()
        pages += [one["id"] for one in page["items"]]
        after = page["next"]
        if after is None:
            break

    assert [one["id"] for one in by_first] == [made[2]["id"]]
    assert [one["id"] for one in by_second] == [made[3]["id"]]
    assert unreadable.json()["title"] == "phone-filter-unreadable"
    assert pages == [lead["id"] for lead in reversed(made)]


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
