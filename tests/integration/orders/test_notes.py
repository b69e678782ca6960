"""Notes between colleagues: mentions, questions whose answer is a promise, edits; and what a leaver owed goes on."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from services.orders.live import streams_of
from services.orders.notes.mentions import mentioned
from services.orders.promises.waiting import Waiting
from shared.auth import Principal
from shared.contracts.events.leads import LEAD_ASSIGNED, LeadAssigned
from shared.contracts.events.staff import ACCOUNT_CHANGED, AccountChanged
from shared.contracts.permissions import SEED_GROUPS
from tests.integration.orders.support import MORNING, Person, Shop, idempotency_key


async def write(shop: Shop, order_id: UUID, text: str, *, by: Person | None = None, **fields: Any) -> httpx.Response:
    return await (by or shop.sale).client.post(f"/v1/orders/{order_id}/notes", json={"text": text, **fields})


async def ask(shop: Shop, order_id: UUID, text: str = "@nv02 bảo hành bao lâu?", **fields: Any) -> UUID:
    answer = await write(shop, order_id, text, ask=True, **fields)
    assert answer.status_code == 201, answer.text
    return UUID(answer.json()["note_id"])


async def questions(person: Person, side: str, **query: Any) -> list[dict[str, Any]]:
    answer = await person.client.get("/v1/notes/questions", params={"side": side, **query})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def unread(person: Person) -> tuple[int, int, int, int]:
    counts = (await person.client.get("/v1/notes/unread")).json()
    return counts["mentions"], counts["answers"], counts["owed"], counts["overdue"]


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("@NV02 xem giúp", ["NV02"]),
        ("chị @nv02, @Nv02 và (@QL01).", ["NV02", "QL01"]),
        ("gửi về hoa@shop.vn nhé", []),
        ("@ @! không ai", []),
    ],
)
def test_codes_after_an_at_are_mentions(text: str, codes: list[str]) -> None:
    assert mentioned(text) == codes


async def test_a_question_is_a_promise_that_an_answer_keeps(shop: Shop) -> None:
    order_id = await shop.number()
    note_id = await ask(shop, order_id)
    assert await unread(shop.colleague) == (1, 0, 1, 0)
    (question,) = await questions(shop.colleague, "to_me")
    # Four hours of the office from Monday 09:00: until noon, and from 13:30 on.
    assert datetime.fromisoformat(question["due_at"]) == MORNING + timedelta(hours=5, minutes=30)
    assert [task["kind"] for task in (await shop.colleague.client.get("/v1/tasks")).json()["items"]] == ["answer"]

    shop.clock.forward(hours=1)
    answered = await write(shop, order_id, "12 tháng ạ", by=shop.colleague, answers=str(note_id))
    assert answered.status_code == 201, answered.text
    (mine,) = await questions(shop.sale, "by_me", only_open=False)
    assert (mine["outcome"], mine["answer"], mine["asked_of"]) == ("kept", "12 tháng ạ", "NV02")
    assert await questions(shop.colleague, "to_me") == []
    assert (await shop.colleague.client.get("/v1/tasks")).json()["items"] == []
    assert await unread(shop.sale) == (0, 1, 0, 0)
    assert (await shop.sale.client.post(f"/v1/orders/{order_id}/notes/read")).json() == {"seen": 1}
    assert await unread(shop.sale) == (0, 0, 0, 0)
    ended = [event["payload"] for event in await shop.service.outbox("orders.promise.ended.v1")]
    assert [(each["kind"], each["outcome"], each["owner_code"]) for each in ended] == [("answer", "kept", "NV02")]


async def test_a_question_that_is_not_answered_reminds_breaks_and_is_told_to_the_superior(shop: Shop) -> None:
    order_id = await shop.number()
    note_id = await ask(shop, order_id, answer_by=(MORNING + timedelta(hours=1)).isoformat())
    waiting = Waiting(shop.service.db, now=shop.clock)
    shop.clock.forward(hours=1)
    await waiting.step()
    kinds = [notice["kind"] for notice in (await shop.colleague.client.get("/v1/notices")).json()["items"]]
    assert sorted(kinds) == ["asked", "due"]
    shop.clock.forward(minutes=31)
    await waiting.step()
    told = [n["kind"] for n in (await shop.manager.client.get("/v1/notices")).json()["items"]]
    assert told == ["overdue"]
    assert [question["outcome"] for question in await questions(shop.sale, "by_me")] == ["broken"]
    await write(shop, order_id, "xin lỗi, 12 tháng", by=shop.colleague, answers=str(note_id))
    assert await questions(shop.sale, "by_me") == []
    (good,) = await shop.service.outbox("orders.promise.made_good.v1")
    assert good["payload"]["late_seconds"] == 31 * 60


async def test_a_question_can_be_withdrawn_by_who_asked_it_alone(shop: Shop) -> None:
    order_id = await shop.number()
    note_id = await ask(shop, order_id)
    path = f"/v1/orders/{order_id}/notes/{note_id}/withdraw"
    refused = await shop.colleague.client.post(path, json={"reason": "không rảnh"})
    assert (refused.status_code, refused.json()["title"]) == (403, "not-your-question")
    assert (await shop.sale.client.post(path, json={"reason": "đã hỏi miệng"})).status_code == 200
    again = await shop.sale.client.post(path, json={"reason": "đã hỏi miệng"})
    assert (again.status_code, again.json()["title"]) == (409, "nothing-asked")
    assert [question["outcome"] for question in await questions(shop.sale, "by_me", only_open=False)] == ["cancelled"]
    assert (await unread(shop.colleague))[2] == 0


async def test_a_mention_lets_a_colleague_read_the_order_but_not_work_on_it(shop: Shop) -> None:
    order_id = await shop.number(phone="+84912345678")
    assert (await shop.colleague.client.get(f"/v1/orders/{order_id}")).status_code == 404
    await ask(shop, order_id)
    seen = await shop.colleague.client.get(f"/v1/orders/{order_id}")
    assert (seen.status_code, seen.json()["customer"]["phones"]) == (200, ["0912***678"])
    timeline = (await shop.colleague.client.get(f"/v1/orders/{order_id}/timeline")).json()["items"]
    assert [entry["note"] for entry in timeline if entry["kind"] == "note"] == ["@nv02 bảo hành bao lâu?"]
    assert (await shop.call(order_id, "no_answer", by=shop.colleague)).status_code == 404
    listed = (await shop.colleague.client.get("/v1/orders")).json()["items"]
    assert listed == []

    await write(shop, order_id, "12 tháng", by=shop.colleague, answers=str((await _notes(shop, order_id))[0]["id"]))
    await shop.call(order_id, "wrong_number")  # the order has ended
    assert (await shop.colleague.client.get(f"/v1/orders/{order_id}")).status_code == 404


async def _notes(shop: Shop, order_id: UUID) -> list[dict[str, Any]]:
    return list((await shop.sale.client.get(f"/v1/orders/{order_id}/notes")).json()["items"])


async def test_a_note_is_edited_within_ten_minutes_and_keeps_its_versions(shop: Shop) -> None:
    order_id = await shop.number()
    note_id = (await write(shop, order_id, "khách thích màu đỏ")).json()["note_id"]
    path = f"/v1/orders/{order_id}/notes/{note_id}"
    shop.clock.forward(minutes=9)
    assert (await shop.sale.client.patch(path, json={"text": "khách thích màu xanh, @nv02 nhớ"})).status_code == 200
    (note,) = await _notes(shop, order_id)
    assert (note["version"], note["text"], len(note["mentions"])) == (2, "khách thích màu xanh, @nv02 nhớ", 1)
    versions = (await shop.sale.client.get(f"{path}/versions")).json()["items"]
    assert [(each["version"], each["text"]) for each in versions] == [(1, "khách thích màu đỏ")]
    refused = await shop.manager.client.patch(path, json={"text": "khác"})
    assert (refused.status_code, refused.json()["title"]) == (403, "not-your-note")
    shop.clock.forward(minutes=2)
    late = await shop.sale.client.patch(path, json={"text": "khác"})
    assert (late.status_code, late.json()["title"]) == (409, "too-late-to-edit")


async def test_bad_notes_are_refused_with_what_is_wrong_and_nothing_is_written(shop: Shop) -> None:
    order_id = await shop.number()
    refused: list[tuple[dict[str, Any], str]] = [
        ({"text": "   "}, "invalid"),
        ({"text": "@NV99 và @NV02"}, "mention-unknown"),
        ({"text": "không hỏi ai", "ask": True}, "nobody-asked"),
        ({"text": "@nv01 tự hỏi mình", "ask": True}, "nobody-asked"),
        ({"text": "@nv02 hỏi", "ask": True, "answer_by": MORNING.isoformat()}, "due-in-the-past"),
        ({"text": "@nv02 hỏi", "ask": True, "answer_by": "2030-01-01T00:00:00+07:00"}, "answer-too-far-ahead"),
        ({"text": "trả lời", "answers": "0193a5d0-1a1b-7c1d-8e1f-202122232425"}, "not-found"),
    ]
    for body, title in refused:
        answer = await shop.sale.client.post(f"/v1/orders/{order_id}/notes", json=body)
        assert (answer.status_code in (404, 422), answer.json()["title"]) == (True, title)
    assert await _notes(shop, order_id) == []
    assert (await write(shop, order_id, "tôi không giữ đơn này", by=shop.colleague)).status_code == 404


async def test_a_note_written_twice_under_one_key_is_one_note(shop: Shop) -> None:
    order_id = await shop.number()
    headers = idempotency_key()
    body = {"text": "@nv02 hỏi", "ask": True}
    for _ in range(2):
        await shop.sale.client.post(f"/v1/orders/{order_id}/notes", json=body, headers=headers)
    assert len(await _notes(shop, order_id)) == 1
    assert (await unread(shop.colleague))[2] == 1


async def test_a_stream_shows_what_is_unread_to_its_person_alone(shop: Shop) -> None:
    order_id = await shop.number()
    await ask(shop, order_id)
    who = Principal(shop.colleague.id, "NV02", frozenset(SEED_GROUPS["sale"]), team="S1")
    streams = streams_of(shop.service.runtime)
    state = (await streams.read(who, [f"notes/{who.account_id}"]))[f"notes/{who.account_id}"]
    assert (state["unread"]["mentions"], state["news"][0]["by"], state["news"][0]["asked"]) == (1, "NV01", True)
    assert await streams.read(who, [f"notes/{shop.sale.id}"]) == {}


async def test_undoing_a_call_leaves_questions_alone(shop: Shop) -> None:
    order_id = await shop.number()
    await ask(shop, order_id)
    logged = (await shop.call(order_id, "no_answer")).json()["interaction_id"]
    undone = await shop.sale.client.post(f"/v1/orders/{order_id}/interactions/{logged}/undo")
    assert undone.status_code == 200, undone.text
    assert [question["outcome"] for question in await questions(shop.sale, "by_me")] == ["open"]


# --- hand-over ---------------------------------------------------------------------------------------------------------


async def hand_over(shop: Shop, order_id: UUID, to: Person, *, event_id: UUID | None = None) -> UUID:
    """Leads hands a leaver's number over."""
    number = shop.assignments.get(order_id, 0) + (1 if event_id is None else 0)
    shop.assignments[order_id] = number
    fact = LeadAssigned(
        lead_id=order_id,
        assignment=number,
        owner_id=to.id,
        owner_code=to.code,
        team="S1",
        assigned_at=shop.clock.now,
        cause="hand_over",
    )
    return await shop.service.receive(LEAD_ASSIGNED, fact, subject=order_id, event_id=event_id)


