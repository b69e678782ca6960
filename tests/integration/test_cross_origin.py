"""A page of another address may read what the services say in headers."""

from __future__ import annotations

from pathlib import Path

import httpx

from shared.service import Service
from shared.settings import Settings
from tests.harness import Databases, running

PAGE = "https://crm.example.vn"


async def test_a_page_may_read_versions_replays_places_waits_and_correlation(databases: Databases) -> None:
    migrations = Path(__file__).parent / "probe"
    service = Service(name="orders", title="probe", settings=Settings, migrations=migrations)
    async with running(service, databases, cors_origins=PAGE) as instance:
        transport = httpx.ASGITransport(app=instance.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test", headers={"Origin": PAGE}) as client:
            answer = await client.get("/livez")
    assert answer.headers["access-control-allow-origin"] == PAGE
    exposed = {name.strip().lower() for name in answer.headers["access-control-expose-headers"].split(",")}
    assert exposed >= {"etag", "idempotent-replayed", "location", "retry-after", "x-correlation-id"}
