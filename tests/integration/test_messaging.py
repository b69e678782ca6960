"""Outbox, relay, bus, consumer, inbox and dead letters together, on real PostgreSQL and JetStream."""

from __future__ import annotations

import shutil
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import nats as nats_client
import pytest
from sqlalchemy import text
from uuid_utils.compat import uuid7

from deploy.local.engines import Nats
from shared import relay
from shared.consumer import Event, Handlers, NotYet
from shared.contracts.events.orders import ORDER_CANCELLED, OrderCancelled
from shared.contracts.permissions import OPERATE
from shared.db import Session
from shared.fact_columns import FactColumns, rows
from shared.outbox import FACTS_A_ROW, emit, write
from shared.service import Service
from shared.settings import Settings
from tests.harness import Databases, Running, eventually, running

MIGRATIONS = Path(__file__).parent / "probe"
NOW = datetime(2026, 11, 21, tzinfo=UTC)


def cancelled(order_id: UUID, *, reason: str = "đổi ý") -> OrderCancelled:
    return OrderCancelled(order_id=order_id, version=1, at=NOW, reason=reason)


async def count_effect(session: Session, event: Event[OrderCancelled]) -> None:
    if event.data.reason == "poison":
        raise ValueError("cannot be applied")
    if event.data.reason == "early":
        known = await session.execute(text("SELECT 1 FROM effects WHERE order_id <> :id"), {"id": event.data.order_id})
        if known.first() is None:
            raise NotYet("nothing came before")
    await session.execute(
        text("INSERT INTO effects VALUES (:event, :order)"), {"event": event.id, "order": event.data.order_id}
    )


@pytest.fixture
async def probe(databases: Databases, nats: Nats) -> AsyncIterator[Running]:
    handlers = Handlers()
    handlers.each(ORDER_CANCELLED)(count_effect)
    service = Service(name="orders", title="probe", settings=Settings, migrations=MIGRATIONS, handlers=handlers)
    async with running(service, databases, nats=nats) as instance:
        yield instance


async def effects(probe: Running) -> list[UUID]:
    return [row.order_id for row in await probe.rows("SELECT order_id FROM effects")]


async def test_every_event_arrives_once(probe: Running) -> None:
    probe.start("relay", "consumer")
    orders = [uuid7() for _ in range(500)]
    for order in orders:
        async with probe.db.transaction() as session:
            await emit(session, ORDER_CANCELLED, cancelled(order), subject=order)

    async def all_there() -> bool:
        return len(await effects(probe)) >= len(orders)

    await eventually(all_there)
    assert sorted(await effects(probe)) == sorted(orders)


async def tell_together(probe: Running, count: int) -> list[UUID]:
    """Writes so many facts of one cause, hundreds a row."""
    orders = [uuid7() for _ in range(count)]
    facts = [cancelled(order).model_dump(mode="json", by_alias=True) for order in orders]
    columns = {field: [fact[field] for fact in facts] for field in facts[0]}
    async with probe.db.transaction() as session:
        await write(session, rows(FactColumns(ORDER_CANCELLED.name, columns)))
    return orders


async def test_facts_that_were_written_together_arrive_each_once_behind_what_was_there_and_before_what_came_later(
    probe: Running,
) -> None:
    first, last = uuid7(), uuid7()
    async with probe.db.transaction() as session:
        await emit(session, ORDER_CANCELLED, cancelled(first), subject=first)
    together = await tell_together(probe, 3 * FACTS_A_ROW + 1)
    async with probe.db.transaction() as session:
        await emit(session, ORDER_CANCELLED, cancelled(last), subject=last)
    assert len(await probe.rows("SELECT 1 FROM outbox WHERE destination = 'events'")) == 4
    probe.start("relay")
    await eventually(lambda: sent(probe), within=40)
    probe.start("consumer")

    async def all_there() -> bool:
        return len(await effects(probe)) >= len(together) + 2

    await eventually(all_there, within=40)
    assert sorted(await effects(probe)) == sorted([first, *together, last])
    (row,) = await probe.rows(
        "SELECT max(o.stream_sequence) FILTER (WHERE subject = :first) AS first, "
        "min(o.stream_sequence) FILTER (WHERE destination = 'events') AS together, "
        "max(o.stream_sequence) FILTER (WHERE destination = 'events') AS to, "
        "max(o.stream_sequence) FILTER (WHERE subject = :last) AS last FROM outbox o",
        first=str(first),
        last=str(last),
    )
    assert row.first < row.together < row.to < row.last


async def test_facts_written_together_and_lost_with_the_stream_are_sent_again_and_applied_once(
    probe: Running, nats: Nats
) -> None:
    probe.start("relay")
    orders = await tell_together(probe, 2 * FACTS_A_ROW)
    await eventually(lambda: sent(probe), within=40)
    await nats.wipe()
    probe.start("consumer")

    async def all_there() -> bool:
        return len(await effects(probe)) >= len(orders)

    await eventually(all_there, within=40)
    client = await probe.client(OPERATE)
    since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    assert (await client.post("/v1/messages/republish", json={"since": since})).json() == {"events": len(orders)}
    await eventually(lambda: sent(probe), within=40)
    assert sorted(await effects(probe)) == sorted(orders)


