"""Callbacks as a carrier sends them, with the faults that the switches ask for.

HTTP 200 is the only acknowledgement; anything else, or no answer, is sent again as often as the carrier does that.

Callbacks of one parcel go through one worker, so that without faults they arrive in the order in which they happened;
parcels are spread over the workers, whose number bounds the open requests.
"""

import asyncio
import logging
import ssl
from dataclasses import dataclass, replace
from functools import cache
from zlib import crc32

import httpx

from deploy.local.carriers.dialect import Dialect, Message
from deploy.local.carriers.faults import Faults
from deploy.local.carriers.model import CarrierSettings, Entry, Shipment, Stats
from deploy.local.simulator.dice import Dice

logger = logging.getLogger(__name__)


@cache
def _tls() -> ssl.SSLContext:
    """One for all workers of all simulators: reading the certificates takes longer than many callbacks."""
    return httpx.create_ssl_context()


@dataclass(frozen=True, slots=True)
class Callback:
    """One message to the shop."""

    waybill: str
    key: str
    """The change it tells of; a duplicate has the same."""
    message: Message
    attempt: int = 1


class CallbackSender:
    """Sends callbacks until it is closed.

    Parameters: `transport` replaces the network (tests that run the receiver in the same process).
    """

    def __init__(
        self,
        *,
        dialect: Dialect,
        settings: CarrierSettings,
        faults: Faults,
        dice: Dice,
        stats: Stats,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.settings = settings
        self.faults = faults
        self._dialect = dialect
        self._dice = dice
        self._stats = stats
        self._transport = transport
        self._queues: list[asyncio.Queue[Callback]] = []
        self._workers: list[asyncio.Task[None]] = []
        self._timers: dict[asyncio.TimerHandle, None] = {}
        self._held: dict[str, tuple[Callback, asyncio.TimerHandle]] = {}
        self._pending = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def pending(self) -> int:
        """Callbacks that are queued, delayed, held back or under way."""
        return self._pending

    def start(self) -> None:
        for _ in range(self.settings.callback_concurrency):
            queue: asyncio.Queue[Callback] = asyncio.Queue()
            self._queues.append(queue)
            self._workers.append(asyncio.create_task(self._work(queue)))

    async def close(self) -> None:
        """Stop at once; what is pending is lost, as when a carrier's sender dies."""
        self.forget()
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        self._workers.clear()
        self._queues.clear()
        self._pending = 0
        self._settle()

    def forget(self) -> None:
        """Throw away everything that is not under way."""
        for timer in self._timers:
            timer.cancel()
        self._pending -= len(self._timers)
        self._timers.clear()
        self._held.clear()
        for queue in self._queues:
            while not queue.empty():
                queue.get_nowait()
                self._pending -= 1
        self._settle()

    async def drain(self) -> None:
        """Wait until nothing is pending. Callbacks that are held back go out now, delayed ones at their time."""
        for waybill in list(self._held):
            self._release(waybill)
        await self._idle.wait()

    def send(self, shipment: Shipment, entry: Entry) -> None:
        """Queue the callback for one change, or not, as the carrier's habits and the faults decide."""
        if self.settings.callback_url is None:
            return
        message = self._dialect.callback(self.settings, shipment, entry)
        if message is None:
            return
        if not self._workers:
            raise RuntimeError("the simulator's lifespan has not been entered, so nothing can send its callbacks")
        # The shop's reference, not the waybill: waybills depend on the order of creations.
        key = f"{shipment.reference}/{len(shipment.history)}"
        callback = Callback(waybill=shipment.waybill, key=key, message=message)
        if self._hits("drop_callback", callback):
            self._stats.callbacks_dropped += 1
            return
        self._queue(callback)
        if self._hits("duplicate_callback", callback):
            self._stats.callbacks_duplicated += 1
            self._queue(callback)

    def _queue(self, callback: Callback) -> None:
        self._pending += 1
        self._idle.clear()
        self._stats.callbacks_queued += 1
        if self._hits("delay_callback", callback):
            self._stats.callbacks_delayed += 1
            lateness = self._dice.fraction("callback_lateness", key=callback.key) * self.faults.delay_callback_seconds
            self._later(lateness, callback)
        elif callback.waybill in self._held:
            self._put(callback)
            self._release(callback.waybill)
        elif self._hits("shuffle_callback", callback):
            self._stats.callbacks_shuffled += 1
            self._held[callback.waybill] = (callback, self._later(self.faults.shuffle_hold_seconds, callback))
        else:
            self._put(callback)

    def _hits(self, fault: str, callback: Callback) -> bool:
        return self._dice.hits(fault, rate=getattr(self.faults, fault), key=callback.key)

    def _later(self, seconds: float, callback: Callback) -> asyncio.TimerHandle:
        def go() -> None:
            self._timers.pop(timer)
            held = self._held.get(callback.waybill)
            if held and held[1] is timer:
                del self._held[callback.waybill]
            self._put(callback)

        timer = asyncio.get_running_loop().call_later(seconds, go)
        self._timers[timer] = None
        return timer

    def _release(self, waybill: str) -> None:
        callback, timer = self._held.pop(waybill)
        timer.cancel()
        del self._timers[timer]
        self._put(callback)

    def _put(self, callback: Callback) -> None:
        self._queues[crc32(callback.waybill.encode()) % len(self._queues)].put_nowait(callback)

    async def _work(self, queue: asyncio.Queue[Callback]) -> None:
        timeout = self.settings.callback_timeout_seconds
        async with httpx.AsyncClient(transport=self._transport, timeout=timeout, verify=_tls()) as client:
            while True:
                callback = await queue.get()
                acknowledged = await self._post(client, callback)
                if acknowledged or callback.attempt >= self.settings.callback_attempts:
                    self._stats.callbacks_acknowledged += acknowledged
                    self._stats.callbacks_given_up += not acknowledged
                    self._pending -= 1
                    self._settle()
                else:
                    self._stats.callbacks_resent += 1
                    self._later(self.settings.resend_after_seconds, replace(callback, attempt=callback.attempt + 1))

    async def _post(self, client: httpx.AsyncClient, callback: Callback) -> bool:
        url = self.settings.callback_url
        if url is None:  # taken away while the callback waited
            return False
        self._stats.callbacks_sent += 1
        try:
            message = callback.message
            response = await client.post(url, content=message.body, headers={"content-type": message.content_type})
        except Exception as error:  # an in-process transport raises whatever its receiver raises: also no answer
            logger.info("callback for %s was not answered: %s", callback.waybill, type(error).__name__)
            return False
        if response.status_code != httpx.codes.OK:
            logger.info("callback for %s was answered with %s", callback.waybill, response.status_code)
        return response.status_code == httpx.codes.OK

    def _settle(self) -> None:
        if self._pending == 0:
            self._idle.set()
