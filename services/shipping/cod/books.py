"""Compares parcels with what was paid for them, and writes down what follows: differences, and money that is home.

Whatever tells something new of a parcel's money (a statement's line, the carrier's report, the bank, a due day) comes here,
and the whole is reckoned anew from all facts. So facts may come in any order and be repeated, and a difference that a later
fact mends closes by itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid5

from services.shipping.cod import ledger, reckoning
from services.shipping.cod.contracts import Contract, usual
from services.shipping.cod.ledger import About, Held
from services.shipping.cod.reckoning import Account, Found, Home, Paid
from services.shipping.rows import listed
from services.shipping.work import Work
from shared.contracts.events.shipping import COD_SETTLED, CodSettled
from shared.contracts.workflows import nudge_shipment

if TYPE_CHECKING:
    import asyncpg

MONEY_DIFFERS: Final = "money_differs"
"""A mark of shipments: some of its money is not as it should be."""
STATUS: Final = "status"
"""The cause that is the carrier's report about the parcel."""
WITHDRAWN: Final = "withdrawn"
"""The cause that takes back what a statement had brought."""
UNCREDITED: Final = "uncredited"
"""The cause that takes back what the bank had proved: a credit is not the statement's any more."""


TAKES_BACK: Final = frozenset({WITHDRAWN, UNCREDITED})


@dataclass(frozen=True, slots=True)
class Reckoned:
    """A parcel's money as it stands now."""

    account: Account
    open: tuple[Found, ...]
    """The differences that somebody has to look at."""

    @property
    def over(self) -> bool:
        return reckoning.is_over(self.account, open_differences=bool(self.open))


async def compare(
    work: Work, shipment_ids: Sequence[UUID], *, now: datetime, cause: str, statement_id: UUID | None = None
) -> dict[UUID, Reckoned]:
    """Reckons the money of shipments anew, in the transaction of `work`; those that changed are nudged.

    Args:
        cause: what is new: 'statement', 'bank', 'withdrawn', 'uncredited', 'person', 'status', 'due'.
        statement_id: the statement that told it.

    Returns:
        How each of them stands; without those that no carrier has.
    """
    # Locked in one order, so that two that compare wait for one another instead of blocking each other for ever.
    rows = await work.connection.fetch(_LOCK, sorted(set(shipment_ids)))
    ids = [row["id"] for row in rows]
    paid = {row["shipment_id"]: row for row in await work.connection.fetch(_PAID, ids)}
    known: dict[UUID, list[Held]] = defaultdict(list)
    by_id = {row["id"]: row for row in rows}
    for kept in await work.connection.fetch(_KNOWN, ids):
        of = by_id[kept["shipment_id"]]
        known[of["id"]].append(ledger.held(kept, carrier=of["carrier"], order_id=of["order_id"]))
    reckoned: dict[UUID, Reckoned] = {}
    told: list[tuple[About, Found]] = []
    mended: list[Held] = []
    changes: list[_Change] = []
    for row in rows:
        sums = paid.get(row["id"])
        account = account_of(row, sums)
        new = _review(row, account, known[row["id"]], now=now)
        told += [(_about(row, each, statement_id), each) for each in new.told]
        mended += new.mended
        settled = _settled(row, account, sums, cause=cause, now=now, statement_id=statement_id)
        if settled is not None:
            work.tell(COD_SETTLED, settled.event, subject=row["id"], event_id=settled.event_id)
            account = replace(account, settled=settled.home)
        if settled is not None or new.told or new.mended:
            changes.append(_Change(row, bool(new.open), settled))
        reckoned[row["id"]] = Reckoned(account, new.open)
    await ledger.tell(work, told, [each for several in known.values() for each in several], now=now)
    await ledger.end(work, mended, "mended", now=now, cause=cause)
    await _write(work, changes)
    return reckoned


async def compare_named(work: Work, shipment_ids: Collection[UUID], *, now: datetime) -> None:
    """`compare` for those of the shipments that statements name, after the carrier told something new of them."""
    if shipment_ids:
        named = await work.connection.fetch(_NAMED, listed(shipment_ids))
        if named:
            await compare(work, [row["shipment_id"] for row in named], now=now, cause=STATUS)


@dataclass(frozen=True, slots=True)
class _Reviewed:
    told: tuple[Found, ...]
    """New, or of another amount."""
    mended: tuple[Held, ...]
    open: tuple[Found, ...]


def _review(row: asyncpg.Record, account: Account, known: Sequence[Held], *, now: datetime) -> _Reviewed:
    """What is wrong now against what was kept of it. What a person has ended stays so while its amount is the same."""
    found = {each.kind: each for each in reckoning.differences(account, now=now)}
    mended = []
    told = dict(found)
    for held in known:
        now_found = found.get(held.found.kind)
        if now_found is None:
            if held.state == "open":
                mended.append(held)
        elif held.state != "mended" and held.found.amount == now_found.amount:
            del told[held.found.kind]
            if held.state != "open":
                del found[held.found.kind]
    return _Reviewed(tuple(told.values()), tuple(mended), tuple(found.values()))


