"""Running care goes over to another version of its process: previewed, once each, at a safe point."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from services.orders.care.processes import PROCESSES
from services.orders.housekeeping import purge
from services.orders.moving import clearing
from services.orders.moving.turns import Moves
from services.orders.record import lock
from tests.integration.orders.process_support import Edit, published
from tests.integration.orders.support import Shop
from tests.integration.orders.test_processes import BASE, KEY

URL = f"{BASE}/{KEY}/moves"


def quicker(body: dict[str, Any]) -> None:
    body["steps"]["no_answer_2"]["due"] = {"after": "90m"}


def without_thinking(body: dict[str, Any]) -> None:
    """Another name for a step, and a message instead of a call after the first miss."""
    body["steps"]["ask_again"] = body["steps"].pop("thinking")
    body["steps"]["send_info"] |= {"done": "ask_again", "timeout": "ask_again"}
    for rule in body["rules"]:
        rule["at"] = ["ask_again" if at == "thinking" else at for at in rule["at"]]
        if "thinking" in rule["results"]:
            rule["results"]["thinking"] = {"to": "ask_again"}
    body["reasons"]["steps.ask_again*"] = body["reasons"]["steps.thinking"]


async def publish(shop: Shop, edit: Edit) -> int:
    return await published(shop.service, edit)


async def begin(shop: Shop, to: int, **fields: Any) -> httpx.Response:
    body = {"to_version": to, "reason": "thử", "per_minute": 60_000, **fields}
    return await shop.admin.client.post(URL, json=body)


async def work(shop: Shop, move_id: str, *, turns: int = 50) -> dict[str, Any]:
    """Does what the workflow does, until the phase is over."""
    processes = shop.service.runtime.state[PROCESSES]
    moves = Moves(shop.service.db, processes, now=shop.clock)
    for _ in range(turns):
        if (await moves.turn(UUID(move_id))).done:
            break
    return dict((await shop.admin.client.get(f"{URL}/{move_id}")).json())


async def preview(shop: Shop, to: int, **fields: Any) -> dict[str, Any]:
    answer = await begin(shop, to, **fields)
    assert answer.status_code == 201, answer.text
    return await work(shop, answer.json()["id"])


async def start(shop: Shop, move: dict[str, Any]) -> dict[str, Any]:
    answer = await shop.admin.client.post(f"{URL}/{move['id']}/start")
    assert answer.status_code == 200, answer.text
    return await work(shop, move["id"])


async def cares(shop: Shop, move: dict[str, Any], **params: Any) -> list[dict[str, Any]]:
    return list((await shop.admin.client.get(f"{URL}/{move['id']}/cares", params=params)).json()["items"])


async def standing(shop: Shop, order_id: UUID) -> dict[str, Any]:
    """What somebody sees of an order's care: version, step, and the open tasks with their promises."""
    (care,) = await shop.service.rows("SELECT process_version, step FROM care WHERE order_id = :id", id=order_id)
    tasks = await shop.service.rows(
        "SELECT key, step, due_at FROM tasks WHERE order_id = :id AND closed_at IS NULL ORDER BY key", id=order_id
    )
    return {"version": care.process_version, "step": care.step, "tasks": [tuple(task) for task in tasks]}


async def at_steps(shop: Shop) -> dict[str, UUID]:
    """Orders at different places, and enough time since anybody worked on one."""
    orders = {name: await shop.number() for name in ("first_call", "retry", "callback", "thinking")}
    await shop.call(orders["retry"], "no_answer")
    await shop.call(orders["callback"], "call_later", promised_at="2026-11-25T15:20:00+07:00")
    await shop.call(orders["thinking"], "thinking")
    shop.clock.forward(minutes=2)
    return orders


