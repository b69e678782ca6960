"""“Tác nghiệp”: what I have to do, the most pressing of what is due on top."""

from __future__ import annotations

import asyncio
import base64
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from deploy.local.engines import Nats
from services.orders import record
from services.orders.app import SERVICE
from services.orders.live import streams_of
from services.orders.promises import asked
from services.orders.promises.live import TOPICS
from services.orders.promises.priority import REASONS
from shared.auth import Principal
from shared.streams import LOOK
from tests.harness import Databases, Running, eventually, running
from tests.integration.orders.process_support import published
from tests.integration.orders.support import Clock, Person, Shop, idempotency_key, staffed

CALLBACK = "call_later"


async def tasks(person: Person, **wanted: Any) -> dict[str, Any]:
    answer = await person.client.get("/v1/tasks", params=wanted)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def promised(shop: Shop, *, minutes: float, **fields: Any) -> Any:
    """A number whose customer was promised a call in so many minutes."""
    order_id = await shop.number(**fields)
    at = shop.clock.now + timedelta(minutes=minutes)
    answer = await shop.call(order_id, CALLBACK, promised_at=at.isoformat())
    assert answer.status_code == 201, answer.text
    return order_id


async def test_what_is_due_comes_first_by_its_weight_and_what_is_to_come_by_its_time(shop: Shop) -> None:
    first = await shop.number()  # due at 09:05, its deadline is 09:15
    shop.clock.forward(minutes=8)
    retry = await shop.number()
    await shop.call(retry, "busy")  # again in a quarter of an hour
    soon = await promised(shop, minutes=16)
    today = await promised(shop, minutes=60)
    tomorrow = await promised(shop, minutes=60 * 26)
    shop.clock.forward(minutes=17)
    listed = await tasks(shop.sale)
    calls = [item for item in listed["items"] if item["kind"] == "call"]
    assert [(item["order_id"], item["bucket"]) for item in calls] == [
        (str(soon), "now"),
        (str(first), "overdue"),
        (str(retry), "now"),
        (str(today), "today"),
        (str(tomorrow), "later"),
    ]
    assert [item["priority"]["rank"] for item in calls] == [20, 30, 40, 20, 20]
    assert listed["counts"] == {"overdue": 1, "now": 2, "today": 1, "later": 1}
    assert datetime.fromisoformat(listed["server_time"]) == shop.clock.now
    now, overdue, _, coming, _ = calls
    assert (now["seconds_left"], now["overdue_since"]) == (14 * 60, None), "a quarter of an hour from the promised time"
    assert overdue["seconds_left"] == -10 * 60
    assert datetime.fromisoformat(overdue["overdue_since"]) == datetime.fromisoformat(overdue["deadline_at"])
    assert coming["seconds_left"] == 43 * 60


async def test_every_rank_of_the_table_has_its_reason(shop: Shop) -> None:
    (row,) = await shop.service.rows(
        "SELECT pg_get_expr(adbin, adrelid) AS rule FROM pg_attrdef d JOIN pg_attribute a "
        "ON a.attrelid = d.adrelid AND a.attnum = d.adnum WHERE adrelid = CAST('tasks' AS regclass) AND attname = 'priority'"
    )
    ranks = {int(word) for word in row.rule.replace("THEN", "ELSE").split("ELSE ")[1:] for word in [word.split()[0]]}
    assert ranks == REASONS.keys()


async def test_pages_have_everything_once_also_when_time_goes_on_between_them(shop: Shop) -> None:
    for minutes in (5, 5, 20, 40, 60 * 30):
        await promised(shop, minutes=minutes)
    shop.clock.forward(minutes=6)
    whole = [item["id"] for item in (await tasks(shop.sale))["items"]]
    assert len(whole) == 5
    found: list[str] = []
    after: dict[str, Any] = {}
    while True:
        page = await tasks(shop.sale, limit=2, **after)
        assert (page["counts"] is None) == bool(after), "they are counted once"
        found += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
        shop.clock.forward(minutes=15)
    assert found == whole


_END_OF_TIME = base64.urlsafe_b64encode(
    b'["0001-01-01T00:00:00+14:00",false,1,"2026-11-21T09:00:00+07:00","00000000-0000-0000-0000-000000000000"]'
).decode()


