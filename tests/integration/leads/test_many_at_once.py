"""Many leads at once are taken in as one by one: the same verdicts, rows and events, whichever way they are written."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson
import pytest
from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.leads import writing
from services.leads.intake.accept import accept
from services.leads.intake.items import Item, Origin, Verdict, read_candidate
from services.leads.intake.locking import Locking
from tests.harness import TOLD, Running
from tests.integration.leads.imports_support import give_words, upload, work, workbook

ROWS: Final = 600
WEEK: Final = timedelta(days=7)
T0: Final = datetime(2026, 11, 21, 2, tzinfo=UTC)
STRANGE: Final = ("Lan\tMai", "a\\b", "dòng 1\ndòng 2", "\\N", "{x}", 'nói "dạ"', "ĐẶNG Ánh", "", "\\.", "😀 'x'")
_LEADS: Final = """
SELECT l.*, r.channel AS raw_channel, r.body, r.content_type, r.verdict AS raw_verdict, r.reason, r.reason_vi, r.fields,
    r.origin, r.digits, r.remote_ip, r.received_at AS raw_received_at, r.created_by AS raw_created_by
FROM raw_items r LEFT JOIN leads l USING (id) ORDER BY r.id
"""
_OTHERS: Final = (
    "SELECT phone, product_group, anchor_id, opened_at, closes_at, product, ended FROM duplicate_windows ORDER BY 1, 2",
    f"SELECT type, subject, payload::jsonb::text AS payload, correlation_id FROM ({TOLD}) AS told ORDER BY 1, 2, 3",
    "SELECT lead_id, pool_id, received_at, cause, excluded, reason, channel, product, landing_page FROM backlog ORDER BY 1",
    "SELECT encode(hash, 'hex'), text FROM consent_texts ORDER BY 1",
)
_TABLES: Final = "raw_items, leads, duplicate_windows, outbox, backlog, consent_texts, assignments, lead_words_due"


def arrivals(seed: int) -> list[Item]:
    """Rows as lists and forms have them: repeated numbers, two numbers in a cell, wrong ones, strange texts."""
    chance = random.Random(seed)
    origins = [
        Origin("excel", campaign="Tết", created_by=UUID(int=5)),
        Origin("landing_page", landing_page="lp\\1", asked_to_be_called=True, consent_text="Tôi\tđồng ý"),
    ]
    items = []
    for place in range(ROWS):
        phone = f"09{chance.randrange(ROWS):08d}"
        if chance.random() < 0.2:
            phone += f" / 03{chance.randrange(ROWS):08d}"
        texts = {name: chance.choice(STRANGE) for name in ("name", "product", "note", "address")}
        content = read_candidate(phone=phone if chance.random() > 0.05 else "không có số", **texts)
        at = T0 + timedelta(days=chance.randrange(12), microseconds=place)
        body = orjson.dumps([phone, *texts.values()])
        items.append(Item(uuid7(), at, chance.choice(origins), "application/json", body, content, correlation_id="c"))
    return items


async def take_in(leads: Running, items: Sequence[Item], *, together: int) -> list[Verdict]:
    """Takes items in, some in each transaction."""
    verdicts: list[Verdict] = []
    async with (await leads.db.driver()).acquire() as connection:
        for first in range(0, len(items), together):
            async with connection.transaction():
                accepted = await accept(connection, items[first : first + together], window=WEEK)
            verdicts += [one for one in accepted.outcomes if isinstance(one, Verdict)]
    return verdicts


async def written(leads: Running) -> list[Any]:
    pool = await leads.db.driver()
    rows = [[dict(row) for row in await pool.fetch(query)] for query in (_LEADS, *_OTHERS)]
    for row in rows[0]:
        row.pop("changed_at")
    await pool.execute(f"TRUNCATE {_TABLES} CASCADE")
    return rows


async def set_window(leads: Running, setting: dict[str, Any]) -> None:
    client = await leads.client()
    present = await client.get("/v1/settings/duplicates")
    etag = {"If-Match": present.headers["ETag"]}
    changed = await client.put("/v1/settings/duplicates", json=setting, headers=etag)
    assert changed.status_code == 200, changed.text


@pytest.mark.parametrize(
    "setting",
    [{"days": 7}, {"days": 0}, {"days": 5, "by_product": True, "product_groups": {"a\\b": "nhóm", "{x}": "nhóm"}}],
    ids=["a week", "none", "by product"],
)
async def test_leads_taken_in_together_are_written_as_those_taken_in_one_by_one(
    leads: Running, setting: dict[str, Any]
) -> None:
    await set_window(leads, setting)
    items = arrivals(seed=setting["days"])

    one_by_one = await take_in(leads, items, together=1), await written(leads)
    some = await take_in(leads, items, together=writing.COPY_FROM - 1), await written(leads)
    all_together = await take_in(leads, items, together=ROWS), await written(leads)

    counts = [sum(one.verdict == name for one in all_together[0]) for name in ("lead", "duplicate", "rejected")]
    assert all(counts)
    assert sum(counts) == ROWS
    assert all_together == some == one_by_one


async def test_what_was_just_imported_is_found_by_its_words_and_a_list_says_how_much_is_not_yet(leads: Running) -> None:
    client = await leads.client()
    people = [(f"09{place:08}", "Quách Hiếm" if place == 150 else f"Khách {place}") for place in range(300)]
    made = (await upload(client, workbook(people))).json()
    await work(leads, made["id"])

    soon = (await client.get("/v1/leads", params={"q": "quach hiem"})).json()
    many = (await client.get("/v1/leads", params={"q": "khach"})).json()
    await give_words(leads)
    later = (await client.get("/v1/leads", params={"q": "quach hiem"})).json()

    assert [item["name"] for item in soon["items"]] == ["Quách Hiếm"]
    assert len(many["items"]) == 50
    assert soon == later
    assert later["behind"] == 0


async def test_a_lead_that_is_corrected_before_it_has_its_words_is_found_by_the_new_ones(leads: Running) -> None:
    client = await leads.client()
    made = (await upload(client, workbook([(f"09{place:08}", f"Khách {place}") for place in range(300)]))).json()
    await work(leads, made["id"])
    (lead,) = (await client.get("/v1/leads", params={"q": "khach 77", "phone": "0900000077"})).json()["items"]
    async with leads.db.transaction() as session:
        await session.execute(text("UPDATE leads SET name = 'Đổi Tên' WHERE id = :id"), {"id": UUID(lead["id"])})

    await give_words(leads)

    assert [item["id"] for item in (await client.get("/v1/leads", params={"q": "doi ten"})).json()["items"]] == [
        lead["id"]
    ]
    assert (await client.get("/v1/leads", params={"q": "khach 77"})).json()["items"] == []


@pytest.mark.parametrize("table", ["raw_items", "imports", "sources", "pools", "distribution_rounds"])
async def test_what_leads_name_is_never_deleted(leads: Running, table: str) -> None:
    pool = await leads.db.driver()
    with pytest.raises(asyncpg.ForeignKeyViolationError, match=f"rows of {table} are never deleted"):
        await pool.execute(f"DELETE FROM {table}")


@pytest.mark.parametrize("left", ["backlog", "duplicate_windows"])
async def test_a_lead_is_not_deleted_while_something_of_it_is_left(leads: Running, left: str) -> None:
    item = arrivals(seed=1)[0]
    await take_in(leads, [item], together=1)
    other = {"backlog": "duplicate_windows", "duplicate_windows": "backlog"}[left]
    pool = await leads.db.driver()

    with pytest.raises(asyncpg.ForeignKeyViolationError, match=f"lead {item.id} is still in the backlog or holds"):
        await pool.execute(f"DELETE FROM {other}; DELETE FROM leads WHERE id = '{item.id}'")

    assert len(await leads.rows("SELECT 1 FROM leads")) == 1


async def test_who_has_nothing_to_lock_lets_nobody_past_the_one_before(leads: Running) -> None:
    """Else the one behind could hold what the one before wants, and wait for its commit."""
    asked, may, told = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def turn() -> None:
        asked.set()
        await may.wait()

    nobody = Item(uuid7(), T0, Origin("excel"), "application/json", b"[]", read_candidate(phone=""), correlation_id="c")
    pool = await leads.db.driver()
    async with pool.acquire() as connection, connection.transaction():
        taking = asyncio.create_task(accept(connection, [nobody], window=WEEK, locking=Locking(turn, told.set)))
        await asyncio.wait_for(asked.wait(), 30)
        assert not told.is_set()
        may.set()
        [rejected] = (await taking).outcomes
    assert told.is_set()
    assert isinstance(rejected, Verdict)
    assert rejected.verdict == "rejected"
