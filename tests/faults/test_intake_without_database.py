"""PostgreSQL goes away while leads are sent over HTTP: every 2xx is a lead, and nothing else is one."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count, islice
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx
import psutil
import pytest

from bench.machine import Measured, free_port, migrate, python
from bench.tokens import issuer
from deploy.local.engines import Postgres
from shared.contracts import permissions

SENDERS: Final = 64
APIS: Final = 2
ANSWER_WITHIN: Final = 60.0
"""Seconds in which even a refusal comes: four times what the service allows itself, on a machine that is busy."""
GIVES_UP: Final = 300.0
"""Seconds after which a sender is sure that nobody will ever answer: five times the longest outage."""
MEMORY: Final = 80.0
"""MiB that a process may grow by at most; the bodies that may wait for the database are 64."""
SPELLINGS: Final = (
    "0388345678",
    "+84388345678",
    "84388345678",
    "0084388345678",
    "0388 345 678",
    "0388.345.678",
    "038-834-5678",
    "(038) 834 5678",
    "O388345678",
    "０３８８３４５６７８",
    "388345678",
    "0168 834 5678",
)
"""Of one number; the last as it was before 2018."""
CONNECTIONS: Final = APIS * 20
"""What the two pools of each process hold at most."""


@dataclass
class Company:
    """A database, two API processes on it, and those who send: integrators, landing pages, colleagues."""

    postgres: Postgres
    url: str
    apis: list[Measured]
    token: str
    key: str = ""
    hook: str = ""
    taken: dict[str, str] = field(default_factory=dict)
    """Phone → id, of everything that was answered 2xx."""
    told: Counter[int] = field(default_factory=Counter)
    numbers: Iterator[int] = field(default_factory=count)
    _answered: asyncio.Condition = field(default_factory=asyncio.Condition)

    def address(self, number: int) -> str:
        return f"http://127.0.0.1:{self.apis[number % APIS].port}"

    async def open(self, http: httpx.AsyncClient) -> None:
        """Makes a source and a landing page, each with its key."""
        admin = {"Authorization": f"Bearer {self.token}"}

        async def ask(path: str, body: dict[str, str] | None = None) -> dict[str, Any]:
            answer = await http.post(self.address(0) + path, json=body, headers=admin)
            assert answer.is_success, answer.text
            return dict(answer.json())

        source = await ask("/v1/sources", {"name": "CRM", "channel": "api"})
        self.key = (await ask(f"/v1/sources/{source['id']}/key"))["key"]
        page = await ask("/v1/landing-pages", {"name": "serum"})
        self.hook = (await ask(f"/v1/landing-pages/{page['id']}/key"))["path"]

    async def send(self, http: httpx.AsyncClient, numbers: Iterator[int]) -> None:
        """Sends one lead after another, each until it is taken in, as the senders of this world do."""
        for number in numbers:
            phone = f"09{number:08}"
            async with asyncio.timeout(GIVES_UP):
                answer = await self._sent(http, number, phone)
            assert answer.status_code in (200, 201), answer.text
            assert answer.json()["verdict"] == "lead", "a repetition had an effect of its own"
            self.taken[f"+84{phone[1:]}"] = answer.json()["id"]
            async with self._answered:
                self._answered.notify_all()

    async def _sent(self, http: httpx.AsyncClient, number: int, phone: str) -> httpx.Response:
        """The first answer that is not "repeat this"."""
        while True:
            try:
                answer = await self._post(http, number, phone)
            except httpx.ReadError:
                continue  # the server closed a connection that it had kept for long: whether it heard is not known
            self.told[answer.status_code] += 1
            if answer.status_code != 503:
                return answer
            assert answer.headers["content-type"] == "application/problem+json"
            await asyncio.sleep(float(answer.headers["retry-after"]) / 4)

    def _post(self, http: httpx.AsyncClient, number: int, phone: str) -> Awaitable[httpx.Response]:
        to = self.address(number)
        match number % 3:
            case 0:
                headers = {"X-Api-Key": self.key, "Idempotency-Key": phone}
                return http.post(f"{to}/v1/leads", json={"phone": phone}, headers=headers)
            case 1:
                return http.post(to + self.hook, data={"phone": phone, "name": "Lan"})
            case _:
                headers = {"Authorization": f"Bearer {self.token}", "Idempotency-Key": phone}
                return http.post(f"{to}/v1/leads", json={"phone": phone}, headers=headers)

    async def reach(self, count: int) -> None:
        async with self._answered:
            await self._answered.wait_for(lambda: len(self.taken) >= count)

    async def rows(self, sql: str) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.url)
        try:
            return list(await connection.fetch(sql))
        finally:
            await connection.close()


@asynccontextmanager
async def company(directory: Path) -> AsyncIterator[Company]:
    postgres = Postgres(data_dir=directory / "postgres", log_path=directory / "log", port=free_port())
    await postgres.start()
    try:
        async with AsyncExitStack() as stack:
            tokens = await stack.enter_async_context(issuer())
            env = {
                "CHOT_DATABASE_URL": await postgres.create_database("leads"),
                "CHOT_JWKS_URL": tokens.jwks_url,
                "CHOT_LOG_LEVEL": "error",
            }
            await migrate("leads", env)
            apis = [await stack.enter_async_context(_api(env)) for _ in range(APIS)]
            token = tokens.token(*permissions.ALL)
            yield Company(postgres, env["CHOT_DATABASE_URL"], apis, token)
    finally:
        await postgres.remove()


@asynccontextmanager
async def _api(env: dict[str, str]) -> AsyncIterator[Measured]:
    port = free_port()
    command = ["-m", "services.leads", "api"]
    async with python(command, port=port, path="/livez", env={**env, "CHOT_HTTP_PORT": str(port)}) as process:
        yield process


async def stopped(postgres: Postgres, seconds: float) -> None:
    """It is shut down, as for an upgrade: connections are refused."""
    await postgres.stop()
    await asyncio.sleep(seconds)
    await postgres.start()


async def crashed(postgres: Postgres, seconds: float) -> None:
    """It dies in the middle of whatever it does."""
    await postgres.kill()
    await asyncio.sleep(seconds)
    await postgres.start()


async def frozen(postgres: Postgres, seconds: float) -> None:
    """It takes connections and answers none, as a machine does that is stuck on its disk or cut off."""
    server = psutil.Process(postgres.pid)
    everything = [server, *server.children(recursive=True)]
    for process in everything:
        process.suspend()
    try:
        await asyncio.sleep(seconds)
    finally:
        for process in reversed(everything):
            process.resume()


@pytest.fixture(scope="module")
async def there(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Company]:
    """One company for all outages, so that each finds what the ones before it left."""
    async with company(tmp_path_factory.mktemp("intake")) as opened, client() as http:
        await opened.open(http)
        yield opened


def client() -> httpx.AsyncClient:
    # Not kept as long as the server keeps them, or a request may go into a connection that is just being closed.
    limits = httpx.Limits(max_connections=SENDERS, keepalive_expiry=2)
    return httpx.AsyncClient(limits=limits, timeout=ANSWER_WITHIN)


@pytest.mark.parametrize(
    ("outage", "posts", "seconds"),
    [
        pytest.param(stopped, 600, 3.0, id="stopped"),
        pytest.param(frozen, 600, 3.0, id="frozen"),
        pytest.param(stopped, 5_000, 60.0, id="stopped for long", marks=pytest.mark.soak),
        pytest.param(crashed, 5_000, 60.0, id="crashed for long", marks=pytest.mark.soak),
        pytest.param(frozen, 5_000, 60.0, id="frozen for long", marks=pytest.mark.soak),
    ],
)
async def test_every_2xx_is_a_lead_and_nothing_else_is_when_postgresql_goes_away(
    there: Company, outage: Callable[[Postgres, float], Awaitable[None]], posts: int, seconds: float
) -> None:
    before, earlier = len(there.taken), [api.memory for api in there.apis]
    numbers = islice(there.numbers, posts)
    async with client() as http, asyncio.TaskGroup() as senders:
        for _ in range(SENDERS):
            senders.create_task(there.send(http, numbers))
        await there.reach(before + posts // 4)
        await outage(there.postgres, seconds)

    rows = await there.rows("SELECT phone, id::text AS id, verdict FROM leads WHERE verdict = 'lead'")
    assert {row["phone"]: row["id"] for row in rows} == there.taken
    assert len(rows) == len(there.taken) == before + posts
    assert set(there.told) <= {200, 201, 503}
    (events,) = await there.rows("SELECT count(*) AS n, count(DISTINCT subject) AS leads FROM outbox")
    (raw,) = await there.rows("SELECT count(*) AS n FROM raw_items")
    assert (events["n"], events["leads"], raw["n"]) == (before + posts,) * 3
    (held,) = await there.rows("SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database()")
    assert held["n"] <= CONNECTIONS + 1
    grown = [api.memory - was for api, was in zip(there.apis, earlier, strict=True)]
    assert max(grown) < MEMORY, grown


async def test_200_posts_of_one_number_to_several_processes_leave_one_lead_and_199_duplicates(there: Company) -> None:
    headers = {"X-Api-Key": there.key}
    async with client() as http:
        answers = await asyncio.gather(
            *(
                http.post(f"{there.address(place)}/v1/leads", json={"phone": SPELLINGS[place % 12]}, headers=headers)
                for place in range(200)
            )
        )

    made = [answer.json() for answer in answers]
    assert {answer.status_code for answer in answers} == {201}
    assert Counter(one["verdict"] for one in made) == {"lead": 1, "duplicate": 199}
    (lead,) = [one for one in made if one["verdict"] == "lead"]
    assert {one["anchor_id"] for one in made if one["verdict"] == "duplicate"} == {lead["id"]}
    rows = await there.rows("SELECT verdict, anchor_id::text AS anchor FROM leads WHERE phone = '+84388345678'")
    assert Counter((row["verdict"], row["anchor"]) for row in rows) == {
        ("lead", None): 1,
        ("duplicate", lead["id"]): 199,
    }
