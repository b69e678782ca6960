"""What staff does with the facts of other services."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from services.staff import staffing
from shared.consumer import Event, Handlers
from shared.contracts.events.orders import TAKING_LIMIT_REACHED, TakingLimitReached
from shared.db import Session

handlers: Final = Handlers()


@handlers.each(TAKING_LIMIT_REACHED)
async def on_taking_limit_reached(session: Session, event: Event[TakingLimitReached]) -> None:
    """Numbers are taken away from whoever does not call them; they get no more until they switch themselves on again."""
    await staffing.stop_duty(session, event.data.account_id, asked_at=event.data.at, at=datetime.now(UTC))
