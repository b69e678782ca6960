"""Sends recorded callbacks again, as far apart as they were, or so many times faster."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import httpx

from deploy.local.carriers.traffic.tape import Exchange

# Requests under way at once: a receiver that is slower than the recording is waited for.
_AT_ONCE = 64
_TIMEOUT_SECONDS = 30.0


@dataclass
class Replayed:
    """What the receiver said: HTTP status → how often. None: no answer."""

    answers: Counter[int | None] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def sent(self) -> int:
        return self.answers.total()

    @property
    def accepted(self) -> int:
        """Answered with 200, which is all that a carrier takes for an acknowledgement."""
        return self.answers[200]


def schedule(exchanges: Sequence[Exchange], *, speed: float) -> Iterator[tuple[float, Exchange]]:
    """Each callback with the seconds after which it is sent, in the order of the recorded times.

    Parameters: `speed` is how many times faster than it happened.
    """
    callbacks = sorted((each for each in exchanges if each.method == "POST"), key=lambda each: each.at)
    for callback in callbacks:
        yield (callback.at - callbacks[0].at).total_seconds() / speed, callback


async def replay(exchanges: Sequence[Exchange], *, to: str, speed: float) -> Replayed:
    """Posts every recorded callback to one address.

    Parameters: `to` is the callback URL of a connection; the recorded paths do not matter.
    """
    replayed = Replayed()
    begin = time.monotonic()
    slots = asyncio.Semaphore(_AT_ONCE)
    async with httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, trust_env=False) as client, asyncio.TaskGroup() as group:

        async def send(callback: Exchange) -> None:
            try:
                answer = await client.post(to, content=callback.body, headers={"content-type": callback.content_type})
                replayed.answers[answer.status_code] += 1
            except httpx.HTTPError:
                replayed.answers[None] += 1
            finally:
                slots.release()

        for due, callback in schedule(exchanges, speed=speed):
            await asyncio.sleep(max(0.0, begin + due - time.monotonic()))
            await slots.acquire()
            group.create_task(send(callback))
    replayed.seconds = time.monotonic() - begin
    return replayed
