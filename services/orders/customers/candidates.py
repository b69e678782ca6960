"""Who may be on a page of customers: the newest few hundred by whatever narrows a list most, whose rows are then looked at.

Nothing here reads in proportion to how many customers there are. Where what is asked for is rare in every single respect
it is found by index; where it is common the newest fill the page. Only where each respect is common and nobody fits all of
them is the search given up after some hundred candidates: the page is short then, and its `next` goes on from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from services.orders.candidates import Candidates, full
from services.orders.customers.sought import Sought
from shared.db import ReadSession

ENOUGH: Final = 250
"""Candidates whose rows are looked at for one page, some fifteen pages of PostgreSQL each; the longest page shows 200."""
GATHERED: Final = 20_000
"""Customers in a range whose ids are gathered, from some 200 pages of an index. Of more, the newest are looked through."""
NEAR: Final = 5_000
"""The newest that are looked through for those in a wide range, or for those of many people."""
LATELY: Final = 1_000
"""Orders since an instant from which their customers are gathered. Of more, the newest customers fill a page."""


_OF_PHONE: Final = text("SELECT customer_id FROM customer_phones WHERE phone = :phone")


async def of_phone(session: ReadSession, phone: str, *, before: UUID | None) -> Candidates:
    found = (await session.execute(_OF_PHONE, {"phone": phone})).scalars()
    return Candidates([id for id in found if before is None or id < before], None)


_LATELY: Final = text("SELECT customer_id FROM orders WHERE id >= :since ORDER BY id DESC LIMIT :most")


async def lately(session: ReadSession, since: UUID, *, before: UUID | None) -> Candidates | None:
    """Customers of the orders since an id; None: there are too many."""
    found = list((await session.execute(_LATELY, {"since": since, "most": LATELY + 1})).scalars())
    if len(found) > LATELY:
        return None
    return Candidates(sorted({id for id in found if before is None or id < before}, reverse=True), None)


_GATHERED: Final = """
WITH gathered AS MATERIALIZED (
    SELECT customer_id FROM customer_field_values WHERE {within} LIMIT :most
)
SELECT (SELECT count(*) FROM gathered) AS met, ARRAY(SELECT customer_id FROM gathered
    WHERE CAST(:before AS uuid) IS NULL OR customer_id < :before ORDER BY customer_id DESC LIMIT :enough) AS ids
"""
_NEWEST_IN_RANGE: Final = """
WITH newest AS (
    SELECT * FROM customer_field_values WHERE key = {key} AND customer_id < coalesce(CAST(:before AS uuid), :last)
    ORDER BY customer_id DESC LIMIT :near
)
SELECT ARRAY(SELECT customer_id FROM newest WHERE {within} ORDER BY customer_id DESC LIMIT :enough) AS ids, (
    SELECT customer_id FROM customer_field_values WHERE key = {key} AND customer_id < coalesce(CAST(:before AS uuid), :last)
    ORDER BY customer_id DESC OFFSET :near - 1 LIMIT 1) AS place
"""
_LAST: Final = UUID(int=2**128 - 1)


@dataclass(frozen=True)
class Range:
    """Of a field of the trade, both ends included; one of them may be missing."""

    number: int
    """Of the range, in the names of its parameters."""
    key: str
    least: float | date | None
    most: float | date | None

    @property
    def within(self) -> str:
        """As a condition on `customer_field_values`."""
        column = "day" if isinstance(self.most if self.least is None else self.least, date) else "number"
        ends = [f"{column} >= :least_{self.number}"] * (self.least is not None)
        ends += [f"{column} <= :most_{self.number}"] * (self.most is not None)
        return " AND ".join([f"key = :key_{self.number}", *ends])

    def of_customer(self) -> str:
        """As a condition on customers `c`."""
        return f"EXISTS (SELECT FROM customer_field_values WHERE customer_id = c.id AND {self.within})"

    def parameters(self) -> dict[str, Any]:
        ends = {f"least_{self.number}": self.least, f"most_{self.number}": self.most}
        return {f"key_{self.number}": self.key, **{name: end for name, end in ends.items() if end is not None}}


async def in_range(session: ReadSession, wanted: Range, *, before: UUID | None, enough: int) -> Candidates:
    """Customers with a value of a field in a range."""
    asked = {**wanted.parameters(), "before": before, "enough": enough}
    query = text(_GATHERED.format(within=wanted.within))
    row = (await session.execute(query, {**asked, "most": GATHERED + 1})).one()
    if row.met <= GATHERED:
        return full(row.ids, enough=enough)
    query = text(_NEWEST_IN_RANGE.format(within=wanted.within, key=f":key_{wanted.number}"))
    row = (await session.execute(query, {**asked, "near": NEAR, "last": _LAST})).one()
    return Candidates(row.ids, row.ids[-1] if len(row.ids) == enough else row.place)


_SOUGHT: Final = text(
    """
