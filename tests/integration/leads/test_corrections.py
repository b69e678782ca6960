"""A lead's number and data are corrected; a corrected number is judged again."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import httpx
from sqlalchemy import text

from tests.harness import Running
from tests.integration.leads.company import hire, pool, post
from tests.integration.leads.test_levels import reach


async def correct(client: httpx.AsyncClient, lead: dict[str, Any], **fields: Any) -> httpx.Response:
    """Corrects a lead as it stands."""
    etag = (await client.get(f"/v1/leads/{lead['id']}")).headers["etag"]
    return await client.patch(f"/v1/leads/{lead['id']}", json=fields, headers={"If-Match": etag})


async def corrected(client: httpx.AsyncClient, lead: dict[str, Any], **fields: Any) -> dict[str, Any]:
    answer = await correct(client, lead, **fields)
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["lead"])


async def age(leads: Running, lead: dict[str, Any], days: float) -> None:
    """Makes a lead and its windows older than they are."""
    async with leads.db.transaction() as session:
        by = {"id": lead["id"], "by": timedelta(days=days)}
        await session.execute(
            text("UPDATE leads SET received_at = received_at - CAST(:by AS interval) WHERE id = :id"), by
        )
        await session.execute(
            text(
                "UPDATE duplicate_windows SET opened_at = opened_at - CAST(:by AS interval), "
                "closes_at = closes_at - CAST(:by AS interval) WHERE anchor_id = :id"
            ),
            by,
        )


async def test_a_corrected_number_is_kept_canonical_and_as_typed_and_told(leads: Running) -> None:
    client = await leads.client(code="NV01")
    lead = await post(client, "0912345678", name="Lan")

    now = await corrected(client, lead, phone="0168 234 5678", name=" Lan Anh ", reason="Khách đọc lại số")

    assert (now["phone"], now["name"], now["version"]) == ("0382***678", "Lan Anh", 2)
    (row,) = await leads.rows("SELECT phone, phone_typed FROM leads")
    assert (row.phone, row.phone_typed) == ("+84382345678", "0168 234 5678")
    (event,) = await leads.outbox("leads.lead.corrected.v1")
    data = event["payload"]
    assert (data["revision"], data["phone"], data["name"]) == (2, "+84382345678", "Lan Anh")
    assert (data["number_changed"], data["by"], data["reason"]) == (True, "NV01", "Khách đọc lại số")


async def test_only_what_is_sent_is_changed_and_the_same_again_changes_nothing(leads: Running) -> None:
    client = await leads.client()
    lead = await post(client, "0912345678 / 0987654321", name="Lan", note="gọi tối")

    now = await corrected(client, lead, note="gọi sáng")
    again = await corrected(client, lead, note="gọi sáng")

    assert (now["name"], now["note"], now["other_phones"]) == ("Lan", "gọi sáng", ["0987***321"])
    assert (now["version"], again["version"]) == (2, 2)
    assert len(await leads.outbox("leads.lead.corrected.v1")) == 1


async def test_of_two_who_correct_the_same_version_the_second_is_refused(leads: Running) -> None:
    client = await leads.client()
    lead = await post(client, "0912345678")
    etag = (await client.get(f"/v1/leads/{lead['id']}")).headers["etag"]

    answers = await asyncio.gather(
        *(
            client.patch(f"/v1/leads/{lead['id']}", json={"phone": phone}, headers={"If-Match": etag})
            for phone in ("0912345679", "0912345670")
        )
    )

    assert sorted(answer.status_code for answer in answers) in ([200, 409], [200, 412])
    assert len(await leads.outbox("leads.lead.corrected.v1")) == 1


async def test_a_number_that_cannot_be_read_changes_nothing_and_says_what_to_correct(leads: Running) -> None:
    client = await leads.client()
    lead = await post(client, "0912345678")

    answer = await correct(client, lead, phone="091234567", name="Lan")
    masked = await correct(client, lead, phone="0912***678")
    nothing = await correct(client, lead)

    assert (answer.status_code, answer.json()["field"]) == (422, "body.phone")
    assert answer.json()["detail"] == "Số điện thoại thiếu 1 chữ số. Kiểm tra lại rồi lưu."
    assert masked.status_code == 422
    assert (nothing.status_code, nothing.json()["title"]) == (422, "nothing-to-change")
    assert (await client.get(f"/v1/leads/{lead['id']}")).json()["version"] == 1


async def test_the_window_moves_with_the_number_and_is_not_prolonged(leads: Running) -> None:
    client = await leads.client()
    lead = await post(client, "0912345678")
    await age(leads, lead, 6.5)

    await corrected(client, lead, phone="0987654321")

    old = await post(client, "0912345678")
    new = await post(client, "0987654321")
    assert old["verdict"] == "lead"
    assert (new["verdict"], new["anchor_id"]) == ("duplicate", lead["id"])
    await age(leads, lead, 1)
    assert (await post(client, "0987654321"))["verdict"] == "lead"


async def test_a_number_in_the_open_window_of_another_lead_makes_a_duplicate_of_it(leads: Running) -> None:
    client = await leads.client()
    (nv1,) = await hire(leads, "NV01")
    await pool(client, [nv1])
    anchor = await post(client, "0987654321")
    lead = await post(client, "0912345678", product="TRA")
    later = await post(client, "0912345678")

    now = await corrected(client, lead, phone="0987654321")

    assert (now["verdict"], now["level"], now["anchor_id"], now["owner"]) == ("duplicate", "C3.1", anchor["id"], None)
    (found,) = await leads.outbox("leads.duplicate.found.v1")
    assert (found["payload"]["cause"], found["payload"]["anchor_id"], found["payload"]["assignment"]) == (
        "corrected",
        anchor["id"],
        2,
    )
    # Its own duplicates go with it, and its old number has no window any more.
    assert (await client.get(f"/v1/leads/{later['id']}")).json()["anchor_id"] == anchor["id"]
    assert (await post(client, "0912345678"))["verdict"] == "lead"
    why = (await client.get(f"/v1/leads/{lead['id']}/why")).json()["steps"]
    assert "hóa ra là đơn trùng" in why[-2]["sentence"]


async def test_a_lead_past_care_does_not_become_a_duplicate_and_the_other_lead_is_named(leads: Running) -> None:
    client = await leads.client()
    anchor = await post(client, "0987654321")
    lead = await post(client, "0912345678")
    await reach(leads, lead, "L5")

    answer = await correct(client, lead, phone="0987654321")

    assert (answer.status_code, answer.json()["title"]) == (409, "number-taken")
    assert answer.json()["anchor_id"] == anchor["id"]
    assert (await client.get(f"/v1/leads/{lead['id']}")).json()["phone"] == "0912***678"


async def test_a_closed_order_that_is_not_sent_may_get_a_free_number_and_a_sent_one_not(leads: Running) -> None:
    client = await leads.client()
    closed = await post(client, "0912345678")
    sent = await post(client, "0912345679")
    await reach(leads, closed, "L5")
    await reach(leads, sent, "L5", "L7")

    assert (await correct(client, closed, phone="0987654321")).status_code == 200
    refused = await correct(client, sent, phone="0987654322")
    renamed = await correct(client, sent, name="Lan")

    assert (refused.status_code, refused.json()["title"]) == (409, "lead-ended")
    assert renamed.status_code == 200


async def test_a_wrong_number_is_corrected_with_a_reason_only(leads: Running) -> None:
    client = await leads.client()
    lead = await post(client, "0912345678")
    await reach(leads, lead, "L1.1")

    silent = await correct(client, lead, phone="0987654321")
    answer = await correct(client, lead, phone="0987654321", reason="Khách nhắn lại số đúng")

    assert (silent.status_code, silent.json()["title"]) == (422, "reason-required")
    assert answer.status_code == 200


async def test_the_number_of_a_duplicate_is_not_corrected_but_its_note_is(leads: Running) -> None:
    client = await leads.client()
    anchor = await post(client, "0912345678")
    duplicate = await post(client, "0912345678")

    answer = await correct(client, duplicate, phone="0987654321")
    noted = await correct(client, duplicate, note="gọi sáng")

    assert (answer.status_code, answer.json()["anchor_id"]) == (409, anchor["id"])
    assert noted.status_code == 200
    assert await leads.outbox("leads.lead.corrected.v1") == []


async def test_the_window_of_a_number_given_up_passes_to_the_next_lead_that_has_it(leads: Running) -> None:
    client = await leads.client()
    first = await post(client, "0912345678")
    second = await post(client, "0912345678")
    third = await post(client, "0912345678")
    for one in (second, third):
        await client.post(f"/v1/leads/{one['id']}/release-duplicate", json={"reason": "người khác"})

    await corrected(client, third, phone="0987654321")

    again = await post(client, "0912345678")
    assert (again["verdict"], again["anchor_id"]) == ("duplicate", first["id"])


async def test_duplicates_that_have_only_the_old_number_are_named(leads: Running) -> None:
    client = await leads.client()
    lead = await post(client, "0912345678")
    stranger = await post(client, "0912345678")

    answer = await correct(client, lead, phone="0987654321")

    assert answer.json()["left_behind"] == [stranger["id"]]
    assert (await client.get(f"/v1/leads/{stranger['id']}")).json()["verdict"] == "duplicate"


async def test_a_lead_that_was_closed_while_it_became_a_duplicate_stays_a_lead(leads: Running) -> None:
    client = await leads.client()
    await post(client, "0987654321")
    lead = await post(client, "0912345678")
    await corrected(client, lead, phone="0987654321")

    await reach(leads, lead, "L5")

    now = (await client.get(f"/v1/leads/{lead['id']}")).json()
    assert (now["verdict"], now["level"], now["anchor_id"]) == ("lead", "L5", None)


async def test_a_seller_corrects_only_leads_that_they_may_see(leads: Running) -> None:
    client = await leads.client()
    nv1, nv2 = await hire(leads, "NV01", "NV02")
    await pool(client, [nv1])
    lead = await post(client, "0912345678")
    own = await leads.client("leads.read", "leads.edit", account_id=nv1.id, code="NV01")
    other = await leads.client("leads.read", "leads.edit", account_id=nv2.id, code="NV02")

    hidden = await other.patch(f"/v1/leads/{lead['id']}", json={"name": "X"}, headers={"If-Match": '"1"'})

    assert hidden.status_code == 404
    assert (await correct(own, lead, phone="0987654321")).status_code == 200


async def test_a_seller_sees_what_became_of_a_lead_that_left_their_sight(leads: Running) -> None:
    client = await leads.client()
    (nv1,) = await hire(leads, "NV01")
    await pool(client, [nv1])
    await post(client, "0987654321")
    lead = await post(client, "0912345678")
    own = await leads.client("leads.read", "leads.edit", account_id=nv1.id, code="NV01")

    now = await corrected(own, lead, phone="0987654321")

    assert (now["verdict"], now["phone"]) == ("duplicate", "0987***321")
    assert (await own.get(f"/v1/leads/{lead['id']}")).status_code == 404


async def test_corrections_and_arrivals_of_the_same_numbers_neither_deadlock_nor_leave_two_anchors(
    leads: Running,
) -> None:
    client = await leads.client()
    made = [await post(client, f"09123456{place:02}") for place in range(12)]

    async def move(place: int) -> int:
        answer = await correct(client, made[place], phone=f"09123456{(place + 1) % 12:02} / 098765432{place % 10}")
        return answer.status_code

    async def send(place: int) -> dict[str, Any]:
        return await post(client, f"09123456{place % 12:02}", other_phone=f"098765432{place % 10}")

    statuses, _ = await asyncio.gather(
        asyncio.gather(*(move(place) for place in range(12))),
        asyncio.gather(*(send(place) for place in range(48))),
    )

    assert set(statuses) <= {200, 409, 412}
    wrong = await leads.rows(
        "SELECT 1 FROM duplicate_windows w JOIN leads l ON l.id = w.anchor_id WHERE l.verdict <> 'lead' AND NOT w.ended"
    )
    assert wrong == []
    chained = await leads.rows("SELECT 1 FROM leads d JOIN leads a ON a.id = d.anchor_id WHERE a.verdict = 'duplicate'")
    assert chained == []
