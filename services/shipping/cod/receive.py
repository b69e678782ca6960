"""A statement comes in: parsed once in a child process, its lines matched and staged beside it, its workflow asked for.

A file whose columns are not known is kept as it is, with what was found in it, until somebody says what they mean.
"""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final
from uuid import UUID

import asyncpg
import orjson

from services.shipping.cod import column_maps, matching, store
from services.shipping.cod.amounts import code_key
from services.shipping.cod.layouts import FIELD_WORDS, FIELDS, Field, Reading, header_key, headings, read_columns
from services.shipping.cod.lines import Line, SheetReader, as_json
from services.shipping.cod.preamble import read_preamble
from services.shipping.cod.problems import (
    ColumnsWrong,
    SessionBefore,
    StatementBefore,
    StatementHasNoLines,
    StatementNotThere,
)
from services.shipping.cod.store import Known, NewStatement
from services.shipping.problems import UnknownConnection
from services.shipping.work import Work, work
from shared.contracts.workflows import nudge_settlement
from shared.db import Database
from shared.errors import ZONE, NotFound
from shared.identity import new_id
from shared.workbook.errors import WorkbookHeaderMissing
from shared.workbook.headings import plain
from shared.workbook.reading import Sheet, open_sheets

if TYPE_CHECKING:
    Pool = asyncpg.Pool[asyncpg.Record]

MAX_LINES: Final = 200_000
"""Lines of one statement: what the limits of the workbook reader were measured for, twice over."""
CHUNK_LINES: Final = 2_000
"""Lines matched by one statement; the child sends as many at a time."""
FORMATS: Final = ("xlsx", "xls", "csv")
_BLOCK: Final = 1 << 20

