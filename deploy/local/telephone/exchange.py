"""Calls that take place, and the telling of them."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson

from deploy.local.telephone.faults import Faults
from deploy.local.telephone.model import Settings, SettingsChange, Stats
from deploy.local.telephone.stringee import Stringee

log = logging.getLogger(__name__)

Event = dict[str, Any]
TIMEOUT = 10.0
"""Seconds for an answer of the hook; Stringee's documentation names none."""


class Exchange:
    """One project at Stringee whose calls are told to a hook as they take place, with the faults of the moment."""

    def __init__(
        self,
        settings: Settings | None = None,
        faults: Faults | None = None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        seed: int = 1,
    ) -> None:
        """
        Parameters:
            now: what time it is; tests have clocks of their own.
            seed: decides, with the order of the calls, which events a fault hits.
        """
        self._now = now
        self.settings = settings or Settings()
        self.faults = faults or Faults()
        self.stats = Stats()
        self._stringee = Stringee(token=self.settings.token)
        self._chance = random.Random(seed)
        self._telling: set[asyncio.Task[None]] = set()
        self._client: httpx.AsyncClient | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with httpx.AsyncClient(timeout=TIMEOUT, trust_env=False) as client:
            self._client = client
            try:
                yield
            finally:
                for task in self._telling:
                    task.cancel()
                await asyncio.gather(*self._telling, return_exceptions=True)
                self._client = None

    async def drain(self) -> None:
        """Waits until every call has ended and every event was answered or given up."""
        while self._telling:
            await asyncio.gather(*self._telling)

    def change(self, change: SettingsChange) -> Settings:
        """Changes what is named; `talks: null` means that nobody answers."""
        self.settings = self.settings.model_copy(update=change.model_dump(exclude_unset=True))
        self._stringee.token = self.settings.token
        return self.settings

    # --- calls --------------------------------------------------------------------------------------------------------

    def call_out(
        self, user: str, phone: str, *, rings: float, talks: float | None, cause: str, custom: str = ""
    ) -> str:
        """A user of ours calls a number; returns the call's id."""
        events = self._stringee.outgoing(
            user, phone, at=self._begins(rings, talks), rings=rings, talks=talks, cause=cause, custom=custom
        )
        return self._place(events)

    def call_in(self, phone: str, user: str, *, rings: float, talks: float | None, cause: str) -> str:
        """A number calls us and rings at a user; returns the call's id."""
        events = self._stringee.incoming(
            phone, user, at=self._begins(rings, talks), rings=rings, talks=talks, cause=cause
        )
        return self._place(events)

    def click(self, headers: Any, body: bytes) -> dict[str, Any]:
        """A click to call: asked of the project as Stringee is; the customer then does what the settings say."""
        asked = len(self._stringee.asked)
        answer = self._stringee.callout(headers, body)
        if len(self._stringee.asked) == asked:
            self.stats.clicks_refused += 1
            return answer
        self.stats.clicks += 1
        wanted, customer = self._stringee.asked[-1], self.settings
        self.call_out(
            str(wanted["from"]["number"]), str(wanted["to"][0]["number"]), rings=customer.rings, talks=customer.talks,
            cause=customer.cause, custom=str(wanted.get("customData", "")),
        )  # fmt: skip
        return answer

    def _begins(self, rings: float, talks: float | None) -> datetime:
        """No event may tell of the future: at a quick pace a call began earlier."""
        return self._now() - timedelta(seconds=(rings + (talks or 0)) * (1 - self.settings.pace))

    def _place(self, events: list[Event]) -> str:
        self.stats.calls += 1
        told = [event for event in events if not self._withheld(event)]
        if self._hits(self.faults.reordered):
            self._chance.shuffle(told)
        started = events[0]["timestamp_ms"]
        for place, event in enumerate(told):
            # Shuffled, an event is told when the one would be whose place it has.
            after = (sorted(each["timestamp_ms"] for each in told)[place] - started) / 1000 * self.settings.pace
            self._later(event, after + self._lateness())
            if self._hits(self.faults.doubled):
                self._later(event, after + self._lateness())
        return str(events[0]["call_id"])

    def _withheld(self, event: Event) -> bool:
        self.stats.events += 1
        rates = {"answered": self.faults.no_answered, "ended": self.faults.no_ended}
        withheld = self._hits(rates.get(event["call_status"], 0.0))
        self.stats.withheld += withheld
        return withheld

    def _lateness(self) -> float:
        return self._chance.random() * self.faults.late_seconds if self._hits(self.faults.late) else 0.0

    def _hits(self, rate: float) -> bool:
        return self._chance.random() < rate

    # --- telling ------------------------------------------------------------------------------------------------------

    def _later(self, event: Event, seconds: float) -> None:
        task = asyncio.create_task(self._tell(orjson.dumps(event), seconds))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _tell(self, body: bytes, seconds: float) -> None:
        await asyncio.sleep(seconds)
        address = self.settings.hook_url
        if not address:
            return
        if self._hits(self.faults.wrong_address):
            taken = await self._post(f"{address[:-8]}AAAAAAAA", body)
            self.stats.strangers_taken += taken
            self.stats.strangers_refused += not taken
        if self._hits(self.faults.unreadable):
            await self._post(address, b'{"call_status": "ended"}')
        for pause in (0.0, *self.settings.retry_seconds):
            await asyncio.sleep(pause)
            self.stats.sent += 1
            if await self._post(address, body):
                self.stats.answered += 1
                return
            self.stats.refused += 1
        self.stats.given_up += 1

    async def _post(self, address: str, body: bytes) -> bool:
        assert self._client is not None
        try:
            answer = await self._client.post(address, content=body, headers={"content-type": "application/json"})
        except httpx.HTTPError as error:
            log.info("an event was not answered: %s", type(error).__name__)
            return False
        return answer.is_success
