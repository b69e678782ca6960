"""The floating pool: who sees what lies there, who may take it, and that one gets it."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from uuid_utils.compat import uuid7

from services.leads.app import SERVICE
from shared.contracts.events.orders import INTERACTION_LOGGED, LEVEL_CHANGED, InteractionLogged
from tests.harness import Databases, Running, running
from tests.integration.leads.company import hire, level, owner_of, pool, post
from tests.integration.leads.floating import claim, floated, release, seller


def phones(count: int) -> list[str]:
    return [f"09123{number:05}" for number in range(count)]


async def called(leads: Running, lead_id: str, *, after: timedelta = timedelta(minutes=5)) -> None:
    """Orders tells of a call some time after the claim."""
    (row,) = await leads.rows("SELECT max(claimed_at) AS at FROM claims WHERE lead_id = :id", id=lead_id)
    fact = InteractionLogged(
        interaction_id=uuid7(), order_id=UUID(lead_id), kind="call", direction="out", at=row.at + after
    )
    await leads.receive(INTERACTION_LOGGED, fact, subject=lead_id)


async def test_what_care_releases_is_listed_with_who_had_it_and_a_masked_number(leads: Running) -> None:
    holder, other = await hire(leads, "NV001", "NV002")
    (lead_id,) = await floated(leads, holder, "0912345678", product="SERUM-30")
    client = await seller(leads, other)

    (item,) = (await client.get("/v1/floating-pool")).json()["items"]

    assert (item["id"], item["phone"], item["level"]) == (lead_id, "0912***678", "L1")
    assert (item["released_from"], item["released_by"], item["reason"]) == ("NV001", "", "hết lượt gọi")
    assert item["viewer"] is None
    assert (await (await leads.client("leads.read")).get("/v1/floating-pool")).status_code == 403


async def test_the_list_is_filtered_and_paged_while_numbers_leave_it(leads: Running) -> None:
    holder, other = await hire(leads, "NV001", "NV002")
    made = [(await floated(leads, holder, phone, product="SERUM-30"))[0] for phone in phones(5)]
    await floated(leads, holder, "0987654321", product="GIAY-01")
    client = await seller(leads, other)

    async def page(**params: Any) -> Any:
        return (await client.get("/v1/floating-pool", params=params)).json()

    first = await page(product="SERUM-30", limit=2)
    await claim(client, first["items"][-1]["id"])  # the number in the cursor leaves
    second = await page(product="SERUM-30", limit=2, after=first["next"])
    third = await page(product="SERUM-30", limit=2, after=second["next"])
    unreadable = await client.get("/v1/floating-pool", params={"after": "abc"})

    seen = [item["id"] for one in (first, second, third) for item in one["items"]]
    assert seen == made[::-1]
    assert third["next"] is None
    assert len((await page())["items"]) == 5
    assert len((await page(level="L1.4"))["items"]) == 0
    assert unreadable.status_code == 422
    after_all_years = await page(released_to="9999-12-31T23:59:59-14:00")
    assert after_all_years["errors"][0]["field"] == "query.released_to"


async def test_one_person_at_a_time_looks_at_a_number_and_every_look_is_kept(leads: Running) -> None:
    holder, first, second = await hire(leads, "NV001", "NV002", "NV003")
    (lead_id,) = await floated(leads, holder, "0912345678", name="Lan 0912345678", note="0912.345.678 gọi sau 17h")
    one, two = await seller(leads, first), await seller(leads, second)
    url = f"/v1/floating-pool/{lead_id}/view"

    opened = await one.post(url)
    longer = await one.post(url)
    refused = await two.post(url)
    listed = (await two.get("/v1/floating-pool")).json()["items"][0]["viewer"]
    kept_from = await claim(two, lead_id)
    left = await one.delete(url)
    free = await two.post(url)

    shown = [opened.json()[name] for name in ("phone", "name", "note")]
    assert (opened.status_code, shown) == (200, ["0912***678", "Lan 0912***678", "0912***678 gọi sau 17h"])
    assert longer.json()["viewing_until"] > opened.json()["viewing_until"]
    assert (refused.status_code, refused.json()["title"]) == (409, "number-being-viewed")
    until = datetime.fromisoformat(refused.json()["until"]).astimezone(ZoneInfo("Asia/Ho_Chi_Minh"))
    said = f"NV002 đang xem số này. Chọn số khác, hoặc thử lại sau {until:%H:%M:%S %d/%m/%Y}."
    assert refused.json()["detail"] == said
    assert (listed["code"], listed["yourself"]) == ("NV002", False)
    assert kept_from.json()["title"] == "number-being-viewed"
    assert (left.status_code, free.status_code) == (204, 200)
    manager = await leads.client()
    views = (await manager.get(f"/v1/floating-pool/{lead_id}/views")).json()["items"]
    assert [view["code"] for view in views] == ["NV003", "NV002"], "going on looking is one look"


async def test_a_look_is_over_by_time_without_anybody_doing_anything(leads: Running) -> None:
    holder, first, second = await hire(leads, "NV001", "NV002", "NV003")
    (lead_id,) = await floated(leads, holder, "0912345678")
    one, two = await seller(leads, first), await seller(leads, second)
    await one.post(f"/v1/floating-pool/{lead_id}/view")
    async with leads.db.transaction() as session:
        connection = await session.connection()
        await connection.exec_driver_sql("UPDATE viewing_locks SET until = until - interval '3 minutes'")

    assert (await two.get("/v1/floating-pool")).json()["items"][0]["viewer"] is None
    assert (await claim(two, lead_id)).status_code == 200


async def test_of_many_who_open_a_number_at_once_one_sees_it(leads: Running) -> None:
    people = await hire(leads, *(f"NV{place:03}" for place in range(20)))
    (lead_id,) = await floated(leads, people[0], "0912345678")
    clients = [await seller(leads, person) for person in people[1:]]

    answers = await asyncio.gather(*(client.post(f"/v1/floating-pool/{lead_id}/view") for client in clients))

    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 18}


async def test_a_claim_gives_the_number_whole_and_tells_everybody_once(leads: Running) -> None:
    holder, other = await hire(leads, "NV001", "NV002")
    (lead_id,) = await floated(leads, holder, "0912345678")
    client = await seller(leads, other)

    first = await claim(client, lead_id, **{"Idempotency-Key": "k1"})
    replayed = await claim(client, lead_id, **{"Idempotency-Key": "k1"})
    again = await claim(client, lead_id)

    assert (first.status_code, first.json()["phone"], first.json()["claims_today"]) == (200, "0912345678", 1)
    assert replayed.json() == first.json() == again.json()
    facts = [event["payload"] for event in await leads.outbox("leads.lead.assigned.v1")]
    assert [(fact["cause"], fact["assignment"], fact["owner_code"]) for fact in facts] == [
        ("manual", 1, "NV001"),
        ("claim", 3, "NV002"),
    ]
    assert (await client.get("/v1/floating-pool")).json()["items"] == []
    why = (await client.get(f"/v1/leads/{lead_id}/why")).json()["steps"]
    assert [step["cause"] for step in why] == ["manual", "floating_pool", "claim"]
    assert why[2]["sentence"] == "NV002 lấy số này từ kho số thả nổi."


async def test_of_fifty_who_claim_one_number_at_once_one_gets_it(leads: Running) -> None:
    people = await hire(leads, *(f"NV{place:03}" for place in range(51)))
    (lead_id,) = await floated(leads, people[0], "0912345678")
    clients = [await seller(leads, person) for person in people[1:]]

    answers = await asyncio.gather(*(claim(client, lead_id) for client in clients))

    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 49}
    winner = people[1 + [answer.status_code for answer in answers].index(200)]
    losers = [answer.json() for answer in answers if answer.status_code == 409]
    assert {(loser["title"], loser["detail"]) for loser in losers} == {
        ("number-taken", f"{winner.code} vừa lấy số này. Chọn số khác.")
    }
    assert len(await leads.rows("SELECT 1 FROM claims")) == 1
    assert await owner_of(await leads.client(), {"id": lead_id}) == winner.code


@pytest.mark.parametrize("bound", ["claims_per_day", "claims_uncalled"])
async def test_many_claims_at_once_keep_every_bound(databases: Databases, bound: str) -> None:
    """64 claims at a time over 20 numbers by 8 people who may take two each."""
    async with running(SERVICE, databases, **{bound: 2}) as leads:
        holder, *people = await hire(leads, "NV000", *(f"NV{place:03}" for place in range(1, 9)))
        ids = await floated(leads, holder, *phones(20))
        clients = [await seller(leads, person) for person in people]

        answers = await asyncio.gather(*(claim(clients[place % 8], ids[place % 20]) for place in range(64)))

        owners = await leads.rows("SELECT owner_id, count(*) AS held FROM leads WHERE owner_id IS NOT NULL GROUP BY 1")
        assert all(row.held <= 2 for row in owners)
        claimed = await leads.rows("SELECT lead_id, account_id FROM claims")
        assert len(claimed) == len({row.lead_id for row in claimed}) == sum(row.held for row in owners) == 16
        titles = Counter(answer.json().get("title", "claimed") for answer in answers)
        refused = {"claims_per_day": "claims-of-day-used", "claims_uncalled": "claims-uncalled"}[bound]
        assert titles[refused] > 0
        assert set(titles) <= {"claimed", refused, "number-taken"}
        events = await leads.outbox("leads.lead.assigned.v1")
        assert len([event for event in events if event["payload"]["cause"] == "claim"]) == 16


async def test_claims_releases_and_gifts_of_the_same_numbers_at_once_leave_one_story(leads: Running) -> None:
    """People claim, a manager gives and releases, over the same ten numbers for a while."""
    holder, *people = await hire(leads, "NV000", *(f"NV{place:03}" for place in range(1, 9)))
    ids = await floated(leads, holder, *phones(10))
    manager = await leads.client(code="QL001")
    clients = [await seller(leads, person) for person in people]

    async def claims(place: int) -> None:
        for lead_id in ids[place:] + ids[:place]:
            await claim(clients[place], lead_id)

    async def moves(place: int) -> None:
        for lead_id in ids[place * 3 :] + ids[: place * 3]:
            to = {"to": "floating_pool"} if place else {"to": "person", "owner_id": str(holder.id)}
            answer = await manager.post("/v1/leads/reassign", json={"lead_ids": [lead_id], "reason": "điều phối", **to})
            assert answer.status_code == 200, answer.text

    await asyncio.gather(*(claims(place) for place in range(8)), *(moves(place) for place in range(3)))

    rows = await leads.rows(
        """
