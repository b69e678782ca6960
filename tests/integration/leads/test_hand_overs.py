"""Hand-overs of a whole portfolio."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from services.leads.state import parts_of
from services.leads.transfers import work
from services.leads.transfers.work import Transfers
from shared.auth import Principal
from shared.contracts.events.leads import PORTFOLIO_LEFT
from shared.contracts.events.orders import LEVEL_CHANGED
from tests.harness import Running, eventually
from tests.integration.leads.company import Colleague, hire, level, owner_of, pool, post
from tests.integration.leads.dealing import hold_numbers, numbered_without_gap, preview, rows
from tests.integration.leads.test_waiting import upkeep

REASON = {"reason": "chia số đầu tuần"}


# --- hand-over --------------------------------------------------------------------------------------------------------


async def portfolio(
    leads: Running, manager: httpx.AsyncClient, leaver: Colleague, count: int, *, first: int = 0
) -> list[str]:
    phones = [f"09{number:08}" for number in range(first, first + count)]
    ids = [lead["id"] for lead in await asyncio.gather(*(post(manager, phone) for phone in phones))]
    plan = await preview(manager, [leaver], lead_ids=ids)
    await manager.post(f"/v1/distributions/{plan['id']}/confirm", json=REASON)
    return ids


async def hand_over(client: httpx.AsyncClient, leaver: Colleague, *to: Colleague, **body: Any) -> dict[str, Any]:
    people = [{"account_id": str(person.id)} for person in to]
    answer = await client.post("/v1/hand-overs", json={"from_id": str(leaver.id), "people": people, **body})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_a_locked_accounts_portfolio_is_raised_until_it_is_handed_over(leads: Running) -> None:
    manager = await leads.client(code="QL001")
    leaver, first, second = await hire(leads, "NV001", "NV002", "NV003")
    ids = await portfolio(leads, manager, leaver, 7)
    await leads.receive(LEVEL_CHANGED, level({"id": ids[0]}, "L5"), subject=ids[0])
    await leads.receive(LEVEL_CHANGED, level({"id": ids[1]}, "L8"), subject=ids[1])
    await pool(manager, [leaver])
    assert (await manager.get("/v1/hand-overs/needed")).json()["items"] == []

    await leaver.change(active=False)

    (needed,) = (await manager.get("/v1/hand-overs/needed")).json()["items"]
    assert (needed["code"], needed["open_leads"], needed["in_care"]) == ("NV001", 6, 5)
    fresh = await post(manager, "0987654321")
    assert await owner_of(manager, fresh) is None, "a locked account is given nothing new"
    plan = await hand_over(manager, leaver, first, second)
    assert {one["code"]: one["leads"] for one in plan["people"]} == {"NV002": 3, "NV003": 3}
    done = (await manager.post(f"/v1/hand-overs/{plan['id']}/confirm", json={"reason": "nghỉ việc"})).json()
    assert (done["state"], done["results"], done["from_code"]) == ("done", {"given": 6}, "NV001")
    assert (await manager.get("/v1/hand-overs/needed")).json()["items"] == []
    assert await owner_of(manager, {"id": ids[1]}) == "NV001", "what has ended stays"
    everything = await hand_over(manager, leaver, first, scope="all")
    assert everything["rows"] == 1
    why = (await manager.get(f"/v1/leads/{ids[0]}/why")).json()["steps"]
    assert why[-1]["sentence"].startswith("QL001 bàn giao số từ NV001 cho ")
    causes = Counter(event["payload"]["cause"] for event in await leads.outbox("leads.lead.assigned.v1"))
    assert causes == {"manual": 7, "hand_over": 6}
    await numbered_without_gap(leads)


async def test_the_manager_is_told_once_of_a_portfolio_that_a_locked_account_left(leads: Running) -> None:
    admin = await leads.client()
    (boss,) = await hire(leads, "QL001", on_duty=False)
    (away,) = await hire(leads, "TN001", on_duty=False, superior=boss)
    leaver, other, receiver = await hire(leads, "NV001", "NV002", "NV003", superior=away)
    await portfolio(leads, admin, leaver, 3)
    moment = datetime.now(UTC)
    for one in (away, leaver, other):
        await one.change(active=False)
    boss_client = await leads.client("leads.read", "leads.distribute", account_id=boss.id, code="QL001")
    streams = parts_of(leads.runtime).streams
    who = Principal(account_id=boss.id, code="QL001", permissions=frozenset({"leads.distribute"}))

    await upkeep(leads).step(now=moment)
    assert await leads.outbox(PORTFOLIO_LEFT.name) == [], "it may be handed over at once"
    for _ in range(2):
        await upkeep(leads).step(now=moment + timedelta(minutes=5))

    (told,) = [fact["payload"] for fact in await leads.outbox(PORTFOLIO_LEFT.name)]
    assert (told["code"], told["open_leads"], told["in_care"]) == ("NV001", 3, 3)
    assert told["manager_id"] == str(boss.id), "the nearest who is here"
    assert (await streams.read(who, ["left_portfolios"]))["left_portfolios"]["portfolios"] == 1
    plan = await hand_over(boss_client, leaver, receiver)
    await boss_client.post(f"/v1/hand-overs/{plan['id']}/confirm", json={"reason": "nghỉ việc"})
    assert (await streams.read(who, ["left_portfolios"]))["left_portfolios"]["portfolios"] == 0
    await leaver.change()
    await portfolio(leads, admin, leaver, 1, first=50)
    await leaver.change(active=False)
    await upkeep(leads).step(now=moment + timedelta(days=1))
    assert len(await leads.outbox(PORTFOLIO_LEFT.name)) == 2


async def test_managers_hand_over_what_their_own_people_hold(leads: Running) -> None:
    admin = await leads.client()
    mine, other = await hire(leads, "QL001", "QL002", on_duty=False)
    (leaver,) = await hire(leads, "NV001", superior=mine)
    (receiver,) = await hire(leads, "NV002", superior=other)
    await portfolio(leads, admin, leaver, 2)
    await leaver.change(active=False)
    granted = ("leads.read", "leads.distribute")
    client = await leads.client(*granted, account_id=mine.id, code="QL001")
    stranger = await leads.client(*granted, account_id=other.id, code="QL002")
    body = {"from_id": str(leaver.id), "people": [{"account_id": str(receiver.id)}]}

    assert (await stranger.get("/v1/hand-overs/needed")).json()["items"] == []
    assert (await stranger.post("/v1/hand-overs", json=body)).status_code == 404
    assert [one["code"] for one in (await client.get("/v1/hand-overs/needed")).json()["items"]] == ["NV001"]
    assert (await client.post("/v1/hand-overs", json=body)).json()["rows"] == 2


async def test_a_portfolio_goes_through_the_rules_of_the_pools_and_replays(leads: Running) -> None:
    manager = await leads.client(code="QL001")
    leaver, first, second = await hire(leads, "NV001", "NV002", "NV003")
    ids = await portfolio(leads, manager, leaver, 9)
    made = await pool(manager, [leaver, first, second], weights=[1, 2, 1], capacity=5)

    plan = await hand_over(manager, leaver, strategy="pools")
    done = (await manager.post(f"/v1/hand-overs/{plan['id']}/confirm", json={"reason": "nghỉ việc"})).json()

    assert done["results"] == {"given": 9}
    owners = Counter([await owner_of(manager, {"id": lead_id}) for lead_id in ids])
    assert owners == {"NV002": 5, "NV003": 4}
    replay = (await manager.get(f"/v1/pools/{made['id']}/replay")).json()
    assert (replay["decisions"], replay["differing"]) == (9, [])
    why = (await manager.get(f"/v1/leads/{ids[0]}/why")).json()["steps"]
    assert why[-1]["sentence"].startswith("QL001 bàn giao. Chia tự động")
    await numbered_without_gap(leads)


async def test_what_nobody_of_the_pools_can_take_waits_without_an_owner(leads: Running) -> None:
    manager = await leads.client(code="QL001")
    leaver, other = await hire(leads, "NV001", "NV002")
    ids = await portfolio(leads, manager, leaver, 3)
    await pool(manager, [other], capacity=2)

    plan = await hand_over(manager, leaver, strategy="pools")
    done = (await manager.post(f"/v1/hand-overs/{plan['id']}/confirm", json={"reason": "nghỉ việc"})).json()

    assert done["results"] == {"given": 2, "waiting": 1}
    (waiting,) = (await manager.get("/v1/leads/waiting")).json()["items"]
    assert (waiting["cause"], waiting["lead_id"] in ids) == ("hand_over", True)
    assert await owner_of(manager, {"id": waiting["lead_id"]}) is None
    await numbered_without_gap(leads)


@pytest.mark.parametrize(
    ("held", "batch", "kills"),
    [(120, 5, 1), pytest.param(20_000, 500, 8, marks=pytest.mark.soak)],
)
async def test_a_hand_over_goes_on_after_each_kill_of_the_process_that_does_it(
    leads: Running, monkeypatch: pytest.MonkeyPatch, held: int, batch: int, kills: int
) -> None:
    monkeypatch.setattr("services.leads.api.transfers.WITHIN", 0.0)
    manager = await leads.client(code="QL001")
    leaver, *others = await hire(leads, *(f"NV{place:03}" for place in range(8)))
    await hold_numbers(leads, leaver, held)
    plan = await hand_over(manager, leaver, *others)
    url = f"/v1/hand-overs/{plan['id']}"
    confirmed = (await manager.post(f"{url}/confirm", json={"reason": "nghỉ việc"})).json()
    assert (confirmed["state"], confirmed["rows_done"], confirmed["rows"]) == ("running", 0, held)

    for kill in range(1, kills + 1):
        child = await worker(leads, batch)
        await eventually(lambda kill=kill: progress(manager, url, held * kill // (kills + 2)), within=60)
        child.kill()
        await child.wait()
    last = await worker(leads, batch)
    await eventually(lambda: progress(manager, url, held), within=120)
    last.kill()
    await last.wait()

    done = (await manager.get(url)).json()
    assert (done["state"], done["results"]) == ("done", {"given": held})
    shares = [one["leads"] for one in done["people"]]
    assert (sum(shares), max(shares) - min(shares) <= 1) == (held, True)
    facts = await leads.outbox("leads.lead.assigned.v1")
    assert Counter(fact["payload"]["cause"] for fact in facts) == {"hand_over": held}
    moved = await leads.rows("SELECT 1 FROM assignments WHERE cause = 'hand_over'")
    assert len(moved) == held
    assert await leads.rows("SELECT 1 FROM leads WHERE owner_id = :id OR assignment <> 2", id=leaver.id) == []


async def worker(leads: Running, batch: int) -> asyncio.subprocess.Process:
    """Another process that works transfers off."""
    code = (
        "import asyncio, sys\n"
        "from services.leads.transfers import work\n"
        "from shared.db import Database\n"
        "work.BATCH = int(sys.argv[2])\n"
        "async def main():\n"
        "    await work.Transfers(Database(sys.argv[1])).run()\n"
        "asyncio.run(main())\n"
    )
    return await asyncio.create_subprocess_exec(sys.executable, "-c", code, leads.url, str(batch))


async def progress(client: httpx.AsyncClient, url: str, at_least: int) -> bool:
    return bool((await client.get(url)).json()["rows_done"] >= at_least)


async def test_a_hand_over_is_stopped_and_says_what_was_not_done(
    leads: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "BATCH", 10)
    manager = await leads.client(code="QL001")
    leaver, first = await hire(leads, "NV001", "NV002")
    await portfolio(leads, manager, leaver, 30)
    monkeypatch.setattr("services.leads.api.transfers.WITHIN", 0.0)
    plan = await hand_over(manager, leaver, first)
    url = f"/v1/hand-overs/{plan['id']}"
    await manager.post(f"{url}/confirm", json={"reason": "nghỉ việc"})
    await Transfers(leads.db).step()

    stopped = (await manager.post(f"{url}/cancel")).json()
    assert not await Transfers(leads.db).step()

    assert (stopped["state"], stopped["rows"], stopped["rows_done"]) == ("cancelled", 30, 10)
    found = await rows(manager, plan, "hand-overs")
    assert [(row["result"], row["owner_code"]) for row in found] == [("given", "NV002")] * 10 + [(None, None)] * 20
    given = (await manager.get(f"{url}/rows", params={"result": "given"})).json()["items"]
    assert [row["position"] for row in given] == list(range(10))
    again = await manager.post(f"{url}/confirm", json={"reason": "nghỉ việc"})
    assert again.json()["title"] == "preview-expired"


async def test_bad_hand_overs_are_refused_by_name(leads: Running) -> None:
    manager = await leads.client()
    leaver, other = await hire(leads, "NV001", "NV002")
    person = {"account_id": str(leaver.id)}

    async def title(**body: Any) -> str:
        answer = await manager.post("/v1/hand-overs", json={"from_id": str(leaver.id), **body})
        return str(answer.json()["title"])

    assert await title(people=[person]) == "hand-over-to-self"
    assert await title(people=[]) == "invalid"
    assert await title(strategy="pools", people=[person]) == "invalid"
    assert await title(people=[{"account_id": str(other.id), "count": 3}]) == "invalid"
    assert await title(people=[{"account_id": str(other.id)}]) == "nothing-to-transfer"
    unknown = await manager.post(
        "/v1/hand-overs", json={"from_id": str(other.id).replace("0", "1"), "people": [person]}
    )
    assert unknown.json()["title"] == "not-found"


async def test_what_ended_at_a_level_of_the_company_is_not_handed_over_as_open(leads: Running) -> None:
    manager = await leads.client(code="QL001")
    leaver, other = await hire(leads, "NV001", "NV002")
    ids = await portfolio(leads, manager, leaver, 2)
    ended = level({"id": ids[0]}, "L1.7").model_copy(update={"final": True})
    await leads.receive(LEVEL_CHANGED, ended, subject=ids[0])
    await leaver.change(active=False)

    (needed,) = (await manager.get("/v1/hand-overs/needed")).json()["items"]
    assert needed["open_leads"] == 1
    assert (await hand_over(manager, leaver, other))["rows"] == 1
