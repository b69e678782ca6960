"""A closed order goes back into care before it is posted: the customer thought again (rule D15)."""

from __future__ import annotations

from services.orders.actors import Actor
from services.orders.closing.cancel import give_up
from services.orders.closing.edit import ensure_not_posted
from services.orders.levels.moves import Move, move_level
from services.orders.record import Order
from shared.db import Session


async def reopen(session: Session, order: Order, move: Move, actor: Actor) -> Order:
    """Moves a locked order from L5 to a child of L1; its stock goes to whoever waits for it, and fulfilment ends. What was
    agreed stays readable, and is closed again as another version.

    Raises:
        AlreadyPosted: the COD desk has posted it.
        MoveNotAllowed, Forbidden, ReasonRequired: what the table of moves asks for is missing.
    """
    moved = await move_level(session, order, move, actor)
    await ensure_not_posted(session, order)
    await give_up(session, order, now=move.recorded_at)
    return moved
