"""A list whose numbers others are at: what is written at once gives way, waits for them and is judged by what they leave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg
import pytest
from uuid_utils.compat import uuid7

from services.leads.intake import numbers
from services.leads.intake.accept import accept
from services.leads.intake.items import Item, Origin, Verdict, read_candidate
from services.leads.writing import COPY_FROM
from tests.harness import Running, eventually
from tests.integration.leads.company import post

WEEK: Final = timedelta(days=7)
_WAITING: Final = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
_OPEN: Final = """
INSERT INTO duplicate_windows (phone, anchor_id, opened_at, closes_at) VALUES ($1, $2, now(), now() + interval '7 days')
"""


@pytest.fixture
async def other(leads: Running) -> AsyncIterator[asyncpg.Connection]:
    """Somebody else's connection."""
    connection = await asyncpg.connect(leads.db.url)
    # Of two that lock one another out, the database ends the one that has waited for this long: not this one.
    await connection.execute("SET deadlock_timeout = '1min'")
    yield connection
    await connection.close()


def a_list() -> list[Item]:
    return [
        Item(
            uuid7(),
            datetime.now(UTC),
            Origin("excel"),
            "application/json",
            b"[]",
            read_candidate(phone=f"09{place:08d}"),
            correlation_id="c",
        )
        for place in range(COPY_FROM + 50)
    ]


async def take_in(leads: Running, items: list[Item]) -> list[Verdict]:
    async with (await leads.db.driver()).acquire() as connection, connection.transaction():
        accepted = await accept(connection, items, window=WEEK)
    return [one for one in accepted.outcomes if isinstance(one, Verdict)]


async def waiting(leads: Running) -> None:
    # Not by the other's connection: within a transaction these views stand still.
    await eventually(lambda: leads.rows(_WAITING), what="the list waits for a number")


async def test_a_number_that_another_transaction_is_just_writing_is_waited_for(
    leads: Running, other: asyncpg.Connection
) -> None:
    first = UUID((await post(await leads.client(), "0987654321"))["id"])
    items = a_list()
    writing = other.transaction()
    await writing.start()
    await other.execute(_OPEN, "+84900000100", first)

    taking = asyncio.create_task(take_in(leads, items))
    await waiting(leads)
    await writing.commit()
    verdicts = await taking

    assert [place for place, one in enumerate(verdicts) if one.verdict == "duplicate"] == [100]
    assert verdicts[100].anchor_id == first
    opened = await leads.rows("SELECT 1 FROM duplicate_windows WHERE anchor_id <> :first", first=first)
    assert len(opened) == len(items) - 1


async def test_a_number_whose_writer_gives_up_is_new(leads: Running, other: asyncpg.Connection) -> None:
    items = a_list()
    writing = other.transaction()
    await writing.start()
    await other.execute(_OPEN, "+84900000100", uuid7())

    taking = asyncio.create_task(take_in(leads, items))
    await waiting(leads)
    await writing.rollback()
    verdicts = await taking

    assert {one.verdict for one in verdicts} == {"lead"}


async def test_a_known_number_that_another_transaction_holds_is_waited_for(
    leads: Running, other: asyncpg.Connection
) -> None:
    known = await post(await leads.client(), "0900000200")
    items = a_list()
    writing = other.transaction()
    await writing.start()
    await other.execute("SELECT 1 FROM duplicate_windows WHERE phone = '+84900000200' FOR UPDATE")

    taking = asyncio.create_task(take_in(leads, items))
    await waiting(leads)
    await other.execute("UPDATE duplicate_windows SET ended = true WHERE phone = '+84900000200'")
    await writing.commit()
    verdicts = await taking

    assert {one.verdict for one in verdicts} == {"lead"}
    (row,) = await leads.rows("SELECT anchor_id FROM duplicate_windows WHERE phone = '+84900000200'")
    assert row.anchor_id == items[200].id != UUID(known["id"])


async def test_known_and_new_numbers_of_a_list_are_judged_together(leads: Running) -> None:
    client = await leads.client()
    known = {place: (await post(client, f"09{place:08d}"))["id"] for place in (0, 77, COPY_FROM + 49)}
    items = a_list()

    verdicts = await take_in(leads, items)

    duplicates = {place: str(one.anchor_id) for place, one in enumerate(verdicts) if one.verdict == "duplicate"}
    assert duplicates == known


async def test_a_number_that_is_forgotten_when_it_is_to_be_locked_is_new(
    leads: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if an import had been undone between the look and the lock.
    monkeypatch.setattr(numbers, "_THERE", "SELECT '+84900000100' AS phone WHERE $1::text <> ''")

    verdicts = await take_in(leads, a_list())

    assert {one.verdict for one in verdicts} == {"lead"}
    assert len(await leads.rows("SELECT 1 FROM duplicate_windows WHERE anchor_id IS NOT NULL")) == len(verdicts)
