"""What the bank has credited, and which statement's money it is.

A credit belongs to a statement when its text names the session, or when it is the only one of that amount near the day of
the transfer; a person can say so of any, also of several for one statement.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from uuid_utils.compat import uuid7

from services.shipping.carriers.registry import CARRIERS
from services.shipping.cod import ledger, unexplained
from services.shipping.cod.amounts import code_key
from services.shipping.cod.contracts import Contract
from services.shipping.cod.ledger import About
from services.shipping.cod.reckoning import Found
from services.shipping.work import Work
from shared.contracts.events.shipping import DifferenceKind
from shared.contracts.workflows import nudge_settlement
from shared.errors import ZONE

if TYPE_CHECKING:
    import asyncpg

NEAR: Final = 7
"""Days around the carrier's transfer in which a credit of the same amount is taken for its."""
SHORTEST_NUMBER: Final = 4
"""Characters of a session's number that are looked for in the text of a credit; a shorter one stands in any."""
KINDS: Final[tuple[DifferenceKind, ...]] = ("bank_missing", "bank_short", "bank_over")


@dataclass(frozen=True, slots=True)
class Credit:
    """One credit on the bank's account. Money in đồng."""

    credited_on: date
    amount: int
    text: str
    reference: str = ""

    def key(self, place: int = 0) -> bytes:
        """
        Args:
            place: which one it is of several alike in one file that have no reference.
        """
        return _digest(self.reference) if self.reference else _digest(self.credited_on, self.amount, self.text, place)

    @property
    def further_key(self) -> bytes:
        """Where its reference is that of another amount: some banks number the transactions of each day anew."""
        return _digest(self.reference, self.amount)


def _digest(*parts: object) -> bytes:
    return hashlib.sha256("\n".join(map(str, parts)).encode()).digest()


def keys(credits: Sequence[Credit]) -> list[bytes]:
    """The keys of the credits of one file, in its order: two that look alike are two."""
    seen: dict[bytes, int] = {}
    found = []
    for credit in credits:
        bare = credit.key()
        found.append(credit.key(seen.get(bare, 0)))
        seen[bare] = seen.get(bare, 0) + 1
    return found


async def add(work: Work, credits: Sequence[Credit], *, by: str, now: datetime) -> list[UUID]:
    """Keeps credits, and gives each to the statement it belongs to. Those that were entered before are left out.

    Returns:
        The new ones.
    """
    if not credits:
        return []
    ids, own = [uuid7() for _ in credits], keys(credits)
    rows = await work.connection.fetch(_ADD, ids, own, *_columns(credits), by)
    added = [row["id"] for row in rows]
    held = set(added)
    left = [place for place, each in enumerate(credits) if each.reference and ids[place] not in held]
    if left:
        others = [credits[place] for place in left]
        rows = await work.connection.fetch(
            _ADD_OTHERS,
            [ids[place] for place in left],
            [credit.further_key for credit in others],
            *_columns(others),
            by,
            [own[place] for place in left],
        )
        added += [row["id"] for row in rows]
    await find_statements(work, new=added, now=now)
    await unexplained.tell(work, added, now=now)
    return added


def _columns(credits: Sequence[Credit]) -> tuple[list[date], list[int], list[str], list[str]]:
    return (
        [credit.credited_on for credit in credits],
        [credit.amount for credit in credits],
        [credit.text for credit in credits],
        [credit.reference for credit in credits],
    )


async def find_statements(work: Work, *, new: Collection[UUID], now: datetime) -> None:
    """Gives credits that belong to no statement to the one that they name, or whose amount they are.

    Args:
        new: credits or statements that have just come. What both were here before is left as it is: somebody may have
            taken the one off the other.
    """
    open_statements = await work.connection.fetch(_OPEN_STATEMENTS)
    if not open_statements:
        return
    days = [row["paid_on"] for row in open_statements]
    credits = await work.connection.fetch(
        _OPEN_CREDITS, min(days) - timedelta(days=NEAR), max(days) + timedelta(days=NEAR)
    )
    links = belonging(
        [
            Payout(row["id"], row["carrier"], row["number_key"], row["missing"], row["paid_on"])
            for row in open_statements
        ],
        [Offer(row["id"], row["amount"], row["text"], row["credited_on"]) for row in credits],
    )
    links = [link for link in links if link.credit_id in new or link.statement_id in new]
    for statement_id in sorted({link.statement_id for link in links}):
        theirs = [link for link in links if link.statement_id == statement_id]
        await _link(work, statement_id, [link.credit_id for link in theirs], theirs[0].by, now=now)


@dataclass(frozen=True, slots=True)
class Payout:
    """A statement whose money has not come whole."""

    id: UUID
    carrier: str
    number_key: str
    missing: int
    paid_on: date


