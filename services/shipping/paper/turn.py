"""The pages of a print, drawn or fetched turn by turn, and the file that they become.

How many-th paper of a parcel a page is, is fixed before it is drawn. So a process that dies while drawing draws the same
page again, and two people who print the same parcel at the same time get a first and a second paper, never two firsts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Final
from uuid import UUID

import asyncpg

from services.shipping.carriers.errors import Away, NotLetIn, Refused, UnknownOutcome
from services.shipping.carriers.registry import CARRIERS
from services.shipping.context import Context
from services.shipping.paper import merging, parcels, slip
from services.shipping.paper.merging import NotAPdf
from services.shipping.paper.refusing import why_not
from services.shipping.work import work
from shared.contracts.activities import Advance, OperatorView

if TYPE_CHECKING:
    from services.shipping.work import Connection


CHUNK: Final = 50
"""Pages of a turn: a second of drawing, after which what is made is kept."""


class PrintUnknown(Exception):
    """There is no such print."""


async def advance(context: Context, print_id: UUID, *, beat: Callable[[], None] = lambda: None) -> Advance:
    """The next pages of a print; when there are no more, its file.

    Raises:
        PrintUnknown: there is no such print.
        Away, NotLetIn, UnknownOutcome: the carrier cannot be asked for labels now; repeat later.
    """
    pool = await context.db.driver()
    job = await pool.fetchrow("SELECT kind, size, state, requester_code FROM prints WHERE id = $1", print_id)
    if job is None:
        raise PrintUnknown(str(print_id))
    if job["state"] == "running":
        items = await _next_items(context, print_id)
        if items:
            await _print(context, print_id, job, items, beat=beat)
        else:
            await _finish(context, print_id)
    row = await pool.fetchrow(_PROGRESS, print_id)
    assert row is not None
    running = row["state"] == "running"
    return Advance(done=not running, next_due=context.now() if running else None, view=_view(row), outcome=row["state"])


async def _next_items(context: Context, print_id: UUID) -> list[asyncpg.Record]:
    """The parcels of the next chunk, each with the number of its paper. A twin that numbers the same parcel at the same
    moment fails on the key, and is repeated."""
    async with work(context.db) as current:
        await current.connection.execute(_NUMBER, print_id, CHUNK)
        return list(await current.connection.fetch(_NEXT, print_id, CHUNK))


async def _print(
    context: Context, print_id: UUID, job: asyncpg.Record, items: Sequence[asyncpg.Record], *, beat: Callable[[], None]
) -> None:
    pool = await context.db.driver()
    async with pool.acquire() as connection:
        rows = await parcels.load(connection, [item["shipment_id"] for item in items])
    problems = {
        item["shipment_id"]: reason for item in items if (reason := why_not(rows[item["shipment_id"]]["status"]))
    }
    wanted = [item for item in items if item["shipment_id"] not in problems]
    if job["kind"] == "slip":
        slips = [
            parcels.slip_of(
                rows[item["shipment_id"]], number=item["number"], at=context.now(), by=job["requester_code"]
            )
            for item in wanted
        ]
        content = await asyncio.to_thread(slip.draw, slips, job["size"]) if slips else None
    else:
        content = await _labels(context, job["size"], wanted, problems, beat=beat)
    async with work(context.db) as current:
        await _keep(current.connection, print_id, items, problems, content, at=context.now())


async def _keep(
    connection: Connection,
    print_id: UUID,
    items: Sequence[asyncpg.Record],
    problems: dict[UUID, str],
    content: bytes | None,
    *,
    at: datetime,
) -> None:
    """The pages and what became of each parcel, unless another run of the same turn was faster."""
    await connection.execute("SELECT FROM prints WHERE id = $1 FOR UPDATE", print_id)
    ids = [item["shipment_id"] for item in items]
    done = await connection.execute(_DONE, print_id, ids, [problems.get(each, "") for each in ids], at)
    if content is not None and done != "UPDATE 0":
        await connection.execute(_PART, print_id, items[0]["position"], content)


async def _labels(
    context: Context,
    size: str,
    items: Sequence[asyncpg.Record],
    problems: dict[UUID, str],
    *,
    beat: Callable[[], None],
) -> bytes | None:
    """The carriers' own labels, parcels of one connection together as far as the carrier gives several at once."""
    parts: list[bytes] = []
    for item in items:
        if not item["waybill"] or item["connection_id"] is None:
            problems[item["shipment_id"]] = "chưa có mã vận đơn / no waybill yet"
    known = [item for item in items if item["shipment_id"] not in problems]
    for connection_id, of_connection in groupby(known, key=lambda item: item["connection_id"]):
        connection = await context.connection(connection_id)
        capabilities = CARRIERS[connection.carrier].capabilities
        together = list(of_connection)
        if size not in capabilities.label_sizes:
            words = _sizes(connection.carrier)
            problems.update({item["shipment_id"]: words for item in together})
            continue
        async with context.carrier(connection) as carrier:
            for start in range(0, len(together), capabilities.labels_at_once):
                chunk = together[start : start + capabilities.labels_at_once]
                try:
                    label = await carrier.label([item["waybill"] for item in chunk], size=size)
                    numbers = [item["number"] for item in chunk]
                    parts.append(await asyncio.to_thread(merging.marked, label.content, numbers))
                except (Away, NotLetIn, UnknownOutcome):
                    raise
                except Refused as error:
                    problems.update({item["shipment_id"]: error.reason for item in chunk})
                except NotAPdf:
                    words = (
                        "hãng gửi trang in, không phải PDF: mở nhãn ở từng vận đơn / not a PDF: open it at the shipment"
                    )
                    problems.update({item["shipment_id"]: words for item in chunk})
                beat()
    return await asyncio.to_thread(merging.merge, parts) if parts else None


