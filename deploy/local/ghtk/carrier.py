"""The carrier itself: its table of shipments, and everything that changes it. In memory, one event loop."""

import asyncio
import heapq
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from zlib import crc32

from deploy.local.ghtk.clock import SimulatedClock
from deploy.local.ghtk.life import CANCELLABLE, CANCELLED_BY_API_REASON, Status, plan_after, plan_life
from deploy.local.ghtk.model import Creation, Entry, Shipment, SimulatorSettings, Stats
from deploy.local.ghtk.tariff import insurance_fee, shipping_fee

logger = logging.getLogger(__name__)

# GHTK writes action times in whole seconds, so two changes of one shipment are at least this far apart.
_TICK = timedelta(seconds=1)
# Moves made without letting other tasks run; bounds the pause of the event loop to a few milliseconds.
_MOVES_AT_ONCE = 200
_FIRST_TRACKING_ID = 1_375_000_000
_PARTNER_PREFIX = "partner_id:"

OnChange = Callable[[Shipment, Entry], None]


class ReferenceTaken(Exception):
    """The partner's reference already has a shipment; the caller gets it instead of a second one."""

    def __init__(self, shipment: Shipment) -> None:
        super().__init__(shipment.partner_id)
        self.shipment = shipment


class NotCancellable(Exception):
    """The shipment has left the states in which GHTK accepts a cancellation."""

    def __init__(self, shipment: Shipment) -> None:
        super().__init__(shipment.label)
        self.shipment = shipment


@dataclass(frozen=True, slots=True)
class Push:
    """A status change that a test or an operator makes by hand; None leaves the amount or the time to the carrier."""

    status: int
    reason_code: str = ""
    return_part_package: bool = False
    pick_money: int | None = None
    action_time: datetime | None = None
    callback: bool = True


class Carrier:
    """A GHTK that one shop talks to.

    Parameters: `on_change` hears of every status change that GHTK would report by callback (not of the creation,
    whose answer already says it).
    """

    def __init__(
        self, *, settings: SimulatorSettings, clock: SimulatedClock, stats: Stats, on_change: OnChange
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.stats = stats
        self._on_change = on_change
        self._by_label: dict[str, Shipment] = {}
        self._by_partner_id: dict[str, Shipment] = {}
        self._in_order: list[Shipment] = []
        # Shipments with steps to come; whoever moved last stands at the end.
        self._moving: dict[str, Shipment] = {}
        self._log_ids = count(1)

    def create(self, creation: Creation) -> Shipment:
        """A new shipment in status 2. Raises ReferenceTaken."""
        if existing := self._by_partner_id.get(creation.partner_id):
            raise ReferenceTaken(existing)
        life = plan_life(
            seed=self.settings.seed, partner_id=creation.partner_id, rates=self.settings.outcomes.weights()
        )
        tracking_id = _FIRST_TRACKING_ID + len(self._in_order)
        hub = crc32(creation.pick_province.encode()) % 100
        shipment = Shipment(
            sequence=len(self._in_order) + 1,
            label=f"{self.settings.client_source}.H{hub:02d}-A1.{tracking_id}",
            tracking_id=tracking_id,
            creation=creation,
            fee=shipping_fee(
                pick_province=creation.pick_province,
                province=creation.province,
                weight_gram=creation.weight_gram,
                transport=creation.transport,
            ),
            insurance_fee=insurance_fee(value=creation.value),
            outcome=life.outcome,
            remaining=life.steps,
            history=[Entry(Status.RECEIVED, self.clock.now())],
            moved_at=time.monotonic(),
        )
        self._in_order.append(shipment)
        self._by_label[shipment.label] = shipment
        self._by_partner_id[shipment.partner_id] = shipment
        self._moving[shipment.label] = shipment
        return shipment

    def create_cancelled_twin(self, creation: Creation) -> Shipment:
        """A shipment that was made and cancelled before anybody here knew; nothing is reported of it."""
        shipment = self.create(creation)
        self._record(shipment, Push(Status.CANCELLED, CANCELLED_BY_API_REASON, callback=False))
        return shipment

    def find(self, reference: str) -> Shipment | None:
        """By label, by `partner_id:` and the partner's code, or by that code alone."""
        if reference.startswith(_PARTNER_PREFIX):
            return self._by_partner_id.get(reference.removeprefix(_PARTNER_PREFIX))
        return self._by_label.get(reference) or self._by_partner_id.get(reference)

    def cancel(self, shipment: Shipment) -> None:
        """Raises NotCancellable outside states 1, 2 and 12."""
        if shipment.status not in CANCELLABLE:
            raise NotCancellable(shipment)
        self._record(shipment, Push(Status.CANCELLED, CANCELLED_BY_API_REASON))

    def push(self, shipment: Shipment, push: Push) -> Entry:
        """Put a shipment into any status, whether or not that follows from the present one."""
        return self._record(shipment, push)

    async def advance_steps(self, steps: int) -> int:
        """Let every unfinished shipment take up to `steps` steps now. Returns the number of moves."""
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
        return self._record(shipment, Push(following.status, following.reason_code, action_time=at))

    def longest_unmoved(self) -> Shipment | None:
        """The unfinished shipment whose last change is the oldest in real time."""
        return next(iter(self._moving.values()), None)

    def page(self, *, after: int, limit: int, status: int | None = None) -> Iterator[Shipment]:
        """Shipments in order of creation behind the sequence number `after`."""
        found = 0
        for index in range(after, len(self._in_order)):
            if found == limit:
                return
            shipment = self._in_order[index]
            if status is None or shipment.status == status:
                found += 1
                yield shipment

    def __len__(self) -> int:
        return len(self._in_order)

    def new_log_id(self) -> str:
        return f"log-{next(self._log_ids):08d}"

    def _record(self, shipment: Shipment, push: Push) -> Entry:
        """The one place where a shipment changes."""
        at = push.action_time or max(self.clock.now(), shipment.latest.at + _TICK)
        entry = Entry(push.status, at, push.reason_code, push.return_part_package)
        shipment.history.append(entry)
        shipment.remaining = plan_after(push.status, remaining=shipment.remaining)
        shipment.moved_at = time.monotonic()
        if push.pick_money is not None:
            shipment.pick_money = push.pick_money
        self._moving.pop(shipment.label, None)
        if shipment.remaining:
            self._moving[shipment.label] = shipment
        self.stats.status_changes += 1
        logger.debug("shipment %s is now in status %s", shipment.label, push.status)
        if push.callback:
            self._on_change(shipment, entry)
        return entry


async def _breathe(moves: int) -> None:
    if moves % _MOVES_AT_ONCE == 0:
        await asyncio.sleep(0)