@dataclass(frozen=True, slots=True)
class Offer:
    """A credit that belongs to no statement."""

    id: UUID
    amount: int
    text: str
    credited_on: date


@dataclass(frozen=True, slots=True)
class Link:
    statement_id: UUID
    credit_id: UUID
    by: str


def belonging(payouts: Sequence[Payout], offers: Sequence[Offer]) -> list[Link]:
    """Which credits belong to which statements. Pure.

    By the session's number in the text, the longest number that stands there; else by an amount that just one statement
    misses and just one credit has, within a few days. What names a carrier is no other carrier's money: sessions are often
    numbered by the day, and round amounts are common.
    """
    folded = {offer.id: _folded(offer.text) for offer in offers}
    payers = {offer.id: unexplained.payer(offer.text, CARRIERS) for offer in offers}
    links: list[Link] = []
    named: set[UUID] = set()
    for offer in offers:
        candidates = [
            payout
            for payout in payouts
            if payers[offer.id] in (None, payout.carrier) and _is_named(payout.number_key, folded[offer.id])
        ]
        if candidates:
            payout = max(candidates, key=lambda payout: len(payout.number_key))
            links.append(Link(payout.id, offer.id, "number"))
            named |= {offer.id, payout.id}
    left = [offer for offer in offers if offer.id not in named]
    waiting = [payout for payout in payouts if payout.id not in named]

    def fits(payout: Payout, offer: Offer) -> bool:
        near = abs(offer.credited_on - payout.paid_on) <= timedelta(days=NEAR)
        return payout.missing == offer.amount and near and payers[offer.id] in (None, payout.carrier)

    for payout in waiting:
        fitting = [offer for offer in left if fits(payout, offer)]
        if len(fitting) == 1 and sum(fits(other, fitting[0]) for other in waiting) == 1:
            links.append(Link(payout.id, fitting[0].id, "amount"))
    return links


def _folded(text: str) -> tuple[str, str]:
    """A text in capitals without accents, and of that the letters and digits alone."""
    plain = unicodedata.normalize("NFKD", text.replace("đ", "d").replace("Đ", "D")).upper()
    return plain, code_key(text)


def _is_named(number_key: str, text: tuple[str, str]) -> bool:
    """Whether the number of a session stands in a text, whatever its signs. Within a longer number it does not: the bank's
    own numbers and amounts have all digits in them."""
    plain, key = text
    if len(number_key) < SHORTEST_NUMBER or number_key not in key:
        return False
    before, after = (r"(?<!\d)" if number_key[0].isdigit() else ""), (r"(?!\d)" if number_key[-1].isdigit() else "")
    return re.search(before + r"[^A-Z\d]*".join(number_key) + after, plain) is not None


async def link(work: Work, statement_id: UUID, credit_ids: Sequence[UUID], *, by: str, now: datetime) -> int:
    """Gives credits to a statement, by a person's word; returns how many that were free."""
    return await _link(work, statement_id, credit_ids, by, now=now)


async def unlink(work: Work, credit_id: UUID, *, now: datetime) -> None:
    """Takes a credit off its statement."""
    statement_id = await work.connection.fetchval("SELECT statement_id FROM bank_credits WHERE id = $1", credit_id)
    if statement_id is not None:
        await work.connection.fetchrow(_LOCK, statement_id)
        await work.connection.execute(_UNLINK, credit_id)
        await _credited(work, statement_id, now=now)
        await unexplained.tell(work, [credit_id], now=now)


async def _link(work: Work, statement_id: UUID, credit_ids: Sequence[UUID], by: str, *, now: datetime) -> int:
    # The statement's row first, as wherever its state moves.
    if await work.connection.fetchrow(_LOCK, statement_id) is None:
        return 0
    linked = await work.connection.fetch(_LINK, list(credit_ids), statement_id, by)
    await _credited(work, statement_id, now=now)
    await unexplained.explain(work, [row["id"] for row in linked], now=now)
    return len(linked)


async def _credited(work: Work, statement_id: UUID, *, now: datetime) -> None:
    """Whether the bank's credits have reached a statement; its parcels are compared again where that is the proof."""
    row = await work.connection.fetchrow(_CREDITED, statement_id, now)
    if row is not None:
        work.send(nudge_settlement(statement_id, round=row["round"]))


def compare(*, net: int, credited: int, paid_on: date, contract: Contract, now: datetime) -> Found | None:
    """What is wrong between a statement and the bank. Pure.

    Args:
        net: what the statement pays out.
        credited: what the bank has credited of it.
    """
    since = datetime.combine(paid_on, time(), tzinfo=ZONE)

    def found(kind: DifferenceKind) -> Found:
        return Found(kind, net, credited, net - credited, since)

    if credited > max(net, 0):
        return found("bank_over")
    late = due_at(paid_on, contract) <= now
    if credited >= net or not late:
        return None
    if credited > 0:
        return found("bank_short")
    return found("bank_missing") if contract.proof == "bank" else None


