"""The statements that keep differences: opened, told again, closed, opened once more. One statement for any number."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from uuid_utils.compat import uuid7

from services.shipping.cod.reckoning import Found
from services.shipping.work import Work
from shared.contracts.events.shipping import (
    DIFFERENCE_CLOSED,
    DIFFERENCE_OPENED,
    DifferenceClosed,
    DifferenceEnd,
    DifferenceOpened,
)

if TYPE_CHECKING:
    import asyncpg


@dataclass(frozen=True, slots=True)
class About:
    """What a difference is about, besides its amounts.

    `key` makes it one row however often it is told; `label` is for people where there is no parcel; without a connection
    it is about the carrier and all of its shops.
    """

    key: str
    connection_id: UUID | None
    carrier: str
    shipment_id: UUID | None = None
    order_id: UUID | None = None
    statement_id: UUID | None = None
    line: int | None = None
    label: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """A difference as it is kept."""

    id: UUID
    about: About
    found: Found
    state: str
    times: int


def held(row: asyncpg.Record, *, carrier: str, order_id: UUID | None) -> Held:
    about = About(
        key=row["key"],
        connection_id=row["connection_id"],
        carrier=carrier,
        shipment_id=row["shipment_id"],
        order_id=order_id,
        statement_id=row["statement_id"],
        line=row["line"],
        label=row["label"],
    )
    found = Found(row["kind"], row["expected"], row["found"], row["amount"], row["since"])
    return Held(row["id"], about, found, row["state"], row["times"])


async def tell(work: Work, told: Iterable[tuple[About, Found]], known: Collection[Held], *, now: datetime) -> None:
    """Writes down what is wrong now.

    One that a person has ended stays ended while its amount is the same. One that mended and is wrong again is opened
    once more.

    Args:
        known: what is kept under the same keys.
    """
    by_key = {each.about.key: each for each in known}
    rows = []
    for about, found in told:
        before = by_key.get(about.key)
        if before is not None and before.state != "mended" and before.found.amount == found.amount:
            continue
        difference_id = before.id if before is not None else uuid7()
        if before is None or before.state != "open":
            work.tell(DIFFERENCE_OPENED, _opened(difference_id, about, found, now=now), subject=difference_id)
        rows.append(
            (
                difference_id,
                about.key,
                found.kind,
                about.connection_id,
                about.carrier if about.connection_id is None else None,
                about.shipment_id,
                about.statement_id,
                about.line,
                found.expected,
                found.found,
                found.amount,
                about.label,
                found.since,
                now,
            )
        )
    if rows:
        await work.connection.execute(_TELL, *zip(*rows, strict=True))


async def end(
    work: Work,
    ended: Sequence[Held],
    how: DifferenceEnd,
    *,
    now: datetime,
    by: str = "",
    reason: str = "",
    cause: str = "",
) -> None:
    """Closes differences that are open; what was closed meanwhile stays as it is.

    Args:
        by: staff code of who ended them; empty where a later fact mended them.
        cause: the fact that mended them.
    """
    if not ended:
        return
    by_id = {each.id: each for each in ended}
    closed = await work.connection.fetch(_END, list(by_id), how, now, by, reason, cause)
    for row in closed:
        each = by_id[row["id"]]
        work.tell(
            DIFFERENCE_CLOSED,
            DifferenceClosed(
                difference_id=each.id,
                kind=each.found.kind,
                at=now,
                carrier=each.about.carrier,
                connection_id=each.about.connection_id,
                amount=each.found.amount,
                end=how,
                by=by,
                cause=cause,
                shipment_id=each.about.shipment_id,
                order_id=each.about.order_id,
                statement_id=each.about.statement_id,
            ),
            subject=each.id,
        )


def _opened(difference_id: UUID, about: About, found: Found, *, now: datetime) -> DifferenceOpened:
    return DifferenceOpened(
        difference_id=difference_id,
        kind=found.kind,
        at=now,
        carrier=about.carrier,
        connection_id=about.connection_id,
        amount=found.amount,
        shipment_id=about.shipment_id,
        order_id=about.order_id,
        statement_id=about.statement_id,
        since=found.since,
    )


COLUMNS: Final = """id, key, kind, connection_id, shipment_id, statement_id, line, expected, found, amount, label, since,
    state, times"""
_TELL: Final = """
INSERT INTO cod_differences AS d (id, key, kind, connection_id, carrier, shipment_id, statement_id, line, expected, found,
    amount, label, since, opened_at)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::uuid[], $7::uuid[], $8::integer[],
    $9::bigint[], $10::bigint[], $11::bigint[], $12::text[], $13::timestamptz[], $14::timestamptz[])
ON CONFLICT (key) DO UPDATE SET connection_id = excluded.connection_id, carrier = excluded.carrier,
    statement_id = coalesce(excluded.statement_id, d.statement_id),
    line = coalesce(excluded.line, d.line), expected = excluded.expected, found = excluded.found,
    amount = excluded.amount, label = excluded.label, since = least(d.since, excluded.since), state = 'open',
    opened_at = CASE d.state WHEN 'open' THEN d.opened_at ELSE excluded.opened_at END, closed_at = NULL, closed_by = '',
    reason = '', cause = '', times = d.times + (d.state <> 'open')::integer
"""
_END: Final = """
UPDATE cod_differences SET state = $2, closed_at = $3, closed_by = $4, reason = $5, cause = $6
WHERE id = ANY($1::uuid[]) AND state = 'open' RETURNING id
"""
