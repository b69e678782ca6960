"""What tests of the orders service share: a clock that stands still, leads that arrive, salespeople who call."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import httpx
from uuid_utils.compat import uuid7

from services.orders.app import SERVICE
from services.orders.care import service as care_service
from services.orders.care.processes import PROCESSES
from services.orders.care.reading import lock_care
from services.orders.clock import CLOCK
from services.orders.record import lock
from shared.contracts import permissions
from shared.contracts.events.leads import (
    LEAD_ACCEPTED,
    LEAD_ASSIGNED,
    LEAD_DUPLICATED,
    LEAD_RELEASED,
    LeadAccepted,
    LeadAssigned,
    LeadDuplicated,
    LeadReleased,
    Source,
)
from shared.contracts.events.shipping import SHIPMENT_CHANGED, ShipmentChanged
from shared.contracts.events.staff import ACCOUNT_CHANGED, AccountChanged
from tests.harness import Databases, Running, running

MORNING = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
"""Monday 09:00 in Vietnam, inside the calling hours."""

_phones = count(912_000_000)
_keys = count(1)


@dataclass
class Clock:
    """Stands still until it is set."""

    now: datetime = MORNING

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **delta: float) -> datetime:
        self.now += timedelta(**delta)
        return self.now


GROUPS = {"QL01": "manager", "NV01": "sale", "NV02": "sale", "COD1": "cod", "AD01": "admin"}
PEOPLE = {code: uuid7() for code in GROUPS}
"""Account ids of those who work in each shop."""


async def staffed(service: Running) -> None:
    """Staff tells of everybody who works in a shop."""
    for code, account_id in PEOPLE.items():
        told = AccountChanged(
            account_id=account_id,
            version=1,
            code=code,
            name=code,
            department="sale",
            group=GROUPS[code],
            team="S1",
            superior_id=PEOPLE["QL01"] if GROUPS[code] == "sale" else None,
            at=MORNING,
        )
        await service.receive(ACCOUNT_CHANGED, told, subject=account_id)


@dataclass
class Person:
    """An account of the shop and the HTTP client with which they work."""

    id: UUID
    code: str
    client: httpx.AsyncClient


@dataclass
class Shop:
    """A running orders service with a manager, two salespeople under them and a COD desk."""

    service: Running
    clock: Clock
    manager: Person
    sale: Person
    colleague: Person
    cod: Person
    admin: Person
    assignments: dict[UUID, int] = field(default_factory=dict)

    @classmethod
    async def open(cls, service: Running, clock: Clock) -> Shop:
        """The people of `staffed` sit down."""
        people = {}
        for code, account_id in PEOPLE.items():
            granted = permissions.SEED_GROUPS[GROUPS[code]]
            client = await service.client(*granted, account_id=account_id, code=code, team="S1")
            client.headers["Accept-Language"] = "en"
            people[code] = Person(account_id, code, client)
        return cls(service, clock, people["QL01"], people["NV01"], people["NV02"], people["COD1"], people["AD01"])

    # --- what leads says ------------------------------------------------------------------------------------------

    async def accept(self, *, phone: str | None = None, at: datetime | None = None, **fields: Any) -> UUID:
        """A clean number arrives; returns the order's id."""
        lead = accepted(phone=phone, at=at or self.clock.now, **fields)
        await self.service.receive(LEAD_ACCEPTED, lead, subject=lead.lead_id)
        return lead.lead_id

    async def assign(self, order_id: UUID, to: Person | None, *, number: int | None = None) -> None:
        """Somebody holds the number now; None = it is released."""
        number = number or self.assignments.get(order_id, 0) + 1
        self.assignments[order_id] = number
        if to is None:
            released = LeadReleased(
                lead_id=order_id, assignment=number, released_at=self.clock.now, cause="floating_pool"
            )
            await self.service.receive(LEAD_RELEASED, released, subject=order_id)
            return
        await self.service.receive(
            LEAD_ASSIGNED,
            LeadAssigned(
                lead_id=order_id,
                assignment=number,
                owner_id=to.id,
                owner_code=to.code,
                team="S1",
                assigned_at=self.clock.now,
                cause="distribution",
            ),
            subject=order_id,
        )

    async def number(self, **fields: Any) -> UUID:
        """A number that NV01 holds and whose care has taken its first step."""
        order_id = await self.accept(**fields)
        await self.assign(order_id, self.sale)
        await self.look(order_id)
        return order_id

    async def came_again(self, order_id: UUID) -> None:
        """The customer leaves the number once more."""
        lead_id = uuid7()
        lead = LeadDuplicated(
            lead_id=lead_id, anchor_id=order_id, received_at=self.clock.now, source=Source(channel="landing_page")
        )
        await self.service.receive(LEAD_DUPLICATED, lead, subject=lead_id)

    # --- what the workflow does -----------------------------------------------------------------------------------

    async def look(self, order_id: UUID) -> datetime | None:
        """Lets care look at an order, as its workflow does; returns when it wants to look again."""
        async with self.service.db.transaction() as session:
            order, care = await lock(session, order_id), await lock_care(session, order_id)
            assert order is not None
            assert care is not None
            processes = self.service.runtime.state[PROCESSES]
            advanced = await care_service.advance(session, processes, order, care, now=self.clock.now)
            return advanced.care.next_due

    # --- what people do -------------------------------------------------------------------------------------------

    async def call(self, order_id: UUID, result: str, *, by: Person | None = None, **fields: Any) -> httpx.Response:
        """Somebody logs a call."""
        body = {"kind": "call", "result": result, **fields}
        return await (by or self.sale).client.post(f"/v1/orders/{order_id}/interactions", json=body)

    async def close(self, order_id: UUID, *, by: Person | None = None, **fields: Any) -> httpx.Response:
        """Somebody closes the order."""
        return await (by or self.sale).client.post(f"/v1/orders/{order_id}/close", json=closing(**fields))

    async def stocked(self, *, sku: str = "SERUM", units: int = 10, price: int = 200_000) -> str:
        """A product with that many units in the house."""
        product = {"sku": sku, "name": f"Sản phẩm {sku}", "price": price, "weight_grams": 120}
        made = await self.admin.client.post("/v1/products", json=product)
        assert made.status_code == 201, made.text
        if units:
            await self.receive(sku, units)
        return sku

    async def receive(self, sku: str, units: int) -> dict[str, Any]:
        """Goods come in."""
        answer = await self.admin.client.post("/v1/stock/receipts", json={"lines": [{"sku": sku, "quantity": units}]})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def order(self, order_id: UUID, *, by: Person | None = None) -> dict[str, Any]:
        """The order as its screen shows it."""
        answer = await (by or self.sale).client.get(f"/v1/orders/{order_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def level(self, order_id: UUID) -> str:
        return str((await self.order(order_id, by=self.admin))["level"]["code"])

    # --- what shipping says ---------------------------------------------------------------------------------------

    async def shipment(self, order_id: UUID, status: str, *, sequence: int, shipment_id: UUID, **fields: Any) -> None:
        """A parcel's confirmed state changes."""
        fact = ShipmentChanged.model_validate(
            {
                "shipment_id": shipment_id,
                "order_id": order_id,
                "sequence": sequence,
                "status": status,
                "previous": "draft",
                "at": self.clock.now,
                "carrier": "ghtk",
                "waybill": "S1.1",
                **fields,
            }
        )
        await self.service.receive(SHIPMENT_CHANGED, fact, subject=shipment_id)


def accepted(*, phone: str | None = None, at: datetime = MORNING, **fields: Any) -> LeadAccepted:
    """A clean lead."""
    return LeadAccepted.model_validate(
        {
            "lead_id": uuid7(),
            "received_at": at,
            "phone": phone or f"+84{next(_phones)}",
            "name": "Đặng Thị Hoa",
            "product": "SERUM",
            "source": {"channel": "landing_page", "campaign": "T11", "marketer": "MK01"},
            **fields,
        }
    )


def closing(**fields: Any) -> dict[str, Any]:
    """The body of a closing that is complete."""
    return {
        "recipient": "Đặng Thị Hoa",
        "address": {"province": "Thành phố Hồ Chí Minh", "ward": "Phường Bến Thành", "detail": "12 Lê Lợi"},
        "lines": [{"sku": "SERUM", "quantity": 1}],
        "call": {"seconds": 60},
        **fields,
    }


def idempotency_key() -> dict[str, str]:
    """A header that no other request of the tests has."""
    return {"Idempotency-Key": f"key-{next(_keys)}"}


@asynccontextmanager
async def opened(databases: Databases, **settings: Any) -> AsyncIterator[Shop]:
    """A shop on a clock of its own. Without NATS and Temporal unless they are given: most tests need neither."""
    async with running(SERVICE, databases, filled=staffed, **settings) as service:
        clock = Clock()
        service.runtime.state[CLOCK] = clock
        yield await Shop.open(service, clock)
