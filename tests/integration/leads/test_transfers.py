"""Leads given by hand: distributions with a preview, and reassignments."""

from __future__ import annotations

import asyncio
import gc
import time
from collections import Counter
from typing import Any

import asyncpg
import httpx
import pytest

from services.leads.distributor import Distributor
from services.leads.transfers import work
from shared.contracts.events.orders import LEVEL_CHANGED
from tests.harness import Running
from tests.integration.leads.company import Colleague, hire, level, owner_of, pool, post
from tests.integration.leads.dealing import arrive, hold_numbers, numbered_without_gap, preview, rows
from tests.integration.leads.floating import floated

REASON = {"reason": "chia số đầu tuần"}


async def test_a_preview_shows_who_would_get_what_and_its_confirmation_does_exactly_that(leads: Running) -> None:
    manager = await leads.client(code="QL001")
    people = await hire(leads, "NV001", "NV002", "NV003")
    ids = await arrive(manager, 8)

    plan = await preview(manager, people, filter={"state": "waiting"})
    before = [await owner_of(manager, {"id": lead_id}) for lead_id in ids]
    planned = [(row["lead_id"], row["to_code"], row["result"]) for row in await rows(manager, plan)]
    url = f"/v1/distributions/{plan['id']}/confirm"
    done, again = [(await manager.post(url, json=REASON)).json() for _ in range(2)]

    assert plan["state"] == "preview"
    assert {one["code"]: one["leads"] for one in plan["people"]} == {"NV001": 3, "NV002": 3, "NV003": 2}
    assert before == [None] * 8
    turns = ["NV001", "NV002", "NV003"] * 2 + ["NV001", "NV002"]
    assert planned == [(lead_id, code, None) for lead_id, code in zip(ids, turns, strict=True)]
    assert (done["state"], done["rows_done"], done["results"]) == ("done", 8, {"given": 8})
    assert again == done
    assert [await owner_of(manager, {"id": lead_id}) for lead_id in ids] == turns
    assert len(await leads.outbox("leads.lead.assigned.v1")) == 8
    assert (await manager.get("/v1/backlog")).json()["items"] == []
    why = (await manager.get(f"/v1/leads/{ids[0]}/why")).json()["steps"]
    assert why[0]["sentence"] == "QL001 giao tay cho NV001: chia số đầu tuần."
    await numbered_without_gap(leads)


async def test_leads_that_moved_on_since_the_preview_are_left_alone_and_say_so(leads: Running) -> None:
    manager = await leads.client(code="QL001")
    first, second, third = await hire(leads, "NV001", "NV002", "NV003")
    ids = await arrive(manager, 4)
    plan = await preview(manager, [first, second], lead_ids=ids)
    await manager.post(f"/v1/leads/{ids[0]}/assign", json={"owner_id": str(third.id)})
    await second.change(active=False)

    done = (await manager.post(f"/v1/distributions/{plan['id']}/confirm", json=REASON)).json()

    assert done["results"] == {"changed": 1, "given": 1, "inactive": 2}
    found = {row["lead_id"]: (row["result"], row["owner_code"]) for row in await rows(manager, plan)}
    assert [found[lead_id] for lead_id in ids] == [
        ("changed", "NV003"),
        ("inactive", None),
        ("given", "NV001"),
        ("inactive", None),
    ]
    given = (await manager.get(f"/v1/distributions/{plan['id']}/rows", params={"result": "given"})).json()["items"]
    assert [(row["lead_id"], row["owner_code"]) for row in given] == [(ids[2], "NV001")]
    assert {one["code"]: bool(one["warning"]) for one in done["people"]} == {"NV001": False, "NV002": True}
    waiting = (await manager.get("/v1/backlog")).json()["items"]
    assert [one["lead_id"] for one in waiting] == [ids[1], ids[3]]


async def test_counts_are_kept_and_what_they_leave_stays_where_it_is(leads: Running) -> None:
    manager = await leads.client()
    first, second = await hire(leads, "NV001", "NV002")
    ids = await arrive(manager, 5)

    plan = await preview(manager, [first, second], counts=[1, 2], lead_ids=ids)
    done = (await manager.post(f"/v1/distributions/{plan['id']}/confirm", json=REASON)).json()

    assert (plan["left"], plan["rows"]) == (2, 3)
    assert {one["code"]: one["leads"] for one in done["people"]} == {"NV001": 1, "NV002": 2}


