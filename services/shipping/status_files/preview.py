"""A file or list is read, its parcels are found, and each row is told what it would do. Nothing moves."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final
from uuid import UUID

from services.shipping.context import Context
from services.shipping.status_files import parcels, store
from services.shipping.status_files.judging import Whole, judge
from services.shipping.status_files.problems import StatusFileAppliedBefore
from services.shipping.status_files.reading import Line, lines_of, pasted
from services.shipping.status_files.store import NewFile
from services.shipping.work import work
from shared.auth import Principal
from shared.contracts.events.shipping import ShipmentStatus
from shared.identity import new_id

if TYPE_CHECKING:
    from services.shipping.work import Connection

BATCH: Final = 500
"""Parcels that are judged, applied or taken back together."""
_BLOCK: Final = 1 << 20
_APPLIED: Final = "SELECT id FROM status_files WHERE content_hash = $1 AND state IN ('applying', 'applied')"


async def preview_file(
    context: Context,
    file: BinaryIO,
    *,
    name: str,
    status: ShipmentStatus | None,
    at: datetime | None,
    connection_id: UUID | None,
    by: Principal,
) -> UUID:
    """Previews an uploaded file; returns it.

    Args:
        status: of rows that say none.
        at: time of rows that say none; None: now.
        connection_id: the only connection whose parcels are meant; None: any.

    Raises:
        WorkbookRefused: it cannot be read.
        StatusFileAppliedBefore: the same was applied and not taken back.
    """
    now = context.now()
    with tempfile.TemporaryDirectory(prefix="chot-statuses-") as directory:
        path = Path(directory) / "upload"
        digest = await asyncio.to_thread(_save, file, path)
        new = _new(digest, name, status, at, connection_id, by, now=now)
        await _preview(context, new, lines_of(path, now=now), now=now)
    return new.id


async def preview_list(
    context: Context,
    codes: str,
    *,
    status: ShipmentStatus,
    at: datetime | None,
    connection_id: UUID | None,
    by: Principal,
) -> UUID:
    """As `preview_file`, for codes that were pasted.

    Raises:
        StatusFileEmpty, StatusFileTooLong, StatusFileAppliedBefore
    """
    now = context.now()
    digest = hashlib.sha256(" ".join(codes.split()).encode())
    new = _new(digest, "", status, at, connection_id, by, now=now)
    await _preview(context, new, _chunks(pasted(codes)), now=now)
    return new.id


async def _chunks(lists: Iterator[list[Line]]) -> AsyncIterator[list[Line]]:
    for lines in lists:
        yield lines


def _save(file: BinaryIO, path: Path) -> hashlib._Hash:
    digest = hashlib.sha256()
    with path.open("wb") as target:
        while block := file.read(_BLOCK):
            digest.update(block)
            target.write(block)
    return digest


def _new(
    digest: hashlib._Hash,
    name: str,
    status: ShipmentStatus | None,
    at: datetime | None,
    connection_id: UUID | None,
    by: Principal,
    *,
    now: datetime,
) -> NewFile:
    # The same list told as another status, or of another day, is another one.
    digest.update(f"\n{status or ''}\n{at.timestamp() if at else ''}\n{connection_id or ''}".encode())
    return NewFile(new_id(), name, digest.digest(), connection_id, status, at or now, by, now)


async def _preview(context: Context, new: NewFile, lines: AsyncIterator[list[Line]], *, now: datetime) -> None:
    async with work(context.db) as current:
        connection = current.connection
        applied = await connection.fetchval(_APPLIED, new.content_hash)
        if applied is not None:
            raise StatusFileAppliedBefore(file_id=str(applied))
        await store.add(connection, new)
        async for chunk in lines:
            await store.add_lines(connection, new.id, chunk)
        await store.find_parcels(connection, new)
        await _judge_all(connection, new, now=now)


async def _judge_all(connection: Connection, new: NewFile, *, now: datetime) -> None:
    whole = Whole(new.status, new.at)
    after: UUID | None = None
    while ids := await store.parcels_after(connection, new.id, after, limit=BATCH):
        rows = await store.rows_of(connection, new.id, ids)
        found = await parcels.known(connection, ids, rows, locked=False)
        judged = [
            each
            for shipment_id, known in found.items()
            for each in judge(known.parcel, rows[shipment_id], known.words, whole, now=now)
        ]
        await store.keep(connection, new.id, judged, column="verdict")
        after = ids[-1]
