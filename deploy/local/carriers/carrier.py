"""The carrier itself: its table of parcels, and everything that changes it. In memory, one event loop."""

import asyncio
import heapq
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count

from deploy.local.carriers.clock import SimulatedClock
from deploy.local.carriers.dialect import Dialect
from deploy.local.carriers.life import CREATED, STATUS, Code, Step
from deploy.local.carriers.model import CarrierSettings, Creation, Entry, Shipment, Stats

logger = logging.getLogger(__name__)

# Some carriers write times in whole seconds, so two changes of one parcel are at least this far apart.
_TICK = timedelta(seconds=1)
# Moves made without letting other tasks run; bounds the pause of the event loop to a few milliseconds.
_MOVES_AT_ONCE = 200

OnChange = Callable[[Shipment, Entry], None]


class ReferenceTaken(Exception):
    """The shop's reference already has a parcel; the caller gets it instead of a second one."""

    def __init__(self, shipment: Shipment) -> None:
        super().__init__(shipment.reference)
        self.shipment = shipment


class NotCancellable(Exception):
    """The parcel has left the states in which the carrier accepts a cancellation."""

    def __init__(self, shipment: Shipment) -> None:
        super().__init__(shipment.waybill)
        self.shipment = shipment


@dataclass(frozen=True, slots=True)
class Push:
    """A change that a test or an operator makes by hand; None leaves the amount or the time to the carrier."""

    status: Code
    reason_code: str = ""
    partial: bool = False
    cod: int | None = None
    at: datetime | None = None
    callback: bool = True
    kind: str = STATUS


