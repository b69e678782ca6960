"""Who holds a lead after it was distributed, and who sees it: returning customers, reassignments, leads given by hand."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from services.leads.distributor import Distributor
from shared.contracts.events.orders import LEVEL_CHANGED, REASSIGNMENT_REQUESTED
from tests.harness import Running, eventually
from tests.integration.leads.company import NOW, Colleague, hire, level, owner_of, pool, post, reassignment


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


@pytest.mark.parametrize("target", ["another", "floating_pool"])
@pytest.mark.parametrize(("minutes", "stays"), [(1, True), (-1, False)])
async def test_an_order_that_is_closed_after_care_has_asked_for_somebody_else_stays(
    leads: Running, target: str, minutes: int, stays: bool
) -> None:
    client = await leads.client()
    await pool(client, await hire(leads, "NV001", "NV002"))
    lead = await post(client, "0912345678")
    owner = await owner_of(client, lead)

    # In whatever order the facts come: care asked at `NOW`.
    await leads.receive(REASSIGNMENT_REQUESTED, reassignment(lead, 1, target), subject=lead["id"])
    closed = level(lead, "L5", at=NOW + timedelta(minutes=minutes))
    await leads.receive(LEVEL_CHANGED, closed, subject=lead["id"])
    await Distributor(leads.db).step()

    assert (await owner_of(client, lead) == owner) is stays
    assert await leads.rows("SELECT 1 FROM reassignment_requests") == []


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
