"""What leads tells of a lead that changed: duplicates, releases, corrections, marks."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from shared.contracts.events.leads import (
    DUPLICATE_FOUND,
    DUPLICATE_RELEASED,
    LEAD_CORRECTED,
    LEAD_DUPLICATED,
    SPAM_MARKED,
    DuplicateFound,
    DuplicateReleased,
    LeadCorrected,
    LeadDuplicated,
    Source,
    SpamMarked,
)
from tests.integration.orders.support import Shop

SOURCE = Source(channel="landing_page", landing_page="Trang 1", marketer="MK02")


async def duplicated(shop: Shop, anchor: UUID, lead_id: UUID, **fields: Any) -> None:
    lead = LeadDuplicated(
        lead_id=lead_id,
        anchor_id=anchor,
        received_at=shop.clock.now,
        product="TRA",
        note="đặt thêm",
        source=SOURCE,
        **fields,
    )
    await shop.service.receive(LEAD_DUPLICATED, lead, subject=lead_id)


async def release(shop: Shop, lead_id: UUID, anchor: UUID, *, at: datetime | None = None, **fields: Any) -> None:
    values = {
        "lead_id": lead_id,
        "anchor_id": anchor,
        "received_at": shop.clock.now,
        "phone": "+84912345678",
        "source": SOURCE,
        "at": at or shop.clock.now,
        "by_id": shop.manager.id,
        "by": "QL01",
        "reason": "hai người chung số",
        **fields,
    }
    await shop.service.receive(DUPLICATE_RELEASED, DuplicateReleased.model_validate(values), subject=lead_id)


async def found(shop: Shop, lead_id: UUID, anchor: UUID, *, cause: str = "corrected", **fields: Any) -> None:
    number = shop.assignments[lead_id] = shop.assignments.get(lead_id, 0) + 1
    values = {
        "lead_id": lead_id,
        "anchor_id": anchor,
        "assignment": number,
        "at": shop.clock.now,
        "cause": cause,
        "by": "QL01",
        "by_id": shop.manager.id,
        "reason": "cùng một khách",
        "received_at": shop.clock.now,
        "product": "TRA",
        "source": SOURCE,
        **fields,
    }
    await shop.service.receive(DUPLICATE_FOUND, DuplicateFound.model_validate(values), subject=lead_id)


async def correct(shop: Shop, lead_id: UUID, *, revision: int = 2, **fields: Any) -> None:
    values = {
        "lead_id": lead_id,
        "revision": revision,
        "at": shop.clock.now,
        "by": "NV01",
        "by_id": shop.sale.id,
        "phone": "+84912345678",
        "name": "Đặng Thị Hoa",
        **fields,
    }
    await shop.service.receive(LEAD_CORRECTED, LeadCorrected.model_validate(values), subject=lead_id)


async def mark(shop: Shop, lead_id: UUID, kind: str, *, revision: int) -> None:
    values = {"lead_id": lead_id, "kind": kind, "revision": revision, "at": shop.clock.now, "by": "NV01"}
    await shop.service.receive(SPAM_MARKED, SpamMarked.model_validate(values), subject=lead_id)


async def customer_of(shop: Shop, order_id: UUID) -> dict[str, Any]:
    return dict((await shop.order(order_id, by=shop.admin))["customer"])


async def call_due(shop: Shop, order_id: UUID) -> datetime:
    """When the next call of an order is due."""
    (call,) = [task for task in (await shop.order(order_id))["tasks"] if task["kind"] == "call"]
    return datetime.fromisoformat(call["due_at"])
