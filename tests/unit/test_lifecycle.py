"""What ends when it is told to."""

import asyncio

import pytest

from shared import bus, lifecycle
from shared.lifecycle import end, together, until_set


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


async def forgetful(times: int) -> None:
    """Ends when it is cancelled so often."""
    for _ in range(times):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass
    raise asyncio.CancelledError


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "CANCEL_AGAIN", 0.01)


@pytest.mark.usefixtures("at_once")
async def test_what_forgets_a_cancellation_is_cancelled_again() -> None:
    task = asyncio.create_task(forgetful(3))
    await asyncio.sleep(0)
    await end(task)
    assert task.cancelled()


async def test_who_is_cancelled_while_ending_others_still_ends_them() -> None:
    task = asyncio.create_task(forgetful(2))
    ending = asyncio.create_task(end(task))
    for _ in range(3):
        await asyncio.sleep(0)
        ending.cancel()
    await asyncio.wait({ending})
    assert task.cancelled()
    assert ending.cancelled()


@pytest.mark.usefixtures("at_once")
async def test_what_runs_together_ends_together_even_if_it_forgets() -> None:
    running = asyncio.create_task(together(forgetful(3), forgetful(1)))
    await asyncio.sleep(0.02)
    running.cancel()
    await asyncio.wait({running})
    assert running.cancelled()


@pytest.mark.usefixtures("at_once")
async def test_one_that_fails_ends_the_others() -> None:
    async def fails() -> None:
        raise ValueError("no")

    ended = asyncio.Event()

    async def waits() -> None:
        try:
            await forgetful(2)
        finally:
            ended.set()

    with pytest.raises(ValueError, match="no"):
        await together(waits(), fails())
    assert ended.is_set()


@pytest.mark.usefixtures("at_once")
async def test_a_client_that_tries_to_connect_to_nobody_ends_whenever_it_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for turns in range(40):
        task = asyncio.create_task(bus.connect("nats://127.0.0.1:9", name="nobody"))
        for _ in range(turns):
            await asyncio.sleep(0)
        await end(task)
        assert task.cancelled()
