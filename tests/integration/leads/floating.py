"""Numbers in the floating pool, and people who claim them."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

import httpx

from services.leads.distributor import Distributor
from shared.contracts.events.orders import REASSIGNMENT_REQUESTED, ReassignmentRequested
from tests.harness import Running
from tests.integration.leads.company import NOW, Colleague, post


async def floated(leads: Running, holder: Colleague, *phones: str, **fields: Any) -> list[str]:
    """Numbers that this colleague held and care released; returns their ids."""
    client = await leads.client(code="QL001")
    ids = []
    for phone in phones:
        lead = await post(client, phone, **fields)
        await client.post(f"/v1/leads/{lead['id']}/assign", json={"owner_id": str(holder.id)})
        ids.append(lead["id"])
    await release(leads, *ids)
    return ids


async def release(leads: Running, *ids: str, to: Literal["floating_pool", "another"] = "floating_pool") -> None:
    """Care releases these numbers into the floating pool, or asks for another owner."""
    for row in await leads.rows("SELECT id, assignment FROM leads WHERE id = ANY(:ids)", ids=[UUID(id) for id in ids]):
        request = ReassignmentRequested(
            order_id=row.id, assignment=row.assignment, to=to, reason="hết lượt gọi", at=NOW
        )
        await leads.receive(REASSIGNMENT_REQUESTED, request, subject=row.id)
    while await Distributor(leads.db).step():
        pass


async def seller(leads: Running, person: Colleague, *granted: str) -> httpx.AsyncClient:
    """A salesperson's client."""
    return await leads.client("leads.claim", "leads.read", *granted, account_id=person.id, code=person.code)


async def claim(client: httpx.AsyncClient, lead_id: str, **headers: str) -> httpx.Response:
    return await client.post(f"/v1/floating-pool/{lead_id}/claim", headers=headers)
