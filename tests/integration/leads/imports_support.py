"""Workbooks to import, and imports worked on without Temporal: the activity's turns, one after another."""

from __future__ import annotations

import io
from collections.abc import Sequence, Set
from typing import Any
from uuid import UUID

import httpx
from openpyxl import Workbook

from services.leads.imports.turn import Turns
from services.leads.listing import words
from services.leads.state import parts_of
from tests.harness import Running


def workbook(rows: Sequence[Sequence[Any]], header: Sequence[str] = ("Số điện thoại", "Họ tên")) -> bytes:
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Khách")
    sheet.append(list(header))
    for row in rows:
        sheet.append(list(row))
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def numbers(count: int) -> bytes:
    """A workbook with this many different numbers."""
    return workbook([(f"09{place:08}", f"Khách {place}") for place in range(count)])


async def upload(client: httpx.AsyncClient, content: bytes, name: str = "khach.xlsx", **fields: str) -> httpx.Response:
    return await client.post("/v1/imports", files={"file": (name, content)}, data=fields)


def turns_of(leads: Running) -> Turns:
    window = leads.runtime.settings.duplicate_window
    return Turns(leads.db, sources=parts_of(leads.runtime).sources, window=window)


async def give_words(leads: Running) -> None:
    """Lets every lead be found by its words, as `WordKeeper` does."""
    async with (await leads.db.driver()).acquire() as connection:
        await words.catch_up_with_all(connection)


async def quiet(_: int) -> None:
    """Nobody is told how far a turn is."""


async def work(leads: Running, import_id: str) -> None:
    """Goes on with an import until it no longer runs."""
    while (await turns_of(leads).take(UUID(import_id), beat=quiet))["state"] == "running":
        pass


async def all_rows(client: httpx.AsyncClient, import_id: str, **filters: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    after = 0
    while after is not None:
        page = await client.get(f"/v1/imports/{import_id}/rows", params={"after": after, "limit": 200, **filters})
        rows += page.json()["items"]
        after = page.json()["next"]
    return rows


AUDIT = {
    "imports": "what was imported and undone",
    "import_kept": "what the undo left",
    "raw_items": "what came in, with its verdict 'undone'",
    "assignments": "who got what, when",
    "distribution_rounds": "whom a pool could choose from",
    "pools": "how many rounds there were",
    "pool_members": "shares given out",
    "quota_use": "numbers given out of a day's quota",
    "outbox": "facts told",
    "relay_streams": "where they were told",
}
"""Tables that tell what happened; an undo adds to them."""


async def tables(leads: Running, *, but: Set[str] = frozenset()) -> dict[str, str]:
    """A hash of the contents of each table that is no audit.

    Args:
        but: tables to leave out.
    """
    names = await leads.rows(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> ALL(:audit) ORDER BY 1",
        audit=[*AUDIT, *but],
    )
    found = {}
    for (name,) in names:
        (row,) = await leads.rows(f"SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {name} t")
        found[name] = row[0]
    return found
