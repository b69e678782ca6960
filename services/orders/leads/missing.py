"""An order that a fact is about and that is not here."""

from __future__ import annotations

from uuid import UUID

from services.orders import withdrawal
from shared.consumer import NotYet
from shared.db import Session


async def excuse(session: Session, *ids: UUID) -> None:
    """Nothing, if one of the leads was withdrawn: what is still told of it is ignored.

    Raises:
        NotYet: otherwise; it has not arrived.
    """
    for lead_id in ids:
        if await withdrawal.is_withdrawn(session, lead_id):
            return
    raise NotYet(f"order {' or '.join(map(str, ids))}")