@dataclass(frozen=True, slots=True)
class _Settled:
    """The money came home, or what had brought it is withdrawn."""

    event: CodSettled
    event_id: UUID
    home: bool


def _settled(
    row: asyncpg.Record,
    account: Account,
    sums: asyncpg.Record | None,
    *,
    cause: str,
    now: datetime,
    statement_id: UUID | None,
) -> _Settled | None:
    came_home = reckoning.home(account)
    if came_home is not None and not account.settled:
        name = "cod settled"
        if came_home.evidence == "bank":
            name = f"{name} {came_home.at.isoformat()}"
        elif sums is not None and sums["withdrawn"]:
            # Not before it was taken back, whatever day stands in the statement: others keep the latest fact.
            came_home, name = replace(came_home, at=max(came_home.at, now)), f"{name} {statement_id}"
        # A fixed id, so that not even a bug could settle the same money twice: another only where it was taken back.
        return _Settled(_event(row, account, came_home, statement_id), uuid5(row["id"], name), home=True)
    if came_home is None and account.settled and cause in TAKES_BACK and account.contract.proof != "status":
        by_bank = account.contract.proof == "bank"
        left = Home(min(account.brought, account.due), now, "bank" if by_bank else "statement")
        name = f"cod settlement withdrawn {statement_id} {row['settled_at'].isoformat()}"
        return _Settled(_event(row, account, left, statement_id), uuid5(row["id"], name), home=False)
    return None


def _event(row: asyncpg.Record, account: Account, home: Home, statement_id: UUID | None) -> CodSettled:
    return CodSettled(
        shipment_id=row["id"],
        order_id=row["order_id"],
        at=home.at,
        amount=home.amount,
        fee=account.paid.fee if account.paid.fee is not None else row["fee"],
        carrier=row["carrier"],
        evidence=home.evidence,
        compensation=account.status == "lost",
        statement_id=statement_id,
    )


def account_of(row: Any, sums: Any) -> Account:
    """A parcel's money from the columns of `ACCOUNT` and, where statements name it, those of `PAID`: rows of
    either driver."""
    return Account(
        status=row["status"],
        status_at=row["delivered_at"] or row["status_at"],
        cod=row["cod"],
        collected=row["collected"],
        partial=row["partial"],
        value=row["goods_value"],
        quoted_fee=row["quoted_fee"],
        settled=row["settled_at"] is not None,
        written_off=row["written_off"],
        contract=contract_of(row),
        failed_fee=row["failed_fee"],
        paid=_paid(sums) if sums is not None else reckoning.NOTHING,
    )


def contract_of(row: Any) -> Contract:
    """What was agreed, from the columns of `cod_contracts`, which are empty where nothing was."""
    if row["proof"] is None:
        return usual(row["carrier"])
    return Contract(
        proof=row["proof"],
        days_to_pay=row["days_to_pay"],
        days_to_compensate=row["days_to_compensate"],
        days_to_credit=row["days_to_credit"],
        fee_check=row["fee_check"],
        fee_tolerance=row["fee_tolerance"],
    )


def _paid(row: Any) -> Paid:
    return Paid(
        lines=row["lines"],
        told=row["told"],
        cod=row["cod"],
        paying=row["paying"],
        compensation=row["compensation"],
        delivery_fee=row["delivery_fee"],
        fee=row["fee"],
        return_fee=row["return_fee"],
        credited=row["credited"],
        credited_at=row["credited_at"],
        last=row["last"],
    )


def _about(row: asyncpg.Record, found: Found, statement_id: UUID | None) -> About:
    return About(
        key=f"{row['id']}:{found.kind}",
        connection_id=row["connection_id"],
        carrier=row["carrier"],
        shipment_id=row["id"],
        order_id=row["order_id"],
        statement_id=statement_id,
    )


@dataclass(frozen=True, slots=True)
class _Change:
    row: asyncpg.Record
    wrong: bool
    """Somebody has to look at its money."""
    settled: _Settled | None


async def _write(work: Work, changes: Sequence[_Change]) -> None:
    """The money of the parcels and the mark for people, and a nudge for their workflows."""
    if not changes:
        return
    columns: list[tuple[Any, ...]] = []
    for each in changes:
        settled = each.settled
        home = settled.event if settled is not None and settled.home else None
        taken_back = settled is not None and not settled.home
        columns.append(
            (each.row["id"], each.wrong, taken_back, home.at if home else None, home.amount if home else None)
        )
        work.nudge_shipment(each.row["id"], round=each.row["round"])
    await work.connection.execute(_WRITE, *zip(*columns, strict=True), MONEY_DIFFERS)