def _sizes(carrier: str) -> str:
    """Why a carrier has no label of a size."""
    sizes = ", ".join(CARRIERS[carrier].capabilities.label_sizes)
    if not sizes:
        return "hãng không có nhãn / the carrier has no label"
    return f"nhãn của hãng chỉ có cỡ {sizes} / the carrier's labels are {sizes}"


async def _finish(context: Context, print_id: UUID) -> None:
    async with work(context.db) as current:
        job = await current.connection.fetchrow("SELECT state FROM prints WHERE id = $1 FOR UPDATE", print_id)
        if job is None or job["state"] != "running":
            return
        parts = [row["content"] for row in await current.connection.fetch(_PARTS, print_id)]
        file = await asyncio.to_thread(merging.merge, parts) if parts else None
        await current.connection.execute(_FINISH, print_id, file, context.now())
        await current.connection.execute("DELETE FROM print_parts WHERE print_id = $1", print_id)


def _view(row: asyncpg.Record) -> OperatorView:
    paper = {"slip": ("Phiếu giao", "slips"), "label": ("Nhãn của hãng", "carrier labels")}[row["kind"]]
    vi = f"{paper[0]} {row['size']}: {row['done']}/{row['wanted']}, {row['problems']} không in được."
    en = f"{row['size']} {paper[1]}: {row['done']} of {row['wanted']}, {row['problems']} cannot be printed."
    return OperatorView(sentence_vi=vi, sentence_en=en)


_NUMBER: Final = """
UPDATE print_items i SET number = 1 + (
    SELECT coalesce(max(o.number), 0) FROM print_items o WHERE o.shipment_id = i.shipment_id AND o.kind = i.kind
)
WHERE i.print_id = $1 AND i.number IS NULL AND i.position IN (
    SELECT position FROM print_items WHERE print_id = $1 AND printed_at IS NULL AND problem = '' ORDER BY position LIMIT $2
)
"""
_NEXT: Final = """
SELECT i.position, i.shipment_id, i.number, s.waybill, s.connection_id
FROM print_items i JOIN shipments s ON s.id = i.shipment_id
WHERE i.print_id = $1 AND i.printed_at IS NULL AND i.problem = '' ORDER BY i.position LIMIT $2
"""
_DONE: Final = """
UPDATE print_items i SET problem = r.problem, printed_at = CASE WHEN r.problem = '' THEN $4::timestamptz END,
    number = CASE WHEN r.problem = '' THEN i.number END
FROM unnest($2::uuid[], $3::text[]) AS r(shipment_id, problem)
WHERE i.print_id = $1 AND i.shipment_id = r.shipment_id AND i.printed_at IS NULL AND i.problem = ''
"""
_PART: Final = "INSERT INTO print_parts (print_id, position, content) VALUES ($1, $2, $3)"
_PARTS: Final = "SELECT content FROM print_parts WHERE print_id = $1 ORDER BY position"
_FINISH: Final = "UPDATE prints SET state = 'done', file = $2, finished_at = $3 WHERE id = $1"
_PROGRESS: Final = """
SELECT p.kind, p.size, p.state, count(*) AS wanted, count(i.printed_at) AS done,
    count(*) FILTER (WHERE i.problem <> '') AS problems
FROM prints p JOIN print_items i ON i.print_id = p.id WHERE p.id = $1 GROUP BY p.id
"""
