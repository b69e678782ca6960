"""The embedded engines start, keep their data through a kill, and get out of each other's way."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path

import asyncpg
import nats
import psutil
import pytest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment

from deploy.local.engines import (
    Engine,
    Nats,
    Postgres,
    Temporal,
    cli_path,
    places,
    time_skipping_server_path,
    unprivileged,
)
from deploy.local.engines import postgres as postgres_module
from deploy.local.ports import default_or_free_port, port_is_free
from deploy.local.process import ProcessFailed, wait_ended

ENGINES: list[type[Engine]] = [Postgres, Nats, Temporal]


def make(kind: type[Engine], directory: Path, *, port: int | None = None) -> Engine:
    data_dir, log_path = directory / "data", directory / "log"
    if kind is Postgres:
        return Postgres(data_dir=data_dir, log_path=log_path, port=port, fsync=False)
    return kind(data_dir=data_dir, log_path=log_path, port=port)


@asynccontextmanager
async def started(engine: Engine) -> AsyncIterator[Engine]:
    try:
        await engine.start()
        yield engine
    finally:
        await engine.remove()


@contextmanager
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        yield listener.getsockname()[1]


@pytest.mark.parametrize("kind", ENGINES)
async def test_a_stopped_engine_leaves_no_process_and_frees_its_port(kind: type[Engine], tmp_path: Path) -> None:
    async with started(make(kind, tmp_path)) as engine:
        family = [psutil.Process(engine.pid), *psutil.Process(engine.pid).children(recursive=True)]
        await engine.stop()
        assert not engine.running
        assert await wait_ended(family, timeout=0.5) == []
        assert port_is_free(engine.port)


@pytest.mark.parametrize("kind", ENGINES)
async def test_an_engine_whose_default_port_is_taken_uses_another(
    kind: type[Engine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with taken_port() as taken:
        monkeypatch.setattr(kind, "default_ports", kind.default_ports | {"main": taken})
        async with started(make(kind, tmp_path)) as engine:
            assert engine.port != taken


@pytest.mark.parametrize("kind", ENGINES)
async def test_an_engine_whose_given_port_is_taken_says_so_with_its_log(kind: type[Engine], tmp_path: Path) -> None:
    with taken_port() as taken:
        engine = make(kind, tmp_path, port=taken)
        try:
            with pytest.raises(ProcessFailed, match=r"(?s)ended while starting.*in use"):
                await engine.start()
            assert not engine.running
        finally:
            await engine.remove()


async def test_postgres_keeps_committed_rows_when_it_is_killed(tmp_path: Path) -> None:
    async with started(make(Postgres, tmp_path)) as engine:
        assert isinstance(engine, Postgres)
        url = await engine.create_database("kept")
        connection = await asyncpg.connect(url)
        await connection.execute("CREATE TABLE lead (name text); INSERT INTO lead VALUES ('Nguyễn Thị Bưởi')")
        port = engine.port
        await engine.kill()
        connection.terminate()
        await engine.start()
        assert engine.port == port
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("SELECT name FROM lead") == "Nguyễn Thị Bưởi"
        await connection.close()


async def test_nats_keeps_acknowledged_messages_when_it_is_killed(tmp_path: Path) -> None:
    async with started(make(Nats, tmp_path)) as engine:
        client = await nats.connect(engine.url)
        stream = client.jetstream()
        await stream.add_stream(name="kept", subjects=["kept.*"])
        for number in range(20):
            await stream.publish("kept.message", str(number).encode())
        await client.close()
        await engine.kill()
        await engine.start()
        client = await nats.connect(engine.url)
        state = (await client.jetstream().stream_info("kept")).state
        await client.close()
        assert (state.first_seq, state.last_seq, state.messages) == (1, 20, 20)


async def test_temporal_keeps_workflows_when_it_is_killed(tmp_path: Path) -> None:
    async with started(make(Temporal, tmp_path)) as engine:
        client = await Client.connect(engine.url)
        handle = await client.start_workflow("Waiting", id="kept", task_queue="nobody-works-here")
        await engine.kill()
        await engine.start()
        description = await (await Client.connect(engine.url)).get_workflow_handle("kept").describe()
        assert description.status is WorkflowExecutionStatus.RUNNING
        assert description.run_id == handle.first_execution_run_id


@pytest.mark.parametrize("kind", ENGINES)
async def test_a_wiped_engine_starts_empty_on_the_same_port(kind: type[Engine], tmp_path: Path) -> None:
    async with started(make(kind, tmp_path)) as engine:
        port = engine.port
        await store_something(engine)
        assert await is_stored(engine)
        await engine.wipe()
        assert engine.port == port
        assert not await is_stored(engine)


async def store_something(engine: Engine) -> None:
    if isinstance(engine, Postgres):
        await engine.create_database("something")
    elif isinstance(engine, Nats):
        client = await nats.connect(engine.url)
        await client.jetstream().add_stream(name="something", subjects=["something"])
        await client.close()
    else:
        temporal = await Client.connect(engine.url)
        await temporal.start_workflow("Waiting", id="something", task_queue="nobody-works-here")


async def is_stored(engine: Engine) -> bool:
    if isinstance(engine, Postgres):
        try:
            connection = await asyncpg.connect(engine.database_url("something"))
        except asyncpg.InvalidCatalogNameError:
            return False
        await connection.close()
        return True
    if isinstance(engine, Nats):
        client = await nats.connect(engine.url)
        streams = await client.jetstream().streams_info()
        await client.close()
        return [stream.config.name for stream in streams] == ["something"]
    try:
        await (await Client.connect(engine.url)).get_workflow_handle("something").describe()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return False
    return True


@pytest.mark.parametrize("kind", ENGINES)
async def test_an_engine_works_in_a_directory_with_an_unusual_name(kind: type[Engine], tmp_path: Path) -> None:
    async with started(make(kind, tmp_path / 'Chốt đơn, it\'s "quoted"')) as engine:
        await store_something(engine)
        assert await is_stored(engine)


async def test_data_that_are_kept_work_below_a_directory_that_is_closed_to_others(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    engine = Postgres(data_dir=closed / "data", log_path=closed / "log", prefer_default_ports=False)
    async with started(engine):
        await store_something(engine)
        await engine.restart()
        assert await is_stored(engine)
        assert closed.stat().st_mode & 0o777 == 0o700
    assert not (closed / "data").is_symlink()
    assert not (closed / "data").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as somebody else")
def test_programs_below_a_closed_directory_are_copied_to_where_nobody_can_run_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not in pytest's own directory, which is closed to others too.
    with tempfile.TemporaryDirectory() as name:
        shelter = Path(name)
        shelter.chmod(0o755)
        monkeypatch.setattr(unprivileged, "SHELTER", shelter)
        package = postgres_module.package_directory()
        closed = tmp_path / package.name
        shutil.copytree(package / "pginstall18", closed / "pginstall18", symlinks=True)
        shutil.copytree(f"{package}.libs", f"{closed}.libs")
        tmp_path.chmod(0o700)
        programs = unprivileged.usable_programs(
            installed=closed / "pginstall18", libraries=Path(f"{closed}.libs"), version="1"
        )
        assert programs.is_relative_to(shelter)
        answer = subprocess.run(
            [programs / "bin" / "initdb", "--version"], user="nobody", capture_output=True, text=True, check=True
        )
        assert "(PostgreSQL) 18" in answer.stdout


def test_data_are_kept_in_the_directory_asked_for_where_postgres_can_use_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "open_to_others", lambda path: True)
    assert places.make_place(tmp_path / "data", throw_away=False, for_nobody=True) == tmp_path / "data"
    assert (tmp_path / "data").is_dir()


def test_what_a_killed_process_left_to_throw_away_is_deleted_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "MEMORY", tmp_path)
    monkeypatch.setattr(places, "MEMORY_NEEDED", 0)
    answer = subprocess.run(
        [sys.executable, "-c", ABANDONS, tmp_path], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    abandoned, mine = Path(answer.stdout.strip()), tmp_path / "mine"
    assert (abandoned / "file").exists()
    place = places.make_place(mine, throw_away=True, for_nobody=False)
    assert not abandoned.exists()
    places.make_place(tmp_path / "other", throw_away=True, for_nobody=False)
    assert place.exists()
    assert mine.readlink() == place


ABANDONS = """
import sys
from pathlib import Path
from deploy.local.engines import places