async def test_one_event_does_not_wait_for_a_full_batch(probe: Running) -> None:
    probe.start("relay", "consumer")

    async def consuming() -> bool:
        async with probe.db.transaction() as session:
            await emit(session, ORDER_CANCELLED, cancelled(uuid7()), subject="warm")
        return len(await effects(probe)) > 0

    await eventually(consuming)
    latencies = []
    for _ in range(20):
        order = uuid7()
        started = time.perf_counter()
        async with probe.db.transaction() as session:
            await emit(session, ORDER_CANCELLED, cancelled(order), subject=order)

        async def arrived(order: UUID = order) -> bool:
            return order in await effects(probe)

        await eventually(arrived, every=0.001)
        latencies.append(time.perf_counter() - started)
    # The pull waits five seconds for a full batch; an event that had to wait for it would show here.
    assert sorted(latencies)[10] < 2.5


async def test_a_rolled_back_change_says_nothing(probe: Running) -> None:
    async def change_that_fails() -> None:
        async with probe.db.transaction() as session:
            await emit(session, ORDER_CANCELLED, cancelled(uuid7()), subject="x")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await change_that_fails()
    assert await probe.outbox() == []


async def test_events_written_while_nats_is_away_arrive_when_it_is_back(probe: Running, nats: Nats) -> None:
    probe.start("relay", "consumer")
    await nats.kill()
    orders = [uuid7() for _ in range(50)]
    for order in orders:
        async with probe.db.transaction() as session:
            await emit(session, ORDER_CANCELLED, cancelled(order), subject=order)
    await nats.start()

    async def all_there() -> bool:
        return sorted(await effects(probe)) == sorted(orders)

    await eventually(all_there, within=40)


async def test_events_lost_with_the_stream_are_sent_again_and_applied_once(probe: Running, nats: Nats) -> None:
    probe.start("relay", "consumer")
    orders = [uuid7() for _ in range(20)]
    for order in orders:
        async with probe.db.transaction() as session:
            await emit(session, ORDER_CANCELLED, cancelled(order), subject=order)

    async def all_there() -> bool:
        return len(await effects(probe)) == len(orders)

    await eventually(all_there)
    await probe.stop("consumer")
    late = uuid7()
    async with probe.db.transaction() as session:
        await emit(session, ORDER_CANCELLED, cancelled(late), subject=late)

    await eventually(lambda: sent(probe))
    await nats.wipe()
    probe.start("consumer")

    async def late_there() -> bool:
        return late in await effects(probe)

    await eventually(late_there, within=40)
    assert sorted(await effects(probe)) == sorted([*orders, late])


async def sent(probe: Running) -> bool:
    return not await probe.rows("SELECT 1 FROM outbox WHERE status <> 'sent'")


async def tell(probe: Running, count: int) -> list[UUID]:
    """Writes so many events, and waits until JetStream has acknowledged them."""
    orders = [uuid7() for _ in range(count)]
    async with probe.db.transaction() as session:
        for order in orders:
            await emit(session, ORDER_CANCELLED, cancelled(order), subject=order)
    await eventually(lambda: sent(probe), within=40)
    return orders


async def test_events_acknowledged_right_before_the_stream_was_lost_are_sent_again(
    probe: Running, nats: Nats, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "STREAM_CHECK", 0.05)
    probe.start("relay")
    orders = await tell(probe, 20)
    await nats.wipe()
    orders += await tell(probe, 20)
    probe.start("consumer")

    async def all_there() -> bool:
        return sorted(await effects(probe)) == sorted(orders)

    await eventually(all_there, within=40)


async def test_events_lost_with_an_older_copy_of_the_store_are_sent_again_although_newer_ones_took_their_place(
    probe: Running, nats: Nats, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # As if the newer ones came before the relay looked at the stream.
    monkeypatch.setattr(relay, "STREAM_CHECK", 3600)
    probe.start("relay")
    orders = await tell(probe, 5)
    await nats.stop()
    shutil.copytree(nats.data_dir, tmp_path / "copy")
    await nats.start()
    orders += await tell(probe, 5)
    await nats.stop()
    shutil.rmtree(nats.data_dir)
    shutil.copytree(tmp_path / "copy", nats.data_dir)
    await nats.start()
    orders += await tell(probe, 10)
    probe.start("consumer")

    async def all_there() -> bool:
        return sorted(await effects(probe)) == sorted(orders)

    await eventually(all_there, within=40)


async def test_the_relay_forgets_answers_that_nobody_may_ask_for_again(probe: Running) -> None:
    async with probe.db.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO idempotency_keys (principal, route, key, request_hash, created_at) VALUES "
                "('p', 'r', 'yesterday', '', now() - interval '25 hours'), ('p', 'r', 'today', '', now())"
            )
        )
    probe.start("relay")

    async def only_todays() -> bool:
        return [row.key for row in await probe.rows("SELECT key FROM idempotency_keys")] == ["today"]

    await eventually(only_todays)


