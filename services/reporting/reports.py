"""The reports: each reads rollups only, so its cost grows with days and dimensions, never with orders."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy import text

from services.reporting import level_names
from services.reporting.projection import MERGED, divides
from services.reporting.schemas import (
    FunnelRow,
    IdentityRow,
    IncurredRow,
    MoneyRow,
    RemainingRow,
    StatusRow,
    TransitionRow,
)
from shared.contracts import levels
from shared.db import ReadSession

FunnelGroup = Literal["total", "day", "channel", "marketer", "landing_page", "product", "owner"]
IncurredGroup = Literal["level", "day", "owner", "channel", "marketer"]
RemainingGroup = Literal["level", "owner", "channel", "marketer"]

_SOURCE_GROUPS: Final = frozenset({"channel", "marketer", "landing_page", "product"})


@dataclass(frozen=True)
class Scope:
    """Whose numbers a person may see: everybody's, or their own and their subordinates'."""

    viewer: UUID
    sees_all: bool

    def condition(self, column: str) -> str:
        """SQL for a WHERE; `:viewer` must be bound."""
        if self.sees_all:
            return "TRUE"
        return f"({column} = :viewer OR {column} IN (SELECT account_id FROM staff_closure WHERE superior_id = :viewer))"

    @property
    def parameters(self) -> dict[str, Any]:
        return {} if self.sees_all else {"viewer": self.viewer}


def needs_all(group: str) -> bool:
    """Whether a grouping mixes people's numbers, so that only who sees everything may ask for it."""
    return group in _SOURCE_GROUPS


_OWNER_LABEL: Final = "coalesce((SELECT code FROM staff_members WHERE account_id = r.owner_id), '')"


async def funnel(session: ReadSession, scope: Scope, *, first: date, last: date, group: FunnelGroup) -> list[FunnelRow]:
    """Funnel conversion: of the numbers that arrived in the period, how many reached each main level at least once.

    Basis: cohort by arrival (rules D31, D33). Grouped by owner, the present holder.
    """
    if needs_all(group):
        table, key, where = "cohort_source_days", f"r.{group}", "TRUE"
    else:
        table, where = "cohort_owner_days", scope.condition("r.owner_id")
        key = {"total": "''", "day": "r.day::text", "owner": _OWNER_LABEL}[group]
    rows = await session.execute(
        text(
            f"""
SELECT key, sum(c3)::bigint AS c3, sum(duplicates)::bigint AS duplicates, sum(l1)::bigint AS l1, sum(l5)::bigint AS l5,
       sum(l7)::bigint AS l7, sum(l8)::bigint AS l8, sum(net_closed)::bigint AS net_closed,
       sum(merged)::bigint AS merged
FROM (SELECT {key} AS key, r.* FROM {table} r WHERE r.day BETWEEN :first AND :last AND {where}) AS r
GROUP BY key ORDER BY key
"""
        ),
        {"first": first, "last": last, **scope.parameters},
    )
    return [FunnelRow.model_validate(dict(row._mapping)) for row in rows]


async def status(session: ReadSession, scope: Scope, *, first: date, last: date) -> list[StatusRow]:
    """Funnel status: the present level of the orders that arrived in the period. Basis: cohort by arrival."""
    rows = await session.execute(
        text(
            f"""
SELECT level, sum(orders)::bigint AS orders FROM cohort_level_days r
WHERE day BETWEEN :first AND :last AND {scope.condition("r.owner_id")}
GROUP BY level HAVING sum(orders) <> 0
"""
        ),
        {"first": first, "last": last, **scope.parameters},
    )
    found = {row.level: row.orders for row in rows}
    total = sum(found.values())
    said, place = await level_names.finals(session), await level_names.order(session)
    lying = await _lying_of_cohort(session, scope, first=first, last=last)
    return [
        StatusRow(
            level=level,
            **_divided(lying.get(level, {}), level, said.get(level)),
            main_level=levels.main_level(level),
            final=levels.is_final(level, said.get(level)),
            orders=found[level],
            share=found[level] / total,
        )
        for level in sorted(found, key=place)
    ]


