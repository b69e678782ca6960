"""A process's life: parts that are started together, started again when they fail, and stopped together in time."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import signal
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

from shared.telemetry import logger

log = logger(__name__)

RESTART_FIRST: Final = 0.2
RESTART_MAX: Final = 5.0
STOP_WITHIN: Final = 6.0
"""Seconds for everything to end after SIGTERM; below the supervisor's and Kubernetes' patience."""

CANCEL_AGAIN: Final = 5.0
"""Seconds that a task has for its clean end before it is taken for one that did not hear of it."""

COLLECT_AFTER: Final = 50_000
"""New containers after which the garbage collector looks at them; Python's 700 means a thousand looks for one batch."""
OLDER_AFTER: Final = 20

M_TRIM_THRESHOLD: Final = -1
M_MMAP_THRESHOLD: Final = -3
"""The names of `malloc.h` in glibc, mallopt(3)."""
LARGE_BLOCK: Final = 4 << 20
"""Bytes from which a block is a mapping of its own: below, mapping and unmapping would cost more than keeping."""

Part = Callable[[], Awaitable[None]]


def collect_rarely() -> None:
    """Has the garbage collector look rarely, and never at the modules and models that were there at the start.

    Set-based work makes many small objects that live as long as their batch and hold no circles: measured on an import,
    looking at them again and again was 40 % of the process's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, OLDER_AFTER, OLDER_AFTER)


def give_large_blocks_back() -> None:
    """Has the allocator give large blocks back to the system as soon as they are free.

    By itself glibc keeps blocks as large as the largest that was ever freed, up to 32 MiB and for each thread apart:
    measured, 19 MiB for every thread that has checked a password, as long as the process lives. Where the allocator is
    another one, there is nothing to say.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK)
        mallopt(M_TRIM_THRESHOLD, 2 * LARGE_BLOCK)


async def until_set(event: asyncio.Event, *, at_most: float) -> None:
    """Waits until an event is set, or for some seconds.

    `asyncio.wait_for` would not do in a loop that runs until it is cancelled: before Python 3.12 it forgets a cancellation
    that comes in the same turn as the event, and the loop goes on for ever.
    """
    try:
        async with asyncio.timeout(at_most):
            await event.wait()
    except TimeoutError:
        pass


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancels tasks, again and again if need be, and returns when all have ended, however often it is cancelled itself.

    One cancellation may get lost in a library: before Python 3.12 `asyncio.wait_for` forgets one that comes in the same
    turn as what it waits for, and a NATS client that tries to connect, or to fetch, then goes on for ever.
    """
    left = set(tasks)
    cancelled: asyncio.CancelledError | None = None
    while left:
        for task in left:
            task.cancel()
        try:
            ended, left = await asyncio.wait(left, timeout=CANCEL_AGAIN)
        except asyncio.CancelledError as error:
            cancelled = error
            continue
        for task in ended:
            if not task.cancelled():
                task.exception()  # its own affair: whoever ends it has no use for it
    if cancelled is not None:
        raise cancelled


async def together(*parts: Coroutine[Any, Any, None]) -> None:
    """Runs side by side what ends together: when one fails, or this is cancelled, the others are ended.

    `asyncio.TaskGroup` would not do for what runs until it is cancelled: it cancels its tasks once, and one of them may
    forget that (see `end`).
    """
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in ended:
            task.result()
    finally:
        await end(*tasks)


async def keep_running(name: str, part: Part) -> None:
    """Runs a part for ever: when it fails (an engine is away, say) it is started again after a back-off."""
    delay = RESTART_FIRST
    loop = asyncio.get_running_loop()
    while True:
        started = loop.time()
        try:
            await part()
            return
        except Exception as error:
            if loop.time() - started > RESTART_MAX * 2:
                delay = RESTART_FIRST
            log.warning("part failed, starting it again", part=name, error=_root(error), seconds=round(delay, 1))
            await asyncio.sleep(delay)
            delay = min(RESTART_MAX, delay * 2)


def _root(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return repr(error)


async def run_until_signal(parts: dict[str, Part]) -> None:
    """Runs parts until SIGTERM or SIGINT, then cancels them all and waits for their clean end, bounded.

    A part that returns or raises ends the process: parts that may fail and come back are wrapped in `keep_running`.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    tasks = [asyncio.ensure_future(part()) for part in parts.values()]
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait({*tasks, stopping}, return_when=asyncio.FIRST_COMPLETED)
    ended = [task for task in tasks if task.done()]
    log.info("stopping")
    stopping.cancel()
    for task in tasks:
        task.cancel()
    _, late = await asyncio.wait(tasks, timeout=STOP_WITHIN)
    if late:
        log.error("some parts did not end in time", parts=len(late))
    for task in ended:
        task.result()
