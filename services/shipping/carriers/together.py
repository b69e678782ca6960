"""Several calls to one carrier under way at once: lists that come in hundreds of answers, within the connection's rate."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

Result = TypeVar("Result")

AT_ONCE: Final = 8
"""Calls under way: with answers after half a second, more than the rate of 10 a second that connections have by default."""


async def together(calls: Sequence[Callable[[], Awaitable[Result]]]) -> list[Result]:
    """What the calls bring, in their order. The first that fails ends the others, and what it raised is raised."""
    results: dict[int, Result] = {}
    waiting = iter(enumerate(calls))

    async def work_through() -> None:
        for number, call in waiting:
            results[number] = await call()

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(AT_ONCE, len(calls))):
                group.create_task(work_through())
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [results[number] for number in range(len(calls))]
