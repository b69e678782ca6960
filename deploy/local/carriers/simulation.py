"""One running simulation: the carrier, its callbacks, its faults, and the pilot that moves parcels by itself."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import httpx

from deploy.local.carriers.callbacks import CallbackSender
from deploy.local.carriers.carrier import Carrier
from deploy.local.carriers.clock import SimulatedClock, wall_clock
from deploy.local.carriers.dialect import Dialect
from deploy.local.carriers.faults import Faults
from deploy.local.carriers.model import CarrierSettings, Entry, Shipment, Stats
from deploy.local.simulator.dice import Dice

logger = logging.getLogger(__name__)

# Steps taken without letting other tasks run.
_STEPS_AT_ONCE = 50


class Simulation:
    """Holds what the HTTP routes work on.

    Parameters: `settings` and `faults` are also what `reset` returns to; `wall` is real time; `callback_transport`
    replaces the network for callbacks.
    """

    def __init__(
        self,
        dialect: Dialect,
        *,
        settings: CarrierSettings | None = None,
        faults: Faults | None = None,
        wall: Callable[[], datetime] = wall_clock,
        callback_transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.dialect = dialect
        self._initial_settings = settings or dialect.settings()
        self._initial_faults = faults or dialect.faults()
        self.closing = asyncio.Event()
        self._settings_changed = asyncio.Event()
        self._clock = SimulatedClock(wall)
        self._callback_transport = callback_transport
        self._begin()

    def _begin(self) -> None:
        self.settings = self._initial_settings
        self.faults = self._initial_faults
        self.stats = Stats()
        self.dice = Dice(seed=self.settings.seed)
        self.sender = CallbackSender(
            dialect=self.dialect,
            settings=self.settings,
            faults=self.faults,
            dice=self.dice,
            stats=self.stats,
            transport=self._callback_transport,
        )
        self.carrier = Carrier(
            dialect=self.dialect,
            settings=self.settings,
            clock=self._clock,
            stats=self.stats,
            on_change=self._report,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send callbacks and, with a speed, move shipments, until the block is left."""
        self.sender.start()
        pilot = asyncio.create_task(self._fly())
        try:
            yield
        finally:
            self.closing.set()
            pilot.cancel()
            await asyncio.wait([pilot])
            await self.sender.close()
            if not pilot.cancelled():
                pilot.result()  # it never ends by itself: show why it did

    def now(self) -> datetime:
        return self._clock.now()

    def change_settings(self, change: Mapping[str, Any]) -> None:
        """Replace what is named. Raises ValueError, and changes nothing, if it cannot be changed or not to that."""
        self.settings = self.settings.changed(change)
        self.carrier.settings = self.settings
        self.sender.settings = self.settings
        self._settings_changed.set()
        logger.info("settings changed: %s", ", ".join(sorted(change)))

    def set_faults(self, faults: Faults) -> None:
        self.faults = faults
        self.sender.faults = faults
        logger.info("faults are now: %s", faults.model_dump(exclude_defaults=True) or "none")

    async def reset(self) -> None:
        """Everything as at the start: no parcels, no skipped time, first settings and faults."""
        await self.sender.close()
        self._clock.reset()
        self._begin()
        self.sender.start()
        self._settings_changed.set()
        logger.info("reset")

    async def pause(self, seconds: float) -> None:
        """Wait, but not longer than the simulation runs."""
        await _wait(self.closing, seconds)

    def _report(self, shipment: Shipment, entry: Entry) -> None:
        self.sender.send(shipment, entry)

    async def _fly(self) -> None:
        """Let each parcel take `speed` steps a second, the one that waited longest first."""
        steps = 0
        while True:
            pause = self._pause_before_next_step()
            if pause is None or pause > 0:
                self._settings_changed.clear()
                await _wait(self._settings_changed, pause)
                continue
            if shipment := self.carrier.longest_unmoved():
                self.carrier.step(shipment)
            steps += 1
            if steps % _STEPS_AT_ONCE == 0:
                await asyncio.sleep(0)

    def _pause_before_next_step(self) -> float | None:
        """Seconds; None means until the settings change."""
        if not self.settings.speed:
            return None
        interval = 1 / self.settings.speed
        waiting = self.carrier.longest_unmoved()
        # A parcel that is created meanwhile is not due before one interval has passed.
        return interval if waiting is None else waiting.moved_at + interval - time.monotonic()


async def _wait(event: asyncio.Event, seconds: float | None) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
