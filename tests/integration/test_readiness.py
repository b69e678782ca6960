"""`/readyz` says whether a process can do its work, and which engine is away if it cannot."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from deploy.local.engines import Engine, Nats, Postgres, Temporal
from shared.consumer import Event, Handlers
from shared.contracts.events.orders import ORDER_CANCELLED, OrderCancelled
from shared.db import Session
from shared.service import Service
from shared.settings import Settings
from tests.harness import Databases, Running, eventually, running

ENGINES: Final = {"postgresql": Postgres, "nats": Nats, "temporal": Temporal}
NEEDED: Final = {
    "api": {"postgresql"},
    "relay": {"postgresql", "nats", "temporal"},
    "consumer": {"postgresql", "nats"},
    "activities": {"postgresql", "temporal"},
}


@pytest.fixture(scope="module")
async def engines(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, Engine]]:
    """Engines that these tests may stop."""
    started: dict[str, Engine] = {}
    async with AsyncExitStack() as stack:
        for name, kind in ENGINES.items():
            place = tmp_path_factory.mktemp(name)
            engine = kind(data_dir=place / "data", log_path=place / "log", prefer_default_ports=False)
            stack.push_async_callback(engine.remove)
            await engine.start()
            started[name] = engine
        yield started


@pytest.fixture(scope="module")
async def probe(engines: dict[str, Any]) -> AsyncIterator[Running]:
    """A service of which the relay and the consumer run."""

    async def ignore(_: Session, __: Event[OrderCancelled]) -> None:
        pass

    handlers = Handlers()
    handlers.each(ORDER_CANCELLED)(ignore)
    migrations = Path(__file__).parent / "probe"
    service = Service(name="orders", title="probe", settings=Settings, migrations=migrations, handlers=handlers)
    async with (
        Databases.on(engines["postgresql"]) as databases,
        running(service, databases, nats=engines["nats"], temporal=engines["temporal"]) as instance,
    ):
        instance.start("relay", "consumer")
        yield instance


async def readiness(probe: Running, *roles: str) -> httpx.Response:
    """What a process with these roles answers."""
    transport = httpx.ASGITransport(app=probe.service.create_app(probe.runtime, roles=roles))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.get("/livez")).status_code == 200
        return await client.get("/readyz")


async def everything_is_there(probe: Running) -> bool:
    answer = await readiness(probe, *NEEDED)
    return bool(answer.json()["status"] == "ok")


@pytest.mark.parametrize("away", ENGINES)
async def test_a_role_is_ready_unless_an_engine_that_it_needs_is_away(
    engines: dict[str, Engine], probe: Running, away: str
) -> None:
    await eventually(lambda: everything_is_there(probe), within=60)
    for role, needed in NEEDED.items():
        answer = await readiness(probe, role)
        assert answer.status_code == 200, role
        assert answer.json() == {"status": "ok", "away": [], "checks": dict.fromkeys(answer.json()["checks"], "ok")}
        assert answer.json()["checks"].keys() == needed

    await engines[away].stop()
    for role, needed in NEEDED.items():
        answer = await readiness(probe, role)
        expected = [away] if away in needed else []
        assert (answer.status_code, answer.json()["away"]) == (503 if expected else 200, expected), role

    await engines[away].start()
    await eventually(lambda: everything_is_there(probe), within=60, what=f"ready again with {away}")


async def test_a_process_of_all_roles_takes_requests_without_nats_and_says_so(
    engines: dict[str, Engine], probe: Running
) -> None:
    await eventually(lambda: everything_is_there(probe), within=60)
    await engines["nats"].stop()
    try:
        answer = await readiness(probe, *NEEDED)
    finally:
        await engines["nats"].start()
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["away"]) == ("degraded", ["nats"])
