"""Returning customers (rule D24): to whoever closed their last order, or to the pool that cares for them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx

from services.leads.distributor import Distributor
from shared.contracts.events.orders import LEVEL_CHANGED, ORDER_CLOSED, OrderClosed
from tests.harness import Running
from tests.integration.leads.company import NOW, Colleague, hire, level, owner_of, pool, post

PHONE = "0912345678"


async def closed(
    leads: Running, lead: dict[str, Any], closer: Colleague, *, hours: int = 0, phone: str = PHONE
) -> None:
    """Orders tells that somebody closed the order of a lead."""
    closing = OrderClosed.model_validate(
        {
            "order_id": lead["id"],
            "version": 1,
            "code": "DH-4F7K2M9Q",
            "closed_at": NOW + timedelta(hours=hours),
            "closer_id": closer.id,
            "closer_code": closer.code,
            "recipient": "Trần Thị Mai",
            "phone": f"+84{phone[1:]}",
            "address": {"province": "Hà Nội", "ward": "Phường Cầu Giấy", "detail": "Số 12"},
            "lines": [],
            "total": 480_000,
            "cod": 480_000,
        }
    )
    await leads.receive(ORDER_CLOSED, closing, subject=lead["id"])


async def delivered(leads: Running, lead: dict[str, Any]) -> None:
    """The order of a lead was delivered, so its customer returns when the number comes again."""
    for sequence, to in enumerate(("L5", "L7", "L7.1", "L8"), 2):
        await leads.receive(LEVEL_CHANGED, level(lead, to, sequence), subject=lead["id"])


async def customer(client: httpx.AsyncClient, leads: Running, closer: Colleague) -> None:
    """Somebody whose order was closed and delivered."""
    lead = await post(client, PHONE)
    await closed(leads, lead, closer)
    await delivered(leads, lead)


async def rules(client: httpx.AsyncClient, made: dict[str, Any], **changes: Any) -> httpx.Response:
    url = f"/v1/pools/{made['id']}"
    present = await client.get(url)
    body = {name: present.json()[name] for name in ("name", "position", "sticky", "active")}
    return await client.put(url, json={**body, **changes}, headers={"If-Match": present.headers["etag"]})


async def said(client: httpx.AsyncClient, lead: dict[str, Any]) -> str:
    return str((await client.get(f"/v1/leads/{lead['id']}/why")).json()["steps"][-1]["sentence"])


async def test_a_returning_customer_goes_to_the_closer_and_not_to_the_last_owner(leads: Running) -> None:
    client = await leads.client()
    owner, closer = await hire(leads, "NV001", "NV002")
    made = await pool(client, [owner])
    tag = (await client.get(f"/v1/pools/{made['id']}")).headers["etag"]
    await customer(client, leads, closer)
    members = [{"account_id": str(person.id)} for person in (owner, closer)]
    await client.put(f"/v1/pools/{made['id']}/members", json={"members": members}, headers={"If-Match": tag})

    again = await post(client, PHONE)

    assert again["returning_customer"]
    assert await owner_of(client, again) == "NV002"
    assert "Khách cũ do NV002 chốt đơn gần nhất" in await said(client, again)
    assert (await client.get(f"/v1/pools/{made['id']}/replay")).json()["differing"] == []


async def test_of_two_closings_the_later_one_counts_in_whatever_order_they_come(leads: Running) -> None:
    client = await leads.client()
    first, second = await hire(leads, "NV001", "NV002")
    await pool(client, [first, second])
    lead = await post(client, PHONE)
    await closed(leads, lead, second, hours=5)
    await closed(leads, lead, first, hours=1)
    await delivered(leads, lead)

    assert await owner_of(client, await post(client, PHONE)) == "NV002"


async def test_the_closer_is_known_by_the_numbers_of_the_lead_too(leads: Running) -> None:
    client = await leads.client()
    people = await hire(leads, "NV001", "NV002")
    await pool(client, people)
    lead = await post(client, PHONE)
    holder = await owner_of(client, lead)
    closer = next(person for person in people if person.code != holder)
    await closed(leads, lead, closer, phone="0987654321")  # the parcel goes to somebody else's number
    await delivered(leads, lead)

    assert await owner_of(client, await post(client, PHONE)) == closer.code


async def test_when_the_closer_cannot_the_caring_pool_takes_a_returning_customer(leads: Running) -> None:
    client = await leads.client()
    closer, seller, carer = await hire(leads, "NV001", "NV002", "CS001")
    care = await pool(client, [carer], name="CSKH", position=900)
    normal = await pool(client, [closer, seller], returning_pool_id=care["id"])
    await customer(client, leads, closer)
    await closer.duty(False)

    again = await post(client, PHONE)

    assert await owner_of(client, again) == "CS001"
    assert (await said(client, again)).startswith("Khách cũ, chuyển cho nhóm chăm khách cũ.")
    for made in (care, normal):
        assert (await client.get(f"/v1/pools/{made['id']}/replay")).json()["differing"] == []


async def test_a_returning_customer_waits_for_the_caring_pool_and_never_goes_to_the_normal_turns(
    leads: Running,
) -> None:
    client = await leads.client()
    closer, seller = await hire(leads, "NV001", "NV002")
    (carer,) = await hire(leads, "CS001", on_duty=False)
    care = await pool(client, [carer], name="CSKH", position=900)
    await pool(client, [closer, seller], returning_to="pool", returning_pool_id=care["id"])
    await customer(client, leads, closer)

    again = await post(client, PHONE)
    await Distributor(leads.db).step()

    assert await owner_of(client, again) is None
    assert await owner_of(client, await post(client, "0912345679")) in ("NV001", "NV002")
    await carer.duty(True)
    assert await owner_of(client, again) == "CS001"


async def test_without_a_caring_pool_a_returning_customer_of_an_absent_closer_takes_the_turns(leads: Running) -> None:
    client = await leads.client()
    closer, seller = await hire(leads, "NV001", "NV002")
    await pool(client, [closer, seller])
    await customer(client, leads, closer)
    await closer.duty(False)

    assert await owner_of(client, await post(client, PHONE)) == "NV002"


async def test_two_returning_customers_at_once_fit_into_the_last_place_of_their_closer_only_once(
    leads: Running,
) -> None:
    client = await leads.client()
    closer, carer = await hire(leads, "NV001", "CS001")
    care = await pool(client, [carer], name="CSKH", position=900)
    await pool(client, [closer], returning_pool_id=care["id"], day_quota=3)
    phones = ("0912345601", "0912345602")
    for phone in phones:
        lead = await post(client, phone)
        await closed(leads, lead, closer, phone=phone)
        await delivered(leads, lead)
    items = [{"phone": phone} for phone in phones]

    made = [await post(client, item["phone"]) for item in items]
    await Distributor(leads.db).step()

    assert [await owner_of(client, lead) for lead in made] == ["NV001", "CS001"]


async def test_a_caring_pool_stays_in_use_while_others_send_customers_there(leads: Running) -> None:
    client = await leads.client()
    care = await pool(client, [], name="CSKH", position=900)
    made = await pool(client, [], returning_pool_id=care["id"])

    refused = await rules(client, care, active=False)
    itself = await rules(client, made, returning_pool_id=made["id"])
    unknown = await rules(client, made, returning_pool_id=str(UUID(int=1)))
    nameless = await rules(client, made, returning_to="pool")
    freed = await rules(client, made)
    now = await rules(client, care, active=False)

    assert (refused.status_code, refused.json()["title"]) == (409, "pool-cares-for-returning")
    assert [itself.json()["title"], unknown.json()["title"]] == ["returning-pool-unknown"] * 2
    assert (nameless.status_code, freed.status_code, now.status_code) == (422, 200, 200)
