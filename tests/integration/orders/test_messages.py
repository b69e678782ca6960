"""What customers write in a chat stands on the timeline of their order, and care hears of it."""

from __future__ import annotations

from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from shared.consumer import NotYet
from shared.contracts.events.leads import MESSAGE_RECEIVED, MessageReceived
from tests.integration.orders.support import MORNING, Shop


async def write(shop: Shop, order_id: UUID, text: str, *, event_id: UUID | None = None, **fields: object) -> UUID:
    message = MessageReceived.model_validate(
        {
            "message_id": event_id or uuid7(),
            "order_id": order_id,
            "at": MORNING,
            "channel": "facebook_chat",
            "text": text,
            **fields,
        }
    )
    return await shop.service.receive(MESSAGE_RECEIVED, message, subject=order_id, event_id=event_id)


async def test_a_message_is_an_interaction_once(shop: Shop) -> None:
    order_id = await shop.accept()
    event_id = uuid7()
    for _ in range(2):
        await write(shop, order_id, "Bao giờ có hàng?", event_id=event_id, attachments=("image",))
    entries = (await shop.admin.client.get(f"/v1/orders/{order_id}/timeline")).json()["items"]
    (message,) = [entry for entry in entries if entry["kind"] == "interaction"]
    assert (message["what"], message["before"], message["note"]) == ("message", "in", "Bao giờ có hàng? [image]")


async def test_a_message_about_an_order_that_has_not_arrived_waits(shop: Shop) -> None:
    with pytest.raises(NotYet):
        await write(shop, uuid7(), "Bao giờ có hàng?")


async def test_care_of_a_held_order_is_woken(shop: Shop) -> None:
    order_id = await shop.accept()
    await shop.assign(order_id, shop.sale)
    before = len(await shop.service.outbox("CareWorkflow"))
    await write(shop, order_id, "Gọi em đi")
    assert len(await shop.service.outbox("CareWorkflow")) == before + 1
