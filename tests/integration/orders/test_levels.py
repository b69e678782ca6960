"""Levels change by the table alone, each change is one append-only transition."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from services.orders.actors import CARRIER, SYSTEM, Actor
from services.orders.levels.moves import Move, MoveNotAllowed, move_level
from services.orders.record import lock
from shared.contracts import levels
from tests.integration.orders.support import MORNING, Shop


async def test_all_levels_have_labels_in_both_languages(shop: Shop) -> None:
    found = (await shop.sale.client.get("/v1/levels")).json()
    by_code = {level["code"]: level for level in found}
    assert by_code["L1.4"]["vi"] == "Không liên lạc được"
    assert by_code["L1.4"]["en"] == "Unreachable"
    assert {code for code, level in by_code.items() if level["kind"] == "final"} == levels.SEED_FINAL
    assert [level["code"] for level in found if level["parent"] is None] == list(levels.MAIN_LEVELS)


async def test_every_seeded_move_is_between_known_levels_and_none_leaves_a_final_level_without_reason(
    shop: Shop,
) -> None:
    moves = (await shop.sale.client.get("/v1/levels/transitions")).json()
    assert len(moves) > 60
    for move in moves:
        if move["from_level"] in levels.SEED_FINAL and "staff" in move["who"]:
            assert "reason" in move["requires"], move


async def test_a_person_may_leave_not_buying_with_a_reason_only_and_care_goes_on(shop: Shop) -> None:
    order_id = await shop.number()
    await shop.call(order_id, "not_buying", reason="giá cao")
    path = f"/v1/orders/{order_id}/level"
    refused = await shop.sale.client.post(path, json={"to": "L1.2"})
    assert (refused.status_code, refused.json()["title"]) == (422, "reason-required")
    moved = await shop.sale.client.post(path, json={"to": "L1.2", "reason": "khách gọi lại"})
    assert moved.status_code == 200, moved.text
    assert moved.json()["level"] == "L1.2"
    assert moved.json()["care"]["is_open"] is True
    assert moved.json()["care"]["step"] == "callback"
    assert (await shop.service.outbox("CareWorkflow"))[-1]["subject"] == f"care/{order_id}/2"


async def test_a_person_who_takes_a_refusal_back_with_a_reason_may_have_the_number_called_again(shop: Shop) -> None:
    order_id = await shop.number()
    await shop.call(order_id, "refuses_contact")
    assert (await shop.order(order_id))["customer"]["do_not_call_at"] is not None
    path = f"/v1/orders/{order_id}/level"
    assert (await shop.sale.client.post(path, json={"to": "L1.2"})).json()["title"] == "reason-required"
    moved = await shop.sale.client.post(path, json={"to": "L1.2", "reason": "khách gọi lại, muốn nghe tư vấn"})
    assert (moved.status_code, moved.json()["level"]) == (200, "L1.2"), moved.text
    assert moved.json()["care"]["is_open"] is True
    assert (await shop.order(order_id))["customer"]["do_not_call_at"] is None


async def test_wrong_number_needs_a_logged_call(shop: Shop) -> None:
    order_id = await shop.number()
    refused = await shop.sale.client.post(f"/v1/orders/{order_id}/level", json={"to": "L1.1", "reason": "x"})
    assert (refused.status_code, refused.json()["title"]) == (422, "call-required")


async def test_closed_is_not_reached_by_hand(shop: Shop) -> None:
    order_id = await shop.number()
    refused = await shop.sale.client.post(f"/v1/orders/{order_id}/level", json={"to": "L5"})
    assert (refused.status_code, refused.json()["title"]) == (422, "closing-required")


@pytest.mark.parametrize("to", ["L8", "L7", "C3", "L9.9"])
async def test_an_impossible_move_is_refused_by_name_and_changes_nothing(shop: Shop, to: str) -> None:
    order_id = await shop.number()
    refused = await shop.sale.client.post(f"/v1/orders/{order_id}/level", json={"to": to, "reason": "x"})
    assert (refused.status_code, refused.json()["title"]) == (409, "move-not-allowed")
    assert await shop.level(order_id) == "L1"


@pytest.mark.parametrize("actor", [SYSTEM, CARRIER])
async def test_only_those_whom_the_table_names_may_move(shop: Shop, actor: Actor) -> None:
    order_id = await shop.number()
    async with shop.service.db.transaction() as session:
        order = await lock(session, order_id)
        assert order is not None
        move = Move("L5", at=MORNING, recorded_at=MORNING, cause="closed", given=frozenset({"order"}))
        with pytest.raises(MoveNotAllowed):
            await move_level(session, order, move, actor)


async def test_an_event_says_whether_the_level_ends_the_order_also_for_a_level_of_the_company(shop: Shop) -> None:
    async with shop.service.db.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO levels (code, vi, en, kind, parent, colour, position) "
                "VALUES ('L1.7', 'Nhượng quyền', 'Franchise', 'final', 'L1', '#123456', 90)"
            )
        )
        await session.execute(
            text("INSERT INTO level_transitions (from_level, to_level, who) VALUES ('L1', 'L1.7', ARRAY['staff'])")
        )
    own, seeded = await shop.number(), await shop.number()
    assert (await shop.sale.client.post(f"/v1/orders/{own}/level", json={"to": "L1.7"})).status_code == 200
    await shop.call(seeded, "no_answer")
    events = [event["payload"] for event in await shop.service.outbox("orders.level.changed.v1")]
    assert {event["to_level"]: event["final"] for event in events} == {"L1": False, "L1.7": True, "L1.4": False}


async def test_transitions_can_not_be_rewritten(shop: Shop) -> None:
    order_id = await shop.number()
    with pytest.raises(DBAPIError, match="append-only"):
        async with shop.service.db.transaction() as session:
            await session.execute(text("UPDATE transitions SET to_level = 'L8' WHERE order_id = :id"), {"id": order_id})


async def test_the_screen_is_told_where_the_order_may_go(shop: Shop) -> None:
    order_id = await shop.number()
    moves = {move["code"]: move["requires"] for move in (await shop.order(order_id))["moves"]}
    assert moves["L5"] == ["order"]
    assert moves["L1.5"] == ["reason"]
    assert "L7" not in moves
