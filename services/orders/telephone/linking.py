"""Which call of a telephone system an interaction is, and the other way round. The order is locked by whoever asks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import text

from services.orders.telephone.matching import AFTER, BEFORE, LoggedCall, Span, nearest, nearest_log
from services.orders.telephone.topics import calls_of
from shared.db import Session, tell_after_commit
from shared.errors import NotFound


class CallNotFound(NotFound):
    vi = "Đơn này không có cuộc gọi đó trên tổng đài. Tải lại đơn."
    en = "The telephone system told of no such call about this order. Load it again."


@dataclass(frozen=True, slots=True)
class ToldCall(Span):
    """A call about an order that a telephone system told of. `interaction_id`: as which the system itself logged it."""

    id: UUID
    talk_seconds: int
    interaction_id: UUID | None
    result: str
    """With which the telephone system logged it by itself."""


_TOLD: Final = text(
    """
SELECT c.started_at, c.ended_at, c.id, c.talk_seconds, c.interaction_id,
    coalesce(i.result, '') AS result
FROM telephone_calls c LEFT JOIN standing_interactions i ON i.id = c.interaction_id
WHERE c.order_id = :order_id AND c.direction = :direction AND (c.interaction_id IS NULL OR i.source = 'telephone')
  AND c.state IN ('going', 'waiting', 'logged')
  AND (CAST(:call_id AS uuid) IS NULL OR c.id = :call_id)
  AND (CAST(:call_id AS uuid) IS NOT NULL OR (c.started_at BETWEEN :since AND :until
    AND (c.account_id IS NULL OR c.account_id = :account_id)))
ORDER BY c.id
"""
)
_LINK: Final = text(
    """
UPDATE telephone_calls SET interaction_id = :interaction_id, state = 'logged', owes_id = NULL, revision = revision + 1
WHERE id = :id RETURNING account_id
"""
)
_UNLINK: Final = text(
    "UPDATE telephone_calls SET interaction_id = NULL, state = 'waiting', owes_id = account_id "
    "WHERE interaction_id = :interaction_id RETURNING account_id"
)
_LOGGED: Final = text(
    """
SELECT i.id, i.at FROM standing_interactions i
WHERE i.order_id = :order_id AND i.kind = 'call' AND i.direction = :direction AND i.source = 'person'
  AND i.at BETWEEN :since AND :until
  AND (CAST(:account_id AS uuid) IS NULL OR i.staff_id = :account_id)
  AND NOT EXISTS (SELECT 1 FROM telephone_calls c WHERE c.interaction_id = i.id)
ORDER BY i.at, i.id
"""
)
_LONGEST: Final = timedelta(hours=6)
"""Calls that began earlier than this before they were logged are not looked at."""


async def told_call(
    session: Session,
    order_id: UUID,
    *,
    direction: Literal["out", "in"],
    at: datetime,
    account_id: UUID | None,
    call_id: UUID | None = None,
) -> ToldCall | None:
    """The call of a telephone system that somebody is about to log; None if it told of none.

    Args:
        at: when the call took place, or now.
        account_id: who logs it; a call of another colleague is another call.
        call_id: the very call, as the logging person named it.

    Raises:
        CallNotFound: there is no call of this name about this order that could be logged.
    """
    rows = await session.execute(
        _TOLD,
        {
            "order_id": order_id,
            "direction": direction,
            "since": at - _LONGEST,
            "until": at + BEFORE,
            "account_id": account_id,
            "call_id": call_id,
        },
    )
    calls = [ToldCall(**row._mapping) for row in rows]
    if call_id is None:
        return nearest(at, calls)
    if not calls:
        raise CallNotFound
    return calls[0]


async def link(session: Session, call: ToldCall, interaction_id: UUID) -> None:
    """They are one call from now on."""
    linked = await session.execute(_LINK, {"id": call.id, "interaction_id": interaction_id})
    _tell(session, linked.scalars())


async def unlink(session: Session, interaction_id: UUID) -> None:
    """The interaction was taken back: the call of the telephone system waits for its result again."""
    unlinked = await session.execute(_UNLINK, {"interaction_id": interaction_id})
    _tell(session, unlinked.scalars())


def _tell(session: Session, accounts: Iterable[UUID | None]) -> None:
    for account_id in accounts:
        if account_id is not None:
            tell_after_commit(session, calls_of(account_id))


@dataclass(frozen=True, slots=True)
class HandLog(LoggedCall):
    id: UUID


async def hand_log(
    session: Session,
    order_id: UUID,
    *,
    direction: Literal["out", "in"],
    account_id: UUID | None,
    started_at: datetime,
    ended_at: datetime | None,
) -> UUID | None:
    """The interaction as which somebody has logged a call already."""
    rows = await session.execute(
        _LOGGED,
        {
            "order_id": order_id,
            "direction": direction,
            "account_id": account_id,
            "since": started_at - BEFORE,
            "until": (ended_at or started_at + _LONGEST) + AFTER,
        },
    )
    found = nearest_log(Span(started_at, ended_at), [HandLog(row.at, row.id) for row in rows])
    return found.id if found is not None else None