def due_at(paid_on: date, contract: Contract) -> datetime:
    """Until when the money of a statement has to be on the account: the end of that day."""
    return datetime.combine(paid_on, time(), tzinfo=ZONE) + timedelta(days=contract.days_to_credit + 1)


async def tell(work: Work, statement: asyncpg.Record, found: Found | None, *, now: datetime) -> None:
    """Writes down what is wrong between a statement and the bank, and closes what is not any more."""
    rows = await work.connection.fetch(
        f"SELECT {ledger.COLUMNS} FROM cod_differences WHERE statement_id = $1 AND kind = ANY($2::text[])",
        statement["id"],
        list(KINDS),
    )
    known = [ledger.held(row, carrier=statement["carrier"], order_id=None) for row in rows]
    mended = [held for held in known if held.state == "open" and (found is None or held.found.kind != found.kind)]
    await ledger.end(work, mended, "mended", now=now, cause="bank")
    if found is not None:
        about = About(
            key=f"statement:{statement['id']}:{found.kind}",
            connection_id=statement["connection_id"],
            carrier=statement["carrier"],
            statement_id=statement["id"],
            label=statement["number"] or statement["file_name"],
        )
        await ledger.tell(work, [(about, found)], known, now=now)


_ADD: Final = """
INSERT INTO bank_credits (id, key, credited_on, amount, text, reference, created_by)
SELECT r.*, $7 FROM unnest($1::uuid[], $2::bytea[], $3::date[], $4::bigint[], $5::text[], $6::text[]) AS r
ON CONFLICT (key) DO NOTHING RETURNING id
"""
_ADD_OTHERS: Final = """
INSERT INTO bank_credits (id, key, credited_on, amount, text, reference, created_by)
SELECT r.id, r.further, r.credited_on, r.amount, r.text, r.reference, $7
FROM unnest($1::uuid[], $2::bytea[], $3::date[], $4::bigint[], $5::text[], $6::text[], $8::bytea[])
    AS r(id, further, credited_on, amount, text, reference, key)
JOIN bank_credits k ON k.key = r.key AND k.amount <> r.amount
ON CONFLICT (key) DO NOTHING RETURNING id
"""
_CREDITED_SUM: Final = "(SELECT coalesce(sum(amount), 0) FROM bank_credits WHERE statement_id = t.id)"
_OPEN_STATEMENTS: Final = f"""
SELECT t.id, c.carrier, t.number_key, t.paid_on, (t.net - {_CREDITED_SUM})::bigint AS missing
FROM cod_statements t JOIN carrier_connections c ON c.id = t.connection_id
WHERE t.state IN ('matching', 'matched') AND t.credited_at IS NULL ORDER BY t.id
"""
_OPEN_CREDITS: Final = """
SELECT id, amount, text, credited_on FROM bank_credits
WHERE statement_id IS NULL AND credited_on BETWEEN $1 AND $2 ORDER BY id
"""
_LOCK: Final = """
SELECT id FROM cod_statements WHERE id = $1 AND state IN ('matching', 'matched') FOR NO KEY UPDATE
"""
_LINK: Final = """
UPDATE bank_credits SET statement_id = $2, linked_by = $3
WHERE id = ANY($1::uuid[]) AND statement_id IS NULL RETURNING id
"""
_UNLINK: Final = "UPDATE bank_credits SET statement_id = NULL, linked_by = '' WHERE id = $1"
# Where the bank is the proof, a change of what it has credited is compared with every parcel of the statement again. A credit
# that is taken off marks it as compared before, so that what the credit brought home is taken back.
_CREDITED: Final = f"""
UPDATE cod_statements t SET credited_at = CASE WHEN r.whole THEN coalesce(t.credited_at, $2) END,
    state = CASE WHEN r.again THEN 'matching' ELSE t.state END, compared_to = CASE WHEN r.again THEN 0 ELSE t.compared_to END,
    finished_at = CASE WHEN r.again AND NOT r.whole THEN coalesce(t.finished_at, $2) ELSE t.finished_at END,
    round = t.round + (t.state = 'matched' AND (r.proof <> 'bank' OR t.credited_at IS NOT NULL))::integer
FROM (
    SELECT h.id, h.whole, h.proof, h.proof = 'bank' AND h.whole <> (h.credited_at IS NOT NULL) AS again
    FROM (
        SELECT t.id, t.credited_at, t.net <= {_CREDITED_SUM} AS whole, coalesce(k.proof, '') AS proof
        FROM cod_statements t LEFT JOIN cod_contracts k ON k.connection_id = t.connection_id WHERE t.id = $1
    ) AS h
) AS r
WHERE t.id = r.id AND t.state IN ('matching', 'matched') RETURNING t.round
"""
