"""Facts about e-mails and messages, in any order, each once; those that concern an order become its interactions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import text

from services.orders import record
from services.orders.actors import SYSTEM
from services.orders.care import service as care_service
from services.orders.interactions import ledger
from services.orders.record import Order
from shared.db import Session
from shared.errors import Mistake
from shared.given import GivenInstant

Kind = Literal["email", "message"]
What = Literal["sent", "delivered", "read", "opened", "answered", "failed"]
MOST: Final = 500
"""Facts of one request."""


class DeliveryFact(BaseModel):
    """Something that happened to an e-mail or message."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(min_length=1, max_length=200, description="of this fact in your system: the same one counts once")
    reference: str = Field(
        min_length=1, max_length=150, pattern=r"^\S+$", description="of the e-mail or message: its Message-ID"
    )
    fact: What
    at: GivenInstant
    order_id: UUID | None = Field(default=None, description="with `sent`: the order, if nobody has logged it there")
    channel: ledger.Channel = Field(default="", description="of a message that was sent")
    note: str = Field(default="", max_length=2000, description="what was sent, or answered; why it failed")

    @model_validator(mode="after")
    def _fits(self) -> DeliveryFact:
        if self.order_id is not None and self.fact != "sent":
            raise Mistake("chỉ lần gửi mới kèm mã đơn", "only what was sent names its order")
        return self


_KEEP: Final = text(
    """
INSERT INTO delivery_facts (system_id, event_id, reference, fact, at, recorded_at, note)
SELECT :system_id, t.id, t.reference, t.fact, least(t.at, :now), :now, t.note
FROM unnest(CAST(:ids AS text[]), CAST(:references AS text[]), CAST(:facts AS text[]), CAST(:at AS timestamptz[]),
    CAST(:notes AS text[])) AS t (id, reference, fact, at, note)
ON CONFLICT (system_id, event_id) DO NOTHING RETURNING event_id
"""
)
_ORDERS_OF: Final = text(
    "SELECT DISTINCT order_id FROM interactions WHERE kind = :kind AND direction = 'out' "
    "AND reference = ANY(CAST(:references AS text[]))"
)
# The facts are taken before they become interactions, so that two requests never tell one twice.
_TAKE_ANSWERS: Final = text(
    """
UPDATE delivery_facts f SET told = true
FROM interactions i, message_systems s
WHERE f.fact = 'answered' AND NOT f.told AND f.reference = i.reference AND s.id = f.system_id AND s.kind = i.kind
  AND i.order_id = :order_id AND i.kind = :kind AND i.direction = 'out'
RETURNING f.system_id, f.event_id, f.at, f.note, i.channel
"""
)


async def keep(session: Session, system_id: UUID, kind: Kind, facts: Sequence[DeliveryFact], *, now: datetime) -> int:
    """Keeps facts that a system tells; what was sent about an order, and what its customer answered, is logged there.

    Returns:
        How many of them were new.
    """
    known = await session.execute(
        _KEEP,
        {
            "system_id": system_id,
            "now": now,
            "ids": [fact.id for fact in facts],
            "references": [fact.reference for fact in facts],
            "facts": [fact.fact for fact in facts],
            "at": [fact.at for fact in facts],
            "notes": [fact.note for fact in facts],
        },
    )
    new = set(known.scalars())
    sent = [fact for fact in facts if fact.order_id is not None and fact.id in new]
    found = await session.execute(_ORDERS_OF, {"kind": kind, "references": [fact.reference for fact in facts]})
    concerned = {*found.scalars(), *(fact.order_id for fact in sent if fact.order_id is not None)}
    orders = await record.lock_many(session, sorted(concerned))
    for fact in sent:
        order = orders.get(fact.order_id) if fact.order_id is not None else None
        if order is not None:
            await _log_sent(session, order, kind, fact, now=now)
    if any(fact.fact in ("answered", "sent") for fact in facts):
        for order in orders.values():
            await tell_answers(session, order, kind, now=now)
    return len(new)


async def _log_sent(session: Session, order: Order, kind: Kind, fact: DeliveryFact, *, now: datetime) -> None:
    if await ledger.known(session, order.id, kind=kind, reference=fact.reference) is not None:
        return
    entry = ledger.LedgerEntry(
        kind=kind,
        direction="out",
        at=min(fact.at, now),
        recorded_at=now,
        note=fact.note,
        channel=fact.channel,
        source="messages",
        reference=fact.reference,
    )
    await ledger.log(session, order, entry, SYSTEM)
    await care_service.touch(session, [order.id])


async def tell_answers(session: Session, order: Order, kind: Kind, *, now: datetime) -> None:
    """What the customer of a locked order answered becomes interactions, each once; care hears that they wrote."""
    answers = (await session.execute(_TAKE_ANSWERS, {"order_id": order.id, "kind": kind})).all()
    for answer in sorted(answers, key=lambda row: (row.at, row.event_id)):
        entry = ledger.LedgerEntry(
            kind=kind,
            direction="in",
            at=min(answer.at, now),
            recorded_at=now,
            note=answer.note,
            channel=answer.channel,
            source="messages",
            reference=f"answer:{answer.event_id}"[:200],
        )
        await ledger.log(session, order, entry, SYSTEM)
    if answers:
        await care_service.touch(session, [order.id])
