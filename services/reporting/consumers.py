"""Every event becomes a fact; batches are applied set by set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from services.reporting import level_names, places, projection, repository
from services.reporting.places import Moved
from services.reporting.projection import NOBODY, OrderFacts, Rollup, day_of
from shared.consumer import Event, Handlers
from shared.contracts import levels
from shared.contracts.base import Contract
from shared.contracts.events.leads import (
    LEAD_ARCHIVED,
    LEAD_ASSIGNED,
    LEAD_DUPLICATED,
    LEAD_RELEASED,
    LEAD_WITHDRAWN,
    LeadArchived,
    LeadAssigned,
    LeadDuplicated,
    LeadReleased,
    LeadWithdrawn,
)
from shared.contracts.events.orders import (
    LEVEL_CATALOGUE_CHANGED,
    LEVEL_CHANGED,
    ORDER_CLOSED,
    OWNER_CHANGED,
    LevelCatalogueChanged,
    LevelChanged,
    OrderClosed,
    OwnerChanged,
)
from shared.contracts.events.shipping import COD_SETTLED, SHIPMENT_CHANGED, CodSettled, ShipmentChanged
from shared.db import Session

DataT = TypeVar("DataT", bound=Contract)
LeadT = TypeVar("LeadT", LeadReleased, LeadArchived, LeadAssigned)


@dataclass(frozen=True)
class Projector:
    """Applies batches of events in the company's zone."""

    zone: ZoneInfo

    def handlers(self) -> Handlers:
        """The handlers to register."""
        handlers = Handlers()
        handlers.batch(LEVEL_CHANGED)(self.level_changed)
        handlers.batch(LEAD_DUPLICATED)(self.lead_duplicated)
        handlers.batch(LEAD_WITHDRAWN)(self.lead_withdrawn)
        handlers.batch(LEAD_RELEASED)(self.lead_released)
        handlers.batch(LEAD_ARCHIVED)(self.lead_archived)
        handlers.batch(LEAD_ASSIGNED)(self.lead_assigned)
        handlers.batch(LEVEL_CATALOGUE_CHANGED)(self.catalogue_changed)
        handlers.batch(OWNER_CHANGED)(self.owner_changed)
        handlers.batch(ORDER_CLOSED)(self.order_closed)
        handlers.batch(SHIPMENT_CHANGED)(self.shipment_changed)
        handlers.batch(COD_SETTLED)(self.cod_settled)
        return handlers

    async def level_changed(self, session: Session, events: Sequence[Event[LevelChanged]]) -> None:
        rows: list[dict[str, Any]] = []
        events = await self._standing(session, events, lambda data: data.order_id)
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

    async def catalogue_changed(self, session: Session, events: Sequence[Event[LevelCatalogueChanged]]) -> None:
        await level_names.keep(session, [event.data for event in events])

    async def lead_duplicated(self, session: Session, events: Sequence[Event[LeadDuplicated]]) -> None:
        rows: list[dict[str, Any]] = []
        events = await self._standing(session, events, lambda data: data.lead_id)
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
        events = await self._standing(session, events, lambda data: data.order_id)
        moves: list[dict[str, Any]] = [
            {
                "order_id": event.data.order_id,
                "assignment": event.data.assignment,
                "day": day_of(event.data.at, self.zone),
                "level": event.data.level,
                "from_owner_id": event.data.from_owner_id or NOBODY,
                "to_owner_id": event.data.to_owner_id or NOBODY,
            }
            for event in events
        ]
        await repository.add_moves(session, moves)
        sums: Counter[Rollup] = Counter()
        for move in moves:
            sums.update(_moved(move["day"], move["level"], move["from_owner_id"], move["to_owner_id"]))
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
        ids = {row["order_id"] for row in rows}
        sums: Counter[Rollup] = Counter()
        sums.subtract(await self._stays(session, ids))
        new = await repository.add_transitions(session, rows)
        sums.update(await self._stays(session, ids))
        for row in rows:
            if row["transition_id"] not in new:
                continue
            sums.update(_passed(row))
        await repository.add_to_rollups(session, sums)

    async def _stays(self, session: Session, ids: Iterable[UUID]) -> Counter[Rollup]:
        """What orders add to the places in which they lay; most never left somebody's care and add nothing."""
        sums: Counter[Rollup] = Counter()
        for moves, stands in await repository.lives(session, ids):
            sums.update(places.stays(moves, stands, self.zone))
        return sums

    async def lead_released(self, session: Session, events: Sequence[Event[LeadReleased]]) -> None:
        """Into the floating pool; or out of it, to wait for somebody."""
        await self._move(
            session,
            events,
            lambda lead: Moved(
                lead.assignment, "floating" if lead.cause == "floating_pool" else "care", lead.released_at
            ),
        )

    async def lead_archived(self, session: Session, events: Sequence[Event[LeadArchived]]) -> None:
        await self._move(session, events, lambda lead: Moved(lead.assignment, "archived", lead.archived_at))

    async def lead_assigned(self, session: Session, events: Sequence[Event[LeadAssigned]]) -> None:
        """Out of the floating pool or the archive; one that is new or was held by somebody lay in neither."""
        out = [event for event in events if event.data.assignment > 1 and event.data.previous_owner_id is None]
        await self._move(session, out, lambda lead: Moved(lead.assignment, "care", lead.assigned_at))

    async def _move(self, session: Session, events: Sequence[Event[LeadT]], told: Callable[[LeadT], Moved]) -> None:
        events = await self._standing(session, events, lambda data: data.lead_id)
        if not events:
            return
        ids = {event.data.lead_id for event in events}
        sums: Counter[Rollup] = Counter()
        sums.subtract(await self._stays(session, ids))
        await repository.add_places(
            session, [{"order_id": event.data.lead_id, **told(event.data)._asdict()} for event in events]
        )
        sums.update(await self._stays(session, ids))
        await repository.add_to_rollups(session, sums)
        await self._update(
            session, events, lambda data: data.lead_id, lambda order, data: places.moved(order, told(data))
        )

    async def lead_withdrawn(self, session: Session, events: Sequence[Event[LeadWithdrawn]]) -> None:
        """Takes out of every sum what these leads and their orders have added, and adds nothing of them from now on.

        Their events come from two streams, so some may still be on their way: these find the order withdrawn.
        """
        before = await repository.lock_orders(session, (event.data.lead_id for event in events))
        gone = [order for order in before.values() if not order.withdrawn]
        ids = [order.order_id for order in gone]
        sums: Counter[Rollup] = Counter()
        for order in gone:
            sums.subtract(projection.contributions(order, self.zone))
        sums.subtract(await self._stays(session, ids))
        await repository.take_places(session, ids)
        for row in await repository.take_transitions(session, ids):
            sums.subtract(_passed(row._mapping))
        for row in await repository.take_moves(session, ids):
            sums.subtract(_moved(row.day, row.level, row.from_owner_id, row.to_owner_id))
        await repository.save_orders(session, [OrderFacts(id, withdrawn=True) for id in ids])
        await repository.add_to_rollups(session, sums)

    async def _standing(
        self, session: Session, events: Sequence[Event[DataT]], order_of: Callable[[DataT], UUID]
    ) -> list[Event[DataT]]:
        """Events of orders that were not withdrawn; the orders are locked until commit."""
        orders = await repository.lock_orders(session, (order_of(event.data) for event in events))
        return [event for event in events if not orders[order_of(event.data)].withdrawn]

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
            if before[order_id].withdrawn:
                continue
            after[order_id] = apply(after[order_id], event.data)
        changed = [order for order_id, order in after.items() if order != before[order_id]]
        sums: Counter[Rollup] = Counter()
        for order in changed:
            sums.update(projection.contributions(order, self.zone))
            sums.subtract(projection.contributions(before[order.order_id], self.zone))
        await repository.save_orders(session, changed)
        await repository.add_to_rollups(session, sums)


def _passed(row: Mapping[str, Any]) -> Counter[Rollup]:
    """What a transition adds: an entry into its level and an exit from the one before."""
    sums: Counter[Rollup] = Counter()
    for level, measure in ((row["to_level"], "entered"), (row["from_level"], "left")):
        if level is not None:
            sums[Rollup("level_days", (row["day"], level, row["owner_id"]), measure)] += 1
            source = (row["day"], level, row["channel"], row["marketer"])
            sums[Rollup("level_source_days", source, measure)] += 1
    if row["to_level"] == levels.CANCELLED_AFTER_CLOSING and row["cause"] == projection.MERGED:
        part = (row["day"], row["to_level"], projection.MERGED, row["channel"], row["marketer"])
        sums[Rollup(places.PLACE_DAYS, part, "entered")] += 1
    return sums


def _moved(day: date, level: str, from_owner: UUID, to_owner: UUID) -> Counter[Rollup]:
    """What a change of owner adds."""
    return Counter(
        {
            Rollup("level_days", (day, level, from_owner), "moved_out"): 1,
            Rollup("level_days", (day, level, to_owner), "moved_in"): 1,
        }
    )