@pytest.mark.parametrize("cursor", ["x", "bm90IG91cnM", "WzFd", "a" * 250, _END_OF_TIME])
async def test_a_cursor_that_is_none_is_refused(shop: Shop, cursor: str) -> None:
    answer = await shop.sale.client.get("/v1/tasks", params={"after": cursor})
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (422, "cursor-invalid")


async def test_a_list_is_narrowed_by_bucket_step_kind_and_product(shop: Shop) -> None:
    first = await shop.number(product="KEM")
    later = await promised(shop, minutes=60 * 26)
    shop.clock.forward(minutes=6)
    for wanted, found in (
        ({"bucket": "now"}, [first]),
        ({"bucket": ["today", "later"]}, [later]),
        ({"bucket": "overdue"}, []),
        ({"step": "callback"}, [later]),
        ({"kind": "answer"}, []),
        ({"product": "KEM"}, [first]),
        ({"product": "KEM", "bucket": "later"}, []),
    ):
        listed = await tasks(shop.sale, **wanted)
        assert [item["order_id"] for item in listed["items"]] == [str(id) for id in found], wanted
    assert (await tasks(shop.sale, bucket="later"))["counts"] == {"overdue": 0, "now": 1, "today": 0, "later": 1}


async def test_a_list_is_seen_by_its_owner_and_those_above(shop: Shop) -> None:
    order_id = await shop.number()
    for person, wanted, found in (
        (shop.manager, {"owner": str(shop.sale.id)}, 1),
        (shop.manager, {"team": "S1"}, 1),
        (shop.manager, {}, 0),
        (shop.colleague, {"owner": str(shop.sale.id)}, 0),
        (shop.colleague, {"team": "S1"}, 0),
        (shop.sale, {"owner": str(shop.manager.id)}, 0),
        (shop.sale, {"team": "S1"}, 1),
        (shop.admin, {"owner": str(shop.sale.id)}, 1),
    ):
        listed = await tasks(person, **wanted)
        assert len(listed["items"]) == found, (person.code, wanted)
        assert sum(listed["counts"].values()) == found
    (seen,) = (await tasks(shop.sale))["items"]
    assert "*" not in seen["phone"]
    assert seen["order_id"] == str(order_id)


# --- live -----------------------------------------------------------------------------------------------------------


def states(chunks: list[bytes]) -> list[dict[str, Any]]:
    """The states in what a stream has sent."""
    lines = [line for chunk in chunks for line in chunk.split(b"\n") if line.startswith(b"data: ")]
    return [orjson.loads(line[6:]) for line in lines if line != b"data: {}"]


async def test_a_screen_sees_a_task_the_moment_it_is_due_although_nobody_does_anything(shop: Shop) -> None:
    order_id = await shop.number()
    due_at = datetime.now(UTC) + timedelta(seconds=1.2)
    async with shop.service.db.transaction() as session:
        order = await record.lock(session, order_id)
        assert order is not None
        request = asked.Request(order_id, shop.colleague.id, shop.sale.id, due_at, due_at + timedelta(hours=1))
        await asked.ask(session, order, request, now=datetime.now(UTC))
    who = Principal(
        shop.colleague.id, "NV02", frozenset(topic.permission for topic in TOPICS), department="sale", team="S1"
    )
    heard: list[bytes] = []
    seen_at: datetime | None = None
    stream = streams_of(shop.service.runtime).messages(
        who, [f"tasks/{shop.colleague.id}"], last_seen="", stopping=asyncio.Event()
    )
    async with asyncio.timeout(20):
        async for chunk in stream:
            heard.append(chunk)
            if any(state["counts"]["now"] for state in states(heard)):
                seen_at = datetime.now(UTC)
                break
    first, *_, last = states(heard)
    assert (first["counts"]["now"], datetime.fromisoformat(first["changes_at"])) == (0, due_at)
    assert [task["kind"] for task in last["due"]] == ["answer"]
    assert seen_at is not None
    assert seen_at >= due_at
    assert [notice["kind"] for notice in last["notices"]] == ["asked"]


