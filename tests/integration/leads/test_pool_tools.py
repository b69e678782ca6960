"""Which pool takes a lead, who would get the next ones, the order of pools, and who got how many."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from tests.harness import Running
from tests.integration.leads.company import hire, owner_of, pool, post


async def test_a_lead_is_tried_on_the_pools_and_told_which_rule_did_not_fit(leads: Running) -> None:
    client = await leads.client()
    everyone = await pool(client, [], name="Chung", position=100)
    await pool(client, [], name="Mỹ phẩm", position=10, products=["SERUM-30"], channels=["landing_page"])

    answer = (await client.post("/v1/pools/match", json={"product": "SERUM-30", "channel": "hotline"})).json()

    assert (answer["pool_id"], answer["pool"]) == (everyone["id"], "Chung")
    assert [(one["name"], one["unfit"]) for one in answer["tried"]] == [("Mỹ phẩm", ["channel"]), ("Chung", [])]


async def test_a_returning_customer_is_matched_to_the_pool_that_cares_for_them(leads: Running) -> None:
    client = await leads.client()
    care = await pool(client, [], name="CSKH", position=900, channels=["hotline"])
    await pool(client, [], returning_to="pool", returning_pool_id=care["id"])

    answer = (await client.post("/v1/pools/match", json={"returning_customer": True})).json()

    assert (answer["pool"], answer["returning"]) == ("CSKH", "pool")


async def test_a_simulation_says_who_gets_the_next_leads_and_changes_nothing(leads: Running) -> None:
    client = await leads.client()
    people = await hire(leads, "NV001", "NV002")
    (absent,) = await hire(leads, "NV003", on_duty=False)
    made = await pool(client, [*people, absent], weights=[3, 1, 1])
    url = f"/v1/pools/{made['id']}"

    simulated = (await client.post(f"{url}/simulate", json={"leads": 8})).json()
    again = (await client.post(f"{url}/simulate", json={"leads": 8})).json()

    assert simulated == again
    assert {one["code"]: (one["leads"], one["state"]) for one in simulated["shares"]} == {
        "NV001": (6, "free"),
        "NV002": (2, "free"),
        "NV003": (0, "off_duty"),
    }
    owners = [await owner_of(client, await post(client, f"09123456{place:02}")) for place in range(8)]
    assert owners == [turn["code"] for turn in simulated["turns"]]


async def test_pools_are_put_in_order_from_the_order_that_was_seen(leads: Running) -> None:
    client = await leads.client()
    (person,) = await hire(leads, "NV001")
    (other,) = await hire(leads, "NV002")
    first = await pool(client, [person], name="A", position=1)
    second = await pool(client, [other], name="B", position=2)
    assert await owner_of(client, await post(client, "0912345601")) == "NV001"
    tag = (await client.get("/v1/pool-order")).headers["etag"]
    wanted = {"pools": [second["id"], first["id"]]}

    partly = await client.put("/v1/pool-order", json={"pools": [second["id"]]}, headers={"If-Match": tag})
    changed = await client.put("/v1/pool-order", json=wanted, headers={"If-Match": tag})
    stale = await client.put("/v1/pool-order", json=wanted, headers={"If-Match": tag})

    assert partly.json()["title"] == "pool-order-incomplete"
    assert [one["name"] for one in changed.json()] == ["B", "A"]
    assert stale.status_code == 412
    assert await owner_of(client, await post(client, "0912345602")) == "NV002"


async def test_figures_show_what_everybody_got_against_what_the_weights_owed_them(leads: Running) -> None:
    client = await leads.client()
    people = await hire(leads, "NV001", "NV002")
    made = await pool(client, people, weights=[3, 1])
    url = f"/v1/pools/{made['id']}/figures"
    for place in range(6):
        await post(client, f"09123456{place:02}")
    await people[1].duty(False)
    for place in range(6, 8):
        await post(client, f"09123456{place:02}")

    figures = (await client.get(url)).json()
    yesterday = datetime.now(ZoneInfo("Asia/Ho_Chi_Minh")).date() - timedelta(days=1)
    before = (await client.get(url, params={"on": str(yesterday)})).json()

    assert figures["given"] == 8
    assert {one["code"]: one["target"] for one in figures["people"]} == {"NV001": 6.5, "NV002": 1.5}
    assert all(one["turns"] + one["owed"] == one["target"] for one in figures["people"])
    assert [one["given"] for one in before["people"]] == [0, 0]
    assert [one["target"] for one in before["people"]] == [0, 0]
