"""The list of promises, who keeps theirs, and the daily proof that none was dropped."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from deploy.local.engines import Temporal
from services.orders.promises.proof import Prover
from shared.temporal import connected
from tests.harness import Databases, connect
from tests.integration.orders.support import Person, Shop, idempotency_key, opened

DAY = "2026-11-23"


async def promises(person: Person, **wanted: Any) -> list[dict[str, Any]]:
    answer = await person.client.get("/v1/promises", params=wanted)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def worked(shop: Shop) -> list[UUID]:
    """NV01 keeps a first call and breaks one that is made good; NV02 breaks one; one is open."""
    kept, good, broken = [await shop.number() for _ in range(3)]
    shop.clock.forward(minutes=6)
    (task, *_) = (await shop.sale.client.get("/v1/tasks")).json()["items"]
    snoozed = {"minutes": 2, "reason": "đang bận"}
    answer = await shop.sale.client.post(f"/v1/tasks/{task['id']}/snooze", json=snoozed, headers=idempotency_key())
    assert answer.status_code == 200, answer.text
    await shop.call(kept, "not_buying", reason="giá cao")
    shop.clock.forward(minutes=14)
    await shop.call(good, "not_buying", reason="giá cao")
    await shop.assign(broken, shop.colleague)
    await shop.look(broken)
    shop.clock.forward(minutes=20)
    await shop.look(broken)
    return [kept, good, broken, await shop.number()]


async def test_promises_are_found_by_how_they_ended_whose_they_were_and_their_day(shop: Shop) -> None:
    kept, good, broken, still = await worked(shop)
    whole = await promises(shop.manager)
    assert {(item["order_id"], item["outcome"]) for item in whole} >= {
        (str(kept), "kept"),
        (str(good), "broken"),
        (str(broken), "broken"),
        (str(still), "open"),
    }
    found = await promises(shop.manager, outcome="broken", owner=str(shop.colleague.id), day=DAY)
    assert [(item["order_id"], item["owner_code"]) for item in found] == [(str(broken), "NV02")]
    assert await promises(shop.manager, day="2026-11-22") == []
    (late,) = [item for item in await promises(shop.sale, outcome="broken") if item["made_good_at"]]
    assert (late["order_id"], late["late_seconds"], late["kept_by"]) == (str(good), 900, "NV01")
    assert all(item["owner_code"] == "NV01" for item in await promises(shop.sale)), "one sees one's own"

    paged: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = (await shop.manager.client.get("/v1/promises", params={"limit": 2, **after})).json()
        paged += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert paged == [item["id"] for item in whole]


async def test_figures_say_who_keeps_how_many_of_their_promises(shop: Shop) -> None:
    await worked(shop)
    answer = await shop.manager.client.get("/v1/promises/figures", params={"since": DAY, "until": DAY})
    assert answer.status_code == 200, answer.text
    people = {person["owner_code"]: person for person in answer.json()["people"]}
    mine = people["NV01"]
    assert (mine["kept"], mine["made_good"], mine["snoozes"]) == (1, 1, 1)
    assert mine["kept_share"] == pytest.approx(mine["kept"] / (mine["kept"] + mine["broken"]), abs=1e-4)
    assert mine["kinds"]["first_call"]["open"] == 1
    assert (people["NV02"]["broken"], people["NV02"]["kept_share"]) == (1, 0.0)
    own = (await shop.colleague.client.get("/v1/promises/figures", params={"since": DAY, "until": DAY})).json()
    assert [person["owner_code"] for person in own["people"]] == ["NV02"]
    for since, until in (("2026-11-24", DAY), ("2024-01-01", DAY)):
        refused = await shop.manager.client.get("/v1/promises/figures", params={"since": since, "until": until})
        assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (422, "period-invalid")


# --- the proof ------------------------------------------------------------------------------------------------------


@pytest.fixture
async def proving(databases: Databases, temporal_server: Temporal) -> AsyncIterator[Shop]:
    client = await connected(await connect(temporal_server))
    async with opened(databases, temporal=client) as shop:
        yield shop


def prover(shop: Shop) -> Prover:
    runtime = shop.service.runtime
    return Prover(runtime.db, runtime.temporal, zone=ZoneInfo("Asia/Ho_Chi_Minh"), now=shop.clock)


async def test_a_day_without_dropped_promises_is_proved_once(proving: Shop) -> None:
    shop = proving
    order_id = await shop.number()
    await shop.call(order_id, "call_later", promised_at=(shop.clock.now + timedelta(days=2)).isoformat())
    in_pool = await shop.number()
    await shop.call(in_pool, "wrong_number")
    shop.clock.forward(hours=-7)
    assert not await prover(shop).step(), "it is 02:00"
    shop.clock.forward(hours=7)
    assert await prover(shop).step()
    assert not await prover(shop).step()
    (proof,) = (await shop.admin.client.get("/v1/promises/proof")).json()["items"]
    figures = ("open_promises", "orders_in_care", "without_timer", "open_without_task", "without_workflow", "holds")
    assert [proof[name] for name in figures] == [1, 1, 0, 0, 0, True]
    shop.clock.forward(days=1)
    assert await prover(shop).step()
    assert (await shop.manager.client.get("/v1/promises/proof")).status_code == 403


async def test_what_nothing_would_come_back_to_is_found_and_named(proving: Shop) -> None:
    shop = proving
    sleeping, bare, lost, paused = [await shop.number() for _ in range(4)]
    shop.clock.forward(minutes=5)
    pool = await shop.service.db.driver()
    # Nothing in the product can do this, so a hand in the database does.
    await pool.execute("UPDATE outbox SET status = 'sent', sent_at = now() WHERE subject = $1", f"care/{lost}")
    await pool.execute("UPDATE care SET next_due = NULL WHERE order_id = $1", sleeping)
    await pool.execute("UPDATE care SET next_due = NULL, changed_at = '2026-11-23T01:00Z' WHERE order_id = $1", bare)
    await pool.execute(
        "UPDATE promises SET ended_at = now(), outcome = 'cancelled', cause = 'x' WHERE order_id = ANY($1::uuid[])",
        [bare, paused],
    )
    await pool.execute(
        "UPDATE tasks SET closed_at = now(), outcome = 'cancelled' WHERE order_id = ANY($1::uuid[])", [bare, paused]
    )
    await pool.execute(
        "UPDATE care SET next_due = NULL, changed_at = '2026-11-23T01:00Z', state = state || '{\"paused\": true}' "
        "WHERE order_id = $1",
        paused,
    )
    found = (await shop.admin.client.get("/v1/promises/proof/now")).json()
    assert found["holds"] is False
    assert {(finding["kind"], finding["order_id"]) for finding in found["findings"]} == {
        ("without_timer", str(sleeping)),
        ("open_without_task", str(bare)),
        ("without_workflow", str(lost)),
    }
    assert await prover(shop).step()
    kept = (await shop.admin.client.get(f"/v1/promises/proof/{DAY}")).json()
    assert (kept["without_timer"], kept["open_without_task"], kept["without_workflow"]) == (1, 1, 1)
    assert len(kept["findings"]) == 3
    assert (await shop.admin.client.get("/v1/promises/proof/2026-11-01")).status_code == 404