class Carrier:
    """A carrier that one shop talks to.

    Parameters: `on_change` hears of everything that the carrier may report by callback.
    """

    def __init__(
        self,
        *,
        dialect: Dialect,
        settings: CarrierSettings,
        clock: SimulatedClock,
        stats: Stats,
        on_change: OnChange,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.stats = stats
        self._dialect = dialect
        self._road = dialect.road
        self._on_change = on_change
        self._by_waybill: dict[str, Shipment] = {}
        self._by_reference: dict[str, Shipment] = {}
        self._in_order: list[Shipment] = []
        # Parcels with steps to come; whoever moved last stands at the end.
        self._moving: dict[str, Shipment] = {}
        self.numbers = count(1)
        """For what a carrier numbers besides parcels: log entries, print tokens."""

    def create(self, creation: Creation, *, callback: bool = True) -> Shipment:
        """A new parcel. Raises ReferenceTaken. Without a reference it is never a duplicate."""
        if existing := self._by_reference.get(creation.reference):
            raise ReferenceTaken(existing)
        life = self._road.plan(
            seed=self.settings.seed, reference=creation.reference, rates=self.settings.outcomes.weights()
        )
        fees = self._dialect.fees(creation)
        sequence = len(self._in_order) + 1
        shipment = Shipment(
            road=self._road,
            sequence=sequence,
            waybill=self._dialect.waybill(self.settings, sequence, creation),
            creation=creation,
            fee=fees.shipping,
            insurance_fee=fees.insurance,
            outcome=life.outcome,
            remaining=life.steps,
            history=[Entry(self._road.created, self.clock.now(), kind=CREATED)],
            moved_at=time.monotonic(),
        )
        self._in_order.append(shipment)
        self._by_waybill[shipment.waybill] = shipment
        if shipment.reference:
            self._by_reference[shipment.reference] = shipment
        self._moving[shipment.waybill] = shipment
        if callback and self._dialect.reports_creation:
            self._on_change(shipment, shipment.latest)
        return shipment

    def create_cancelled_twin(self, creation: Creation) -> Shipment:
        """A parcel that was made and cancelled before anybody here knew; nothing is reported of it."""
        shipment = self.create(creation, callback=False)
        cancelled = self._road.cancelled
        self.push(shipment, Push(cancelled.status, cancelled.reason_code, callback=False))
        return shipment

    def find(self, given: str) -> Shipment | None:
        """By the carrier's code or by the shop's."""
        return self._by_waybill.get(given) or self._by_reference.get(given)

    def find_by_waybill(self, waybill: str) -> Shipment | None:
        return self._by_waybill.get(waybill)

    def find_by_reference(self, reference: str) -> Shipment | None:
        return self._by_reference.get(reference)

    def cancel(self, shipment: Shipment) -> None:
        """Raises NotCancellable where the carrier does not accept it."""
        if shipment.status not in self._road.cancellable:
            raise NotCancellable(shipment)
        cancelled = self._road.cancelled
        self.push(shipment, Push(cancelled.status, cancelled.reason_code))
        self.stats.cancelled += 1

    def push(self, shipment: Shipment, push: Push) -> Entry:
        """Put a parcel into any status, whether or not that follows from the present one."""
        if push.kind == STATUS:
            remaining = self._road.plan_after(push.status, remaining=shipment.remaining)
        else:
            remaining = shipment.remaining
        return self._record(shipment, push, remaining)

    async def advance_steps(self, steps: int) -> int:
        """Let every unfinished parcel take up to `steps` steps now. Returns the number of moves."""
        moves = 0
        for _ in range(steps):
            for shipment in list(self._moving.values()):
                if shipment.remaining:
                    self.step(shipment)
                    moves += 1
                    await _breathe(moves)
        return moves

    async def advance_time(self, duration: timedelta) -> int:
        """Move the clock; what was due by then happens at its own time and in order. Returns the number of moves."""
        self.clock.skip(duration)
        until = self.clock.now()
        agenda = [(due, each.sequence) for each in self._moving.values() if (due := each.due) and due <= until]
        heapq.heapify(agenda)
        moves = 0
        while agenda:
            due, sequence = heapq.heappop(agenda)
            shipment = self._in_order[sequence - 1]
            if shipment.due != due:  # somebody else moved it meanwhile
                continue
            self.step(shipment, at=due)
            moves += 1
            if shipment.due and shipment.due <= until:
                heapq.heappush(agenda, (shipment.due, sequence))
            await _breathe(moves)
        return moves

    def step(self, shipment: Shipment, *, at: datetime | None = None) -> Entry:
        """The next planned step, now or at the planned time."""
        following = shipment.remaining[0]
        push = Push(following.status, following.reason_code, at=at, kind=following.kind)
        return self._record(shipment, push, shipment.remaining[1:])

    def longest_unmoved(self) -> Shipment | None:
        """The unfinished parcel whose last change is the oldest in real time."""
        return next(iter(self._moving.values()), None)

    def page(self, *, after: int, limit: int, status: str | None = None) -> Iterator[Shipment]:
        """Parcels in order of creation behind the sequence number `after`."""
        found = 0
        for index in range(after, len(self._in_order)):
            if found == limit:
                return
            shipment = self._in_order[index]
            if status is None or str(shipment.status) == status:
                found += 1
                yield shipment

    def __len__(self) -> int:
        return len(self._in_order)

    def _record(self, shipment: Shipment, push: Push, remaining: tuple[Step, ...]) -> Entry:
        """The one place where a parcel changes."""
        at = push.at or max(self.clock.now(), shipment.latest.at + _TICK)
        entry = Entry(push.status, at, push.reason_code, push.partial, push.kind)
        shipment.history.append(entry)
        shipment.remaining = remaining
        shipment.moved_at = time.monotonic()
        if push.cod is not None:
            shipment.cod = push.cod
        self._moving.pop(shipment.waybill, None)
        if shipment.remaining:
            self._moving[shipment.waybill] = shipment
        self.stats.status_changes += 1
        logger.debug("parcel %s is now in status %s", shipment.waybill, push.status)
        if push.callback:
            self._on_change(shipment, entry)
        return entry


async def _breathe(moves: int) -> None:
    if moves % _MOVES_AT_ONCE == 0:
        await asyncio.sleep(0)
