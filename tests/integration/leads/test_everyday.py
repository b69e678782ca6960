"""Notes, bulk actions, history and “who is this?”."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import orjson
from sqlalchemy import text
from uuid_utils.compat import uuid7

from shared.contracts.events.orders import LEVEL_CHANGED, LevelChanged
from tests.harness import Running
from tests.integration.leads.company import hire, pool, post
from tests.integration.leads.test_tags import group, tag

NOW = datetime.now(UTC)


async def history(client: httpx.AsyncClient, lead: dict[str, Any], **headers: str) -> list[dict[str, Any]]:
    answer = await client.get(f"/v1/leads/{lead['id']}/history", headers=headers)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def move(leads: Running, lead: dict[str, Any], sequence: int, to: str, *, was: str = "L1", **fields: Any) -> None:
    change = LevelChanged(
        transition_id=uuid7(),
        order_id=UUID(lead["id"]),
        sequence=sequence,
        from_level=was,
        to_level=to,
        at=fields.pop("at", datetime.now(UTC)),
        recorded_at=NOW,
        cohort_at=NOW,
        **{"cause": "call_result", **fields},
    )
    await leads.receive(LEVEL_CHANGED, change, subject=change.order_id)


async def test_a_note_is_kept_and_its_writer_may_mend_it_for_ten_minutes(leads: Running) -> None:
    nam, hoa = uuid7(), uuid7()
    client = await leads.client(account_id=nam, code="NV012")
    other = await leads.client(account_id=hoa, code="NV013")
    lead = await post(client, "0912345678")

    made = (await client.post(f"/v1/leads/{lead['id']}/notes", json={"text": " Khách hẹn\u200e mai "})).json()
    path = f"/v1/leads/{lead['id']}/notes/{made['id']}"
    assert (made["text"], made["by"]) == ("Khách hẹn mai", "NV012")
    assert (await client.put(path, json={"text": "Khách hẹn thứ hai"})).status_code == 204
    (shown,) = (await client.get(f"/v1/leads/{lead['id']}/notes")).json()["items"]
    assert (shown["text"], [one["text"] for one in shown["before"]]) == ("Khách hẹn thứ hai", ["Khách hẹn mai"])

    assert (await other.put(path, json={"text": "x"})).json()["title"] == "note-too-old"
    async with leads.db.transaction() as session:
        await session.execute(text("UPDATE lead_notes SET at = at - interval '11 minutes'"))
    late = await client.put(path, json={"text": "x"})
    assert (late.status_code, late.json()["minutes"]) == (409, 10)
    assert (await client.put(f"/v1/leads/{lead['id']}/notes/{uuid7()}", json={"text": "x"})).status_code == 404
    assert (await client.post(f"/v1/leads/{lead['id']}/notes", json={"text": "  "})).status_code == 422
    assert [one["notes"] for one in (await client.get("/v1/leads", params={"has_note": True})).json()["items"]] == [1]


async def test_history_tells_everything_in_words_newest_first(leads: Running) -> None:
    client = await leads.client(code="NV001")
    (nam,) = await hire(leads, "NV012")
    await pool(client, [nam])
    hot = await tag(client, await group(client), "Nóng")
    lead = await post(client, "0912345678", name="Lan", product="KEM")
    again = await post(client, "0912 345 678", note="gọi lại giúp")
    await client.post(f"/v1/leads/{lead['id']}/tags", json={"add": [hot["id"]]})
    await client.post(f"/v1/leads/{lead['id']}/notes", json={"text": "Khách quen"})
    await move(leads, lead, 2, "L1.4", actor="NV012")

    entries = await history(client, lead)

    assert [one["kind"] for one in entries] == ["level", "note", "changed", "came_again", "assigned", "arrived"]
    said = [one["sentence"] for one in entries]
    assert said[0] == "NV012: Đã lọc trùng (L1) → Không liên lạc được (L1.4), kết quả gọi."
    assert said[1] == "NV001: “Khách quen”"
    assert said[2] == "NV001 đổi thẻ: +Nóng."
    assert said[3] == "Khách để lại số lần nữa (Nhập tay): “gọi lại giúp”."
    assert "tới lượt NV012" in said[4]
    assert said[5].startswith("Số về từ Nhập tay")
    english = await history(client, lead, **{"accept-language": "en"})
    assert english[2]["sentence"] == "NV001 changed tags: +Nóng."
    assert (await history(client, again))[0]["sentence"].endswith(f"Trùng với số {lead['id']}.")


async def test_history_has_pages_and_masks_numbers(leads: Running) -> None:
    client = await leads.client()
    masked = await leads.client("leads.read", "visibility.all")
    lead = await post(client, "0912345678")
    async with leads.db.transaction() as session:
        for _ in range(5):
            await session.execute(
                text(
                    "INSERT INTO lead_changes (id, lead_id, at, by, kind, before, after) VALUES (:id, :lead, now(), 'NV1',"
                    ' \'phone\', \'{"phone": "+84912345678"}\', \'{"phone": "+84987654321"}\')'
                ),
                {"id": uuid7(), "lead": lead["id"]},
            )
    seen, after = [], None
    while True:
        query = {"limit": 2, **({"after": after} if after else {})}
        answer = (await masked.get(f"/v1/leads/{lead['id']}/history", params=query)).json()
        seen += answer["items"]
        after = answer["next"]
        if after is None:
            break
    assert [one["kind"] for one in seen] == ["changed"] * 5 + ["arrived"]
    assert seen[0]["sentence"] == "NV1 sửa số điện thoại “0912***678” → “0987***321”."
    assert seen[0]["data"]["after"] == {"phone": "0987***321"}
    assert (await history(client, lead))[0]["data"]["after"] == {"phone": "0987***321"}
    moments = ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00")
    ends = [base64.urlsafe_b64encode(orjson.dumps([at, "x"])).decode() for at in moments]
    for bad in ("x", "WzEsMl0", "bnVsbA", *ends):
        answer = await masked.get(f"/v1/leads/{lead['id']}/history", params={"after": bad})
        assert (answer.status_code, answer.json()["title"]) == (422, "cursor-unreadable")


async def test_bulk_tags_leads_and_says_what_became_of_each(leads: Running) -> None:
    client = await leads.client(code="NV001")
    hot = await tag(client, await group(client), "Nóng")
    made = [await post(client, f"091234567{place}") for place in range(4)]
    ids = [lead["id"] for lead in made]
    await client.post(f"/v1/leads/{ids[0]}/tags", json={"add": [hot["id"]]})
    unknown = str(uuid7())
    body = {"action": {"kind": "tag", "tags": [hot["id"]]}, "ids": [*ids, unknown, ids[1]]}

    answers = [await client.post("/v1/leads/bulk", json=body, headers={"Idempotency-Key": "bulk-1"}) for _ in range(2)]

    done = answers[0].json()
    assert (done["done"], done["unchanged"], done["refused"]) == (3, 1, 1)
    assert [(row["id"], row["result"]) for row in done["rows"]] == [
        (ids[0], "unchanged"),
        *((lead_id, "done") for lead_id in ids[1:]),
        (unknown, "refused"),
    ]
    assert answers[1].json() == done
    assert answers[1].headers["idempotent-replayed"] == "true"
    assert len(await leads.outbox("leads.lead.tagged.v1")) == 4


async def test_bulk_on_a_filter_does_nothing_when_the_list_has_changed(leads: Running) -> None:
    client = await leads.client(code="NV001")
    for place in range(3):
        await post(client, f"091234567{place}", product="KEM")
    body = {"action": {"kind": "note", "text": "Đợt tết"}, "filter": {"product": ["KEM"]}, "expected": 2}

    changed = await client.post("/v1/leads/bulk", json=body)
    assert (changed.status_code, changed.json()["found"]) == (409, 3)
    assert (await client.get("/v1/leads/count", params={"has_note": True})).json()["count"] == 0

    done = await client.post("/v1/leads/bulk", json={**body, "expected": 3})
    assert (done.status_code, done.json()["done"]) == (200, 3)
    assert (await client.get("/v1/leads/count", params={"has_note": True})).json()["count"] == 3


async def test_bulk_refuses_what_has_no_bounds_or_no_meaning(leads: Running) -> None:
    client = await leads.client()
    lead = await post(client, "0912345678")
    note = {"kind": "note", "text": "x"}
    cases: list[tuple[dict[str, Any], str]] = [
        ({"action": note}, "invalid"),
        ({"action": note, "ids": []}, "invalid"),
        ({"action": note, "ids": [lead["id"]], "filter": {"level": ["L1"]}, "expected": 1}, "invalid"),
        ({"action": note, "filter": {}, "expected": 1}, "invalid"),
        ({"action": note, "filter": {"level": ["L1"]}}, "invalid"),
        ({"action": note, "ids": [str(uuid7()) for _ in range(5001)]}, "invalid"),
        ({"action": {"kind": "burn"}, "ids": [lead["id"]]}, "invalid"),
        ({"action": {"kind": "tag", "tags": [str(uuid7())]}, "ids": [lead["id"]]}, "tag-unknown"),
        ({"action": {"kind": "tag", "tags": []}, "ids": [lead["id"]]}, "invalid"),
        ({"action": note, "filter": {"colour": "red"}, "expected": 1}, "invalid"),
    ]
    for body, title in cases:
        answer = await client.post("/v1/leads/bulk", json=body)
        assert (answer.status_code, answer.json()["title"]) == (422, title), body
    reader = await leads.client("leads.read")
    assert (await reader.post("/v1/leads/bulk", json={"action": note, "ids": [lead["id"]]})).status_code == 403


async def test_bulk_touches_only_what_the_caller_may_see(leads: Running) -> None:
    boss = await leads.client()
    nam, hoa = await hire(leads, "NV012", "NV013")
    await pool(boss, [nam])
    lead = await post(boss, "0912345678")
    other = await leads.client("leads.read", "leads.edit", account_id=hoa.id, code="NV013")

    answer = await other.post("/v1/leads/bulk", json={"action": {"kind": "note", "text": "x"}, "ids": [lead["id"]]})

    assert answer.json()["rows"] == [{"id": lead["id"], "result": "refused", "reason": "not-found"}]
    assert (await boss.get(f"/v1/leads/{lead['id']}")).json()["notes"] == 0


async def test_who_is_this_tells_the_owner_of_a_number_and_the_rest_only_to_those_who_may_see_it(
    leads: Running,
) -> None:
    boss = await leads.client()
    nam, hoa = await hire(leads, "NV012", "NV013")
    await pool(boss, [nam])
    lead = await post(boss, "0912345678", other_phone="0987654321", name="Nguyễn Thị Lan")
    own = await leads.client("leads.read", account_id=nam.id, code="NV012")
    other = await leads.client("leads.read", account_id=hoa.id, code="NV013")

    for typed in ("+84 912.345.678", "0987654321"):
        (known,) = (await own.post("/v1/leads/lookup", json={"phone": typed})).json()["numbers"]
        assert (known["owner"], known["lead"]["id"], known["lead"]["name"]) == ("NV012", lead["id"], "Nguyễn Thị Lan")
        assert known["duplicate_until"] is not None
        assert "Nhập lại sẽ thành đơn trùng" in known["sentence"]
        (hidden,) = (await other.post("/v1/leads/lookup", json={"phone": typed})).json()["numbers"]
        assert (hidden["known"], hidden["owner"], hidden["lead"]) == (True, "NV012", None)
        assert "Lan" not in str(hidden)
        assert hidden["sentence"].startswith("Đang được NV012 chăm.")

    fresh = (await own.post("/v1/leads/lookup", json={"phone": "0900000001", "name": "nguyen thi lan"})).json()
    assert (fresh["numbers"][0]["known"], fresh["numbers"][0]["sentence"]) == (False, "Số mới.")
    assert [one["id"] for one in fresh["same_name"]] == [lead["id"]]
    typing = (await own.post("/v1/leads/lookup", json={"phone": "0912 34"})).json()
    assert (typing["readable"], typing["numbers"]) == (False, [])
    assert typing["problem"]


async def test_who_is_this_knows_returning_customers_whose_window_has_ended(leads: Running) -> None:
    client = await leads.client()
    lead = await post(client, "0912345678")
    await move(leads, lead, 2, "L8", was="L7.1")

    (known,) = (await client.post("/v1/leads/lookup", json={"phone": "0912345678"})).json()["numbers"]

    assert (known["returning_customer"], known["duplicate_until"]) == (True, None)
    assert known["lead"]["level_name"] == "Giao thành công"
    assert known["sentence"].endswith("Khách cũ, đã từng nhận hàng.")