async def test_a_poisoned_event_becomes_a_dead_letter_and_delays_no_other(
    probe: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.consumer.MAX_ATTEMPTS", 3)
    probe.start("relay", "consumer")
    poison, good = uuid7(), [uuid7() for _ in range(10)]
    async with probe.db.transaction() as session:
        await emit(session, ORDER_CANCELLED, cancelled(poison, reason="poison"), subject=poison)
        for order in good:
            await emit(session, ORDER_CANCELLED, cancelled(order), subject=order)

    async def good_there() -> bool:
        return sorted(await effects(probe)) == sorted(good)

    await eventually(good_there)
    client = await probe.client(OPERATE)

    async def listed() -> list[dict[str, str]]:
        return list((await client.get("/v1/messages/dead-letters")).json()["items"])

    letters = await eventually(listed)
    assert [letter["subject"] for letter in letters] == [str(poison)]
    assert "ValueError" in letters[0]["error"]

    again = await client.post("/v1/messages/dead-letters/replay", json={"ids": [letters[0]["id"]]})
    assert again.json()[0]["ok"] is False

    async with probe.db.transaction() as session:
        await session.execute(
            text(
                "UPDATE dead_letters SET payload = convert_to(replace(convert_from(payload, 'UTF8'), 'poison', 'ok'), 'UTF8')"
            )
        )
    for _ in range(2):
        await client.post("/v1/messages/dead-letters/replay", json={"ids": [letters[0]["id"]]})
    assert sorted(await effects(probe)) == sorted([*good, poison])
    assert await listed() == []


async def test_an_event_that_came_too_early_is_applied_after_its_cause(probe: Running) -> None:
    probe.start("relay", "consumer")
    early, cause = uuid7(), uuid7()
    async with probe.db.transaction() as session:
        await emit(session, ORDER_CANCELLED, cancelled(early, reason="early"), subject=early)

    async def refused_once() -> bool:
        return bool(await probe.rows("SELECT 1 FROM inbox WHERE attempts > 1"))

    await eventually(refused_once)
    async with probe.db.transaction() as session:
        await emit(session, ORDER_CANCELLED, cancelled(cause), subject=cause)

    async def both_there() -> bool:
        return sorted(await effects(probe)) == sorted([early, cause])

    await eventually(both_there)


async def test_a_message_that_is_no_event_is_set_aside_at_once(probe: Running, nats: Nats) -> None:
    probe.start("relay", "consumer")
    connection = await nats_client.connect(nats.url)
    js = connection.jetstream()

    async def published() -> bool:
        try:
            await js.publish("orders.order.cancelled.v1", b"\xff not json", headers={"ce-type": "nonsense"})
        except nats_client.js.errors.NoStreamResponseError:
            return False
        return True

    await eventually(published)

    async def set_aside() -> bool:
        rows = await probe.rows("SELECT error FROM dead_letters")
        return len(rows) == 1 and "not an event" in rows[0].error

    await eventually(set_aside)
    await connection.close()


async def test_republish_sends_again_and_changes_nothing(probe: Running) -> None:
    probe.start("relay", "consumer")
    order = uuid7()
    async with probe.db.transaction() as session:
        await emit(session, ORDER_CANCELLED, cancelled(order), subject=order)

    async def there() -> bool:
        return len(await effects(probe)) == 1 and not await probe.rows("SELECT 1 FROM outbox WHERE status <> 'sent'")

    await eventually(there)
    client = await probe.client(OPERATE)
    since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    answer = await client.post("/v1/messages/republish", json={"since": since})
    assert answer.json() == {"events": 1}
    await eventually(there)
    too_far = await client.post(
        "/v1/messages/republish", json={"since": (datetime.now(UTC) - timedelta(days=30)).isoformat()}
    )
    assert too_far.status_code == 422
    assert too_far.json()["title"] == "republish-beyond-horizon"
    after_all_years = await client.post("/v1/messages/republish", json={"since": "9999-12-31T23:59:59-14:00"})
    assert (after_all_years.status_code, after_all_years.json()["errors"][0]["field"]) == (422, "body.since")


async def test_routes_need_a_token_and_a_permission(probe: Running) -> None:
    nobody = await probe.anonymous()
    assert (await nobody.get("/v1/messages/dead-letters")).status_code == 401
    without = await probe.client("orders.read")
    refused = await without.get("/v1/messages/dead-letters", headers={"Accept-Language": "en"})
    assert refused.status_code == 403
    assert "system.operate" in refused.json()["detail"]
    expired = await probe.client(OPERATE, expires_in=-60)
    assert (await expired.get("/v1/messages/dead-letters")).status_code == 401