async def test_what_a_leaver_owed_goes_to_the_next_holder_once(shop: Shop) -> None:
    order_id = await shop.number()
    asked_of_leaver = await write(shop, order_id, "@nv01 khách này sao rồi?", by=shop.manager, ask=True)
    assert asked_of_leaver.status_code == 201
    await ask(shop, order_id, "@cod1 gửi được chưa?")
    event_id = await hand_over(shop, order_id, shop.colleague)
    await hand_over(shop, order_id, shop.colleague, event_id=event_id)
    await shop.look(order_id)

    mine = [task["kind"] for task in (await shop.colleague.client.get("/v1/tasks")).json()["items"]]
    assert sorted(mine) == ["answer", "call"]
    assert (await shop.sale.client.get("/v1/tasks")).json()["items"] == []
    assert [question["asked_by"] for question in await questions(shop.colleague, "to_me")] == ["QL01"]
    assert [question["asked_of"] for question in await questions(shop.colleague, "by_me")] == ["COD1"]
    assert await questions(shop.sale, "to_me") == []
    timeline = (await shop.colleague.client.get(f"/v1/orders/{order_id}/timeline")).json()["items"]
    (entry,) = [entry for entry in timeline if entry["kind"] == "hand_over"]
    assert (entry["before"], entry["what"]) == ("NV01", "NV02")
    assert entry["reason"] == "tasks 2, promises 2, notes 2, calls 0"


async def test_an_ordinary_change_of_owner_leaves_questions_with_who_was_asked(shop: Shop) -> None:
    order_id = await shop.number()
    await write(shop, order_id, "@nv01 khách này sao rồi?", by=shop.manager, ask=True)
    await shop.assign(order_id, shop.colleague)
    assert len(await questions(shop.sale, "to_me")) == 1
    assert await questions(shop.colleague, "to_me") == []


async def test_what_a_locked_colleague_owed_waits_for_whoever_comes_to_hold_the_number(shop: Shop) -> None:
    order_id = await shop.number()
    await write(shop, order_id, "@nv01 khách này sao rồi?", by=shop.manager, ask=True)
    locked = AccountChanged(
        account_id=shop.sale.id,
        version=2,
        code="NV01",
        name="NV01",
        department="sale",
        group="sale",
        team="S1",
        superior_id=shop.manager.id,
        active=False,
        at=shop.clock.now,
    )
    await shop.service.receive(ACCOUNT_CHANGED, locked, subject=shop.sale.id)
    await shop.assign(order_id, None)
    await shop.assign(order_id, shop.colleague)
    assert [question["asked_by"] for question in await questions(shop.colleague, "to_me")] == ["QL01"]