async def incurred(
    session: ReadSession, scope: Scope, *, first: date, last: date, group: IncurredGroup
) -> list[IncurredRow]:
    """Incurred: entries into and exits from each level in the period. Basis: activity, by event time."""
    table, key, where, moved = _movement(scope, group)
    rows = await session.execute(
        text(
            f"""
SELECT key, level, sum(entered)::bigint AS entered, sum("left")::bigint AS "left",
       {moved}
FROM (SELECT {key} AS key, r.* FROM {table} r WHERE r.day BETWEEN :first AND :last AND {where}) AS r
GROUP BY key, level
"""
        ),
        {"first": first, "last": last, **scope.parameters},
    )
    found = [IncurredRow.model_validate(dict(row._mapping)) for row in rows]
    place = await level_names.order(session)
    return sorted(found, key=lambda row: (row.key, place(row.level)))


async def remaining(
    session: ReadSession, scope: Scope, *, at: date, group: RemainingGroup, only_open: bool = False
) -> list[RemainingRow]:
    """Remaining: orders that stand in each level at the end of a day. Basis: all facts up to and with that day.

    Args:
        only_open: without the levels that end an order.
    """
    table, key, where, moved = _movement(scope, group)
    total = 'sum(entered) - sum("left")' + (" + sum(moved_in) - sum(moved_out)" if "sum" in moved else "")
    rows = await session.execute(
        text(
            f"""
SELECT key, level, ({total})::bigint AS orders
FROM (SELECT {key} AS key, r.* FROM {table} r WHERE r.day <= :at AND {where}) AS r
GROUP BY key, level HAVING ({total}) <> 0
"""
        ),
        {"at": at, **scope.parameters},
    )
    said, place = await level_names.finals(session), await level_names.order(session)
    lying = await _lying(session, scope, at=at, group=group)
    found = [
        RemainingRow(
            key=row.key,
            level=row.level,
            final=levels.is_final(row.level, said.get(row.level)),
            orders=row.orders,
            **_divided(lying.get((row.key, row.level), {}), row.level, said.get(row.level)),
        )
        for row in rows
    ]
    shown = [row for row in found if not (only_open and row.final)]
    return sorted(shown, key=lambda row: (row.key, place(row.level)))


def _divided(lying: dict[str, int], level: str, final: bool | None) -> dict[str, int]:
    """What is shown of a level by place: nobody cares for what has ended, wherever it lay at that moment."""
    return {place: orders for place, orders in lying.items() if place == MERGED or divides(level, final)}


async def _lying_of_cohort(session: ReadSession, scope: Scope, *, first: date, last: date) -> dict[str, dict[str, int]]:
    """By level, how many lie in the floating pool or the archive (nobody holds these, so only who sees all sees them), and
    how many were merged."""
    if not scope.sees_all:
        return {}
    rows = await session.execute(
        text(
            "SELECT level, place, sum(orders)::bigint AS orders FROM cohort_place_days "
            "WHERE day BETWEEN :first AND :last GROUP BY level, place"
        ),
        {"first": first, "last": last},
    )
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for row in rows:
        found[row.level][row.place] = row.orders
    return found


async def _lying(
    session: ReadSession, scope: Scope, *, at: date, group: RemainingGroup
) -> dict[tuple[str, str], dict[str, int]]:
    """The same at the end of a day, by the key of the group and the level."""
    if not scope.sees_all:
        return {}
    key = f"r.{group}" if needs_all(group) else "''"  # the row of those that nobody holds
    rows = await session.execute(
        text(
            f"""
SELECT {key} AS key, level, place, (sum(entered) - sum("left"))::bigint AS orders FROM place_days r WHERE day <= :at
GROUP BY 1, level, place
"""
        ),
        {"at": at},
    )
    found: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for row in rows:
        found[row.key, row.level][row.place] = row.orders
    return found


