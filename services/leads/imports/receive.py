"""An upload: checked, parsed once in a child process, its rows staged beside it, its workflow asked for, or nothing."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from uuid_utils.compat import uuid7

from services.leads.driver import Connection, Pool, write_outbox
from services.leads.imports import mapping, store
from services.leads.imports.errors import ImportedBefore
from services.leads.imports.mapping import Wanted
from services.leads.imports.store import Known, Mode, Upload
from services.leads.intake.items import Origin
from services.leads.workbook.columns import Field, header_key
from services.leads.workbook.sheets import Sheet, open_sheet
from shared import outbox
from shared.contracts.workflows import start_import
from shared.db import Database
from shared.workbook.headings import Column, plain

MAX_ROWS: Final = 200_000
"""Rows of one import: what the limits of the workbook reader were measured for, twice over."""
MAX_FILE_NAME: Final = 200
PAGE_ROWS: Final = 2_000
"""Rows that the child process sends, and one transaction takes in, at a time: it holds their numbers against other arrivals
for about a tenth of a second."""
_BLOCK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done with an uploaded file, and by whom."""

    file_name: str
    origin: Origin
    uploader: str
    mode: Mode
    only_new: bool
    may_distribute: bool
    columns: Wanted | None
    """The sender's word about columns; None: as remembered, or by their names."""


async def receive(db: Database, file: BinaryIO, order: Order, *, zone: ZoneInfo) -> UUID:
    """Keeps an upload with its rows and asks for its workflow. Returns the import.

    A file whose import failed goes on where it stopped.

    Raises:
        WorkbookRefused: it cannot be imported.
        ColumnsWrong: the sender's word about columns does not fit.
        ImportedBefore: the same file was imported, and not only what is new in it is wanted.
    """
    received_at = datetime.now(UTC)
    pool = await db.driver()
    with tempfile.TemporaryDirectory(prefix="chot-upload-") as directory:
        path = Path(directory) / "upload.xlsx"
        file_hash = await asyncio.to_thread(_save, file, path)
        once = order.mode == "import" and not order.only_new
        if once and (earlier := await store.known(pool, file_hash)) is not None:
            return await _go_on(db, pool, earlier, zone=zone)
        phone_labels = [plain(label) for label in await store.phone_labels(pool)]
        phone_labels += [plain(label) for label, field in (order.columns or {}).items() if field == "phone"]
        async with open_sheet(path, max_rows=MAX_ROWS, chunk_rows=PAGE_ROWS, phone_labels=phone_labels) as sheet:
            columns, key = await _read_columns(pool, sheet, order)
            upload = Upload(
                id=uuid7(),
                file_name=order.file_name,
                file_hash=file_hash,
                header=sheet.header,
                columns=columns,
                header_key=key,
                origin=order.origin,
                uploader=order.uploader,
                received_at=received_at,
                mode=order.mode,
                only_new=order.only_new,
                may_distribute=order.may_distribute,
            )
            async with pool.acquire() as connection, connection.transaction():
                if await store.add(connection, upload):
                    await _keep(connection, upload, sheet, order)
                    twin = None
                else:
                    twin = await store.known(connection, file_hash)
    if twin is not None:
        raise imported_before(twin, zone)
    db.wake_relay()
    return upload.id


def imported_before(earlier: Known, zone: ZoneInfo) -> ImportedBefore:
    at = f"{earlier.created_at.astimezone(zone):%d/%m/%Y %H:%M}"
    return ImportedBefore(import_id=str(earlier.id), state=earlier.state, at=at)


def _save(file: BinaryIO, path: Path) -> bytes:
    """Writes the upload where the child can read it; returns its SHA-256."""
    digest = hashlib.sha256()
    with path.open("wb") as target:
        while block := file.read(_BLOCK):
            digest.update(block)
            target.write(block)
    return digest.digest()


async def _go_on(db: Database, pool: Pool, earlier: Known, *, zone: ZoneInfo) -> UUID:
    if earlier.state != "failed":
        raise imported_before(earlier, zone)
    async with pool.acquire() as connection, connection.transaction():
        round = await store.resume(connection, earlier.id)
        if round is not None:
            await write_outbox(connection, [outbox.command_row(start_import(earlier.id, round=round))])
    db.wake_relay()
    return earlier.id


async def _read_columns(pool: Pool, sheet: Sheet, order: Order) -> tuple[tuple[Column[Field], ...], str]:
    named = sheet.header.columns
    key = header_key(named)
    if order.columns is not None:
        return mapping.apply(named, order.columns, strictly=True), key
    return mapping.apply(named, await store.mapping(pool, key) or {}, strictly=False), key


async def _keep(connection: Connection, upload: Upload, sheet: Sheet, order: Order) -> None:
    await store.stage(connection, upload.id, sheet)
    if order.columns is not None:
        labels = [column.label for column in upload.columns]
        await store.remember(connection, upload.header_key, labels, order.columns, by=order.uploader)
    await write_outbox(connection, [outbox.command_row(start_import(upload.id))])