async def test_people_off_duty_may_be_given_leads_with_a_warning_locked_ones_may_not(leads: Running) -> None:
    manager = await leads.client()
    (off,) = await hire(leads, "NV001", on_duty=False)
    (locked,) = await hire(leads, "NV002")
    await locked.change(active=False)
    ids = await arrive(manager, 1)

    plan = await preview(manager, [off], lead_ids=ids)
    refused = await manager.post(
        "/v1/distributions", json={"lead_ids": ids, "people": [{"account_id": str(locked.id)}]}
    )

    assert plan["people"][0]["warning"].startswith("Đang tạm ngưng nhận số")
    assert (refused.status_code, refused.json()["title"]) == (422, "staff-unknown")


async def test_only_leads_that_the_manager_sees_and_that_are_in_care_are_dealt_out(leads: Running) -> None:
    admin = await leads.client()
    mine, _ = managers = await hire(leads, "QL001", "QL002", on_duty=False)
    (own,) = await hire(leads, "NV001", superior=mine)
    (foreign,) = await hire(leads, "NV002", superior=managers[1])
    ids = await arrive(admin, 4)
    for lead_id, person in zip(ids[:3], (own, foreign, own), strict=True):
        await admin.post(f"/v1/leads/{lead_id}/assign", json={"owner_id": str(person.id)})
    duplicate = (await post(admin, "0912300000"))["id"]
    await leads.receive(LEVEL_CHANGED, level({"id": ids[2]}, "L1.5"), subject=ids[2])
    client = await leads.client("leads.read", "leads.distribute", account_id=mine.id, code="QL001")

    plan = await preview(client, [own], lead_ids=[*ids, duplicate])

    refused = {one["lead_id"]: one["reason"] for one in plan["refused"]}
    assert refused == {ids[1]: "not-found", ids[2]: "ended", duplicate: "duplicate"}
    assert [row["lead_id"] for row in await rows(client, plan)] == [ids[0], ids[3]]
    seen = await preview(client, [own], filter={})
    assert seen["rows"] == 2
    reader = await leads.client("leads.read", account_id=mine.id, code="QL001")
    assert (await reader.post("/v1/distributions", json={"lead_ids": ids, "people": []})).status_code == 403


async def test_a_preview_is_confirmed_by_its_maker_within_the_hour(leads: Running) -> None:
    manager, other = await leads.client(code="QL001"), await leads.client(code="QL002")
    people = await hire(leads, "NV001")
    await arrive(manager, 1)
    plan = await preview(manager, people, filter={})
    url = f"/v1/distributions/{plan['id']}/confirm"

    strangers = await other.post(url, json=REASON)
    async with leads.db.transaction() as session:
        connection = await session.connection()
        await connection.exec_driver_sql("UPDATE transfers SET good_until = now()")
    late = await manager.post(url, json=REASON)
    nothing = await manager.post(
        "/v1/distributions", json={"filter": {"state": "floating"}, "people": [{"account_id": str(people[0].id)}]}
    )

    assert strangers.status_code == 404
    assert (late.status_code, late.json()["title"]) == (409, "preview-expired")
    assert nothing.json()["title"] == "nothing-to-transfer"


async def test_numbers_of_the_floating_pool_and_of_colleagues_are_dealt_out_too(leads: Running) -> None:
    manager = await leads.client(code="QL001")
    holder, other = await hire(leads, "NV001", "NV002")
    (floating,) = await floated(leads, holder, "0987654321")
    (owned,) = await arrive(manager, 1)
    await manager.post(f"/v1/leads/{owned}/assign", json={"owner_id": str(other.id)})

    plan = await preview(manager, [other], lead_ids=[floating, owned])
    done = (await manager.post(f"/v1/distributions/{plan['id']}/confirm", json=REASON)).json()

    assert done["results"] == {"given": 1, "kept": 1}
    assert (await manager.get("/v1/floating-pool")).json()["items"] == []
    await numbered_without_gap(leads)