def _movement(scope: Scope, group: str) -> tuple[str, str, str, str]:
    """Table, key, condition and the columns of moves between people for a grouping of levels."""
    if needs_all(group):
        return "level_source_days", f"r.{group}", "TRUE", "0 AS moved_in, 0 AS moved_out"
    key = {"level": "''", "day": "r.day::text", "owner": _OWNER_LABEL}[group]
    moved = "sum(moved_in)::bigint AS moved_in, sum(moved_out)::bigint AS moved_out"
    return "level_days", key, scope.condition("r.owner_id"), moved


async def identity(session: ReadSession) -> list[IdentityRow]:
    """For every level, and for what of it lies in the floating pool and in the archive: what entered, what left, and what
    stands there by each order's own present level and place.

    The last is counted from the orders, not from the sums, so a difference shows a lost or doubled fact.
    """
    rows = await session.execute(
        text(
            """
WITH sums AS (
    SELECT level, '' AS place, sum(entered)::bigint AS entered, sum("left")::bigint AS "left" FROM level_days
    GROUP BY level
    UNION ALL
    SELECT level, place, sum(entered)::bigint, sum("left")::bigint FROM place_days GROUP BY level, place
), present AS (
    SELECT level, '' AS place, count(*) AS orders FROM order_facts WHERE level IS NOT NULL GROUP BY level
    UNION ALL
    SELECT level, place, count(*) FROM order_facts WHERE level IS NOT NULL AND place <> 'care' GROUP BY level, place
    UNION ALL
    SELECT level, 'merged', count(*) FROM order_facts WHERE merged AND level = :merged_level GROUP BY level
)
SELECT coalesce(s.level, p.level) AS level, coalesce(s.place, p.place) AS place, coalesce(s.entered, 0) AS entered,
       coalesce(s."left", 0) AS "left", coalesce(p.orders, 0) AS remaining
FROM sums s FULL JOIN present p ON (p.level, p.place) = (s.level, s.place)
"""
        ),
        {"merged_level": levels.CANCELLED_AFTER_CLOSING},
    )
    found = [
        IdentityRow.model_validate({**row._mapping}) for row in rows if row.place in ("", MERGED) or divides(row.level)
    ]
    place = await level_names.order(session)
    return sorted(found, key=lambda row: (place(row.level), row.place))


async def money(session: ReadSession, *, first: date, last: date) -> list[MoneyRow]:
    """The named sums of rule D28 by day of the fact: sales closed, delivered revenue, revenue received; and compensations."""
    rows = await session.execute(
        text(
            "SELECT kind, sum(orders)::bigint AS orders, sum(amount)::bigint AS amount FROM money_days "
            "WHERE day BETWEEN :first AND :last GROUP BY kind"
        ),
        {"first": first, "last": last},
    )
    found = {row.kind: row for row in rows}
    return [
        MoneyRow(
            kind=kind,
            orders=found[kind].orders if kind in found else 0,
            amount=found[kind].amount if kind in found else 0,
        )
        for kind in ("closed", "delivered", "received", "compensated")
    ]


async def transitions(
    session: ReadSession,
    scope: Scope,
    *,
    level: str,
    first: date,
    last: date,
    limit: int,
    after: UUID | None,
) -> Sequence[TransitionRow]:
    """The facts behind a number: entries into a level in a period, in the order of their ids."""
    rows = await session.execute(
        text(
            f"""
SELECT transition_id, order_id, from_level, to_level, at, recorded_at, cause, actor FROM transitions r
WHERE to_level = :level AND day BETWEEN :first AND :last AND {scope.condition("r.owner_id")}
  AND (CAST(:after AS uuid) IS NULL OR transition_id > :after)
ORDER BY transition_id LIMIT :limit
"""
        ),
        {"level": level, "first": first, "last": last, "after": after, "limit": limit, **scope.parameters},
    )
    return [TransitionRow.model_validate(dict(row._mapping)) for row in rows]
