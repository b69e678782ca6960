"""Two leads of one person become one."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from uuid_utils.compat import uuid7

from services.leads.changes.merged_orders import Absorber
from shared.contracts.events.orders import ORDER_MERGED, OrderMerged
from tests.harness import Running
from tests.integration.leads.company import hire, pool, post
from tests.integration.leads.test_levels import reach


async def merge(client: httpx.AsyncClient, lead: dict[str, Any], other: dict[str, Any]) -> httpx.Response:
    return await client.post(
        f"/v1/leads/{lead['id']}/merge", json={"other_id": other["id"], "reason": "cùng một khách"}
    )


async def test_the_older_stays_with_the_numbers_of_both_whichever_is_named_first(leads: Running) -> None:
    client = await leads.client()
    (nv1,) = await hire(leads, "NV01")
    await pool(client, [nv1])
    older = await post(client, "0912345678", note="gọi tối")
    younger = await post(client, "0987654321", name="Lan", note="gọi sáng")

    answer = await merge(client, younger, older)

    assert answer.status_code == 200, answer.text
    survivor = answer.json()["lead"]
    assert (survivor["id"], answer.json()["duplicate_id"]) == (older["id"], younger["id"])
    assert (survivor["phone"], survivor["other_phones"]) == ("0912***678", ["0987***321"])
    assert (survivor["name"], survivor["note"]) == ("Lan", "gọi tối")
    gone = (await client.get(f"/v1/leads/{younger['id']}")).json()
    assert (gone["verdict"], gone["level"], gone["anchor_id"], gone["owner"]) == (
        "duplicate",
        "C3.1",
        older["id"],
        None,
    )
    found = await leads.outbox("leads.lead.corrected.v1", "leads.duplicate.found.v1")
    assert [(event["type"], event["subject"]) for event in found] == [
        ("leads.lead.corrected.v1", older["id"]),
        ("leads.duplicate.found.v1", younger["id"]),
    ]
    assert found[1]["payload"]["cause"] == "merged"


async def test_the_next_arrival_of_either_number_is_a_duplicate_of_the_survivor(leads: Running) -> None:
    client = await leads.client()
    older = await post(client, "0912345678")
    younger = await post(client, "0987654321")
    its_own = await post(client, "0987654321")
    await merge(client, older, younger)

    again = [await post(client, phone) for phone in ("0912345678", "0987654321")]

    assert [one["anchor_id"] for one in again] == [older["id"], older["id"]]
    assert (await client.get(f"/v1/leads/{its_own['id']}")).json()["anchor_id"] == older["id"]


async def test_merging_again_or_twice_at_once_has_one_effect(leads: Running) -> None:
    client = await leads.client()
    older = await post(client, "0912345678")
    younger = await post(client, "0987654321")

    answers = await asyncio.gather(merge(client, older, younger), merge(client, younger, older))
    again = await merge(client, older, younger)

    assert {answer.status_code for answer in answers} <= {200, 409}
    assert again.status_code == 200
    assert len(await leads.outbox("leads.duplicate.found.v1")) == 1


@pytest.mark.parametrize(("which", "level"), [(0, "L7"), (0, "L8"), (0, "L5.3"), (1, "L5"), (1, "L8")])
async def test_what_was_sent_or_closed_is_not_merged(leads: Running, which: int, level: str) -> None:
    client = await leads.client()
    pair = [await post(client, "0912345678"), await post(client, "0987654321")]
    await reach(leads, pair[which], level)

    answer = await merge(client, *pair)

    assert (answer.status_code, answer.json()["title"]) == (409, "cannot-merge")
    assert (answer.json()["lead_id"], answer.json()["level"]) == (pair[which]["id"], level)


async def test_a_closed_older_order_takes_a_younger_one_in_care(leads: Running) -> None:
    client = await leads.client()
    older, younger = await post(client, "0912345678"), await post(client, "0987654321")
    await reach(leads, older, "L5")

    assert (await merge(client, older, younger)).status_code == 200


async def test_a_duplicate_of_a_third_lead_is_not_merged_and_a_lead_not_with_itself(leads: Running) -> None:
    client = await leads.client()
    anchor = await post(client, "0912345678")
    duplicate = await post(client, "0912345678")
    other = await post(client, "0987654321")

    third = await merge(client, duplicate, other)
    itself = await merge(client, other, other)
    unknown = await merge(client, other, {"id": str(uuid7())})

    assert (third.status_code, third.json()["anchor_id"]) == (409, anchor["id"])
    assert (itself.status_code, itself.json()["title"]) == (422, "same-lead")
    assert unknown.status_code == 404


async def test_a_ring_of_merges_at_once_never_deadlocks_or_links_in_a_chain(leads: Running) -> None:
    client = await leads.client()
    made = [await post(client, f"09123456{place:02}") for place in range(8)]

    answers = await asyncio.gather(*(merge(client, made[place], made[(place + 1) % 8]) for place in range(8)))

    assert {answer.status_code for answer in answers} <= {200, 409}
    chained = await leads.rows("SELECT 1 FROM leads d JOIN leads a ON a.id = d.anchor_id WHERE a.verdict = 'duplicate'")
    assert chained == []


async def test_numbers_of_merged_orders_are_the_older_ones_from_then_on(leads: Running) -> None:
    client = await leads.client()
    older, younger = await post(client, "0912345678"), await post(client, "0987654321", name="Lan")
    await reach(leads, older, "L5")
    await reach(leads, younger, "L5", "L5.3")
    merged = OrderMerged(
        order_id=UUID(younger["id"]), into_id=UUID(older["id"]), at=datetime.now(UTC), reason="gửi chung", by="NV01"
    )

    for _ in range(2):
        await leads.receive(ORDER_MERGED, merged, subject=younger["id"])
        absorber = Absorber(leads.db, window=leads.runtime.settings.duplicate_window)
        while await absorber.step():
            pass

    shown = (await client.get(f"/v1/leads/{older['id']}")).json()
    assert (shown["name"], shown["other_phones"]) == ("Lan", ["0987***321"])
    again = await post(client, "0987654321")
    assert (again["verdict"], again["anchor_id"]) == ("duplicate", older["id"])
    gone = (await client.get(f"/v1/leads/{younger['id']}")).json()
    assert (gone["verdict"], gone["level"]) == ("lead", "L5.3")
    assert len(await leads.outbox("leads.lead.corrected.v1")) == 1


async def test_an_older_one_that_became_a_duplicate_leaves_the_numbers_of_merged_orders_to_its_anchor(
    leads: Running,
) -> None:
    client = await leads.client()
    anchor, older, younger = [await post(client, phone) for phone in ("0900000001", "0912345678", "0987654321")]
    assert (await merge(client, anchor, older)).status_code == 200
    merged = OrderMerged(
        order_id=UUID(younger["id"]), into_id=UUID(older["id"]), at=datetime.now(UTC), reason="gửi chung", by="NV001"
    )
    await leads.receive(ORDER_MERGED, merged, subject=younger["id"])
    assert await Absorber(leads.db, window=leads.runtime.settings.duplicate_window).step()

    again = await post(client, "0987654321")

    assert (again["verdict"], again["anchor_id"]) == ("duplicate", anchor["id"])
    shown = (await client.get(f"/v1/leads/{anchor['id']}")).json()
    assert shown["other_phones"] == ["0912***678", "0987***321"]


async def test_orders_merged_against_their_leads_leave_everything_with_the_lead_that_is_none(leads: Running) -> None:
    client = await leads.client()
    anchor, duplicate = await post(client, "0912345678"), await post(client, "0987654321")
    assert (await merge(client, anchor, duplicate)).status_code == 200
    merged = OrderMerged(
        order_id=UUID(anchor["id"]), into_id=UUID(duplicate["id"]), at=datetime.now(UTC), reason="gửi chung", by="NV001"
    )
    await leads.receive(ORDER_MERGED, merged, subject=anchor["id"])
    assert await Absorber(leads.db, window=leads.runtime.settings.duplicate_window).step()

    again = await post(client, "0987654321")

    assert (again["verdict"], again["anchor_id"]) == ("duplicate", anchor["id"])
