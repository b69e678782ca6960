"""What leads tells of numbers and everyday work: the do-not-call list and tags."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from shared.contracts.events.leads_everyday import (
    DO_NOT_CALL_CHANGED,
    LEAD_TAGGED,
    TAG_CHANGED,
    DoNotCallChanged,
    DoNotCallEntry,
    LeadTagged,
    TagChanged,
)
from tests.integration.orders.support import MORNING, Shop

PHONE = "+84987654321"


def entry(since: datetime, *, source: str = "authority", **fields: Any) -> DoNotCallEntry:
    return DoNotCallEntry.model_validate({"source": source, "kind": "all", "since": since, **fields})


async def listed(shop: Shop, version: int, *entries: DoNotCallEntry, removed: tuple[DoNotCallEntry, ...] = ()) -> None:
    change = DoNotCallChanged(phone=PHONE, version=version, at=shop.clock.now, entries=entries, removed=removed)
    await shop.service.receive(DO_NOT_CALL_CHANGED, change, subject=uuid7())


async def forbidden(shop: Shop, order_id: UUID) -> bool:
    return (await shop.order(order_id, by=shop.admin))["customer"]["do_not_call_at"] is not None


async def test_a_number_that_is_listed_while_in_care_is_not_called_any_more(shop: Shop) -> None:
    order_id = await shop.number(phone=PHONE)
    shop.clock.forward(minutes=5)

    await listed(shop, 7, entry(shop.clock.now))
    await shop.look(order_id)

    assert await forbidden(shop, order_id)
    assert (await shop.order(order_id, by=shop.admin))["care"]["is_open"] is False

    await listed(shop, 8, removed=(entry(shop.clock.now),))
    assert not await forbidden(shop, order_id)  # nobody has refused: what the list took back is over


async def test_who_asks_to_be_called_after_being_listed_is_called_unless_there_was_a_complaint(shop: Shop) -> None:
    before = MORNING - timedelta(days=9)
    phones = [{"phone": PHONE, "entries": [entry(before).model_dump(mode="json")]}]
    asked = await shop.number(phone=PHONE, do_not_call=phones)
    assert not await forbidden(shop, asked)

    bought = await shop.accept(phone=PHONE, asked_to_be_called=False, do_not_call=phones)
    assert await forbidden(shop, bought)

    await listed(shop, 1, entry(before, source="complaint"))
    assert await forbidden(shop, asked)


async def test_messages_alone_and_what_is_over_do_not_forbid_calls(shop: Shop) -> None:
    order_id = await shop.number(phone=PHONE, asked_to_be_called=False)
    await listed(shop, 1, entry(MORNING, kind="messages"), entry(MORNING, source="import", until=MORNING))
    assert not await forbidden(shop, order_id)


async def test_changes_of_the_list_count_in_their_order_not_in_that_of_their_arrival(shop: Shop) -> None:
    order_id = await shop.number(phone=PHONE)
    await listed(shop, 9)
    await listed(shop, 8, entry(shop.clock.now))
    late = [{"phone": PHONE, "entries": [entry(shop.clock.now).model_dump(mode="json")]}]
    await shop.accept(phone=PHONE, asked_to_be_called=False, do_not_call=late)

    assert not await forbidden(shop, order_id)


async def test_a_refusal_taken_back_in_the_list_frees_the_customer_unless_they_refused_again_since(shop: Shop) -> None:
    order_id = await shop.number(phone=PHONE)
    await shop.call(order_id, "refuses_contact")
    refusal = entry(shop.clock.now, source="customer", refusal=True)
    await listed(shop, 1, refusal)
    earlier = entry(shop.clock.now - timedelta(days=1), source="customer", refusal=True)

    await listed(shop, 2, refusal, removed=(earlier,))
    assert await forbidden(shop, order_id)
    await listed(shop, 3, removed=(refusal,))
    assert not await forbidden(shop, order_id)


async def test_an_undone_refusal_does_not_come_back_through_the_list(shop: Shop) -> None:
    order_id = await shop.number(phone=PHONE)
    answer = (await shop.call(order_id, "refuses_contact")).json()
    await listed(shop, 1, entry(shop.clock.now, source="customer", refusal=True))

    undone = await shop.sale.client.post(f"/v1/orders/{order_id}/interactions/{answer['interaction_id']}/undo")
    assert undone.status_code == 200, undone.text
    await shop.look(order_id)

    order = await shop.order(order_id)
    assert (order["level"]["code"], order["care"]["is_open"]) == ("L1", True)


async def test_an_order_shows_the_tags_of_its_lead_as_they_are_now(shop: Shop) -> None:
    hot, warm = uuid7(), uuid7()
    order_id = await shop.number()

    async def catalogue(tag_id: UUID, version: int, name: str, **fields: Any) -> None:
        fact = TagChanged(tag_id=tag_id, version=version, name=name, colour="#c92a2a", **fields)
        await shop.service.receive(TAG_CHANGED, fact, subject=tag_id)

    async def tagged(version: int, *tags: UUID) -> None:
        fact = LeadTagged(lead_id=order_id, version=version, tags=tags, at=shop.clock.now)
        await shop.service.receive(LEAD_TAGGED, fact, subject=order_id)

    async def shown() -> list[str]:
        names = [tag["name"] for tag in (await shop.order(order_id))["tags"]]
        (item,) = (await shop.sale.client.get("/v1/orders")).json()["items"]
        assert [tag["name"] for tag in item["tags"]] == names
        return names

    await tagged(2, hot, warm)
    assert await shown() == []  # the catalogue has not told of them yet
    await catalogue(hot, 2, "Nóng")
    await catalogue(hot, 1, "Nóg")
    await catalogue(warm, 1, "Ấm")
    await tagged(1, hot)
    assert await shown() == ["Nóng", "Ấm"]
    await catalogue(warm, 2, "Ấm", retired=True, merged_into=hot)
    assert await shown() == ["Nóng"]
