"""SQL of the projection: one statement a table for a whole batch, rows always locked in the same order."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import text

from services.reporting import places, projection
from services.reporting.places import Moved, Stood
from services.reporting.projection import OrderFacts, Rollup
from shared.db import Session

_COLUMNS: Final = tuple(field.name for field in fields(OrderFacts))

_ENSURE_ORDERS = text("INSERT INTO order_facts (order_id) SELECT unnest(CAST(:ids AS uuid[])) ON CONFLICT DO NOTHING")
_LOCK_ORDERS = text(
    f"SELECT {', '.join(_COLUMNS)} FROM order_facts WHERE order_id = ANY(CAST(:ids AS uuid[])) ORDER BY order_id FOR UPDATE"
)
_SAVE_ORDERS = text(
    f"""
UPDATE order_facts AS o SET ({", ".join(_COLUMNS[1:])}) = ROW({", ".join(f"n.{name}" for name in _COLUMNS[1:])})
FROM json_populate_recordset(CAST(NULL AS order_facts), CAST(:rows AS json)) AS n WHERE o.order_id = n.order_id
"""
)
_ADD_TRANSITIONS = text(
    """
INSERT INTO transitions SELECT * FROM json_populate_recordset(CAST(NULL AS transitions), CAST(:rows AS json))
ON CONFLICT (transition_id) DO NOTHING RETURNING transition_id
"""
)

_SAY_OF_LEVELS = text(
    """
INSERT INTO levels AS l (code, final, said_at)
SELECT * FROM unnest(CAST(:codes AS text[]), CAST(:finals AS boolean[]), CAST(:said_at AS timestamptz[]))
ON CONFLICT (code) DO UPDATE SET final = excluded.final, said_at = excluded.said_at
WHERE l.final <> excluded.final AND l.said_at < excluded.said_at
"""
)

_TAKE_TRANSITIONS = text(
    """
DELETE FROM transitions WHERE order_id = ANY(CAST(:ids AS uuid[]))
RETURNING day, from_level, to_level, owner_id, channel, marketer, cause
"""
)
_ADD_MOVES = text(
    """
INSERT INTO owner_moves SELECT * FROM json_populate_recordset(CAST(NULL AS owner_moves), CAST(:rows AS json))
ON CONFLICT (order_id, assignment) DO NOTHING
"""
)
_TAKE_MOVES = text(
    """
DELETE FROM owner_moves WHERE order_id = ANY(CAST(:ids AS uuid[])) RETURNING day, level, from_owner_id, to_owner_id
"""
)

_ADD_PLACES = text(
    """
INSERT INTO order_places SELECT * FROM json_populate_recordset(CAST(NULL AS order_places), CAST(:rows AS json))
ON CONFLICT DO NOTHING
"""
)
_PLACES = text("SELECT order_id, assignment, place, at FROM order_places WHERE order_id = ANY(CAST(:ids AS uuid[]))")
_STANDS = text(
    """
