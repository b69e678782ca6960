"""Server-sent events over a real connection: the state of an import as it changes, on any replica, also without NATS."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
import pytest

from deploy.local.engines import Nats
from services.leads.app import SERVICE
from services.leads.imports.live import topic_of
from services.leads.state import parts_of
from shared import http
from tests.harness import Databases, Running, eventually, running
from tests.integration.leads.imports_support import numbers, turns_of, upload, work


@dataclass
class Heard:
    """What came on a stream."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)

    async def until(self, event: str) -> None:
        async def came() -> bool:
            return event in self.events

        await eventually(came, what=f"the event {event}")


@asynccontextmanager
async def served(leads: Running) -> AsyncIterator[tuple[str, asyncio.Task[None]]]:
    """The service behind a real server; its address and its task."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    serving = asyncio.create_task(http.serve(leads.app, host="127.0.0.1", port=port))
    base = f"http://127.0.0.1:{port}"

    async def answers() -> bool:
        try:
            async with httpx.AsyncClient() as client:
                return (await client.get(f"{base}/livez")).status_code == 200
        except httpx.TransportError:
            return False

    await eventually(answers)
    try:
        yield base, serving
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


async def ticket(client: httpx.AsyncClient, import_id: str) -> str:
    answer = await client.post("/v1/streams/tickets", json={"topics": [f"import/{import_id}"]})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["url"])


@asynccontextmanager
async def listening(base: str, url: str, *, last_event_id: str = "") -> AsyncIterator[Heard]:
    heard = Heard()
    opened = asyncio.Event()

    async def listen() -> None:
        async with (
            httpx.AsyncClient(base_url=base, timeout=30) as client,
            client.stream("GET", url, headers={"Last-Event-ID": last_event_id}) as answer,
        ):
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/event-stream")
            opened.set()
            name = ""
            async for line in answer.aiter_lines():
                key, _, value = line.partition(": ")
                if key == "event":
                    name = value
                    heard.events.append(value)
                elif key == "id":
                    heard.ids.append(value)
                elif key == "data" and name == "import":
                    heard.messages.append(json.loads(value))

    listener = asyncio.create_task(listen())
    try:
        await asyncio.wait_for(opened.wait(), timeout=20)
        yield heard
    finally:
        listener.cancel()
        await asyncio.gather(listener, return_exceptions=True)


@pytest.fixture
async def connected(databases: Databases, nats: Nats) -> AsyncIterator[Running]:
    async with running(SERVICE, databases, nats=nats) as instance:
        yield instance


async def test_a_stream_shows_what_another_replica_does(
    connected: Running, databases: Databases, nats: Nats, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.streams.LOOK", 3_600.0)  # only hints can show anything
    client = await connected.client()
    made = (await upload(client, numbers(6_000))).json()
    async with (
        served(connected) as (base, _),
        running(SERVICE, databases, nats=nats, database_url=connected.url) as worker,
        listening(base, await ticket(client, made["id"])) as heard,
    ):
        hints = parts_of(worker.runtime).streams.hints
        await hints.tell("import/nothing")

        async def both_connected() -> bool:
            return hints.connected and parts_of(connected.runtime).streams.hints.connected

        await eventually(both_connected)
        import_id = UUID(made["id"])

        async def tell(_: int = 0) -> None:
            await hints.tell(topic_of(import_id))

        while (await turns_of(worker).take(import_id, beat=tell))["state"] == "running":
            await tell()
        await tell()
        await heard.until("end")
    assert heard.messages[0]["state"] == "running"
    assert heard.messages[-1]["state"] == "done"
    assert heard.messages[-1]["leads"] == 6_000
    assert heard.messages[-1]["message"]["vi"].startswith("Đã nhập xong: 6.000/6.000 dòng")
    done = [message["rows_done"] for message in heard.messages]
    assert done == sorted(done)


async def test_a_stream_shows_progress_while_nats_is_away(leads: Running) -> None:
    client = await leads.client()
    made = (await upload(client, numbers(200))).json()
    async with served(leads) as (base, _), listening(base, await ticket(client, made["id"])) as heard:
        await work(leads, made["id"])
        await heard.until("end")
    assert [message["state"] for message in heard.messages][-1] == "done"


async def test_what_a_client_has_seen_is_not_sent_again(leads: Running) -> None:
    client = await leads.client()
    made = (await upload(client, numbers(5))).json()
    await work(leads, made["id"])
    async with served(leads) as (base, _):
        async with listening(base, await ticket(client, made["id"])) as first:
            await first.until("end")
        async with listening(base, await ticket(client, made["id"]), last_event_id=first.ids[-1]) as second:
            await second.until("end")
    assert len(first.messages) == 1
    assert second.messages == []


async def test_streams_end_at_once_when_the_process_stops(leads: Running) -> None:
    client = await leads.client()
    made = (await upload(client, numbers(5))).json()
    async with served(leads) as (base, serving), listening(base, await ticket(client, made["id"])) as heard:
        await heard.until("import")
        serving.cancel()
        await heard.until("reconnect")
        await asyncio.wait_for(asyncio.gather(serving, return_exceptions=True), timeout=http.DRAIN - 1)


async def test_a_ticket_opens_one_stream_and_only_what_its_holder_may_see(leads: Running) -> None:
    client = await leads.client()
    made = (await upload(client, numbers(2))).json()
    await work(leads, made["id"])
    url = await ticket(client, made["id"])
    stranger = await leads.client("leads.import", code="NV777")
    nobody = await leads.client("leads.read")
    for other in (stranger, nobody):
        answer = await other.post("/v1/streams/tickets", json={"topics": [f"import/{made['id']}"]})
        assert (answer.status_code, answer.json()["title"]) == (422, "stream-topic-unknown")
    for topic in ("weather/1", "import/none", "import"):
        assert (await client.post("/v1/streams/tickets", json={"topics": [topic]})).status_code == 422
    anonymous = await leads.anonymous()
    assert (await anonymous.post("/v1/streams/tickets", json={"topics": ["x"]})).status_code == 401
    assert (await anonymous.get(url)).status_code == 200
    assert (await anonymous.get(url)).json()["title"] == "stream-ticket-invalid"
    late = await ticket(client, made["id"])
    pool = await leads.db.driver()
    await pool.execute("UPDATE stream_tickets SET expires_at = now() - interval '1 second'")
    assert (await anonymous.get(late)).status_code == 401
