"""Thousands of orders like those that a shop has made, in a second: what a test of volume works on."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import text

from shared import outbox
from shared.contracts.workflows import nudge_care
from tests.integration.orders.support import Shop

TABLES: Final = (
    *("customers", "customer_phones", "orders", "care", "assignments", "interactions", "transitions", "arrivals"),
    *("care_effects", "tasks", "promises", "undo_points", "care_commands"),
)
OWN_IDS: Final = ("id", "order_id", "customer_id", "interaction_id", "lead_id")
"""Columns that are another one's in each copy."""

# Rows that belong together come table by table, and what is copied has passed all checks before.
_UNCHECKED: Final = text("SET LOCAL session_replication_role = replica")
_DUE: Final = """
WITH due AS MATERIALIZED (
    SELECT t.order_id, t.key, t.due_at AS before,
        CAST(:begins AS timestamptz) + (row_number() OVER (ORDER BY t.order_id) - 1) * CAST(:apart AS interval) AS at
    FROM tasks t WHERE t.step = :step AND t.closed_at IS NULL
), promise AS (
    UPDATE promises p SET due_at = due.at, deadline_at = p.deadline_at + (due.at - due.before) FROM due
    WHERE p.order_id = due.order_id AND p.task_key = due.key
), logged AS (
    UPDATE interactions i SET promised_at = due.at FROM due WHERE i.order_id = due.order_id AND i.promised_at = due.before
), followed AS (
    UPDATE care c SET next_due = c.next_due + (due.at - due.before),
        state = jsonb_set(c.state, '{due_at}', to_jsonb(due.at)) FROM due WHERE c.order_id = due.order_id
)
UPDATE tasks t SET due_at = due.at, deadline_at = t.deadline_at + (due.at - due.before) FROM due
WHERE t.order_id = due.order_id AND t.key = due.key
"""


async def copy_orders(shop: Shop, times: int) -> None:
    """Each order, so many times more: of other customers with other numbers, everything else alike."""
    columns = await shop.service.rows(
        "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = current_schema() "
        "AND table_name = ANY(:tables) AND is_generated = 'NEVER' ORDER BY table_name, ordinal_position",
        tables=list(TABLES),
    )
    async with shop.service.db.transaction() as session:
        await session.execute(_UNCHECKED)
        for table in TABLES:
            copied = {row.column_name: _copied(table, row) for row in columns if row.table_name == table}
            names = ", ".join(f'"{name}"' for name in copied)
            await session.execute(
                text(
                    f"INSERT INTO {table} ({names}) SELECT {', '.join(copied.values())} "
                    f"FROM {table} CROSS JOIN generate_series(1, :times) AS copy"
                ),
                {"times": times},
            )
    pool = await shop.service.db.driver()
    await pool.execute("ANALYZE")  # as the server itself does in a quiet minute


def _copied(table: str, column: Any) -> str:
    name, kind = column.column_name, column.data_type
    if kind == "uuid" and name in OWN_IDS:
        return f"CAST(md5(CAST(\"{name}\" AS text) || '/' || copy) AS uuid)"
    if name == "phone":
        return "left(phone, 3) || (CAST(substr(phone, 4) AS bigint) + 1000 * copy)"
    if (table, name) == ("orders", "code"):
        return "code || '-' || copy"
    return f'"{name}"'


async def promise_again(shop: Shop, step: str, *, begins: datetime, apart: timedelta = timedelta()) -> None:
    """The open tasks of a step are due at times that were agreed with the customers: each so long after the one before."""
    async with shop.service.db.transaction() as session:
        await session.execute(_UNCHECKED)
        await session.execute(text(_DUE), {"step": step, "begins": begins, "apart": apart})


async def follow(shop: Shop) -> None:
    """Asks for the workflow of every open care, as what made them did."""
    async with shop.service.db.transaction() as session:
        rows = await session.execute(
            text("SELECT c.order_id, o.code, c.round FROM care c JOIN orders o ON o.id = c.order_id WHERE c.is_open")
        )
        await outbox.write(
            session,
            [outbox.command_row(nudge_care(row.order_id, code=row.code, round=row.round)) for row in rows],
        )
