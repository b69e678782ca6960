"""What ends when it is told to."""

import asyncio

import pytest

from shared.lifecycle import until_set


@pytest.mark.parametrize("turns", range(4))
async def test_a_loop_that_is_woken_and_cancelled_at_once_ends(turns: int) -> None:
    event = asyncio.Event()

    async def work() -> None:
        while True:
            event.clear()
            await until_set(event, at_most=60)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    event.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    ended, _ = await asyncio.wait({task}, timeout=5)
    task.cancel()
    assert ended


async def test_nothing_set_is_waited_for_no_longer_than_told() -> None:
    event = asyncio.Event()
    await until_set(event, at_most=0.01)
    assert not event.is_set()