async def unmark(work: Work, shipment_id: UUID) -> None:
    """Takes the mark for people away where nothing is open any more, and has the parcel's workflow look."""
    round = await work.connection.fetchval(_UNMARK, shipment_id, MONEY_DIFFERS)
    work.send(nudge_shipment(shipment_id, round=round))


ACCOUNT: Final = """s.id, s.order_id, s.connection_id, c.carrier, s.round, s.status, s.status_at, s.delivered_at, s.cod,
    s.collected, s.partial, s.fee, coalesce(s.quoted_fee, s.fee) AS quoted_fee, o.goods_value, s.settled_at, s.settled_amount,
    coalesce((s.options ->> 'failed_delivery_fee')::bigint, 0) AS failed_fee, w.shipment_id IS NOT NULL AS written_off,
    k.proof, k.days_to_pay, k.days_to_compensate, k.days_to_credit,
    k.fee_check, k.fee_tolerance"""
ACCOUNT_FROM: Final = """
FROM shipments s JOIN carrier_connections c ON c.id = s.connection_id JOIN shippable_orders o ON o.order_id = s.order_id
LEFT JOIN cod_contracts k ON k.connection_id = s.connection_id LEFT JOIN cod_write_offs w ON w.shipment_id = s.id
"""
_LOCK: Final = f"""
SELECT {ACCOUNT} {ACCOUNT_FROM}
WHERE s.id = ANY($1::uuid[]) AND s.waybill <> '' ORDER BY s.id FOR NO KEY UPDATE OF s
"""
_COUNTS: Final = "FILTER (WHERE t.state IN ('matching', 'matched'))"
PAID: Final = f"""l.shipment_id, (count(*) {_COUNTS})::integer AS lines,
    coalesce(bool_or(l.cod IS NOT NULL) {_COUNTS}, false) AS told, coalesce(sum(l.cod) {_COUNTS}, 0)::bigint AS cod,
    (count(*) FILTER (WHERE l.cod > 0 AND t.state IN ('matching', 'matched')))::integer AS paying,
    coalesce(sum(l.compensation) {_COUNTS}, 0)::bigint AS compensation,
    (sum(l.delivery_fee) {_COUNTS})::bigint AS delivery_fee, (sum(l.fee) {_COUNTS})::bigint AS fee,
    coalesce(sum((l.fees ->> 'return')::bigint) {_COUNTS}, 0)::bigint AS return_fee,
    coalesce(sum(coalesce(l.cod, 0) + coalesce(l.compensation, 0)) FILTER (
        WHERE t.credited_at IS NOT NULL AND t.state IN ('matching', 'matched')), 0)::bigint AS credited,
    max(t.credited_at) {_COUNTS} AS credited_at,
    ((max(t.paid_on) {_COUNTS})::timestamp AT TIME ZONE 'Asia/Ho_Chi_Minh') AS last,
    bool_or(t.withdrawn_at IS NOT NULL) AS withdrawn"""
"""Sums of lines `l` and their statements `t`; those that are withdrawn do not count."""
_PAID: Final = f"""
SELECT {PAID}
FROM cod_lines l JOIN cod_statements t ON t.id = l.statement_id
WHERE l.shipment_id = ANY($1::uuid[]) GROUP BY l.shipment_id
"""
_NAMED: Final = """
SELECT s.id AS shipment_id FROM unnest($1::text::uuid[]) AS s(id)
WHERE EXISTS (SELECT 1 FROM cod_lines l WHERE l.shipment_id = s.id)
"""
_KNOWN: Final = f"SELECT {ledger.COLUMNS} FROM cod_differences WHERE shipment_id = ANY($1::uuid[])"
_WRITE: Final = """
UPDATE shipments s SET revision = s.revision + 1, updated_at = now(),
    attention = CASE WHEN r.wrong = ($6 = ANY(s.attention)) THEN s.attention
        WHEN r.wrong THEN array_append(s.attention, $6) ELSE array_remove(s.attention, $6) END,
    settled_at = CASE WHEN r.taken_back THEN NULL ELSE coalesce(s.settled_at, r.at) END,
    settled_amount = CASE WHEN r.taken_back THEN NULL ELSE coalesce(s.settled_amount, r.amount) END,
    next_poll_at = CASE WHEN r.at IS NOT NULL AND s.status = 'delivered' THEN NULL ELSE s.next_poll_at END
FROM unnest($1::uuid[], $2::boolean[], $3::boolean[], $4::timestamptz[], $5::bigint[])
    AS r(id, wrong, taken_back, at, amount)
WHERE s.id = r.id
"""
_UNMARK: Final = """
UPDATE shipments s SET revision = s.revision + 1, updated_at = now(), attention = CASE
    WHEN EXISTS (SELECT 1 FROM cod_differences d WHERE d.shipment_id = s.id AND d.state = 'open') THEN s.attention
    ELSE array_remove(s.attention, $2) END
WHERE s.id = $1 RETURNING s.round
"""