async def test_the_preview_says_what_each_would_do_next_and_changes_nothing(shop: Shop) -> None:
    orders = await at_steps(shop)
    before = {name: await standing(shop, order) for name, order in orders.items()}
    move = await preview(shop, await publish(shop, quicker))
    assert (move["state"], move["total"]) == ("previewed", 4)
    assert move["counts"]["change"] == {"same": 3, "retimed": 1}
    assert move["counts"]["found_by"] == {"name": 4}
    (care,) = await cares(shop, move, change="retimed")
    assert (care["order_id"], care["owner_code"]) == (str(orders["retry"]), "NV01")
    assert (care["before"]["due_at"], care["after"]["due_at"]) == ("2026-11-23T03:00:00Z", "2026-11-23T03:30:00Z")
    assert {name: await standing(shop, order) for name, order in orders.items()} == before


async def test_a_move_takes_each_care_along_with_its_tasks_and_promises(shop: Shop) -> None:
    orders = await at_steps(shop)
    before = {name: await standing(shop, order) for name, order in orders.items()}
    move = await start(shop, await preview(shop, await publish(shop, without_thinking)))
    assert (move["state"], move["counts"]["state"]) == ("done", {"moved": 4})
    assert move["counts"]["change"] == {"same": 3, "renamed": 1}
    for name, order in orders.items():
        after = await standing(shop, order)
        assert after["version"] == 4
        assert [(key, due) for key, _, due in after["tasks"]] == [(key, due) for key, _, due in before[name]["tasks"]]
    assert (await standing(shop, orders["thinking"]))["step"] == "ask_again"
    answer = await shop.call(orders["thinking"], "call_later")
    assert (answer.status_code, answer.json()["care"]["step"]) == (201, "callback")


async def test_what_the_other_version_does_not_owe_is_cancelled_and_what_it_owes_is_opened(shop: Shop) -> None:
    orders = await at_steps(shop)
    move = await preview(shop, await publish(shop, without_thinking), steps={"thinking": "send_info"})
    assert (await start(shop, move))["counts"]["change"] == {"same": 3, "replaced": 1}
    ended = await shop.service.outbox("orders.promise.ended.v1")
    mine = [event["payload"] for event in ended if event["subject"] == str(orders["thinking"])]
    assert [(each["kind"], each["outcome"], each["cause"]) for each in mine][-1] == (
        "follow_up",
        "cancelled",
        "process_moved",
    )
    assert [step for _, step, _ in (await standing(shop, orders["thinking"]))["tasks"]] == ["send_info"]


async def test_only_chosen_groups_are_moved(shop: Shop) -> None:
    orders = await at_steps(shop)
    other = await shop.accept(source={"channel": "facebook_form"})
    await shop.assign(other, shop.colleague)
    await shop.look(other)
    to = await publish(shop, quicker)
    for selection, expected in (
        ({"steps": ["no_answer_2", "thinking"]}, {orders["retry"], orders["thinking"]}),
        ({"owners": ["NV02"]}, {other}),
        ({"channels": ["facebook_form"], "versions": [3]}, {other}),
    ):
        move = await preview(shop, to, select=selection)
        assert {UUID(care["order_id"]) for care in await cares(shop, move)} == expected
    nothing = await begin(shop, to, select={"owners": ["NV99"]})
    assert (nothing.status_code, nothing.json()["title"]) == (422, "nothing-to-move")


async def test_a_map_that_names_steps_nobody_has_is_refused(shop: Shop) -> None:
    await at_steps(shop)
    refused = await begin(shop, await publish(shop, quicker), steps={"thinking": "nowhere", "never": "pool"})
    assert (refused.status_code, refused.json()["steps"]) == (422, "never, nowhere")


async def test_an_order_that_somebody_works_on_is_left_until_they_are_done(shop: Shop) -> None:
    orders = await at_steps(shop)
    move = await preview(shop, await publish(shop, quicker))
    async with shop.service.db.transaction() as session:
        await lock(session, orders["callback"])  # somebody logs a call just now
        await shop.admin.client.post(f"{URL}/{move['id']}/start")
        held = await work(shop, move["id"], turns=2)
        assert (held["state"], held["counts"]["state"]) == ("moving", {"moved": 3, "previewed": 1})
        assert (await standing(shop, orders["callback"]))["version"] == 3
    shop.clock.forward(seconds=3)
    assert (await work(shop, move["id"]))["counts"]["state"] == {"moved": 4}