async def test_a_screen_that_was_away_sees_what_was_given_and_taken_meanwhile(shop: Shop) -> None:
    order_id = await shop.number()
    await shop.assign(order_id, shop.colleague)
    for person, kind in ((shop.sale, "taken_away"), (shop.colleague, "given")):
        body = {"topics": [f"tasks/{person.id}", "team_tasks/S1"]}
        ticket = await person.client.post("/v1/streams/tickets", json=body)
        assert ticket.status_code == 201, ticket.text
        (told,) = (await person.client.get("/v1/notices")).json()["items"]
        assert (told["kind"], told["order_id"]) == (kind, str(order_id))
    hidden = {"topics": [f"tasks/{shop.manager.id}"]}
    refused = await shop.sale.client.post("/v1/streams/tickets", json=hidden)
    assert refused.status_code == 422
    seen = await shop.manager.client.post("/v1/streams/tickets", json={"topics": [f"tasks/{shop.sale.id}"]})
    assert seen.status_code == 201


async def test_lists_that_a_change_concerns_are_told_after_the_commit_and_no_others(shop: Shop) -> None:
    told: list[set[str]] = []
    shop.service.db.on_told = lambda topics: told.append(set(topics))
    order_id = await shop.number()
    assert told.pop() == {f"tasks/{shop.sale.id}"}
    told.clear()
    assert (await shop.call(order_id, "call_later", promised_at="2020-01-01T00:00:00Z")).status_code == 422
    assert told == [], "what was refused changed nothing"
    await shop.assign(order_id, shop.colleague)
    assert told == [{f"tasks/{shop.sale.id}", f"tasks/{shop.colleague.id}"}]


async def test_a_change_in_one_process_reaches_a_screen_of_another_over_nats(databases: Databases, nats: Nats) -> None:
    async with running(SERVICE, databases, nats=nats, filled=staffed) as api:
        shop = await Shop.open(api, Clock(datetime.now(UTC)))
        async with running(SERVICE, databases, nats=nats, database_url=api.url) as other:
            for service in (api, other):
                await streams_of(service.runtime).hints.tell("tasks/nobody")  # connects at the first use
                await eventually(lambda of=service: connected(of), what="hints are connected")
            who = Principal(
                shop.sale.id, "NV01", frozenset(topic.permission for topic in TOPICS), department="sale", team="S1"
            )
            heard: list[bytes] = []
            stream = streams_of(other.runtime).messages(
                who, [f"tasks/{shop.sale.id}"], last_seen="", stopping=asyncio.Event()
            )
            async with asyncio.timeout(20):
                async for chunk in stream:
                    heard.append(chunk)
                    if len(states(heard)) == 1:
                        order_id = await shop.accept(at=datetime.now(UTC))
                        await shop.assign(order_id, shop.sale)
                        told_at = time.monotonic()
                        await shop.assign(order_id, shop.colleague)
                    if any(notice["kind"] == "taken_away" for state in states(heard) for notice in state["notices"]):
                        break
            assert time.monotonic() - told_at < LOOK, "it did not wait for the next look"


async def connected(service: Running) -> bool:
    return streams_of(service.runtime).hints.connected


# --- snooze ---------------------------------------------------------------------------------------------------------


async def snooze(shop: Shop, task: dict[str, Any], minutes: int, *, by: Person | None = None) -> tuple[int, Any]:
    body = {"minutes": minutes, "reason": "đang tư vấn khách khác"}
    client = (by or shop.sale).client
    answer = await client.post(f"/v1/tasks/{task['id']}/snooze", json=body, headers=idempotency_key())
    return answer.status_code, answer.json()


async def test_a_snoozed_task_steps_back_and_its_promise_stays(shop: Shop) -> None:
    await shop.number()
    shop.clock.forward(minutes=6)
    (task,) = (await tasks(shop.sale))["items"]
    status, snoozed = await snooze(shop, task, 5)
    assert (status, snoozed["snoozes"], snoozed["left"]) == (200, 1, 2)
    (after,) = (await tasks(shop.sale))["items"]
    assert (after["bucket"], after["seconds_left"], after["snoozes"]) == ("today", 300, 1)
    assert (after["due_at"], after["deadline_at"]) == (task["due_at"], task["deadline_at"])
    (event,) = await shop.service.outbox("orders.task.snoozed.v1")
    assert (event["payload"]["times"], event["payload"]["kind"]) == (1, "first_call")
    shop.clock.forward(minutes=5)
    assert (await tasks(shop.sale))["items"][0]["bucket"] == "now"


