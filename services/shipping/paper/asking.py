"""Asking for slips or labels of many parcels as one PDF, which a workflow makes page by page and which is kept for a day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import text
from uuid_utils.compat import uuid7

from shared import outbox
from shared.contracts.workflows import nudge_print
from shared.db import Session

Kind = Literal["slip", "label"]
Size = Literal["A5", "A6", "80mm"]
"""Of our own slip. A carrier's label has the sizes that its capabilities declare."""

KEPT: Final = timedelta(days=1)
"""How long a file is there: it holds names and addresses."""
MAX: Final = 1_000
"""Parcels of one print: a thousand slips are two reams of paper."""


async def ask(
    session: Session, *, kind: Kind, size: str, shipment_ids: Sequence[UUID], by: UUID, by_code: str, now: datetime
) -> UUID:
    """Writes a print down and has its workflow started. Old files are forgotten on the way.

    Args:
        size: one of `Size` for slips, of the carriers' `label_sizes` for labels.
    """
    print_id = uuid7()
    await session.execute(_FORGET, {"before": now - KEPT})
    await session.execute(_ASK, {"id": print_id, "kind": kind, "size": size, "by": by, "by_code": by_code, "now": now})
    await session.execute(_ITEMS, {"id": print_id, "kind": kind, "shipment_ids": list(shipment_ids)})
    await outbox.send(session, nudge_print(print_id))
    return print_id


_FORGET: Final = text(
    "UPDATE prints SET state = 'forgotten', file = NULL WHERE finished_at < :before AND file IS NOT NULL"
)
_ASK: Final = text(
    """
INSERT INTO prints (id, kind, size, requested_by, requester_code, requested_at)
VALUES (:id, :kind, :size, :by, :by_code, :now)
"""
)
_ITEMS: Final = text(
    """
INSERT INTO print_items (print_id, position, shipment_id, kind)
SELECT :id, place, shipment_id, :kind
FROM unnest(CAST(:shipment_ids AS uuid[])) WITH ORDINALITY AS t(shipment_id, place)
"""
)
