"""The service on real JetStream: its facts go out, others' facts come in."""

from __future__ import annotations

from typing import Any

import nats as nats_client
from uuid_utils.compat import uuid7

from deploy.local.engines import Nats
from services.leads.app import SERVICE
from shared.contracts.base import Contract
from shared.contracts.events.base import EventType
from shared.contracts.events.staff import ACCOUNT_CHANGED, DUTY_CHANGED, AccountChanged, DutyChanged
from tests.harness import Databases, eventually, running
from tests.integration.leads.company import NOW, owner_of, post


async def publish(js: Any, event_type: EventType, data: Contract) -> None:
    headers = {
        "ce-id": str(uuid7()),
        "ce-type": event_type.name,
        "ce-subject": "test",
        "ce-time": NOW.isoformat(),
        "ce-specversion": "1.0",
    }
    await js.publish(event_type.name, data.model_dump_json().encode(), headers=headers)


async def test_a_colleague_who_comes_on_duty_gets_what_waits_and_everybody_hears_of_it(
    databases: Databases, nats: Nats
) -> None:
    person = uuid7()
    account = AccountChanged(
        account_id=person, version=1, code="NV001", name="Lan", department="sale", group="sale", at=NOW
    )
    async with running(SERVICE, databases, nats=nats) as leads:
        leads.start("relay", "consumer")
        client = await leads.client()
        lead = await post(client, "0912345678")
        await client.post("/v1/pools", json={"name": "Chung", "members": [{"account_id": str(person)}]})
        connection = await nats_client.connect(nats.url)
        js = connection.jetstream()

        async def accepted() -> bool:
            return not await leads.rows("SELECT 1 FROM outbox WHERE status <> 'sent'")

        await eventually(accepted)
        await publish(js, DUTY_CHANGED, DutyChanged(account_id=person, version=1, on_duty=True, at=NOW))
        await publish(js, ACCOUNT_CHANGED, account)

        async def owned() -> bool:
            return await owner_of(client, lead) == "NV001"

        await eventually(owned)
        await eventually(accepted)
        subscription = await js.subscribe("leads.>", stream="LEADS")
        heard = [await subscription.next_msg(timeout=5) for _ in range(2)]
        await connection.close()
    assert [message.subject for message in heard] == ["leads.lead.accepted.v1", "leads.lead.assigned.v1"]
    assert {message.headers["ce-subject"] for message in heard} == {lead["id"]}
