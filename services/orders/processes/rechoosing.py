"""Before anybody has spoken or tried to, another product or tag of an order may choose another process for it.

Later it takes a move: people have planned with the process that they know.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text

from services.orders import record
from services.orders.care.processes import Processes
from services.orders.care.reading import lock_care
from services.orders.moving.one import Target, Wish, move
from services.orders.processes.choice import CHOSEN
from shared.db import Session

_CHOSEN_OTHERWISE: Final = text(
    f"""
SELECT o.id, chosen.process, chosen.process_version, chosen.chosen_by
FROM orders o JOIN care k ON k.order_id = o.id CROSS JOIN LATERAL ({CHOSEN}) AS chosen
WHERE o.id = ANY(CAST(:ids AS uuid[])) AND k.is_open AND k.process <> chosen.process
    AND NOT EXISTS (SELECT FROM interactions i WHERE i.order_id = o.id)
    AND NOT EXISTS (SELECT FROM care_moves m WHERE m.order_id = o.id AND m.move_id IS NOT NULL)
ORDER BY o.id
"""
)
"""Without those that a manager moved: that was the later word."""


async def choose_again(session: Session, ids: Sequence[UUID]) -> None:
    """These orders have another product or other tags than before: those whose care has just begun follow the rules."""
    found = await session.execute(_CHOSEN_OTHERWISE, {"ids": list(ids)})
    orders = await record.lock_many(session, [row.id for row in found])
    if not orders:
        return
    now, processes = datetime.now(UTC), Processes()
    # Once more, under the locks: a call may have been logged meanwhile.
    for row in (await session.execute(_CHOSEN_OTHERWISE, {"ids": list(orders)})).all():
        care = await lock_care(session, row.id)
        assert care is not None
        target = Target(row.process, row.process_version, {})
        wish = Wish(f"choice: {row.chosen_by}")
        await move(session, processes, orders[row.id], care, target, wish, now=now, chosen_by=row.chosen_by)
