"""Thousands of promised calls fall due while everything that waits for them is away, or all at one moment.

On real PostgreSQL, JetStream and Temporal, on the wall clock: the process of these tests may call at any hour, so it does
not matter when they run.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import orjson
import pytest
import yaml
from temporalio.client import Client

from deploy.local.engines import Nats, Temporal
from services.orders.app import SERVICE
from shared.contracts.permissions import SEED_GROUPS
from shared.telemetry import logger
from shared.temporal import connected, ensure_search_attributes
from tests.harness import Databases, connect, eventually, running
from tests.integration.orders.support import Clock, Shop
from workflows import search_attributes
from workflows.worker import build_worker, make_current

log = logger(__name__)

# Where thousands of workflows share two cores with the tests of others, the SDK takes a workflow task that got no processor
# for two seconds for a deadlock and does it once more.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

SET_UP_PER_SECOND: Final = 10.0
"""Calls a second that a machine logs at least which has made numbers in no time."""
SLACK: Final = 4.0
"""The calls may take so many times as long as the numbers took: each costs more, and others may come to the machine."""
PATIENCE: Final = 120.0
CARED_PER_SECOND: Final = 4.0
"""Cares a second that such a machine starts, or looks at, at least."""
AT_ONCE: Final = 8
GRACE: Final = timedelta(seconds=2)
OUTAGE: Final = (0.3, 0.7)
"""Shares of the time in which calls fall due: between them every worker and NATS are away."""

_LOOKED: Final = "SELECT count(*) AS looked FROM care WHERE looks > 0 AND seen_version = version"
_ENDED: Final = """
SELECT order_id, outcome, ended_at, deadline_at, due_at, late_seconds FROM promises
WHERE kind = 'callback' AND ended_at IS NOT NULL
"""


@dataclass
class Floor:
    """A shop whose workers and NATS can be sent away."""

    shop: Shop
    nats: Nats
    temporal: Client
    _workers: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def come(self) -> None:
        """NATS, the relay, the activities and the workflows."""
        if not self.nats.running:
            await self.nats.start()
        self.shop.service.start("relay", "activities")
        self._workers = AsyncExitStack()
        await self._workers.enter_async_context(build_worker(self.temporal))

    async def go(self) -> None:
        await self.shop.service.stop("relay", "activities")
        await self._workers.aclose()
        await self.nats.stop()

    async def numbers(self, count: int) -> list[UUID]:
        """Numbers of NV01; their workflows start as fast as Temporal can."""
        return await in_parts(range(count), lambda _: self._number())

    async def followed(self, count: int) -> None:
        """Until so many cares have workflows that have seen everything."""

        async def seen() -> bool:
            (row,) = await self.shop.service.rows(_LOOKED)
            return bool(row.looked >= count)

        await eventually(seen, within=PATIENCE + count / CARED_PER_SECOND, every=0.5)

    async def _number(self) -> UUID:
        order_id = await self.shop.accept(at=datetime.now(UTC))
        self.shop.clock.now = datetime.now(UTC)
        await self.shop.assign(order_id, self.shop.sale)
        return order_id

    async def promise(self, order_id: UUID, at: datetime) -> None:
        """The customer asks to be called again."""
        answer = await self.shop.call(order_id, "call_later", promised_at=at.isoformat())
        assert answer.status_code == 201, answer.text

    async def ended(self) -> dict[UUID, Any]:
        """Promised calls that have ended, by order."""
        return {row.order_id: row for row in await self.shop.service.rows(_ENDED)}


async def in_parts(items: Sequence[Any] | range, do: Callable[[Any], Awaitable[Any]]) -> list[Any]:
    """Does something for all items, some at a time."""
    found: list[Any] = [None] * len(items)
    waiting = iter(enumerate(items))

    async def work() -> None:
        for place, item in waiting:
            found[place] = await do(item)

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return found


async def publish(shop: Shop, *, grace: timedelta, rungs: list[dict[str, str]]) -> None:
    """A process that may call at any hour, with a short patience for promised calls."""
    body = yaml.safe_load(files("services.orders.care.seed").joinpath("cod_standard.yaml").read_text(encoding="utf-8"))
    always = {"name": {"vi": "Mọi lúc", "en": "Always"}, "weekly": {"mon-sun": ["00:00-24:00"]}}
    body |= {"version": 1000, "calendars": {"always": always}, "windows": dict.fromkeys(body["windows"], "always")}
    body["caps"]["min_gap"] = "0s"
    # However long it takes to set thousands up, nothing else falls due meanwhile.
    body["steps"]["first_call"] |= {"due": {"after": "12h"}}
    body["escalations"]["first_call"]["rungs"] = [{"do": "remind_owner", "after": "12h", "since": "assigned"}]
    body["steps"]["callback"] |= {"grace": f"{int(grace.total_seconds())}s", "remind_before": None}
    body["escalations"]["callback"]["rungs"] = rungs
    pool = await shop.service.db.driver()
    await pool.execute(
        "INSERT INTO process_versions (key, version, body, published_by) VALUES ($1, 1000, $2, 'test')",
        body["key"],
        orjson.dumps(body).decode(),
    )


def when_set_up(calls: int, *, began: float) -> datetime:
    """An instant by which that many calls are logged.

    Args:
        began: when the machine, as busy as it is, began to make their numbers, by the monotonic clock.
    """
    wanted = max(calls / SET_UP_PER_SECOND, SLACK * (time.monotonic() - began))
    return datetime.now(UTC) + timedelta(seconds=wanted + 1)


@asynccontextmanager
async def opened(databases: Databases, temporal: Temporal, directory: Path) -> AsyncIterator[Floor]:
    nats = Nats(data_dir=directory / "nats", log_path=directory / "nats.log", prefer_default_ports=False)
    client = await connected(await connect(temporal))
    await ensure_search_attributes(client, search_attributes.ALL)
    await make_current(client)
    await nats.start()
    try:
        async with running(SERVICE, databases, nats=nats, temporal=client) as service:
            shop = await Shop.open(service, Clock(datetime.now(UTC)))
            for person, group in ((shop.sale, "sale"), (shop.admin, "admin")):
                # Their tokens last as long as the longest of these tests.
                person.client = await service.client(
                    *SEED_GROUPS[group], account_id=person.id, code=person.code, team="S1", expires_in=7_200
                )
            floor = Floor(shop, nats, client)
            await floor.come()
            yield floor
            await floor.go()
    finally:
        await nats.remove()


@pytest.fixture
async def floor(databases: Databases, temporal_server: Temporal, tmp_path: Path) -> AsyncIterator[Floor]:
    async with opened(databases, temporal_server, tmp_path) as floor:
        yield floor


async def until(at: datetime) -> None:
    await asyncio.sleep(max(0.0, (at - datetime.now(UTC)).total_seconds()))


@pytest.mark.parametrize(
    ("calls", "seconds"),
    [pytest.param(24, 3.0, id="some"), pytest.param(5_000, 150.0, id="many", marks=pytest.mark.soak)],
)
async def test_promised_calls_that_fall_due_while_workers_and_nats_are_away_are_all_late_at_their_own_time(
    floor: Floor, calls: int, seconds: float
) -> None:
    shop = floor.shop
    await publish(shop, grace=GRACE, rungs=[{"do": "tell_manager", "after": f"{int(GRACE.total_seconds())}s"}])
    await floor.go()  # numbers and calls need PostgreSQL alone
    began = time.monotonic()
    numbers = await floor.numbers(calls)
    begins = when_set_up(calls, began=began)
    due = {order_id: begins + timedelta(seconds=seconds * place / calls) for place, order_id in enumerate(numbers)}
    await in_parts(numbers, lambda order_id: floor.promise(order_id, due[order_id]))
    assert datetime.now(UTC) < begins, "the machine is slower than this test allows for"
    poisoned = numbers[calls // 2]
    (state,) = await shop.service.rows(
        "SELECT CAST(state AS text) AS sound FROM care WHERE order_id = :id", id=poisoned
    )
    pool = await shop.service.db.driver()
    await pool.execute("UPDATE care SET state = '{\"step\": 1}' WHERE order_id = $1", poisoned)
    await floor.come()

    away, back = (begins + timedelta(seconds=seconds * share) for share in OUTAGE)
    await until(away)
    await floor.go()
    while_away = [order_id for order_id, at in due.items() if away < at < back and order_id != poisoned]
    called = while_away[:: max(1, len(while_away) // 20)]
    for order_id in called:  # people work on: their calls need nobody of those who are away
        answer = await shop.call(order_id, "not_buying", reason="giá cao")
        assert answer.status_code == 201, answer.text
    await until(back)
    listed = (await shop.sale.client.get("/v1/tasks", params={"kind": "call", "limit": 1})).json()["counts"]
    assert listed["overdue"] + listed["now"] >= len(while_away) - len(called), "their owner sees what is due"
    assert not (await floor.ended()).keys() & set(while_away) - set(called), "nobody is there to break them"
    await floor.come()
    came = time.monotonic()
    await until(begins + timedelta(seconds=seconds) + GRACE)

    async def all_ended() -> bool:
        missing = set(numbers) - (await floor.ended()).keys() - {poisoned}
        assert not missing, f"{len(missing)} of {calls} promises have not ended"
        return True

    await eventually(all_ended, within=PATIENCE + calls / CARED_PER_SECOND, every=0.5)
    log.info("every promise has ended", calls=calls, seconds_after_return=round(time.monotonic() - came, 1))
    ended = await floor.ended()
    assert poisoned not in ended, "what cannot be decided waits for somebody to mend it"
    assert {ended[order_id].outcome for order_id in called} == {"kept"}
    for order_id in set(numbers) - {poisoned} - set(called):
        promise = ended[order_id]
        assert (promise.outcome, promise.ended_at, promise.due_at) == ("broken", promise.deadline_at, due[order_id])
        assert promise.late_seconds == GRACE.total_seconds()

    await pool.execute("UPDATE care SET state = CAST($2 AS jsonb) WHERE order_id = $1", poisoned, state.sound)

    async def mended() -> bool:
        return poisoned in await floor.ended()

    await eventually(mended, within=PATIENCE, every=0.2, what="the mended care is looked at again by itself")
    told = await shop.service.rows(
        "SELECT count(*) AS events, count(DISTINCT subject) AS orders FROM outbox "
        "WHERE type = 'orders.promise.ended.v1' AND payload ->> 'kind' = 'callback'"
    )
    assert (told[0].events, told[0].orders) == (calls, calls), "each end is told once"

    async def everything_is_sent() -> bool:
        return not await shop.service.rows("SELECT 1 FROM outbox WHERE status = 'pending' LIMIT 1")

    await eventually(everything_is_sent, within=PATIENCE + calls / CARED_PER_SECOND, every=0.2)
    proof = (await shop.admin.client.get("/v1/promises/proof/now")).json()
    assert (proof["without_timer"], proof["open_without_task"], proof["without_workflow"]) == (0, 0, 0)


@pytest.mark.soak
async def test_five_thousand_calls_that_are_due_at_one_moment_are_on_the_list_at_once_and_all_reminded_soon(
    floor: Floor,
) -> None:
    calls = 5_000
    shop = floor.shop
    await publish(shop, grace=timedelta(minutes=30), rungs=[{"do": "remind_owner", "after": "0s"}])
    await floor.go()
    began = time.monotonic()
    numbers = await floor.numbers(calls)
    earliest = when_set_up(calls, began=began)
    # Like 08:00: an instant on whole five minutes, which many orders share.
    at = earliest.replace(minute=earliest.minute // 5 * 5, second=0, microsecond=0) + timedelta(minutes=5)
    await in_parts(numbers, lambda order_id: floor.promise(order_id, at))
    await floor.come()
    await floor.followed(calls)
    assert datetime.now(UTC) < at, "the machine is slower than this test allows for"
    await until(at)
    listed = (await shop.sale.client.get("/v1/tasks", params={"kind": "call", "limit": 1})).json()
    assert listed["counts"]["now"] == calls
    on_the_list = (datetime.fromisoformat(listed["server_time"]) - at).total_seconds()

    async def reminded() -> bool:
        (row,) = await shop.service.rows(
            "SELECT count(*) AS done FROM tasks WHERE step = 'callback' AND reminded_at IS NOT NULL"
        )
        return bool(row.done == calls)

    await eventually(reminded, within=PATIENCE + calls / CARED_PER_SECOND, every=0.5)
    took = (datetime.now(UTC) - at).total_seconds()
    log.info("all are due", on_the_list_seconds=round(on_the_list, 2), reminded_seconds=round(took, 1))
    assert on_the_list < 90