async def test_an_order_is_not_moved_within_a_minute_of_a_call(shop: Shop) -> None:
    orders = await at_steps(shop)
    move = await preview(shop, await publish(shop, quicker))
    await shop.call(orders["first_call"], "busy")
    await shop.admin.client.post(f"{URL}/{move['id']}/start")
    assert (await work(shop, move["id"], turns=2))["counts"]["state"] == {"moved": 3, "previewed": 1}
    shop.clock.forward(seconds=59)
    assert (await work(shop, move["id"], turns=2))["state"] == "moving"
    shop.clock.forward(seconds=1)
    assert (await work(shop, move["id"]))["state"] == "done"
    assert (await standing(shop, orders["first_call"]))["step"] == "busy_retry"


async def test_a_move_that_is_cancelled_leaves_the_rest_and_can_go_on(shop: Shop) -> None:
    await at_steps(shop)
    move = await preview(shop, await publish(shop, quicker), per_minute=30)
    url = f"{URL}/{move['id']}"
    await shop.admin.client.post(f"{url}/start")
    assert (await work(shop, move["id"], turns=1))["counts"]["state"] == {"moved": 1, "previewed": 3}
    cancelled = (await shop.admin.client.post(f"{url}/cancel")).json()
    assert (cancelled["state"], cancelled["cancelled_by"]) == ("cancelled", "AD01")
    assert (await work(shop, move["id"]))["counts"]["state"] == {"moved": 1, "previewed": 3}
    assert (await start(shop, move))["counts"]["state"] == {"moved": 4}
    again = await shop.admin.client.post(f"{url}/start")
    assert (again.status_code, again.json()["title"]) == (409, "move-not-ready")


async def test_a_care_that_cannot_be_moved_is_listed_and_stops_no_other(shop: Shop) -> None:
    orders = await at_steps(shop)

    def other_level(body: dict[str, Any]) -> None:
        body["steps"]["thinking"]["level"] = "L1.6"

    move = await preview(shop, await publish(shop, other_level))
    async with shop.service.db.transaction() as session:
        connection = await session.connection()
        await connection.exec_driver_sql(
            "DELETE FROM level_transitions WHERE from_level = 'L1.2' AND to_level = 'L1.6'"
        )
    done = await start(shop, move)
    assert (done["state"], done["counts"]["state"]) == ("done", {"moved": 3, "failed": 1})
    (failed,) = await cares(shop, move, state="failed")
    assert (failed["order_id"], failed["error"]) == (str(orders["thinking"]), "MoveNotAllowed: move-not-allowed")
    assert (await standing(shop, orders["thinking"]))["version"] == 3


async def test_what_ended_meanwhile_or_went_over_already_is_left(shop: Shop) -> None:
    orders = await at_steps(shop)
    to = await publish(shop, quicker)
    first, second = await preview(shop, to), await preview(shop, to)
    await shop.call(orders["first_call"], "wrong_number")
    shop.clock.forward(minutes=2)
    assert (await start(shop, first))["counts"]["state"] == {"moved": 3, "left": 1}
    left = await start(shop, second)
    assert (left["counts"]["state"], left["counts"]["change"]) == ({"left": 4}, {"ended": 1, "already": 3})


async def test_a_result_is_not_taken_back_once_the_care_went_over(shop: Shop) -> None:
    order = await shop.number()
    logged = (await shop.call(order, "no_answer")).json()["interaction_id"]
    shop.clock.forward(minutes=2)
    await start(shop, await preview(shop, await publish(shop, quicker)))
    undone = await shop.sale.client.post(f"/v1/orders/{order}/interactions/{logged}/undo")
    assert (undone.status_code, undone.json()["what"]) == (409, "process")


async def test_the_workflow_is_woken_only_where_it_has_to_look_earlier(shop: Shop) -> None:
    await at_steps(shop)

    def sooner(body: dict[str, Any]) -> None:
        body["steps"]["thinking"]["due"] = {"days": 0, "at": "16:00"}
        body["reasons"]["steps.thinking.due.*"] = body["reasons"]["steps.thinking.due.days"]

    to = await publish(shop, sooner)
    move = await preview(shop, to)
    before = len(await shop.service.outbox("CareWorkflow"))
    assert (await start(shop, move))["counts"]["change"] == {"same": 3, "retimed": 1}
    assert len(await shop.service.outbox("CareWorkflow")) == before + 1