places.MEMORY, places.MEMORY_NEEDED = Path(sys.argv[1]), 0
place = places.make_place(Path("data"), throw_away=True, for_nobody=False)
(place / "file").touch()
print(place)
"""


async def test_postgres_with_a_password_refuses_those_who_do_not_know_it(tmp_path: Path) -> None:
    engine = Postgres(data_dir=tmp_path / "data", log_path=tmp_path / "log", password="s3cret/ø@", fsync=False)
    async with started(engine):
        connection = await asyncpg.connect(engine.url)
        await connection.close()
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(engine.url, password="guess")
        assert "s3cret" not in engine.log_path.read_text()


async def test_a_database_made_from_a_template_has_its_tables(postgres: Postgres) -> None:
    connection = await asyncpg.connect(await postgres.create_database("engines_template"))
    await connection.execute("CREATE TABLE care_task (id uuid PRIMARY KEY DEFAULT uuidv7())")
    await connection.close()
    connection = await asyncpg.connect(await postgres.create_database("engines_copy", template="engines_template"))
    assert await connection.fetchval("SELECT count(*) FROM care_task") == 0
    await connection.close()
    await postgres.drop_database("engines_copy")
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await asyncpg.connect(postgres.database_url("engines_copy"))


async def test_ensuring_a_database_twice_keeps_what_is_in_it(postgres: Postgres) -> None:
    connection = await asyncpg.connect(await postgres.ensure_database("engines_ensured"))
    await connection.execute("CREATE TABLE kept ()")
    await connection.close()
    connection = await asyncpg.connect(await postgres.ensure_database("engines_ensured"))
    assert await connection.fetchval("SELECT count(*) FROM kept") == 0
    await connection.close()


@pytest.mark.parametrize("name", ["", "Orders", "a-b", 'a"; DROP DATABASE b', "x" * 64])
async def test_a_name_that_needs_quoting_is_refused(postgres: Postgres, name: str) -> None:
    with pytest.raises(ValueError, match="no database name"):
        await postgres.create_database(name)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of their parent's death")
@pytest.mark.parametrize("kind", ENGINES)
async def test_an_engine_ends_when_the_process_that_started_it_is_killed(kind: type[Engine], tmp_path: Path) -> None:
    program = f"""
