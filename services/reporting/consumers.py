"""Every event becomes a fact; batches are applied set by set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from services.reporting import projection, repository
from services.reporting.projection import NOBODY, OrderFacts, Rollup, day_of
from shared.consumer import Event, Handlers
from shared.contracts import levels
from shared.contracts.base import Contract
from shared.contracts.events.leads import LEAD_DUPLICATED, LeadDuplicated
from shared.contracts.events.orders import (
    LEVEL_CHANGED,
    ORDER_CLOSED,
    OWNER_CHANGED,
    LevelChanged,
    OrderClosed,
    OwnerChanged,
)
from shared.contracts.events.shipping import COD_SETTLED, SHIPMENT_CHANGED, CodSettled, ShipmentChanged
from shared.db import Session

DataT = TypeVar("DataT", bound=Contract)


@dataclass(frozen=True)
class Projector:
    """Applies batches of events in the company's zone."""

    zone: ZoneInfo

    def handlers(self) -> Handlers:
        """The handlers to register."""
        handlers = Handlers()
        handlers.batch(LEVEL_CHANGED)(self.level_changed)
        handlers.batch(LEAD_DUPLICATED)(self.lead_duplicated)
        handlers.batch(OWNER_CHANGED)(self.owner_changed)
        handlers.batch(ORDER_CLOSED)(self.order_closed)
        handlers.batch(SHIPMENT_CHANGED)(self.shipment_changed)
        handlers.batch(COD_SETTLED)(self.cod_settled)
        return handlers

    async def level_changed(self, session: Session, events: Sequence[Event[LevelChanged]]) -> None:
        rows: list[dict[str, Any]] = []
        for event in events:
            change = event.data
            if change.sequence == 1 and change.from_level == levels.NEW:
                # The order's first fact says where it came from; its entry into C3 is the same instant (rule D20).
                entry = change.model_copy(
                    update={
                        "transition_id": uuid5(change.transition_id, levels.NEW),
                        "from_level": None,
                        "to_level": levels.NEW,
                        "sequence": 0,
                        "at": change.cohort_at,
                        "owner_id": None,
                    }
                )
                rows.append(self._transition(entry))
            rows.append(self._transition(change))
        await self._add_transitions(session, rows)
        await repository.say_of_levels(session, projection.finals(event.data for event in events))
        await self._update(session, events, lambda data: data.order_id, projection.level_changed)

    async def lead_duplicated(self, session: Session, events: Sequence[Event[LeadDuplicated]]) -> None:
        rows: list[dict[str, Any]] = []
        for event in events:
            lead = event.data
            for sequence, (left, entered) in enumerate([(None, levels.NEW), (levels.NEW, levels.DUPLICATE)]):
                rows.append(
                    {
                        "transition_id": uuid5(event.id, entered),
                        "order_id": lead.lead_id,
                        "sequence": sequence,
                        "from_level": left,
                        "to_level": entered,
                        "at": lead.received_at,
                        "recorded_at": event.time,
                        "day": day_of(lead.received_at, self.zone),
                        "cause": "duplicate",
                        "actor": "",
                        "owner_id": NOBODY,
                        "channel": lead.source.channel,
                        "marketer": lead.source.marketer,
                        "product": lead.product,
                    }
                )
        await self._add_transitions(session, rows)
        await self._update(session, events, lambda data: data.lead_id, projection.lead_duplicated)

    async def owner_changed(self, session: Session, events: Sequence[Event[OwnerChanged]]) -> None:
        sums: Counter[Rollup] = Counter()
        for event in events:
            change = event.data
            day = day_of(change.at, self.zone)
            sums[Rollup("level_days", (day, change.level, change.from_owner_id or NOBODY), "moved_out")] += 1
            sums[Rollup("level_days", (day, change.level, change.to_owner_id or NOBODY), "moved_in")] += 1
        await repository.add_to_rollups(session, sums)
        await self._update(session, events, lambda data: data.order_id, projection.owner_changed)

    async def order_closed(self, session: Session, events: Sequence[Event[OrderClosed]]) -> None:
        await self._update(session, events, lambda data: data.order_id, projection.order_closed)

    async def shipment_changed(self, session: Session, events: Sequence[Event[ShipmentChanged]]) -> None:
        await self._update(session, events, lambda data: data.order_id, projection.shipment_changed)

    async def cod_settled(self, session: Session, events: Sequence[Event[CodSettled]]) -> None:
        await self._update(session, events, lambda data: data.order_id, projection.cod_settled)

    def _transition(self, change: LevelChanged) -> dict[str, Any]:
        return {
            "transition_id": change.transition_id,
            "order_id": change.order_id,
            "sequence": change.sequence,
            "from_level": change.from_level,
            "to_level": change.to_level,
            "at": change.at,
            "recorded_at": change.recorded_at,
            "day": day_of(change.at, self.zone),
            "cause": change.cause,
            "actor": change.actor,
            "owner_id": change.owner_id or NOBODY,
            "channel": change.channel,
            "marketer": change.marketer,
            "product": change.product,
        }

    async def _add_transitions(self, session: Session, rows: Sequence[dict[str, Any]]) -> None:
        """Writes the facts and counts each new one as an entry into its level and an exit from the one before."""
        new = await repository.add_transitions(session, rows)
        sums: Counter[Rollup] = Counter()
        for row in rows:
            if row["transition_id"] not in new:
                continue
            for level, measure in ((row["to_level"], "entered"), (row["from_level"], "left")):
                if level is None:
                    continue
                sums[Rollup("level_days", (row["day"], level, row["owner_id"]), measure)] += 1
                source = (row["day"], level, row["channel"], row["marketer"])
                sums[Rollup("level_source_days", source, measure)] += 1
        await repository.add_to_rollups(session, sums)

    async def _update(
        self,
        session: Session,
        events: Sequence[Event[DataT]],
        order_of: Callable[[DataT], UUID],
        apply: Callable[[OrderFacts, DataT], OrderFacts],
    ) -> None:
        before = await repository.lock_orders(session, (order_of(event.data) for event in events))
        after = dict(before)
        for event in events:
            order_id = order_of(event.data)
            after[order_id] = apply(after[order_id], event.data)
        changed = [order for order_id, order in after.items() if order != before[order_id]]
        sums: Counter[Rollup] = Counter()
        for order in changed:
            sums.update(projection.contributions(order, self.zone))
            sums.subtract(projection.contributions(before[order.order_id], self.zone))
        await repository.save_orders(session, changed)
        await repository.add_to_rollups(session, sums)
