"""What customers write, as leads tells it: an interaction of the order, which care hears of."""

from __future__ import annotations

from datetime import UTC, datetime

from services.orders import record
from services.orders.actors import SYSTEM
from services.orders.care import service as care
from services.orders.interactions import ledger
from shared.consumer import NotYet
from shared.contracts.events.leads import MessageReceived
from shared.db import Session


async def received(session: Session, message: MessageReceived) -> None:
    """Keeps an incoming message on its order.

    Raises:
        NotYet: the order has not arrived here.
    """
    order = await record.lock(session, message.order_id)
    if order is None:
        raise NotYet(f"order {message.order_id}")
    now = datetime.now(UTC)
    sent_with = " ".join(f"[{kind}]" for kind in message.attachments)
    entry = ledger.LedgerEntry(
        kind="message",
        direction="in",
        at=min(message.at, now),
        recorded_at=now,
        note=" ".join(filter(None, (message.text, sent_with))),
    )
    await ledger.log(session, order, entry, SYSTEM)
    await care.touch(session, [order.id])