Said = Mapping[str, Field | None]
"""Name of a column → what somebody says that it means; None = kept, not read."""


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody says of a file. Empty `number` and no `paid_on`: as the file says."""

    connection_id: UUID
    file_name: str
    by: str
    number: str = ""
    paid_on: date | None = None
    columns: Said | None = None
    replaces: bool = False
    """It corrects a statement of the same session, which is withdrawn."""


@dataclass
class _Taken:
    """What came out of a file."""

    sheets: list[dict[str, object]]
    readings: list[Reading]
    number: str = ""
    paid_on: date | None = None
    lines: int = 0
    matched: int = 0
    cod: int = 0
    fees: int = 0
    compensation: int = 0
    net: int = 0
    net_told: bool = False
    found: str = ""
    """Where no sheet could be read: what stands where the column names should be."""
    labels: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def readable(self) -> bool:
        return bool(self.readings)

    @property
    def payout(self) -> int:
        return self.net if self.net_told else self.cod + self.compensation - self.fees


async def receive(db: Database, file: BinaryIO, order: Order, *, now: datetime) -> UUID:
    """Keeps a statement with its lines and asks for its workflow. Returns the statement.

    Raises:
        WorkbookRefused: it is no table that can be opened.
        StatementBefore, SessionBefore, UnknownConnection, StatementHasNoLines, ColumnsWrong.
    """
    pool = await db.driver()
    carrier = await _carrier(pool, order.connection_id)
    with tempfile.TemporaryDirectory(prefix="chot-statement-") as directory:
        path = Path(directory) / "statement"
        file_hash = await asyncio.to_thread(_save, file, path)
        if (earlier := await store.same_file(pool, file_hash)) is not None:
            raise _before(earlier)
        statement = NewStatement(
            id=new_id(),
            connection_id=order.connection_id,
            number="",
            number_key="",
            paid_on=order.paid_on or now.astimezone(ZONE).date(),
            file_name=order.file_name,
            file_hash=file_hash,
            uploaded_by=order.by,
            created_at=now,
        )
        async with work(db) as current:
            if not await store.add(current.connection, statement):
                twin = await store.same_file(current.connection, file_hash)
                assert twin is not None
                raise _before(twin)
            taken = await _take(pool, current, path, statement, carrier=carrier, said=order.columns)
            if taken.readable:
                await _keep(current, statement, taken, order, carrier=carrier)
            else:
                content = await asyncio.to_thread(path.read_bytes)
                await current.connection.execute(
                    _UNMAPPED, statement.id, as_json({"found": taken.found, "missing": taken.missing}), content
                )
    return statement.id


async def map_columns(db: Database, statement_id: UUID, columns: Said, *, by: str, now: datetime) -> None:
    """Reads a statement that was kept unread, with what somebody says of its columns; remembers it for further files.

    Raises:
        ColumnsWrong: it cannot be read so either; nothing has changed.
        StatementNotThere: it has been read.
        NotFound, SessionBefore, StatementHasNoLines.
    """
    pool = await db.driver()
    async with work(db) as current:
        row = await current.connection.fetchrow(_UNREAD, statement_id)
        if row is None:
            raise NotFound(what="bảng đối soát / statement")
        if row["content"] is None:
            raise StatementNotThere(state=row["state"])
        statement = NewStatement(
            **{name: row[name] for name in NewStatement.__slots__},
        )
        order = Order(statement.connection_id, statement.file_name, by, paid_on=None, columns=columns)
        with tempfile.TemporaryDirectory(prefix="chot-statement-") as directory:
            path = Path(directory) / "statement"
            await asyncio.to_thread(path.write_bytes, row["content"])
            taken = await _take(pool, current, path, statement, carrier=row["carrier"], said=columns)
        if not taken.readable:
            raise ColumnsWrong(columns=_missing_words(taken), known=taken.found or ", ".join(taken.labels))
        await _keep(current, statement, taken, order, carrier=row["carrier"])


async def _carrier(pool: Pool, connection_id: UUID) -> str:
    carrier = await pool.fetchval("SELECT carrier FROM carrier_connections WHERE id = $1", connection_id)
    if carrier is None:
        raise UnknownConnection
    return str(carrier)


def _save(file: BinaryIO, path: Path) -> bytes:
    """Writes the upload where the child can read it; returns its SHA-256."""
    digest = hashlib.sha256()
    with path.open("wb") as target:
        while block := file.read(_BLOCK):
            digest.update(block)
            target.write(block)
    return digest.digest()


def _before(earlier: Known) -> StatementBefore:
    return StatementBefore(statement_id=str(earlier.id), state=earlier.state, at=earlier.created_at)


async def _take(
    pool: Pool, current: Work, path: Path, statement: NewStatement, *, carrier: str, said: Said | None
) -> _Taken:
    """Stages the lines of every sheet that can be read."""
    taken = _Taken([], [])
    remembered = await column_maps.names(pool, carrier)
    by_name = {plain(label): field for label, field in (said or {}).items()}
    known = remembered | {name: field for name, field in by_name.items() if field is not None}
    labels: list[str] = []
    try:
        async with open_sheets(
            path, headings(carrier, known), formats=FORMATS, max_rows=MAX_LINES, chunk_rows=CHUNK_LINES
        ) as sheets:
            async for sheet in sheets:
                await _take_sheet(pool, current, sheet, statement, taken, carrier=carrier, said=by_name)
                labels += [column.label for column in sheet.header.columns]
    except WorkbookHeaderMissing as error:
        taken.found = str(error.members["found"])
        taken.missing = ("code",)
    taken.labels = tuple(dict.fromkeys(labels))
    unknown = sorted(set(by_name) - {plain(label) for label in labels})
    if said is not None and taken.readable and unknown:
        raise ColumnsWrong(columns=", ".join(unknown), known=", ".join(f"“{label}”" for label in taken.labels))
    return taken


async def _take_sheet(
    pool: Pool,
    current: Work,
    sheet: Sheet[Field],
    statement: NewStatement,
    taken: _Taken,
    *,
    carrier: str,
    said: Said,
) -> None:
    header = sheet.header
    labels = [column.label for column in header.columns]
    key = header_key(labels)
    reading = read_columns(carrier, labels, said or await column_maps.one(pool, carrier, key))
    about: dict[str, object] = {
        "sheet": header.sheet,
        "header_row": header.row,
        "header_key": key,
        "layout": reading.layout,
        "columns": list(zip(labels, reading.fields, strict=True)),
    }
    taken.sheets.append(about)
    preamble = read_preamble(header.above)
    taken.number = taken.number or preamble.number
    taken.paid_on = taken.paid_on or preamble.paid_on
    if reading.missing:
        about["skipped"] = reading.missing
        taken.missing = reading.missing
        taken.found = taken.found or ", ".join(f"“{label}”" for label in labels)
        return
    taken.readings.append(reading)
    reader = SheetReader(len(taken.sheets) - 1, reading.fields, labels)
    await current.connection.copy_records_to_table(
        "cod_lines", records=_records(pool, sheet, statement, reader, taken), columns=store.LINE_COLUMNS
    )
    taken.number = taken.number or reader.session
    about["ignored_rows"] = reader.ignored


async def _records(
    pool: Pool, sheet: Sheet[Field], statement: NewStatement, reader: SheetReader, taken: _Taken
) -> AsyncIterator[tuple[object, ...]]:
    """The rows of `cod_lines`, each with its parcel. The next chunk is parsed while the database takes this one."""
    async for page in sheet.pages():
        written = dict(zip(page.numbers, page.lines.split(b"\n"), strict=True))
        lines = await asyncio.to_thread(_lines, reader, written)
        matches = await matching.match(pool, statement.connection_id, lines)
        for line, (shipment_id, by) in zip(lines, matches, strict=True):
            taken.lines += 1
            taken.matched += shipment_id is not None
            taken.cod += line.cod or 0
            taken.fees += line.fee or 0
            taken.compensation += line.compensation or 0
            if line.net is not None:
                taken.net += line.net
                taken.net_told = True
            yield (
                statement.id,
                taken.lines,
                line.sheet,
                line.row,
                line.waybill,
                line.code,
                shipment_id,
                by,
                line.status,
                line.cod,
                line.compensation,
                line.delivery_fee,
                line.fee,
                as_json(line.fees),
                line.net,
                line.unreadable,
                written[line.row].decode(),
            )


def _lines(reader: SheetReader, written: Mapping[int, bytes]) -> list[Line]:
    return reader.read([(number, orjson.loads(cells)) for number, cells in written.items()])


async def _keep(current: Work, statement: NewStatement, taken: _Taken, order: Order, *, carrier: str) -> None:
    if taken.lines == 0:
        raise StatementHasNoLines
    number = order.number or taken.number
    number_key = code_key(number)
    if (earlier := await store.same_session(current.connection, statement.connection_id, number_key)) is not None:
        if not order.replaces:
            raise SessionBefore(
                statement_id=str(earlier.id), state=earlier.state, at=earlier.created_at, number=earlier.number
            )
        await store.withdraw(
            current, earlier.id, by=order.by, reason=f"{statement.file_name}", now=statement.created_at
        )
    state = "matching" if taken.matched else "doubtful"
    try:
        await current.connection.execute(
            _READ,
            statement.id,
            number,
            number_key,
            order.paid_on or taken.paid_on or statement.paid_on,
            taken.readings[0].layout,
            as_json(taken.sheets),
            state,
            taken.lines,
            taken.matched,
            taken.cod,
            taken.fees,
            taken.compensation,
            taken.payout,
        )
    except asyncpg.UniqueViolationError:
        # Somebody else has just kept another file of the session.
        raise SessionBefore(statement_id="", state="matching", at=statement.created_at, number=number) from None
    if order.columns is not None:
        for sheet in taken.sheets:
            await column_maps.remember(
                current.connection, carrier, str(sheet["header_key"]), order.columns, by=order.by
            )
    if state == "matching":
        current.send(nudge_settlement(statement.id))


def _missing_words(taken: _Taken) -> str:
    words = {"code": FIELD_WORDS["waybill"][0], "money": FIELD_WORDS["cod"][0]}
    return ", ".join(words[what] for what in taken.missing)


def check_fields(columns: Mapping[str, str | None]) -> Said:
    """
    Raises:
        ColumnsWrong: a meaning that is none.
    """
    known: dict[str, Field] = {field: field for field in FIELDS}
    wrong = sorted(f"{label}: {field}" for label, field in columns.items() if field is not None and field not in known)
    if wrong:
        raise ColumnsWrong(columns=", ".join(wrong), known=", ".join(FIELDS))
    return {label: known[field] if field is not None else None for label, field in columns.items()}


_UNMAPPED: Final = """
WITH unread AS (UPDATE cod_statements SET problem = $2::json WHERE id = $1)
INSERT INTO cod_statement_files (statement_id, content) VALUES ($1, $3)
"""
_UNREAD: Final = f"""
SELECT {", ".join(f"t.{name}" for name in NewStatement.__slots__)}, t.state, c.carrier, f.content
FROM cod_statements t JOIN carrier_connections c ON c.id = t.connection_id
LEFT JOIN cod_statement_files f ON f.statement_id = t.id AND t.state = 'unmapped'
WHERE t.id = $1 FOR UPDATE OF t
"""
_READ: Final = """
WITH read AS (DELETE FROM cod_statement_files WHERE statement_id = $1)
UPDATE cod_statements SET number = $2, number_key = $3, paid_on = $4, layout = $5, sheets = $6::json, state = $7,
    lines = $8, matched = $9, cod = $10, fees = $11, compensation = $12, net = $13, problem = NULL,
    credited_at = CASE WHEN $13::bigint <= 0 THEN created_at END
WHERE id = $1
"""