SELECT l.id, l.owner_id, l.floating_since, l.assignment, array_agg(a.assignment ORDER BY a.assignment) AS numbers,
    (array_agg(a.owner_id ORDER BY a.assignment DESC))[1] AS last_owner,
    array_agg(a.owner_id ORDER BY a.assignment) AS owners, array_agg(a.previous_owner_id ORDER BY a.assignment) AS previous
FROM leads l JOIN assignments a ON a.lead_id = l.id GROUP BY l.id
"""
    )
    for row in rows:
        assert row.numbers == [*range(1, row.assignment + 1)]
        assert row.last_owner == row.owner_id
        assert (row.floating_since is None) == (row.owner_id is not None)
        assert row.previous[1:] == row.owners[:-1], "whoever loses a number is who held it"
    told = await leads.outbox("leads.lead.assigned.v1", "leads.lead.released.v1")
    steps = Counter((event["subject"], event["payload"]["assignment"]) for event in told)
    assert set(steps.values()) == {1}
    assert len(steps) == sum(row.assignment for row in rows)


async def test_somebody_who_used_the_days_claims_hears_how_many_and_when_again(databases: Databases) -> None:
    async with running(SERVICE, databases, claims_per_day=2) as leads:
        holder, other = await hire(leads, "NV001", "NV002")
        ids = await floated(leads, holder, *phones(3))
        client = await seller(leads, other)
        for lead_id in ids[:2]:
            await claim(client, lead_id)
            await called(leads, lead_id)

        refused = await claim(client, ids[2])
        async with leads.db.transaction() as session:
            connection = await session.connection()
            await connection.exec_driver_sql("UPDATE claims SET claimed_at = claimed_at - interval '1 day'")
        next_day = await claim(client, ids[2])

        assert (refused.status_code, refused.json()["title"]) == (409, "claims-of-day-used")
        assert refused.json()["detail"].startswith("Bạn đã lấy 2/2 số trong hôm nay.")
        assert next_day.status_code == 200


async def test_claims_that_were_not_called_are_bounded_until_one_is(databases: Databases) -> None:
    async with running(SERVICE, databases, claims_uncalled=2) as leads:
        holder, other = await hire(leads, "NV001", "NV002")
        ids = await floated(leads, holder, *phones(5))
        client = await seller(leads, other)
        for lead_id in ids[:2]:
            await claim(client, lead_id)
        refused = await claim(client, ids[2])
        await called(leads, ids[0], after=-timedelta(minutes=5))  # a call of the holder before, told late
        still = await claim(client, ids[2])
        await called(leads, ids[0])
        after_a_call = await claim(client, ids[2])
        await release(leads, ids[1])  # what is not held any more is not hoarded
        after_a_release = await claim(client, ids[3])
        await leads.receive(LEVEL_CHANGED, level({"id": ids[3]}, "L1.3"), subject=ids[3])
        after_an_end = await claim(client, ids[4])

    assert [refused.json()["title"], still.json()["title"]] == ["claims-uncalled"] * 2
    assert refused.json()["detail"] == "Bạn còn 2 số lấy từ kho mà chưa gọi (tối đa 2). Gọi bớt rồi lấy tiếp."
    assert [after_a_call.status_code, after_a_release.status_code, after_an_end.status_code] == [200, 200, 200]


async def test_nobody_claims_what_was_released_from_them_within_a_week(leads: Running) -> None:
    (holder,) = await hire(leads, "NV001")
    (lead_id,) = await floated(leads, holder, "0912345678")
    client = await seller(leads, holder)

    refused = await claim(client, lead_id)
    async with leads.db.transaction() as session:
        connection = await session.connection()
        await connection.exec_driver_sql("UPDATE assignments SET at = at - interval '7 days'")
    a_week_later = await claim(client, lead_id)

    assert (refused.status_code, refused.json()["title"]) == (409, "claim-of-own-release")
    assert a_week_later.status_code == 200


async def test_only_known_and_active_colleagues_claim(leads: Running) -> None:
    holder, other = await hire(leads, "NV001", "NV002")
    (lead_id,) = await floated(leads, holder, "0912345678")
    stranger = await leads.client("leads.claim")

    assert (await claim(stranger, lead_id)).json()["title"] == "claimer-not-active"
    await other.change(active=False)
    locked = await claim(await seller(leads, other), lead_id)
    assert locked.json()["title"] in ("claimer-not-active", "unauthenticated")


async def test_what_is_held_waits_or_has_ended_is_not_claimed(leads: Running) -> None:
    holder, other = await hire(leads, "NV001", "NV002", on_duty=False)
    admin = await leads.client()
    await pool(admin, [holder])
    waiting = (await admin.post("/v1/leads", json={"phone": "0987654321"})).json()["id"]
    (ended,) = await floated(leads, holder, "0912345678")
    await leads.receive(LEVEL_CHANGED, level({"id": ended}, "L1.3"), subject=ended)
    client = await seller(leads, other)

    answers = [await claim(client, lead_id) for lead_id in (waiting, ended, str(uuid7()))]

    assert {answer.json()["title"] for answer in answers} == {"not-in-floating-pool"}
    assert (await client.get("/v1/floating-pool")).json()["items"] == []


async def test_a_number_on_the_do_not_call_list_is_neither_offered_nor_claimed(leads: Running) -> None:
    holder, other = await hire(leads, "NV001", "NV002")
    (lead_id,) = await floated(leads, holder, "0912345678")
    admin, client = await leads.client(), await seller(leads, other)
    listed = await admin.post("/v1/do-not-call", json={"phones": ["0912 345 678"], "reason": "khiếu nại"})

    answer = await claim(client, lead_id)

    assert listed.status_code == 201, listed.text
    assert (await client.get("/v1/floating-pool")).json()["items"] == []
    assert (answer.status_code, answer.json()["title"]) == (409, "number-not-to-be-called")
    assert (await client.post(f"/v1/floating-pool/{lead_id}/view")).json()["title"] == "not-in-floating-pool"


async def test_a_number_that_nobody_claims_for_thirty_days_is_archived_and_still_given_by_hand(leads: Running) -> None:
    holder, other = await hire(leads, "NV001", "NV002")
    (lead_id,) = await floated(leads, holder, "0912345678")
    client, manager = await seller(leads, other), await leads.client(code="QL001")
    async with leads.db.transaction() as session:
        connection = await session.connection()
        await connection.exec_driver_sql("UPDATE leads SET floating_since = floating_since - interval '30 days'")
    before_the_upkeep = await claim(client, lead_id)

    await upkeep(leads)

    assert (await client.get("/v1/floating-pool")).json()["items"] == []
    after = await claim(client, lead_id)
    assert [one.json()["title"] for one in (before_the_upkeep, after)] == ["not-in-floating-pool"] * 2
    (event,) = await leads.outbox("leads.lead.archived.v1")
    assert (event["subject"], event["payload"]["assignment"]) == (lead_id, 2)
    given = await manager.post(f"/v1/leads/{lead_id}/assign", json={"owner_id": str(other.id)})
    assert given.json()["owner"]["code"] == "NV002"


async def upkeep(leads: Running) -> None:
    from services.leads.floating.upkeep import archive

    driver = await leads.db.driver()
    async with driver.acquire() as connection, connection.transaction():
        await archive(connection, stay=timedelta(days=30), now=(await _now(leads)), limit=10)


async def _now(leads: Running) -> Any:
    (row,) = await leads.rows("SELECT clock_timestamp() AS now")
    return row.now


async def told_until(leads: Running) -> list[timedelta | None]:
    """What each assignment told of the request to be called: how long after the first release it still covers calls."""
    (row,) = await leads.rows("SELECT min(at) AS at FROM assignments WHERE cause = 'floating_pool'")
    told = [event["payload"]["consent_until"] for event in await leads.outbox("leads.lead.assigned.v1")]
    return [None if until is None else datetime.fromisoformat(until) - row.at for until in told]


async def test_a_floating_number_whose_customer_comes_again_goes_to_its_last_holder_or_waits_for_somebody(
    leads: Running,
) -> None:
    holder, other = await hire(leads, "NV001", "NV002")
    client = await leads.client()
    await pool(client, [holder, other])
    present, archived, late = await floated(leads, holder, *phones(3))
    async with leads.db.transaction() as session:
        connection = await session.connection()
        await connection.exec_driver_sql(f"UPDATE leads SET archived_at = now() WHERE id = '{archived}'")

    await release(leads, present, archived, to="another")  # care has a call to make and nobody who makes it
    for person in (holder, other):
        await person.duty(False)
    await release(leads, late, to="another")
    waiting = (await client.get(f"/v1/leads/{late}")).json()
    await release(leads, late, to="another")  # asked again: it goes on waiting
    again = (await client.get(f"/v1/leads/{late}")).json()
    await other.duty(True)

    assert [await owner_of(client, {"id": id}) for id in (present, archived, late)] == ["NV001", "NV001", "NV002"]
    assert (waiting["held"], again["assignment"]) == ("waiting", waiting["assignment"])
    assert (await (await seller(leads, other)).get("/v1/floating-pool")).json()["items"] == []
    why = (await client.get(f"/v1/leads/{present}/why")).json()["steps"]
    assert why[-1]["sentence"].startswith("Khách cũ của NV001, đang nhận số, nên số về lại NV001")
    (replayed,) = (await client.get("/v1/pools")).json()["items"]
    assert (await client.get(f"/v1/pools/{replayed['id']}/replay")).json()["differing"] == []


async def test_a_request_to_be_called_covers_a_claimed_number_for_thirty_days_after_its_first_release(
    leads: Running,
) -> None:
    holder, other, third = await hire(leads, "NV001", "NV002", "NV003")
    (lead_id,) = await floated(leads, holder, "0912345678")
    assert (await claim(await seller(leads, other), lead_id)).status_code == 200
    await release(leads, lead_id)
    manager = await leads.client(code="QL001")
    await manager.post(f"/v1/leads/{lead_id}/assign", json={"owner_id": str(third.id)})

    month = timedelta(days=30)
    assert await told_until(leads) == [None, month, month], "a claim does not make it begin anew"

    await release(leads, lead_id)
    await post(manager, "0912345678")
    body = {"lead_ids": [lead_id], "to": "person", "owner_id": str(other.id), "reason": "khách để lại số lại"}
    await manager.post("/v1/leads/reassign", json=body)
    assert (await told_until(leads))[-1] is None, "the customer asked again"


async def test_a_request_that_was_taken_back_covers_no_call_of_whoever_gets_the_number_next(leads: Running) -> None:
    holder, other = await hire(leads, "NV001", "NV002")
    (lead_id,) = await floated(leads, holder, "0912345678")
    manager = await leads.client()
    taken = {"phone": "0912345678", "act": "withdrawn", "purposes": ["requested_call"], "how": "tin nhắn"}
    assert (await manager.post("/v1/consents", json=taken)).status_code == 201

    await claim(await seller(leads, other), lead_id)

    (told,) = [event["payload"] for event in await leads.outbox("leads.lead.assigned.v1")][1:]
    assert datetime.fromisoformat(told["consent_until"]) <= datetime.fromisoformat(told["assigned_at"])