async def test_the_list_of_cares_comes_in_pages(shop: Shop) -> None:
    orders = await at_steps(shop)
    move = await preview(shop, await publish(shop, quicker))
    url, seen, after = f"{URL}/{move['id']}/cares", [], None
    while True:
        params = {"limit": 3} | ({"after": after} if after else {})
        page = (await shop.admin.client.get(url, params=params)).json()
        seen += [UUID(item["order_id"]) for item in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert seen == sorted(orders.values())


@pytest.mark.parametrize("path", ["", "/01890000-0000-7000-8000-000000000000/start"])
async def test_only_who_publishes_moves(shop: Shop, path: str) -> None:
    refused = await shop.manager.client.post(f"{URL}{path}", json={"to_version": 3, "reason": "thử"})
    assert refused.json()["permission"] == "orders.process.publish"


async def test_a_move_stands_on_the_timeline_with_who_wanted_it_from_what_to_what_and_why(shop: Shop) -> None:
    orders = await at_steps(shop)
    to = await publish(shop, without_thinking)
    move = await start(shop, await preview(shop, to, select={"steps": ["thinking"]}, reason="Gộp bước hỏi lại"))
    timeline = (await shop.sale.client.get(f"/v1/orders/{orders['thinking']}/timeline")).json()["items"]
    (entry,) = [entry for entry in timeline if entry["kind"] == "process"]
    assert {name: entry[name] for name in ("before", "what", "by", "reason", "note")} == {
        "before": f"{KEY}@3",
        "what": f"{KEY}@{to}",
        "by": "AD01",
        "reason": "Gộp bước hỏi lại",
        "note": "thinking → ask_again",
    }
    await work(shop, move["id"])
    for name, order in orders.items():
        again = (await shop.sale.client.get(f"/v1/orders/{order}/timeline")).json()["items"]
        assert sum(entry["kind"] == "process" for entry in again) == (name == "thinking")


async def test_old_moves_forget_their_orders_and_keep_their_counts_and_the_timeline(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clearing, "MOST", 3)
    orders = await at_steps(shop)
    old = await start(shop, await preview(shop, await publish(shop, quicker)))
    left = await preview(shop, 3)
    shop.clock.forward(days=60)
    young = await preview(shop, 3)
    shop.clock.forward(days=31)
    kept = timedelta(days=90)
    await purge(shop.service.db, move_details=kept, now=shop.clock.now)
    await purge(shop.service.db, move_details=kept, now=shop.clock.now)
    after = (await shop.admin.client.get(f"{URL}/{old['id']}")).json()
    assert (after["counts"], after["total"]) == (old["counts"], 4)
    assert after["cleared_at"] is not None
    assert await cares(shop, old) == []
    listed = {each["id"]: each for each in (await shop.admin.client.get(URL)).json()["items"]}
    assert listed[old["id"]]["counts"] == old["counts"]
    refused = await shop.admin.client.post(f"{URL}/{left['id']}/start")
    assert (refused.status_code, refused.json()["title"]) == (409, "move-cleared")
    assert len(await cares(shop, young)) == 4, "what is not old enough stays"
    timeline = (await shop.sale.client.get(f"/v1/orders/{orders['retry']}/timeline")).json()["items"]
    assert [entry["kind"] for entry in timeline].count("process") == 1


async def test_a_move_that_runs_is_never_cleared(shop: Shop) -> None:
    await at_steps(shop)
    running = await begin(shop, await publish(shop, quicker))
    shop.clock.forward(days=400)
    await purge(shop.service.db, move_details=timedelta(days=90), now=shop.clock.now)
    done = await work(shop, running.json()["id"])
    assert (done["state"], done["cleared_at"], done["counts"]["state"]) == ("previewed", None, {"previewed": 4})
