"""Staged rows: page by page, and those that were staged one by one before there were pages."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
from alembic import command
from alembic.config import Config
from uuid_utils.compat import uuid7

from deploy.local.engines import Postgres
from services.leads.app import SERVICE
from services.leads.imports import receive
from tests.harness import Databases, Running, running
from tests.integration.leads.imports_support import all_rows, numbers, upload, work

_IMPORT = """
INSERT INTO imports (id, file_name, file_hash, uploaded_by, uploader, marketer, asked, sheet, columns, row_count, created_at,
    received_at, mode, only_new, header_key, state, row_cursor, rows_done, leads, repeated)
VALUES ($1, 'khach.xlsx', $2, $3, 'NV001', '', true, 'Khách', '[["SĐT", "phone"], ["Tên", "name"]]'::text::jsonb, 5, now(),
    now(), $4::text, $4::text = 'import', '', $5, $6, $7::integer, $7::integer - $8::integer, $8::integer)
"""
_ROW = "INSERT INTO import_rows (import_id, row_no, cells, verdict, reason) VALUES ($1, $2, $3, $4, $5)"


async def test_rows_that_wait_are_shown_from_page_to_page(leads: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receive, "PAGE_ROWS", 150)
    client = await leads.client()

    made = (await upload(client, numbers(520))).json()

    shown = await all_rows(client, made["id"])
    assert [(row["row"], row["verdict"]) for row in shown] == [(number, "waiting") for number in range(2, 522)]
    assert shown[337]["cells"] == ["0900000337", "Khách 337"]
    assert await all_rows(client, made["id"], verdict="waiting") == shown
    assert await all_rows(client, made["id"], verdict="lead") == []


async def test_uploads_that_were_staged_row_by_row_go_on(postgres: Postgres, databases: Databases) -> None:
    url = await postgres.create_database(f"leads_{uuid7().hex[-12:]}")
    config = Config()
    config.set_main_option("script_location", str(SERVICE.migrations))
    config.attributes["url"] = url
    await asyncio.to_thread(command.upgrade, config, "0014")
    begun, tried, uploader = uuid7(), uuid7(), uuid7()
    connection = await asyncpg.connect(url)
    # Rows 2 and 3 are done, row 3 of them known from an earlier import.
    await connection.execute(_IMPORT, begun, b"1", uploader, "import", "running", 3, 2, 1)
    await connection.execute(_IMPORT, tried, b"2", uploader, "dry_run", "checked", 6, 5, 0)
    for place in range(5):
        cells = f'["091234567{place}","Khách {place}"]'
        if place:
            known = ("repeated", "repeated") if place == 1 else ("", "")
            await connection.execute(_ROW, begun, place + 2, cells, *known)
        await connection.execute(_ROW, tried, place + 2, cells, "lead", "")
    await connection.close()

    await asyncio.to_thread(command.upgrade, config, "head")

    async with running(SERVICE, databases, database_url=url) as leads:
        client = await leads.client()
        verdicts = [(row["row"], row["verdict"]) for row in await all_rows(client, str(begun))]
        assert verdicts == [(3, "repeated"), (4, "waiting"), (5, "waiting"), (6, "waiting")]
        assert [row["verdict"] for row in await all_rows(client, str(tried))] == ["lead"] * 5

        await work(leads, str(begun))
        assert (await client.get(f"/v1/imports/{begun}")).json()["leads"] == 4
        assert (await client.post(f"/v1/imports/{tried}/import")).status_code == 200
        assert [row["verdict"] for row in await all_rows(client, str(tried))] == ["waiting"] * 5
        await work(leads, str(tried))
        found = [(row["row"], row["verdict"]) for row in await all_rows(client, str(tried))]
        assert found == [(2, "lead"), (3, "lead"), (4, "duplicate"), (5, "duplicate"), (6, "duplicate")]