async def test_leads_dealt_out_by_hand_while_they_are_distributed_have_one_owner(
    leads: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches of a distribution by hand and rounds of the pool take the same 300 leads at once."""
    monkeypatch.setattr(work, "BATCH", 20)
    manager = await leads.client(code="QL001")
    members = await hire(leads, *(f"NV{place:03}" for place in range(4)), on_duty=False)
    by_hand = await hire(leads, "NV101", "NV102")
    made = await pool(manager, members)
    ids = await asyncio.gather(*(post(manager, f"09{number:08}") for number in range(300)))
    plan = await preview(manager, by_hand, filter={"state": "waiting"})
    assert plan["rows"] == 300

    async def serve() -> None:
        for person in members:
            await person.duty(True)
        while await Distributor(leads.db).step():
            pass

    async def takes() -> None:
        for lead in ids[::7]:
            await manager.post(f"/v1/leads/{lead['id']}/assign", json={"owner_id": str(by_hand[0].id)})

    done, *_ = await asyncio.gather(
        manager.post(f"/v1/distributions/{plan['id']}/confirm", json=REASON), serve(), takes()
    )

    results = done.json()["results"]
    assert sum(results.values()) == 300
    await numbered_without_gap(leads)
    owners = Counter(row.owner_id for row in await leads.rows("SELECT owner_id FROM leads"))
    assert None not in owners
    assert results.get("given", 0) <= owners[by_hand[0].id] + owners[by_hand[1].id]
    replay = (await manager.get(f"/v1/pools/{made['id']}/replay", params={"limit": 2000})).json()
    assert replay["differing"] == []


@pytest.mark.parametrize("count", [1_000, pytest.param(10_000, marks=pytest.mark.soak)])
async def test_dealing_out_by_hand_costs_a_bounded_multiple_of_the_bare_move(
    leads: Running, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """Budget: a third of the speed of `UPDATE leads` and `INSERT INTO assignments` alone, of the same leads, in the same
    run.

    Not of the decisions alone, which the budget of automatic distribution names: a lead that somebody holds is
    in ten indexes, of which PostgreSQL writes each anew when it changes hands. That is nearly half of all the time, and
    says nothing about what is done beside it: the plan kept and read, leads locked and looked at, events, progress.

    A thousand are too few to time, their requests weigh more: there the statements count, of which a page needs few.
    """
    monkeypatch.setattr("services.leads.api.transfers.WITHIN", 60.0)
    manager = await leads.client(code="QL001")
    holder, *people = await hire(leads, *(f"NV{place:03}" for place in range(51)))
    await hold_numbers(leads, holder, count)
    statements = _counted(monkeypatch)
    ours, bare, asked = list[float](), list[float](), list[int]()

    for _ in range(3 if count >= 10_000 else 1):
        await _tidied(leads)
        before = len(statements)
        ours.append(await _dealt_out(manager, holder, people, count))
        asked.append(len(statements) - before)
        await _tidied(leads)
        bare.append(await _bare_move(leads, holder))

    ratio = min(bare) / min(ours)
    print(f"{count} leads: {min(ours):.2f} s in {asked[0]} statements, bare {min(bare):.3f} s, ratio {ratio:.3f}")
    assert 0 < asked[0] < count / 20
    if count >= 10_000:
        assert ratio >= 1 / 3


async def _dealt_out(client: httpx.AsyncClient, holder: Colleague, people: list[Colleague], count: int) -> float:
    """Seconds in which all that somebody holds is planned for others and given to them."""
    # As a service does at its start (`shared.lifecycle`): what the tests have loaded is not ours to search for garbage.
    gc.collect()
    gc.freeze()
    try:
        started = time.perf_counter()
        plan = await preview(client, people, filter={"owner_id": str(holder.id)})
        done = (await client.post(f"/v1/distributions/{plan['id']}/confirm", json=REASON)).json()
        took = time.perf_counter() - started
    finally:
        gc.unfreeze()
    assert (done["state"], done["results"]) == ("done", {"given": count})
    shares = {one["leads"] for one in done["people"]}
    assert max(shares) - min(shares) <= 1
    return took


async def _tidied(leads: Running) -> None:
    """The database tidied up, as it is by itself over a day: neither way pays for what the other left behind."""
    pool = await leads.db.driver()
    await pool.execute("VACUUM ANALYZE leads, assignments")


def _counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement that the driver executes with values from here on."""
    statements: list[str] = []
    execute = asyncpg.Connection._execute

    async def noted(self: Any, query: str, *args: Any, **options: Any) -> Any:
        statements.append(query)
        return await execute(self, query, *args, **options)

    monkeypatch.setattr(asyncpg.Connection, "_execute", noted)
    return statements


async def _bare_move(leads: Running, owner: Colleague) -> float:
    """Seconds for giving all leads to somebody with the driver alone, in transactions of the same size."""
    pool = await leads.db.driver()
    held = await pool.fetch("SELECT id, owner_id, assignment + 1 AS next FROM leads ORDER BY received_at, id")
    started = time.perf_counter()
    for first in range(0, len(held), work.BATCH):
        ids, previous, numbers = map(list, zip(*held[first : first + work.BATCH], strict=True))
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute(
                "UPDATE leads SET owner_id = $2, assignment = assignment + 1 WHERE id = ANY($1)", ids, owner.id
            )
            await connection.execute(
                "INSERT INTO assignments (lead_id, assignment, owner_id, previous_owner_id, cause, at, by, reason) "
                "SELECT id, next, $4, previous, 'manual', now(), 'QL001', 'chia' "
                "FROM unnest($1::uuid[], $2::integer[], $3::uuid[]) AS r (id, next, previous)",
                ids,
                numbers,
                previous,
                owner.id,
            )
    return time.perf_counter() - started


# --- reassignment -----------------------------------------------------------------------------------------------------


async def reassign(client: httpx.AsyncClient, ids: list[str], to: str, **body: Any) -> dict[str, Any]:
    sent = {"lead_ids": ids, "to": to, "reason": "khách đổi người", **body}
    answer = await client.post("/v1/leads/reassign", json=sent)
    assert answer.status_code == 200, answer.text
    return {row["lead_id"]: row["result"] for row in answer.json()["rows"]}


async def test_leads_are_reassigned_at_once_with_a_result_for_each(leads: Running) -> None:
    manager = await leads.client(code="QL001")
    first, second = await hire(leads, "NV001", "NV002")
    await pool(manager, [first])
    ids = await arrive(manager, 3)
    duplicate = (await post(manager, "0912300000"))["id"]
    await leads.receive(LEVEL_CHANGED, level({"id": ids[2]}, "L5"), subject=ids[2])

    moved = await reassign(manager, [*ids, duplicate], "person", owner_id=str(second.id))
    again = await reassign(manager, ids[:1], "person", owner_id=str(second.id))

    assert moved == {ids[0]: "given", ids[1]: "given", ids[2]: "given", duplicate: "duplicate"}
    assert again == {ids[0]: "kept"}
    fact = (await leads.outbox("leads.lead.assigned.v1"))[-1]["payload"]
    assert (fact["cause"], fact["assignment"], fact["previous_owner_id"]) == ("reassignment", 2, str(first.id))
    why = (await manager.get(f"/v1/leads/{ids[0]}/why")).json()["steps"]
    assert why[1]["sentence"] == "QL001 chuyển người chăm từ NV001 sang NV002: khách đổi người."
    await numbered_without_gap(leads)


async def test_leads_go_back_to_their_pools_past_their_holder_and_wait_if_nobody_can_take_them(leads: Running) -> None:
    manager = await leads.client(code="QL001")
    holder, other = await hire(leads, "NV001", "NV002")
    await pool(manager, [holder, other])
    ids = await arrive(manager, 2)
    (held,) = [lead_id for lead_id in ids if await owner_of(manager, {"id": lead_id}) == "NV001"]

    assert await reassign(manager, [held], "pools") == {held: "given"}
    assert await owner_of(manager, {"id": held}) == "NV002"
    await holder.duty(False)
    assert await reassign(manager, [held], "pools") == {held: "waiting"}
    assert await owner_of(manager, {"id": held}) is None

    why = (await manager.get(f"/v1/leads/{held}/why")).json()["steps"]
    assert why[1]["sentence"].startswith("Chuyển người chăm theo QL001. Chia tự động")
    assert why[2]["sentence"] == "NV002: thu hồi, chờ người khác nhận theo QL001 (khách đổi người)."
    await holder.duty(True)
    assert await owner_of(manager, {"id": held}) == "NV001"
    await numbered_without_gap(leads)


async def test_a_manager_puts_leads_into_the_floating_pool_from_wherever_they_are(leads: Running) -> None:
    manager = await leads.client(code="QL001")
    (holder,) = await hire(leads, "NV001", on_duty=False)
    await pool(manager, [holder])
    owned, waiting = await arrive(manager, 2)
    await manager.post(f"/v1/leads/{owned}/assign", json={"owner_id": str(holder.id)})

    first = await reassign(manager, [owned, waiting], "floating_pool")
    again = await reassign(manager, [owned], "floating_pool")

    assert first == {owned: "released", waiting: "released"}
    assert again == {owned: "kept"}
    items = {item["id"]: item for item in (await manager.get("/v1/floating-pool")).json()["items"]}
    assert {id: (item["released_from"], item["released_by"]) for id, item in items.items()} == {
        owned: ("NV001", "QL001"),
        waiting: (None, "QL001"),
    }
    await holder.duty(True)
    assert await owner_of(manager, {"id": waiting}) is None, "what lies in the floating pool is not distributed"
    back = await reassign(manager, [waiting], "pools")
    assert back == {waiting: "given"}
    await numbered_without_gap(leads)