async def test_a_snooze_beyond_a_limit_is_refused_with_the_limit(shop: Shop) -> None:
    order_id = await shop.number()
    shop.clock.forward(minutes=6)
    (task,) = (await tasks(shop.sale))["items"]
    status, problem = await snooze(shop, task, 15)
    assert (status, problem["type"].rpartition("/")[2]) == (422, "snooze-beyond-deadline")
    assert "09:15" in problem["detail"]
    status, problem = await snooze(shop, task, 31)
    assert (status, problem["type"].rpartition("/")[2]) == (422, "snooze-too-long")
    assert "30" in problem["detail"]
    status, problem = await snooze(shop, task, 5, by=shop.colleague)
    assert (status, "NV01" in problem["detail"]) == (403, True)
    for _ in range(3):
        assert (await snooze(shop, task, 1))[0] == 200
    status, problem = await snooze(shop, task, 1)
    assert (status, problem["type"].rpartition("/")[2]) == (409, "snoozed-too-often")
    assert "3" in problem["detail"]
    shop.clock.forward(minutes=10)
    status, problem = await snooze(shop, task, 1)
    assert (status, problem["type"].rpartition("/")[2]) == (409, "snooze-too-late")
    await shop.call(order_id, "no_answer")
    assert (await snooze(shop, task, 1))[0] == 409
    unknown = {**task, "id": str(order_id)}
    assert (await snooze(shop, unknown, 1))[0] == 404


async def test_a_snooze_does_not_reach_into_the_noon_rest(shop: Shop) -> None:
    order_id = await shop.number()
    noon = shop.clock.now + timedelta(hours=2, minutes=50)  # 11:50
    await shop.call(order_id, CALLBACK, promised_at=noon.isoformat())
    shop.clock.now = noon
    (task,) = (await tasks(shop.sale, kind="call"))["items"]
    status, problem = await snooze(shop, task, 12)
    assert (status, problem["type"].rpartition("/")[2]) == (422, "snooze-outside-hours")
    assert "12:00" in problem["detail"]
    assert (await snooze(shop, task, 9))[0] == 200


async def test_a_step_of_the_process_may_have_limits_of_its_own(shop: Shop) -> None:
    """In a new version; a care of the old one goes on with what the settings say, and so does what the step leaves out."""
    before = await shop.number()

    def narrower(body: dict[str, Any]) -> None:
        body["steps"]["first_call"]["snooze"] = {"at_most": "5m", "times": 1}
        body["steps"]["no_answer_2"]["snooze"] = {"times": 0}
        body["reasons"]["steps.*.snooze.*"] = {"vi": "Gọi đúng giờ", "en": "To call in time"}

    await published(shop.service, narrower)
    after = await shop.number()
    shop.clock.forward(minutes=6)
    listed = {item["order_id"]: item for item in (await tasks(shop.sale))["items"]}
    assert (await snooze(shop, listed[str(before)], 6))[0] == 200
    status, problem = await snooze(shop, listed[str(after)], 6)
    assert (status, problem["type"].rpartition("/")[2]) == (422, "snooze-too-long")
    assert "5 minutes" in problem["detail"]
    status, snoozed = await snooze(shop, listed[str(after)], 5)
    assert (status, snoozed["left"]) == (200, 0)
    status, problem = await snooze(shop, listed[str(after)], 1)
    assert (status, problem["type"].rpartition("/")[2]) == (409, "snoozed-too-often")
    await shop.call(after, "no_answer")
    shop.clock.forward(minutes=61)
    items = [item for item in (await tasks(shop.sale))["items"] if item["order_id"] == str(after)]
    answers = {item["kind"]: await snooze(shop, item, 1) for item in items}
    assert {kind: status for kind, (status, _) in answers.items()} == {"call": 409, "message": 409}
    assert "0 times" in answers["call"][1]["detail"]
    assert answers["message"][1]["type"].rpartition("/")[2] == "snooze-too-late", "a message beside it has the settings"
