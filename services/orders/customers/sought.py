"""Customers by words of a name or by a range of a field: first among the newest, where what is common fills a page at once;
then all of them.

Neither way alone is good. Whoever is called Nguyễn would be gathered with 400,000 others before the newest fifty are shown;
whoever is called Khuất would be looked for among a million. Both are fenced (OFFSET 0), so that the plan does not hang on a
guess of how many there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from services.orders.text import words

NEAR: Final = 5_000
"""Names or values that are looked through from the newest, a few milliseconds. What does not fill a page from these is fewer
than one in a hundred, and these are gathered in as short a time up to some million customers."""


@dataclass(frozen=True)
class Sought:
    """Rows `k` of a table of customers that hold what is sought."""

    table: str
    of: str
    """Which rows of the table can hold it at all, by an index with `customer_id` behind."""
    holds: str

    def of_customer(self) -> str:
        """As a condition on customers `c`."""
        return f"EXISTS (SELECT 1 FROM {self.table} k WHERE k.customer_id = c.id AND {self.of} AND {self.holds})"


# Parsed once, not for each name.
NAMES: Final = Sought("customer_names", "true", "k.words @@ (SELECT to_tsquery('simple', :words))")

_NEWEST: Final = f"""
SELECT DISTINCT customer_id FROM (
    SELECT * FROM {{table}} k WHERE {{of}} AND {{further}} ORDER BY customer_id DESC LIMIT {NEAR}) k
WHERE {{holds}}
"""
_NEWEST_OF_MINE: Final = f"""
SELECT customer_id FROM (SELECT customer_id FROM mine WHERE {{further}} ORDER BY customer_id DESC LIMIT {NEAR}) newest
WHERE EXISTS (SELECT 1 FROM {{table}} k WHERE k.customer_id = newest.customer_id AND {{of}} AND {{holds}} OFFSET 0)
"""
_ALL: Final = "SELECT DISTINCT customer_id FROM {table} k WHERE {of} AND {holds} AND {further}"
# The planner may begin with what narrows the list besides: whoever is called Nguyễn and has a rare tag.
_ALL_NARROWED: Final = """
SELECT DISTINCT customer_id FROM {table} k JOIN customers c ON c.id = k.customer_id
WHERE {of} AND {holds} AND {further} AND {conditions}
"""
_ROWS: Final = """
SELECT c.* FROM ({found} ORDER BY customer_id DESC OFFSET 0) n
CROSS JOIN LATERAL ({rows} WHERE c.id = n.customer_id AND {conditions} OFFSET 0) c ORDER BY n.customer_id DESC
"""


def named(typed: str) -> str | None:
    """What is sought, as PostgreSQL reads it: whole words but the last, which may be a beginning. None: no word at all."""
    found = words(typed)
    return " & ".join([*found[:-1], f"{found[-1]}:*"]) if found else None


def within(number: int, *, least: float | date | None, most: float | date | None) -> tuple[Sought, dict[str, Any]]:
    """Values of a field in a range, both ends included, and the parameters but the key.

    Args:
        number: of the range, in the names of its parameters; the key is `:key_<number>`.
    """
    bounds = {f"least_{number}": least, f"most_{number}": most}
    column = "day" if isinstance(most if least is None else least, date) else "number"
    ends = [f"k.{column} >= :least_{number}"] * (least is not None) + [f"k.{column} <= :most_{number}"] * (
        most is not None
    )
    held = Sought("customer_field_values", f"k.key = :key_{number}", " AND ".join(ends))
    return held, {name: value for name, value in bounds.items() if value is not None}


def ways(sought: Sought, rows: str, conditions: Sequence[str], *, of_mine: bool, further: bool) -> tuple[str, str]:
    """Two queries of customers, the newest first. The first may miss some.

    Args:
        rows: a query of customers `c` without conditions.
        conditions: on `c`; the first leaves nearly all of them.
        of_mine: only customers in `mine`, a table of `customer_id`.
        further: only customers before `:after`.
    """
    parts = {"table": sought.table, "of": sought.of, "holds": sought.holds, "conditions": " AND ".join(conditions)}
    parts["further"] = "customer_id < :after" if further else "true"
    newest = (_NEWEST_OF_MINE if of_mine else _NEWEST).format(**parts)
    everybody = (_ALL_NARROWED if len(conditions) > 1 else _ALL).format(**parts)
    if of_mine:
        everybody += " AND customer_id IN (SELECT customer_id FROM mine)"
    first, second = (_ROWS.format(found=found, rows=rows, **parts) for found in (newest, everybody))
    return first, second
