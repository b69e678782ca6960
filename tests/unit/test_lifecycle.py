"""What ends when it is told to."""

import asyncio

import pytest

from shared import bus, lifecycle
from shared.lifecycle import end, until_set


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


async def test_what_forgets_a_cancellation_is_cancelled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "CANCEL_AGAIN", 0.01)
    forgotten = 0

    async def forgets() -> None:
        nonlocal forgotten
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                forgotten += 1
                if forgotten == 3:
                    raise

    task = asyncio.create_task(forgets())
    await asyncio.sleep(0)
    await end(task)
    assert (task.cancelled(), forgotten) == (True, 3)


async def test_a_client_that_tries_to_connect_to_nobody_ends_whenever_it_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lifecycle, "CANCEL_AGAIN", 0.05)
    for turns in range(40):
        task = asyncio.create_task(bus.connect("nats://127.0.0.1:9", name="nobody"))
        for _ in range(turns):
            await asyncio.sleep(0)
        await end(task)
        assert task.cancelled()
