"""Engines for all tests. Each pytest-xdist worker is a session of its own and has its own engines."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer

from deploy.local.engines import Nats, Postgres, Temporal
from shared import directory
from tests import schedule
from tests.harness import Databases
from tests.stuck import Stuck, watch

TESTS = Path(__file__).parent

# How long an example takes says how busy the machine is.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: schedule.rank(item.path.relative_to(TESTS)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> schedule.FilesAndStacks | None:
    return schedule.FilesAndStacks(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_configure(config: pytest.Config) -> None:
    watch(config)


@pytest.fixture(scope="session", autouse=True)
async def loop_is_known(pytestconfig: pytest.Config) -> None:
    """Tells the watch over stuck tests which loop they run on."""
    stuck = pytestconfig.pluginmanager.get_plugin("stuck")
    if isinstance(stuck, Stuck):
        stuck.loop = asyncio.get_running_loop()


@pytest.fixture(scope="session", autouse=True)
def patient() -> Iterator[None]:
    """A machine that runs the suite may stand still for seconds, and an engine with it: no reason to refuse a request."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(directory, "EPOCHS_WITHIN", 60.0)
        yield


@pytest.fixture(scope="session")
async def postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Postgres]:
    """A throw-away PostgreSQL for the session; tests make databases in it."""
    directory = tmp_path_factory.mktemp("postgres")
    engine = Postgres(data_dir=directory / "data", log_path=directory / "log", prefer_default_ports=False, fsync=False)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.remove()


@pytest.fixture(scope="session")
async def nats_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nats]:
    """A throw-away NATS server with JetStream for the session; tests use stream names of their own."""
    directory = tmp_path_factory.mktemp("nats")
    engine = Nats(data_dir=directory / "data", log_path=directory / "log", prefer_default_ports=False)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.remove()


@pytest.fixture(scope="session")
async def temporal_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Temporal]:
    """A throw-away Temporal development server for the session; tests use task queues and workflow ids of their own."""
    directory = tmp_path_factory.mktemp("temporal")
    engine = Temporal(data_dir=directory / "data", log_path=directory / "log", prefer_default_ports=False)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.remove()


@pytest.fixture(scope="session")
async def databases(postgres: Postgres) -> AsyncIterator[Databases]:
    """Makes migrated databases of services, one for each test that asks."""
    async with Databases.on(postgres) as made:
        yield made


@pytest.fixture
async def nats(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nats]:
    """A NATS server of the test's own, so that streams and consumers never meet another test's."""
    directory = tmp_path_factory.mktemp("nats")
    engine = Nats(data_dir=directory / "data", log_path=directory / "log", prefer_default_ports=False)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.remove()
