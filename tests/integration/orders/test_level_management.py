"""People manage child levels and the table of moves; what the product needs cannot be broken."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest
from sqlalchemy import text

from services.orders.actors import SYSTEM
from services.orders.levels.moves import Move, move_level
from services.orders.record import lock
from shared.contracts.events.leads import DUPLICATE_FOUND, SPAM_MARKED, DuplicateFound, Source, SpamMarked
from shared.contracts.events.orders import LevelCatalogueChanged
from tests.harness import eventually
from tests.integration.orders.support import Person, Shop

WAITING: dict[str, Any] = {"parent": "L1", "vi": "Chờ lương", "en": "Waiting for pay day", "colour": "#0D9488"}


async def ask(
    shop: Shop, method: str, path: str, *, by: Person | None = None, version: int | None = None, **body: Any
) -> httpx.Response:
    """A change of the catalogue on its present version."""
    client = (by or shop.admin).client
    if version is None:
        version = int((await client.get("/v1/levels")).headers["ETag"].strip('"'))
    return await client.request(method, path, json=body or None, headers={"If-Match": f'"{version}"'})


async def add(shop: Shop, **fields: Any) -> str:
    """A child level of L1; returns its code."""
    made = await ask(shop, "POST", "/v1/levels", **{**WAITING, "kind": "open", **fields})
    assert made.status_code == 201, made.text
    return str(made.json()["level"]["code"])


async def move(shop: Shop, order_id: UUID, to: str, *, by: Person | None = None, **fields: Any) -> httpx.Response:
    return await (by or shop.sale).client.post(f"/v1/orders/{order_id}/level", json={"to": to, **fields})


async def levels(shop: Shop, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await shop.sale.client.get("/v1/levels", params=query)).json()
    return found


async def test_a_level_that_was_added_is_used_at_once_and_care_goes_on_there(shop: Shop) -> None:
    order_id = await shop.number()
    code = await add(shop)
    assert code == "L1.7"
    before = await shop.order(order_id)
    assert code in {move["code"] for move in before["moves"]}

    moved = await move(shop, order_id, code)
    assert (moved.status_code, moved.json()["level"]) == (200, code), moved.text
    after = await shop.order(order_id)
    assert (after["level"]["vi"], after["level"]["en"]) == ("Chờ lương", "Waiting for pay day")
    assert after["care"]["is_open"] is True
    assert [task["id"] for task in after["tasks"]] == [task["id"] for task in before["tasks"]]

    missed = await shop.call(order_id, "no_answer")
    assert (missed.status_code, missed.json()["level"]) == (201, "L1.4"), missed.text


async def test_an_order_at_a_level_of_the_company_is_closed_like_any_other(shop: Shop) -> None:
    await shop.stocked()
    order_id = await shop.number()
    await move(shop, order_id, await add(shop))
    closed = await shop.close(order_id)
    assert (closed.status_code, closed.json()["level"]) == (201, "L5"), closed.text


@pytest.mark.parametrize("kind", ["open", "final"])
async def test_a_late_duplicate_finds_its_way_from_a_level_of_the_company(shop: Shop, kind: str) -> None:
    order_id, anchor_id = await shop.number(), await shop.number()
    await move(shop, order_id, await add(shop, kind=kind), reason="hết hàng lâu dài")
    verdict = DuplicateFound(
        lead_id=order_id,
        anchor_id=anchor_id,
        assignment=shop.assignments[order_id] + 1,
        at=shop.clock.forward(minutes=1),
        cause="corrected",
        received_at=shop.clock.now,
        source=Source(channel="landing_page"),
    )
    await shop.service.receive(DUPLICATE_FOUND, verdict, subject=order_id)
    assert await shop.level(order_id) == "C3.1"


async def test_spam_at_a_final_level_of_the_company_is_a_mark_alone(shop: Shop) -> None:
    order_id = await shop.number()
    code = await add(shop, kind="final")
    await move(shop, order_id, code, reason="hết hàng")
    spam = SpamMarked(lead_id=order_id, revision=1, kind="fake", at=shop.clock.forward(minutes=1))
    await shop.service.receive(SPAM_MARKED, spam, subject=order_id)
    assert (await shop.order(order_id, by=shop.admin))["marks"] == ["spam"]
    assert await shop.level(order_id) == code


async def test_a_customer_who_comes_again_is_called_from_a_final_level_of_the_company(shop: Shop) -> None:
    order_id = await shop.number()
    await move(shop, order_id, await add(shop, kind="final"), reason="hết hàng lâu dài")
    assert (await shop.order(order_id))["care"]["is_open"] is False
    shop.clock.forward(hours=1)
    await shop.came_again(order_id)
    await shop.look(order_id)
    order = await shop.order(order_id)
    assert (order["level"]["code"], order["care"]["step"], order["care"]["is_open"]) == ("L1.2", "callback", True)


async def test_names_colour_and_order_change_and_every_change_is_kept(shop: Shop) -> None:
    code = await add(shop, reason="mùa lương")
    edited = await ask(shop, "PATCH", f"/v1/levels/{code}", vi="Chờ ngày lương", colour="#aabbcc")
    assert (edited.status_code, edited.json()["level"]["vi"]) == (200, "Chờ ngày lương"), edited.text
    children = [level["code"] for level in await levels(shop) if level["parent"] == "L1"]
    ordered = await ask(shop, "PUT", "/v1/levels/L1/children", codes=[code, *children[:-1]])
    assert ordered.status_code == 200, ordered.text
    shown = [level["code"] for level in await levels(shop)]
    assert shown[2:5] == ["L1", code, "L1.1"]
    assert shown[-1] == "L8"

    kept = (await shop.sale.client.get("/v1/levels/history")).json()["items"]
    assert [(change["what"], change["subject"], change["by_code"]) for change in kept] == [
        ("levels_ordered", "L1", "AD01"),
        ("level_edited", code, "AD01"),
        ("level_added", code, "AD01"),
    ]
    assert (kept[1]["before"]["vi"], kept[1]["after"]["vi"]) == ("Chờ lương", "Chờ ngày lương")
    assert kept[2]["reason"] == "mùa lương"
    page = (await shop.sale.client.get("/v1/levels/history", params={"limit": 1, "after": kept[0]["version"]})).json()
    assert (page["items"], page["next"]) == ([kept[1]], kept[1]["version"])
    of_level = (await shop.sale.client.get("/v1/levels/history", params={"subject": code})).json()["items"]
    assert len(of_level) == 2


async def test_others_are_told_the_whole_catalogue_from_the_seed_on(shop: Shop) -> None:
    await add(shop, kind="final")
    events = await shop.service.outbox("orders.level_catalogue.changed.v1")
    told = [LevelCatalogueChanged.model_validate_json(orjson.dumps(event["payload"])) for event in events]
    assert [one.version for one in told] == [1, 2]
    assert [level.code for level in told[0].levels][:3] == ["C3", "C3.1", "L1"]
    new = next(level for level in told[1].levels if level.code == "L1.7")
    assert (new.parent, new.final, new.colour, new.retired) == ("L1", True, "#0d9488", False)


async def test_a_level_at_which_orders_stand_is_not_retired_and_the_answer_says_how_many(shop: Shop) -> None:
    code = await add(shop)
    orders = [await shop.number() for _ in range(2)]
    for order_id in orders:
        await move(shop, order_id, code)
    refused = await ask(shop, "POST", f"/v1/levels/{code}/retire", reason="x")
    assert (refused.status_code, refused.json()["title"]) == (409, "level-in-use"), refused.text
    assert refused.json()["uses"][0] == {"what": "orders", "count": 2, "process": "", "version": 0, "current": False}
    assert "2 orders stand at it" in refused.json()["detail"]

    for order_id in orders:
        await move(shop, order_id, "L1.2")
    assert (await ask(shop, "POST", f"/v1/levels/{code}/retire", reason="x")).status_code == 200
    assert code not in {level["code"] for level in await levels(shop)}
    assert code in {level["code"] for level in await levels(shop, retired=True)}
    refused = await move(shop, orders[0], code)
    assert (refused.status_code, refused.json()["title"]) == (409, "move-not-allowed")
    history = (await shop.sale.client.get(f"/v1/orders/{orders[0]}/transitions")).json()["items"]
    assert [(item["to_level"], item["to_vi"]) for item in history][:2] == [
        ("L1.2", "Chăm sóc lại"),
        (code, "Chờ lương"),
    ]

    assert (await ask(shop, "POST", f"/v1/levels/{code}/restore", reason="x")).status_code == 200
    assert (await move(shop, orders[0], code)).status_code == 200


async def test_a_level_that_care_names_is_not_retired_and_the_answer_names_the_version(shop: Shop) -> None:
    await shop.number()
    refused = await ask(shop, "POST", "/v1/levels/L1.6/retire", reason="x")
    assert (refused.status_code, refused.json()["title"]) == (409, "level-in-use"), refused.text
    (use,) = refused.json()["uses"]
    assert (use["what"], use["process"], use["current"], use["count"]) == ("process", "cod_standard", True, 1)


async def test_what_the_product_needs_is_not_retired(shop: Shop) -> None:
    for code, title in [
        ("L1", "main-level-fixed"),
        ("L1.3", "level-needed"),
        ("L7.1", "level-needed"),
        ("L9.9", "not-found"),
    ]:
        refused = await ask(shop, "POST", f"/v1/levels/{code}/retire", reason="x")
        assert refused.json()["title"] == title, refused.text


async def test_an_order_that_is_on_its_way_to_a_level_keeps_it(shop: Shop) -> None:
    code, order_id = await add(shop), await shop.number()
    async with shop.service.db.transaction() as session:
        order = await lock(session, order_id)
        assert order is not None
        now = datetime.now(UTC)
        await move_level(session, order, Move(code, at=now, recorded_at=now, cause="care"), SYSTEM)
        retiring = asyncio.create_task(ask(shop, "POST", f"/v1/levels/{code}/retire", reason="x"))

        async def waits() -> bool:
            rows = await shop.service.rows("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
            return bool(rows)

        await eventually(waits, what="the retirement waits for the order")
    refused = await retiring
    assert (refused.status_code, refused.json()["uses"][0]["count"]) == (409, 1), refused.text


IMPOSSIBLE: list[tuple[dict[str, Any], int, str]] = [
    ({"parent": "L7"}, 422, "no-children-here"),
    ({"parent": "C3"}, 422, "no-children-here"),
    ({"parent": "X1"}, 422, "no-children-here"),
    ({"number": 4}, 409, "level-code-taken"),
    ({"vi": "hẹn mua"}, 409, "level-name-taken"),
    ({"en": "Refuses CONTACT"}, 409, "level-name-taken"),
    ({"vi": "  "}, 422, "invalid"),
    ({"colour": "teal"}, 422, "invalid"),
    ({"kind": "half"}, 422, "invalid"),
]


async def test_a_level_that_cannot_be_is_refused_by_name(shop: Shop) -> None:
    for fields, status, title in IMPOSSIBLE:
        refused = await ask(shop, "POST", "/v1/levels", **{**WAITING, "kind": "open", **fields})
        assert (refused.status_code, refused.json()["title"]) == (status, title), refused.text
    assert (await shop.sale.client.get("/v1/levels/history")).json()["items"] == []


async def test_two_who_change_the_catalogue_at_once_do_not_overwrite_one_another(shop: Shop) -> None:
    code = await add(shop)
    first, second = await asyncio.gather(
        ask(shop, "PATCH", f"/v1/levels/{code}", version=2, vi="Một"),
        ask(shop, "PATCH", f"/v1/levels/{code}", version=2, vi="Hai"),
    )
    assert sorted((first.status_code, second.status_code)) == [200, 412]
    missing = await shop.admin.client.patch(f"/v1/levels/{code}", json={"vi": "Ba"})
    assert (missing.status_code, missing.json()["title"]) == (428, "if-match-required")


async def test_only_administrators_manage_levels(shop: Shop) -> None:
    refused = await ask(shop, "POST", "/v1/levels", by=shop.manager, **WAITING, kind="open")
    assert (refused.status_code, refused.json()["permission"]) == (403, "orders.admin")


async def test_a_child_order_that_forgets_one_is_refused(shop: Shop) -> None:
    refused = await ask(shop, "PUT", "/v1/levels/L1/children", codes=["L1.1", "L1.2", "L1.2"])
    assert (refused.status_code, refused.json()["title"]) == (422, "not-all-children")


async def test_a_move_asks_for_what_the_company_wants_filled_in_and_keeps_it(shop: Shop) -> None:
    code, order_id = await add(shop), await shop.number()
    pay_day = {"key": "pay_day", "vi": "Ngày lĩnh lương", "en": "Pay day", "kind": "date"}
    path = f"/v1/levels/transitions/L1/{code}"
    changed = await ask(shop, "PUT", path, care=True, requires=["note"], fields=[pay_day])
    assert changed.status_code == 200, changed.text

    assert (await move(shop, order_id, code)).json()["title"] == "note-required"
    refused = await move(shop, order_id, code, note="hẹn mùng 5", fields={"pay_day": "mùng 5"})
    assert (refused.status_code, refused.json()["title"]) == (422, "fields-required")
    assert "Pay day" in refused.json()["detail"]
    assert await shop.level(order_id) == "L1"

    moved = await move(shop, order_id, code, note="hẹn mùng 5", fields={"pay_day": "2026-12-05"})
    assert moved.status_code == 200, moved.text
    last = (await shop.sale.client.get(f"/v1/orders/{order_id}/transitions")).json()["items"][0]
    assert (last["fields"], last["note"], last["actor_code"]) == ({"pay_day": "2026-12-05"}, "hẹn mùng 5", "NV01")


async def test_a_result_of_a_call_fills_in_what_its_move_wants(shop: Shop) -> None:
    order_id = await shop.number()
    why = {"key": "why", "vi": "Vì sao", "en": "Why", "kind": "choice", "choices": ["giá", "chất lượng"]}
    changed = await ask(
        shop, "PUT", "/v1/levels/transitions/L1/L1.5", care=True, requires=["reason"], fields=[why], groups=["manager"]
    )
    assert changed.status_code == 200, changed.text
    refused = await shop.call(order_id, "not_buying", reason="giá cao")
    assert (refused.status_code, refused.json()["title"]) == (422, "fields-required")
    assert (await shop.service.rows("SELECT 1 FROM interactions WHERE order_id = :id", id=order_id)) == []
    # What a customer said is true whoever logs it: the group is asked of moves by hand alone.
    logged = await shop.call(order_id, "not_buying", reason="giá cao", fields={"why": "giá"})
    assert (logged.status_code, logged.json()["level"]) == (201, "L1.5"), logged.text


async def test_a_move_may_be_kept_for_a_group(shop: Shop) -> None:
    code, order_id = await add(shop), await shop.number()
    path = f"/v1/levels/transitions/L1/{code}"
    assert (await ask(shop, "PUT", path, care=True, groups=["boss"])).json()["title"] == "group-unknown"
    assert (await ask(shop, "PUT", path, care=True, groups=["manager"])).status_code == 200
    refused = await move(shop, order_id, code)
    assert (refused.status_code, refused.json()["title"]) == (403, "not-your-group")
    assert (await move(shop, order_id, code, by=shop.manager)).status_code == 200


BROKEN: list[tuple[str, dict[str, Any], str]] = [
    ("L7/L8", {}, "carriers_circle"),
    ("L5/L1.2", {"requires": ["reason"]}, "reopening_unguarded"),
    ("L1.3/L1.2", {"care": True}, "requirement_missing"),
    ("L1.2/L1.4", {}, "system_move_missing"),
    ("C3/L1", {"care": True}, "leads_decide"),
    ("L1.2/L1.6", {"care": True, "permission": "system.operate"}, "unknown_permission"),
]


async def test_a_table_that_would_break_a_rule_is_not_saved(shop: Shop) -> None:
    for key, body, fault in BROKEN:
        refused = await ask(shop, "PUT", f"/v1/levels/transitions/{key}", **{"staff": True, **body})
        assert (refused.status_code, refused.json()["title"]) == (422, "levels-broken"), refused.text
        assert (fault, key.replace("/", ">")) in {(one["code"], one["where"]) for one in refused.json()["faults"]}
    assert (await shop.sale.client.get("/v1/levels")).headers["ETag"] == '"1"'


async def test_a_move_is_taken_away_unless_something_needs_it(shop: Shop) -> None:
    code, order_id = await add(shop), await shop.number()
    refused = await ask(shop, "DELETE", f"/v1/levels/transitions/{code}/C3.1")
    assert (refused.status_code, refused.json()["faults"][0]["code"]) == (422, "system_move_missing")
    removed = await ask(shop, "DELETE", f"/v1/levels/transitions/L1/{code}")
    assert removed.status_code == 200, removed.text
    assert (await move(shop, order_id, code)).json()["title"] == "move-not-allowed"
    again = await ask(shop, "DELETE", f"/v1/levels/transitions/L1/{code}")
    assert again.status_code == 404


async def test_care_that_has_ended_is_not_left_at_a_level_its_process_does_not_know(shop: Shop) -> None:
    code, order_id = await add(shop), await shop.number()
    await shop.call(order_id, "not_buying", reason="giá cao")
    assert (await ask(shop, "PUT", f"/v1/levels/transitions/L1.5/{code}", requires=["reason"])).status_code == 200
    refused = await move(shop, order_id, code, reason="khách đổi ý")
    assert (refused.status_code, refused.json()["title"]) == (409, "level-unknown-to-process"), refused.text
    assert await shop.level(order_id) == "L1.5"


async def test_cancelling_by_hand_gives_the_stock_back_as_cancelling_does(shop: Shop) -> None:
    await shop.stocked(units=1)
    order_id = await shop.number()
    assert (await shop.close(order_id)).status_code == 201
    moved = await move(shop, order_id, "L5.3", reason="khách đổi ý")
    assert (moved.status_code, moved.json()["level"]) == (200, "L5.3"), moved.text
    (state,) = await shop.service.rows("SELECT state FROM reservations WHERE order_id = :id", id=order_id)
    assert state.state == "released"
    assert len(await shop.service.outbox("orders.order.cancelled.v1")) == 1


async def test_history_of_the_catalogue_cannot_be_rewritten(shop: Shop) -> None:
    await add(shop)
    with pytest.raises(Exception, match="append-only"):
        async with shop.service.db.transaction() as session:
            await session.execute(text("DELETE FROM level_changes"))
