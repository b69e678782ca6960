"""Money by which a carrier pays and that no statement explains: on the work list until a statement does.

An account has credits of all kinds; only those whose text names a carrier that the company ships with are raised.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, time
from functools import cache
from typing import Final
from uuid import UUID

from services.shipping.carriers.registry import CARRIERS
from services.shipping.cod import ledger
from services.shipping.cod.ledger import About
from services.shipping.cod.reckoning import Found
from services.shipping.units.naming import plain_name
from services.shipping.work import Work
from shared.errors import ZONE

LABEL: Final = 100
"""Characters of a credit's text that people see on the work list."""


async def tell(work: Work, credit_ids: Sequence[UUID], *, now: datetime) -> None:
    """Raises those of the credits that belong to no statement and come from a carrier."""
    rows = await work.connection.fetch(_FREE, list(credit_ids))
    if not rows:
        return
    shops: dict[str, UUID | None] = {row["carrier"]: row["id"] for row in await work.connection.fetch(_SHOPS)}
    told = []
    for row in rows:
        carrier = payer(row["text"], shops)
        if carrier is not None:
            about = About(_key(row["id"]), shops[carrier], carrier, label=row["text"][:LABEL])
            since = datetime.combine(row["credited_on"], time(), tzinfo=ZONE)
            told.append((about, Found("bank_unknown", 0, row["amount"], -row["amount"], since)))
    if told:
        kept = await work.connection.fetch(_KEPT, [about.key for about, _ in told])
        await ledger.tell(work, told, [ledger.held(row, carrier="", order_id=None) for row in kept], now=now)


async def explain(work: Work, credit_ids: Sequence[UUID], *, now: datetime) -> None:
    """Closes what was raised of credits that have their statement now."""
    kept = await work.connection.fetch(_OPEN, [_key(credit_id) for credit_id in credit_ids])
    held = [ledger.held(row, carrier=row["carrier"], order_id=None) for row in kept]
    await ledger.end(work, held, "mended", now=now, cause="bank")


def payer(text: str, carriers: Iterable[str]) -> str | None:
    """The one carrier that a credit's text names, by its short name as a word or by its whole title. Pure."""
    words = plain_name(text).split()
    joined = "".join(words)
    named = [name for name in carriers if name in words or _joined_title(name) in joined]
    return named[0] if len(named) == 1 else None


@cache
def _joined_title(carrier: str) -> str:
    return plain_name(CARRIERS[carrier].title).replace(" ", "")


def _key(credit_id: UUID) -> str:
    return f"credit:{credit_id}:bank_unknown"


_FREE: Final = """
SELECT id, credited_on, amount, text FROM bank_credits WHERE id = ANY($1::uuid[]) AND statement_id IS NULL ORDER BY id
"""
# Of several shops at one carrier none: the text does not tell which one is paid.
_SHOPS: Final = """
SELECT carrier, CASE WHEN count(*) = 1 THEN (array_agg(id))[1] END AS id FROM carrier_connections GROUP BY carrier
"""
_KEPT: Final = f"SELECT {ledger.COLUMNS} FROM cod_differences WHERE key = ANY($1::text[])"
_OPEN: Final = f"""
SELECT {", ".join(f"d.{name.strip()}" for name in ledger.COLUMNS.split(","))}, coalesce(d.carrier, c.carrier) AS carrier
FROM cod_differences d LEFT JOIN carrier_connections c ON c.id = d.connection_id
WHERE d.key = ANY($1::text[]) AND d.state = 'open'
"""
