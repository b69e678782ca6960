"""The process that reads a workbook: its memory, what it is told, and that it never outlives its caller."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from services.leads.workbook.sheets import open_sheet
from shared.workbook.limits import MIB, Limits
from tests.unit.workbook_support import (
    children,
    many_rows,
    save,
)


async def test_twenty_thousand_rows_stream_with_flat_memory_on_both_sides(tmp_path: Path) -> None:
    path = many_rows(tmp_path / "a.xlsx", 20_000)
    numbers: list[int] = []

    tracemalloc.start()
    try:
        async with open_sheet(path, limits=Limits(memory_bytes=96 * MIB)) as sheet:
            async for rows in sheet:
                numbers += [row.number for row in rows]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert numbers == list(range(2, 20_002))
    # All rows at once would be 11 MiB of objects.
    assert peak < 3 * MIB


async def test_rows_come_in_chunks_of_the_size_asked_for(tmp_path: Path) -> None:
    path = many_rows(tmp_path / "a.xlsx", 1050)

    async with open_sheet(path, chunk_rows=500) as sheet:
        assert [len(rows) async for rows in sheet] == [500, 500, 50]


async def test_cells_that_end_like_a_row_does_do_not_end_it(tmp_path: Path) -> None:
    odd = ['x"],["', '"],["', "\\", "a\nb", '["', "]"]
    path = save(tmp_path / "a.xlsx", {"S": [["SĐT", "Ghi chú"], *(["0912345678", note] for note in odd)]})

    async with open_sheet(path) as sheet:
        notes = [row.values["note"] async for rows in sheet for row in rows]

    assert notes == odd


async def test_very_long_rows_make_shorter_chunks(tmp_path: Path) -> None:
    noise = random.Random(1)
    path = save(
        tmp_path / "a.xlsx",
        {"S": [["SĐT", "Ghi chú"], *([f"09{n:08}", noise.randbytes(15_000).hex()] for n in range(100))]},
    )

    async with open_sheet(path, chunk_rows=500) as sheet:
        sizes = [len(rows) async for rows in sheet]

    assert sum(sizes) == 100
    assert max(sizes) < 40


async def test_a_caller_who_stops_early_leaves_no_process_behind(tmp_path: Path) -> None:
    path = many_rows(tmp_path / "a.xlsx", 20_000)

    async with open_sheet(path, chunk_rows=10) as sheet:
        async for rows in sheet:
            assert rows[0].number == 2
            break
        assert len(children()) == 1

    assert children() == []


async def test_a_cancelled_caller_leaves_no_process_behind(tmp_path: Path) -> None:
    path = many_rows(tmp_path / "a.xlsx", 20_000)
    opened = asyncio.Event()

    async def hold() -> None:
        async with open_sheet(path):
            opened.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hold())
    await opened.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert children() == []


async def test_the_child_gets_none_of_our_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHOT_DATABASE_URL", "postgresql://secret")
    path = many_rows(tmp_path / "a.xlsx", 20_000)

    async with open_sheet(path, chunk_rows=10):
        environment = children()[0].environ()

    assert set(environment) <= {"PYTHONPATH", "LC_CTYPE"}


def test_the_child_imports_little() -> None:
    code = "import shared.workbook.child, sys; print(*sys.modules)"

    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert not {"asyncio", "fastapi", "openpyxl", "pydantic", "sqlalchemy", "structlog"} & set(modules)
