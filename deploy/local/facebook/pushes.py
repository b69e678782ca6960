"""Pushes as Facebook sends them: signed, in batches, again when they are not answered, and no more when that lasts.

Source: Meta's "Getting Started with Webhooks", 2026: `X-Hub-Signature-256` is the HMAC-SHA256 of the body's bytes with the
app secret; HTTP 200 is the only acknowledgement.
"""

import asyncio
import hmac
import json
import logging
import time
from dataclasses import dataclass, field

import httpx

from deploy.local.facebook.faults import Faults
from deploy.local.facebook.model import Page, SimulatorSettings, Stats
from deploy.local.simulator.dice import Dice

logger = logging.getLogger(__name__)

SENDERS = 4


@dataclass(frozen=True, slots=True)
class Update:
    """One thing to tell about a page: a change, or a messaging event."""

    page: Page
    key: str
    """Decides, with the seed, which faults hit it."""
    kind: str
    """'changes' or 'messaging'."""
    value: dict[str, object]


@dataclass
class PushSender:
    """Sends until it is closed."""

    settings: SimulatorSettings
    stats: Stats
    dice: Dice
    faults: Faults = field(default_factory=Faults)
    callback_url: str | None = None

    def __post_init__(self) -> None:
        self._queue: asyncio.Queue[Update] = asyncio.Queue()
        self._pending = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._senders: list[asyncio.Task[None]] = []
        self._timers: set[asyncio.TimerHandle] = set()
        self._tls = httpx.create_ssl_context()

    def start(self) -> None:
        self._senders = [asyncio.create_task(self._send_all()) for _ in range(SENDERS)]

    async def close(self) -> None:
        for timer in self._timers:
            timer.cancel()
        for sender in self._senders:
            sender.cancel()
        await asyncio.gather(*self._senders, return_exceptions=True)

    async def drain(self) -> None:
        """Wait until everything was answered or given up."""
        await self._idle.wait()

    def tell(self, update: Update) -> None:
        """Queue an update, or not, as the subscription and the faults decide."""
        self.stats.updates += 1
        if self.callback_url is None or not update.page.subscribed_fields:
            self.stats.unsubscribed_updates += 1
            return
        if self._hits("drop_push", update):
            self.stats.dropped += 1
            return
        self._put(update)
        if self._hits("duplicate_push", update):
            self.stats.duplicated += 1
            self._put(update)

    def _hits(self, fault: str, update: Update) -> bool:
        return self.dice.hits(fault, rate=getattr(self.faults, fault), key=update.key)

    def _put(self, update: Update) -> None:
        self._pending += 1
        self._idle.clear()
        if not self._hits("delay_push", update):
            self._queue.put_nowait(update)
            return
        self.stats.delayed += 1
        late = self.dice.fraction("push_lateness", key=update.key) * self.faults.delay_push_seconds

        def go() -> None:
            self._timers.discard(timer)
            self._queue.put_nowait(update)

        timer = asyncio.get_running_loop().call_later(late, go)
        self._timers.add(timer)

    async def _send_all(self) -> None:
        timeout = self.settings.push_timeout_seconds
        async with httpx.AsyncClient(timeout=timeout, verify=self._tls, trust_env=False) as client:
            while True:
                batch = [await self._queue.get()]
                while len(batch) < self.settings.batch_pushes and not self._queue.empty():
                    batch.append(self._queue.get_nowait())
                await self._push(client, batch)
                self._pending -= len(batch)
                if self._pending == 0:
                    self._idle.set()

    async def _push(self, client: httpx.AsyncClient, batch: list[Update]) -> None:
        body = body_of(batch)
        for pause in (None, *self.settings.retry_seconds):
            if pause is not None:
                await asyncio.sleep(pause)
            if await self._post(client, body):
                self.stats.pushes_answered += 1
                for update in batch:
                    update.page.failures = 0
                return
        self.stats.pushes_given_up += 1
        for page in {update.page.id: update.page for update in batch}.values():
            page.failures += 1
            if page.failures >= self.settings.unsubscribe_after_failures and page.subscribed_fields:
                page.subscribed_fields = ()
                self.stats.unsubscriptions += 1
                logger.info("app unsubscribed from page %s", page.id)

    async def _post(self, client: httpx.AsyncClient, body: bytes) -> bool:
        if self.callback_url is None:
            return False
        self.stats.pushes_sent += 1
        headers = {
            "content-type": "application/json",
            "x-hub-signature-256": sign(body, self.settings.app_secret),
            "user-agent": "facebookexternalua",
        }
        try:
            response = await client.post(self.callback_url, content=body, headers=headers)
        except httpx.HTTPError as error:
            logger.info("push was not answered: %s", type(error).__name__)
            return False
        return response.status_code == httpx.codes.OK


def sign(body: bytes, app_secret: str) -> str:
    return "sha256=" + hmac.digest(app_secret.encode(), body, "sha256").hex()


def body_of(batch: list[Update]) -> bytes:
    """Updates of one page share an entry; Facebook escapes everything that is not ASCII."""
    entries: dict[tuple[str, str], dict[str, object]] = {}
    for update in batch:
        entry = entries.setdefault(
            (update.page.id, update.kind), {"id": update.page.id, "time": int(time.time()), update.kind: []}
        )
        values = entry[update.kind]
        assert isinstance(values, list)
        values.append(update.value)
    return json.dumps({"object": "page", "entry": list(entries.values())}).encode()
