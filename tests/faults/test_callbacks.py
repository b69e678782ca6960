"""Thousands of promised calls fall due while everything that waits for them is away, or all at one moment.

On real PostgreSQL, JetStream and Temporal, on the wall clock: the process of these tests may call at any hour, so it does
not matter when they run.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
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
from tests.integration.orders.copies import copy_orders, follow, promise_again
from tests.integration.orders.support import Clock, Shop, staffed
from workflows import search_attributes
from workflows.worker import build_worker, make_current

log = logger(__name__)

# Where thousands of workflows share two cores with the tests of others, the SDK takes a workflow task that got no processor
# for two seconds for a deadlock and does it once more.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

PATIENCE: Final = 120.0
CARED_PER_SECOND: Final = 4.0
"""Cares a second that a machine starts, or looks at, at least."""
STARTED_PER_SECOND: Final = 20.0
"""The same of a machine that others leave alone: what is not followed by then is followed while calls fall due."""
WITHIN: Final = timedelta(seconds=90)
"""In which thousands that are due at one moment are reminded of."""
GRACE: Final = timedelta(seconds=2)
OUTAGE: Final = (0.3, 0.7)
"""Shares of the time in which calls fall due: between them every worker and NATS are away."""

_LOOKED: Final = "SELECT count(*) AS looked FROM care WHERE looks > 0 AND seen_version = version"
_REMINDED: Final = """
SELECT count(*) AS orders, max(decided_at) AS at FROM care_effects WHERE effect = 'RemindOwner' AND key LIKE 'callback:%'
"""
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

    async def promised(self, calls: int) -> None:
        """Numbers of NV01 who asked to be called again; one as people do it, the others as copies of it."""
        self.shop.clock.now = datetime.now(UTC)
        order_id = await self.shop.accept()
        await self.shop.assign(order_id, self.shop.sale)
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        answer = await self.shop.call(order_id, "call_later", promised_at=tomorrow.isoformat())
        assert answer.status_code == 201, answer.text
        await copy_orders(self.shop, calls - 1)
        await follow(self.shop)

    async def due(self) -> dict[UUID, datetime]:
        """When each promised call is due, the first one first."""
        rows = await self.shop.service.rows(
            "SELECT order_id, due_at FROM promises WHERE kind = 'callback' ORDER BY due_at"
        )
        return {row.order_id: row.due_at for row in rows}

    async def ended(self) -> dict[UUID, Any]:
        """Promised calls that have ended, by order."""
        return {row.order_id: row for row in await self.shop.service.rows(_ENDED)}


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


@asynccontextmanager
async def opened(databases: Databases, temporal: Temporal, directory: Path) -> AsyncIterator[Floor]:
    nats = Nats(data_dir=directory / "nats", log_path=directory / "nats.log", prefer_default_ports=False)
    client = await connected(await connect(temporal))
    await ensure_search_attributes(client, search_attributes.ALL)
    await make_current(client)
    await nats.start()
    try:
        async with running(SERVICE, databases, nats=nats, temporal=client, filled=staffed) as service:
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
    await floor.promised(calls)
    begins = datetime.now(UTC) + timedelta(seconds=2 + calls / STARTED_PER_SECOND)
    await promise_again(shop, "callback", begins=begins, apart=timedelta(seconds=seconds / calls))
    due = await floor.due()
    numbers = list(due)
    assert len(numbers) == calls
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
    called_by: dict[UUID, datetime] = {}
    for order_id in called:  # people work on: their calls need nobody of those who are away
        answer = await shop.call(order_id, "not_buying", reason="giá cao")
        assert answer.status_code == 201, answer.text
        called_by[order_id] = datetime.now(UTC)
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
    # A machine that stands still may make a call of ours late: then either outcome is true.
    in_time = [order_id for order_id in called if called_by[order_id] <= ended[order_id].deadline_at]
    assert all(ended[order_id].outcome == "kept" for order_id in in_time)
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
    await floor.promised(calls)
    # Like 08:00: an instant on whole five minutes, which many orders share.
    earliest = datetime.now(UTC) + timedelta(seconds=calls / STARTED_PER_SECOND)
    at = earliest.replace(minute=earliest.minute // 5 * 5, second=0, microsecond=0) + timedelta(minutes=5)
    await promise_again(shop, "callback", begins=at)
    await floor.come()
    await until(at)
    (followed,) = await shop.service.rows(_LOOKED)
    listed = (await shop.sale.client.get("/v1/tasks", params={"kind": "call", "limit": 1})).json()
    assert listed["counts"]["now"] == calls
    on_the_list = datetime.fromisoformat(listed["server_time"]) - at

    async def reminded() -> bool:
        (row,) = await shop.service.rows(_REMINDED)
        return bool(row.orders == calls)

    await eventually(reminded, within=PATIENCE + calls / CARED_PER_SECOND, every=0.5)
    (last,) = await shop.service.rows(_REMINDED)
    print(f"{calls} calls: {followed.looked} followed before, on the list after {on_the_list}, reminded {last.at - at}")
    assert on_the_list < WITHIN
    assert last.at - at < WITHIN
    (told,) = await shop.service.rows("SELECT count(*) AS notices, count(DISTINCT order_id) AS orders FROM notices")
    assert (told.notices, told.orders) == (calls, calls), "each is reminded of once"