SELECT ids, place FROM customers_sought(CAST(:by_era AS text), CAST(CAST(:of_all AS text) AS tsquery),
    CAST(CAST(:one_name AS text) AS tsquery), CAST(:before AS uuid), :enough)
"""
)
_NEWEST_OF_PEOPLE: Final = text(
    """
WITH newest AS (
    SELECT customer_id, tokens FROM customer_search WHERE customer_id < coalesce(CAST(:before AS uuid), :last)
    ORDER BY customer_id DESC LIMIT :near
)
SELECT ARRAY(SELECT customer_id FROM newest WHERE tokens @@ CAST(CAST(:of_all AS text) AS tsquery)
    ORDER BY customer_id DESC LIMIT :enough) AS ids, (
    SELECT customer_id FROM customer_search WHERE customer_id < coalesce(CAST(:before AS uuid), :last)
    ORDER BY customer_id DESC OFFSET :near - 1 LIMIT 1) AS place
"""
)
_LENT: Final = text(
    """
SELECT customer_id FROM customer_search
WHERE customer_id = ANY(:lent) AND (:wanted = '' OR tokens @@ CAST(CAST(:wanted AS text) AS tsquery))
    AND (CAST(:one_name AS text) IS NULL OR EXISTS (
        SELECT FROM unnest(names) name WHERE name @@ CAST(CAST(:one_name AS text) AS tsquery)))
"""
)


async def with_tokens(
    session: ReadSession, sought: Sought, *, lent: Sequence[UUID], before: UUID | None, enough: int
) -> Candidates:
    """Customers who have what is sought.

    Args:
        lent: customers who are the viewer's too, whoever holds their orders.
    """
    asked: dict[str, Any] = {"of_all": sought.of_all, "before": before, "enough": enough}
    if sought.by_era:
        row = (await session.execute(_SOUGHT, {**asked, "by_era": sought.by_era, "one_name": sought.one_name})).one()
        ids, place = row.ids, row.place
    else:
        row = (await session.execute(_NEWEST_OF_PEOPLE, {**asked, "near": NEAR, "last": _LAST})).one()
        ids, place = row.ids, row.ids[-1] if len(row.ids) == enough else row.place
    if not lent:
        return Candidates(ids, place)
    further = (
        await session.execute(_LENT, {"lent": list(lent), "wanted": sought.but_people, "one_name": sought.one_name})
    ).scalars()
    met = {id for id in further if (before is None or id < before) and (place is None or id >= place)}
    return Candidates(sorted(met.union(ids), reverse=True), place)


_NEWEST: Final = text(
    """
SELECT id FROM customers WHERE merged_into IS NULL AND id < coalesce(CAST(:before AS uuid), :last)
ORDER BY id DESC LIMIT :enough
"""
)


async def newest(session: ReadSession, *, before: UUID | None, enough: int) -> Candidates:
    """Whoever came last."""
    asked = {"before": before, "last": _LAST, "enough": enough}
    ids = list((await session.execute(_NEWEST, asked)).scalars())
    return full(ids, enough=enough)
