"""One statement's workflow: turn after turn its lines are compared with the parcels, then its sum with the bank.

A batch's differences, what came home and the statement's place behind it are committed together, so whoever goes on after a
crash, or at the same time because Temporal took us for dead, begins exactly behind the last line that was compared.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from services.shipping.cod import bank, books, ledger
from services.shipping.cod.ledger import About
from services.shipping.cod.reckoning import Found
from services.shipping.cod.words import statement_view
from services.shipping.context import Context
from services.shipping.work import Work, work
from shared.contracts.activities import Advance

if TYPE_CHECKING:
    import asyncpg

BATCH_LINES: Final = 2_000
"""Lines of a transaction: it holds their parcels against the carrier's reports for some tenths of a second."""
TURN_LINES: Final = 40_000
"""Lines of an activity: its start costs little against them, and the screen of Temporal moves every few seconds."""
PAGE: Final = 1_000
COMPARING: Final = frozenset({"matching", "withdrawing"})


class StatementUnknown(Exception):
    """There is no such statement."""


async def advance(context: Context, statement_id: UUID, *, beat: Callable[..., None]) -> Advance:
    """One turn, and when to look again without a nudge.

    Args:
        beat: tells that the turn goes on.

    Raises:
        StatementUnknown: there is none.
    """
    for _ in range(TURN_LINES // BATCH_LINES):
        async with work(context.db) as current:
            row = await _locked(current, statement_id)
            if row["state"] not in COMPARING:
                return await _with_the_bank(current, row, now=context.now())
            last = await _compare_batch(current, row, now=context.now())
            if last is None:
                await _finish(current, row, now=context.now())
        beat(last)
    return Advance(done=False, next_due=context.now(), view=statement_view(row, now=context.now()))


async def _locked(current: Work, statement_id: UUID) -> asyncpg.Record:
    row = await current.connection.fetchrow(LOCKED, statement_id)
    if row is None:
        raise StatementUnknown(str(statement_id))
    return row


async def _compare_batch(current: Work, row: asyncpg.Record, *, now: datetime) -> int | None:
    """Compares the next lines; the number of the last, None when there were none."""
    lines = await current.connection.fetch(_NEXT, row["id"], row["compared_to"], BATCH_LINES)
    if not lines:
        return None
    ids = [line["shipment_id"] for line in lines if line["shipment_id"] is not None]
    await books.compare(current, ids, now=now, cause=_cause(row), statement_id=row["id"])
    last: int = lines[-1]["number"]
    await current.connection.execute("UPDATE cod_statements SET compared_to = $2 WHERE id = $1", row["id"], last)
    return last


def _cause(row: asyncpg.Record) -> str:
    """Why lines are compared. Once more although all were compared before, where the bank is the proof and a credit was
    taken off."""
    if row["state"] == "withdrawing":
        return books.WITHDRAWN
    taken_off = row["proof"] == "bank" and row["credited_at"] is None and row["finished_at"] is not None
    return books.UNCREDITED if taken_off else "statement"


async def _finish(current: Work, row: asyncpg.Record, *, now: datetime) -> None:
    """What is wrong with the statement itself, after the last of its lines."""
    if row["state"] == "withdrawing":
        kept = await current.connection.fetch(_OF_STATEMENT, row["id"])
        held = [ledger.held(each, carrier=row["carrier"], order_id=None) for each in kept]
        await ledger.end(current, held, "mended", now=now, cause=books.WITHDRAWN)
    else:
        await tell_unknown_lines(current, row, now=now)
        await _tell_wrong_net(current, row, now=now)
        if row["finished_at"] is None:
            await bank.find_statements(current, new=[row["id"]], now=now)
    await current.connection.execute(_FINISHED, row["id"], now)


async def tell_unknown_lines(current: Work, row: asyncpg.Record, *, now: datetime) -> None:
    """Lines about no parcel of ours, by their code: in another file they are the same difference."""
    after = ""
    while page := await current.connection.fetch(_UNKNOWN, row["id"], after, PAGE):
        told = []
        for line in page:
            about = About(
                key=f"line:{row['connection_id']}:{line['key']}",
                connection_id=row["connection_id"],
                carrier=row["carrier"],
                statement_id=row["id"],
                line=line["number"],
                label=line["label"],
            )
            told.append((about, Found("unknown_line", 0, line["paid"], line["fee"] - line["paid"], row["paid_at"])))
        kept = await current.connection.fetch(_BY_KEY, [about.key for about, _ in told])
        known = [ledger.held(each, carrier=row["carrier"], order_id=None) for each in kept]
        await ledger.tell(current, told, known, now=now)
        after = page[-1]["key"]


async def mend_unknown_lines(current: Work, row: asyncpg.Record, *, now: datetime) -> None:
    """Closes those about lines of the statement that have their parcel now."""
    kept = await current.connection.fetch(_MENDED_LINES, row["id"])
    held = [ledger.held(each, carrier=row["carrier"], order_id=None) for each in kept]
    await ledger.end(current, held, "mended", now=now, cause="statement")


async def _tell_wrong_net(current: Work, row: asyncpg.Record, *, now: datetime) -> None:
    sums = await current.connection.fetchrow(_NET, row["id"])
    assert sums is not None
    key = f"statement:{row['id']}:wrong_net"
    kept = await current.connection.fetch(_BY_KEY, [key])
    known = [ledger.held(each, carrier=row["carrier"], order_id=None) for each in kept]
    expected, found = sums["expected"], sums["found"]
    if expected == found:
        await ledger.end(
            current, [held for held in known if held.state == "open"], "mended", now=now, cause="statement"
        )
        return
    about = About(
        key=key,
        connection_id=row["connection_id"],
        carrier=row["carrier"],
        statement_id=row["id"],
        line=sums["line"],
        label=row["number"] or row["file_name"],
    )
    difference = Found("wrong_net", expected, found, expected - found, row["paid_at"])
    await ledger.tell(current, [(about, difference)], known, now=now)


async def _with_the_bank(current: Work, row: asyncpg.Record, *, now: datetime) -> Advance:
    view = statement_view(row, now=now)
    if row["state"] != "matched":
        return Advance(done=row["state"] == "withdrawn", view=view, outcome=row["state"])
    contract = books.contract_of(row)
    found = bank.compare(net=row["net"], credited=row["credited"], paid_on=row["paid_on"], contract=contract, now=now)
    await bank.tell(current, row, found, now=now)
    waits = contract.proof == "bank" and row["credited_at"] is None
    due = bank.due_at(row["paid_on"], contract)
    return Advance(
        done=not waits, next_due=due if waits and due > now else None, view=view, outcome="" if waits else "matched"
    )


LOCKED: Final = """
SELECT t.id, t.connection_id, c.carrier, c.shop_name, t.number, t.file_name, t.state, t.lines, t.matched, t.compared_to,
    t.net, t.paid_on, t.credited_at, t.finished_at, t.created_at, t.round,
    t.paid_on::timestamp AT TIME ZONE 'Asia/Ho_Chi_Minh' AS paid_at,
    (SELECT coalesce(sum(amount), 0)::bigint FROM bank_credits WHERE statement_id = t.id) AS credited,
    (SELECT count(*) FROM cod_differences WHERE statement_id = t.id AND state = 'open') AS open_differences,
    k.proof, k.days_to_pay, k.days_to_compensate, k.days_to_credit, k.fee_check, k.fee_tolerance
FROM cod_statements t JOIN carrier_connections c ON c.id = t.connection_id
LEFT JOIN cod_contracts k ON k.connection_id = t.connection_id
WHERE t.id = $1 FOR NO KEY UPDATE OF t
"""
_NEXT: Final = """
SELECT number, shipment_id FROM cod_lines WHERE statement_id = $1 AND number > $2 ORDER BY number LIMIT $3
"""
_OF_STATEMENT: Final = f"""
SELECT {ledger.COLUMNS} FROM cod_differences WHERE statement_id = $1 AND shipment_id IS NULL AND state = 'open'
"""
_MENDED_LINES: Final = f"""
SELECT {", ".join(f"d.{name.strip()}" for name in ledger.COLUMNS.split(","))}
FROM cod_differences d JOIN cod_lines l ON l.statement_id = d.statement_id AND l.number = d.line
WHERE d.statement_id = $1 AND d.kind = 'unknown_line' AND d.state = 'open' AND l.shipment_id IS NOT NULL
"""
_BY_KEY: Final = f"SELECT {ledger.COLUMNS} FROM cod_differences WHERE key = ANY($1::text[])"
_UNKNOWN: Final = """
SELECT key, min(number) AS number, min(label) AS label, sum(paid)::bigint AS paid, sum(fee)::bigint AS fee
FROM (
    SELECT number, coalesce(nullif(waybill, ''), nullif(code, ''), 'dòng ' || row) AS label,
        coalesce(cod, 0) + coalesce(compensation, 0) AS paid, coalesce(fee, 0) AS fee,
        coalesce(nullif(upper(regexp_replace(waybill, '[^A-Za-z0-9]', '', 'g')), ''),
            nullif(upper(regexp_replace(code, '[^A-Za-z0-9]', '', 'g')), ''), md5(cells::text)) AS key
    FROM cod_lines WHERE statement_id = $1 AND shipment_id IS NULL
        AND (cod <> 0 OR compensation <> 0 OR fee <> 0 OR net <> 0 OR unreadable <> '')
) AS line
WHERE key > $2 GROUP BY key ORDER BY key LIMIT $3
"""
_NET: Final = """
SELECT coalesce(sum(should), 0)::bigint AS expected, coalesce(sum(net), 0)::bigint AS found,
    min(number) FILTER (WHERE should <> net) AS line
FROM (
    SELECT number, net, coalesce(cod, 0) + coalesce(compensation, 0) - coalesce(fee, 0) AS should FROM cod_lines
    WHERE statement_id = $1 AND net IS NOT NULL AND (cod IS NOT NULL OR fee IS NOT NULL) AND unreadable = ''
) AS line
"""
_FINISHED: Final = """
UPDATE cod_statements SET state = CASE state WHEN 'withdrawing' THEN 'withdrawn' ELSE 'matched' END, finished_at = $2
WHERE id = $1
"""
