"""What stands in the way of retiring a level: orders at it, and care processes that bring orders to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from sqlalchemy import text

from shared.db import Session

# Whoever moves an order to a level holds its row for key share (as its foreign key does), so that after this lock every
# such move is either seen below or finds the level retired.
_LOCK_LEVEL: Final = text("SELECT code FROM levels WHERE code = :code FOR UPDATE")
_ORDERS: Final = text("SELECT count(*) FROM orders WHERE level = :code")
_PROCESSES: Final = text(
    """
WITH open_care AS (
    SELECT process AS key, process_version AS version, count(*) AS orders FROM care WHERE is_open GROUP BY 1, 2
), current AS (
    SELECT v.key, max(v.version) AS version FROM process_versions v JOIN processes p USING (key)
    WHERE p.retired_at IS NULL GROUP BY v.key
)
SELECT p.key, p.version, coalesce(o.orders, 0) AS orders, c.key IS NOT NULL AS is_current
FROM process_versions p LEFT JOIN open_care o USING (key, version) LEFT JOIN current c USING (key, version)
WHERE (p.body -> 'resume' ->> :code IS NOT NULL
        OR EXISTS (SELECT FROM json_each(p.body -> 'steps') s WHERE s.value ->> 'level' = :code))
    AND (o.orders > 0 OR c.key IS NOT NULL)
ORDER BY p.key, p.version
"""
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """Something that uses a level. `count`: orders that stand at it, or orders in care by that process."""

    what: Literal["orders", "process"]
    count: int
    process: str = ""
    version: int = 0
    current: bool = False

    @property
    def vi(self) -> str:
        if self.what == "orders":
            return f"{self.count} đơn đang ở đó"
        current = ", đang áp dụng" if self.current else ""
        return f"quy trình {self.process} bản {self.version}{current} ({self.count} đơn đang chăm)"

    @property
    def en(self) -> str:
        if self.what == "orders":
            return f"{self.count} orders stand at it"
        current = ", which is current," if self.current else ""
        return f"process {self.process} v{self.version}{current} names it ({self.count} orders in care)"


async def uses_of(session: Session, code: str) -> list[Use]:
    """What uses a level; from here until the transaction ends nobody brings another order to it."""
    await session.execute(_LOCK_LEVEL, {"code": code})
    found = []
    standing: int = (await session.execute(_ORDERS, {"code": code})).scalar_one()
    if standing:
        found.append(Use(what="orders", count=standing))
    processes = await session.execute(_PROCESSES, {"code": code})
    found += [
        Use(what="process", count=row.orders, process=row.key, version=row.version, current=row.is_current)
        for row in processes
    ]
    return found
