"""The local stack: engines, programs, settings, and what is kept between two runs."""

from pathlib import Path

import asyncpg
import httpx
import nats
import pytest

from deploy.local.process import ProcessFailed
from deploy.local.stack import Stack
from deploy.local.state import StackRunning, StateDirectory


async def test_a_stack_keeps_its_data_and_passwords_for_the_next_run(tmp_path: Path) -> None:
    async with Stack(tmp_path, programs=()) as stack:
        url = await stack.postgres.create_database("kept")
        password = stack.keys.bootstrap_password()
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(stack.postgres.url, password="guess")
    again = Stack(tmp_path, programs=())
    try:
        async with again:
            connection = await asyncpg.connect(again.postgres.database_url("kept"))
            await connection.close()
            assert again.keys.bootstrap_password() == password
            assert password not in url
    finally:
        await again.postgres.remove()


async def test_an_ephemeral_stack_leaves_private_logs_and_no_data(tmp_path: Path) -> None:
    async with (
        Stack(tmp_path, ephemeral=True, programs=("ghtk",)) as stack,
        httpx.AsyncClient(base_url=stack.url("ghtk")) as carrier,
    ):
        assert (await carrier.get("/_simulator/stats")).status_code == 200
        for private in ("logs", "run", "data/nats", "data/temporal"):
            assert (tmp_path / private).stat().st_mode & 0o077 == 0
    assert sorted(path.name for path in (tmp_path / "logs").iterdir()) == [
        "ghtk.log",
        "nats.log",
        "postgres.log",
        "temporal.log",
    ]
    assert list((tmp_path / "data").iterdir()) == []
    assert StateDirectory(tmp_path / "run").running() is None


async def test_a_second_stack_in_the_directory_is_refused(tmp_path: Path) -> None:
    async with Stack(tmp_path, ephemeral=True, programs=()) as stack:
        with pytest.raises(StackRunning) as refusal:
            await Stack(tmp_path, ephemeral=True, programs=()).start()
        assert refusal.value.state is not None
        assert refusal.value.state.members["nats"].address == stack.nats.url
        assert stack.nats.running


async def test_a_stack_that_cannot_start_stops_what_it_started(tmp_path: Path) -> None:
    obstacle = tmp_path / "data" / "temporal" / "temporal.db"
    obstacle.mkdir(parents=True)
    stack = Stack(tmp_path, ephemeral=True, programs=())
    with pytest.raises(ProcessFailed, match="temporal ended while starting"):
        await stack.start()
    assert not any(member.running for member in stack.members.values())
    # The directory is free again.
    async with Stack(tmp_path, ephemeral=True, programs=()):
        pass


def test_a_program_that_there_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no program is called order: there are leads, orders"):
        Stack(tmp_path, programs=("order",))


async def test_a_wiped_engine_is_known_by_its_new_process(tmp_path: Path) -> None:
    async with Stack(tmp_path, ephemeral=True, programs=()) as stack:
        client = await nats.connect(stack.nats.url)
        await client.jetstream().add_stream(name="gone", subjects=["gone"])
        await client.close()
        before = stack.nats.pid
        await stack.nats.wipe()
        client = await nats.connect(stack.nats.url)
        assert await client.jetstream().streams_info() == []
        await client.close()
        assert stack.nats.pid != before
        state = StateDirectory(tmp_path / "run").running()
        assert state is not None
        assert state.members["nats"].pid == stack.nats.pid
        assert state.members["nats"].restarts == 0