SELECT order_id, sequence, to_level, at, channel, marketer FROM transitions WHERE order_id = ANY(CAST(:ids AS uuid[]))
"""
)
_TAKE_PLACES = text("DELETE FROM order_places WHERE order_id = ANY(CAST(:ids AS uuid[]))")

KEYS: Final[dict[str, tuple[str, ...]]] = {
    projection.COHORT_SOURCE: ("day", "channel", "marketer", "landing_page", "product"),
    projection.COHORT_OWNER: ("day", "owner_id"),
    projection.COHORT_LEVEL: ("day", "owner_id", "level"),
    projection.MONEY: ("day", "kind"),
    projection.COHORT_PLACE: ("day", "level", "place"),
    places.PLACE_DAYS: ("day", "level", "place", "channel", "marketer"),
    "level_days": ("day", "level", "owner_id"),
    "level_source_days": ("day", "level", "channel", "marketer"),
}
"""Rollup → its key columns."""


def _json(rows: Iterable[dict[str, Any]]) -> str:
    return orjson.dumps(list(rows), default=str).decode()  # the driver has a UUID class of its own


async def lock_orders(session: Session, ids: Iterable[UUID]) -> dict[UUID, OrderFacts]:
    """The orders, made where new and locked until commit, in one order for all transactions."""
    ordered = sorted(set(ids))
    await session.execute(_ENSURE_ORDERS, {"ids": ordered})
    rows = await session.execute(_LOCK_ORDERS, {"ids": ordered})
    return {row.order_id: OrderFacts(**row._mapping) for row in rows}


async def say_of_levels(session: Session, finals: Mapping[str, tuple[bool, datetime]]) -> None:
    """Keeps whether levels end an order. What is known already is not written again: every batch says it."""
    codes = sorted(finals)  # one order for all, so that two transactions never wait for each other in a circle
    if codes:
        values = [finals[code] for code in codes]
        await session.execute(
            _SAY_OF_LEVELS,
            {"codes": codes, "finals": [final for final, _ in values], "said_at": [said_at for _, said_at in values]},
        )


async def save_orders(session: Session, orders: Sequence[OrderFacts]) -> None:
    if orders:
        await session.execute(_SAVE_ORDERS, {"rows": _json(asdict(order) for order in orders)})


async def add_transitions(session: Session, rows: Sequence[dict[str, Any]]) -> set[UUID]:
    """Writes transition facts; returns the ids of those that were new."""
    if not rows:
        return set()
    result = await session.execute(_ADD_TRANSITIONS, {"rows": _json(rows)})
    return set(result.scalars())


async def add_to_rollups(session: Session, sums: Counter[Rollup]) -> None:
    """Adds differences to the rollups: one statement a table, keys in order, so that two batches cannot deadlock."""
    tables: dict[str, dict[tuple[Any, ...], dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    for (table, key, measure), amount in sums.items():
        if amount:
            tables[table][key][measure] = amount
    for table in sorted(tables):
        rows = tables[table]
        keys = KEYS[table]
        measures = sorted({measure for values in rows.values() for measure in values})
        quoted = [f'"{measure}"' for measure in measures]
        statement = f"""
            INSERT INTO {table} AS t ({", ".join(keys)}, {", ".join(quoted)})
            SELECT {", ".join(keys)}, {", ".join(quoted)}
            FROM json_populate_recordset(CAST(NULL AS {table}), CAST(:rows AS json))
            ON CONFLICT ({", ".join(keys)}) DO UPDATE SET
            {", ".join(f"{name} = t.{name} + excluded.{name}" for name in quoted)}
        """
        ordered = [
            dict(zip(keys, key, strict=True)) | {measure: rows[key].get(measure, 0) for measure in measures}
            for key in sorted(rows, key=str)
        ]
        await session.execute(text(statement), {"rows": _json(ordered)})


async def take_transitions(session: Session, ids: Iterable[UUID]) -> Sequence[Any]:
    """Takes the transitions of orders away and returns them; the orders must be locked."""
    return (await session.execute(_TAKE_TRANSITIONS, {"ids": list(ids)})).all()


async def add_moves(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Keeps changes of owner as facts."""
    if rows:
        await session.execute(_ADD_MOVES, {"rows": _json(rows)})


async def take_moves(session: Session, ids: Iterable[UUID]) -> Sequence[Any]:
    """Takes the changes of owner of orders away and returns them; the orders must be locked."""
    return (await session.execute(_TAKE_MOVES, {"ids": list(ids)})).all()


async def add_places(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Keeps as facts where orders came to lie."""
    if rows:
        await session.execute(_ADD_PLACES, {"rows": _json(rows)})


async def take_places(session: Session, ids: Iterable[UUID]) -> None:
    """Takes away where orders lay; the orders must be locked."""
    await session.execute(_TAKE_PLACES, {"ids": list(ids)})


async def lives(session: Session, ids: Iterable[UUID]) -> list[tuple[list[Moved], list[Stood]]]:
    """Where those of some orders lay and at which levels they stood that ever left somebody's care."""
    moves: dict[UUID, list[Moved]] = defaultdict(list)
    for row in await session.execute(_PLACES, {"ids": list(ids)}):
        moves[row.order_id].append(Moved(row.assignment, row.place, row.at))
    stands: dict[UUID, list[Stood]] = defaultdict(list)
    if moves:
        for row in await session.execute(_STANDS, {"ids": list(moves)}):
            stands[row.order_id].append(Stood(row.sequence, row.to_level, row.at, row.channel, row.marketer))
    return [(of_order, stands[order_id]) for order_id, of_order in moves.items()]
