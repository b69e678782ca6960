"""The append-only ledger of interactions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.orders.actors import Actor
from services.orders.record import Order
from shared.contracts.events.orders import INTERACTION_LOGGED, InteractionLogged
from shared.db import ReadSession, Session
from shared.outbox import emit

Kind = Literal["call", "message", "email", "visit"]
Channel = Literal["", "zalo", "sms", "facebook", "other"]
Source = Literal["person", "telephone", "messages"]

CLOSED: Final = "closed"
"""The result that goes with a closing, which is written by the closing alone."""


@dataclass(frozen=True)
class LedgerEntry:
    """One contact with the customer, as somebody logs it."""

    kind: Kind
    direction: Literal["out", "in"]
    at: datetime
    recorded_at: datetime
    result: str = ""
    step: str = ""
    """Step of the care process at which it was logged."""
    note: str = ""
    reason: str = ""
    promised_at: datetime | None = None
    seconds: int = 0
    recording: str = ""
    channel: Channel = ""
    contact: str = ""
    source: Source = "person"
    reference: str = ""
    """Its id in the system it comes from; an order has each once."""


_INSERT: Final = text(
    """
INSERT INTO interactions (id, order_id, number, kind, direction, result, step, phone, note, reason, promised_at, seconds,
    recording, channel, contact, source, reference, staff_id, staff_code, at, recorded_at)
SELECT :id, :order_id, 1 + coalesce(max(number), 0), :kind, :direction, :result, :step, :phone, :note, :reason,
    CAST(:promised_at AS timestamptz), :seconds, :recording, :channel, :contact, :source, :reference, :staff_id,
    :staff_code, :at, :recorded_at
FROM interactions WHERE order_id = :order_id
"""
)


_KNOWN: Final = text(
    "SELECT id FROM interactions WHERE order_id = :order_id AND kind = :kind AND reference = :reference"
)
_OVERLAPPING: Final = text(
    """
SELECT i.at FROM standing_interactions i
WHERE i.order_id = :order_id AND i.kind = 'call' AND i.source = 'person' AND i.seconds > 0
  AND i.at < :ends_at AND i.at + i.seconds * interval '1 second' > :at
LIMIT 1
"""
)


async def known(session: ReadSession, order_id: UUID, *, kind: Kind, reference: str) -> UUID | None:
    """The interaction of an order that has this id in the system it comes from."""
    values = {"order_id": order_id, "kind": kind, "reference": reference}
    found: UUID | None = (await session.execute(_KNOWN, values)).scalar()
    return found


async def overlapping(session: ReadSession, order_id: UUID, *, at: datetime, seconds: int) -> datetime | None:
    """When the call began that somebody logged for a time in which this one is said to have gone on."""
    values = {"order_id": order_id, "at": at, "ends_at": at + timedelta(seconds=seconds)}
    found: datetime | None = (await session.execute(_OVERLAPPING, values)).scalar()
    return found


async def log(session: Session, order: Order, entry: LedgerEntry, actor: Actor) -> UUID:
    """Writes an interaction of a locked order (the lock makes its number) and tells it; returns its id."""
    interaction_id: UUID = uuid7()
    await session.execute(
        _INSERT,
        {
            "id": interaction_id,
            "order_id": order.id,
            "kind": entry.kind,
            "direction": entry.direction,
            "result": entry.result,
            "step": entry.step,
            "phone": order.phone,
            "note": entry.note,
            "reason": entry.reason,
            "promised_at": entry.promised_at,
            "seconds": entry.seconds,
            "recording": entry.recording,
            "channel": entry.channel,
            "contact": entry.contact,
            "source": entry.source,
            "reference": entry.reference,
            "staff_id": actor.account_id,
            "staff_code": actor.code,
            "at": entry.at,
            "recorded_at": entry.recorded_at,
        },
    )
    await emit(
        session,
        INTERACTION_LOGGED,
        InteractionLogged(
            interaction_id=interaction_id,
            order_id=order.id,
            kind=entry.kind,
            direction=entry.direction,
            result=entry.result,
            at=entry.at,
            staff_id=actor.account_id,
            staff_code=actor.code,
            seconds=entry.seconds,
        ),
        subject=order.id,
        event_id=interaction_id,
    )
    return interaction_id