import asyncio
from pathlib import Path
from deploy.local.engines import {kind.__name__}

async def main():
    engine = {kind.__name__}(data_dir=Path("data"), log_path=Path("log"))
    await engine.start()
    print(engine.pid, flush=True)
    await engine.wait()

asyncio.run(main())
"""
    starter = await asyncio.create_subprocess_exec(sys.executable, "-c", program, cwd=tmp_path, stdout=subprocess.PIPE)
    assert starter.stdout is not None
    engine = psutil.Process(int(await starter.stdout.readline()))
    family = [engine, *engine.children(recursive=True)]
    starter.kill()
    await starter.wait()
    assert await wait_ended(family, timeout=10) == []
    await make(kind, tmp_path).remove()


def test_the_temporal_command_is_installed() -> None:
    answer = subprocess.run([cli_path(), "--version"], check=True, capture_output=True, text=True)
    assert answer.stdout.startswith("temporal version")


async def test_the_time_skipping_server_is_installed() -> None:
    path = str(time_skipping_server_path())
    async with await WorkflowEnvironment.start_time_skipping(test_server_existing_path=path) as environment:
        before = await environment.get_current_time()
        await environment.sleep(timedelta(days=30))
        assert await environment.get_current_time() - before >= timedelta(days=30)


def test_a_port_whose_connections_are_in_time_wait_counts_as_free() -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            # The side that closes first keeps the connection in TIME_WAIT.
            listener.accept()[0].close()
    assert port_is_free(port)
    assert default_or_free_port(port) == port


def test_a_port_with_a_listener_is_not_free() -> None:
    with taken_port() as taken:
        assert not port_is_free(taken)
        assert default_or_free_port(taken) != taken
