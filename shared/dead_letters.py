"""Dead letters: list what was set aside, look at it, try it again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import text

from shared.consumer import Handlers, Unreadable, apply_once, read_event
from shared.db import Database, ReadSession

Source = Literal["consumer", "outbox"]


class DeadLetter(BaseModel):
    """A message that could not be applied (consumer) or an outbox row that could not be delivered (outbox)."""

    id: UUID
    source: Source
    type: str
    subject: str
    error: str
    attempts: int
    created_at: datetime


class Replayed(BaseModel):
    """What became of a replay."""

    id: UUID
    ok: bool
    detail: str


_LIST = text(
    """
SELECT id, 'consumer' AS source, type, coalesce(headers->>'ce-subject', '') AS subject, error, attempts, created_at
FROM dead_letters WHERE resolved_at IS NULL AND (CAST(:after AS uuid) IS NULL OR id > :after)
UNION ALL
SELECT id, 'outbox', type, subject, coalesce(last_error, ''), attempts, created_at
FROM outbox WHERE status = 'dead' AND (CAST(:after AS uuid) IS NULL OR id > :after)
ORDER BY id LIMIT :limit
"""
)


async def list_open(session: ReadSession, *, limit: int = 50, after: UUID | None = None) -> list[DeadLetter]:
    """Open dead letters, oldest first."""
    rows = await session.execute(_LIST, {"limit": limit, "after": after})
    return [DeadLetter.model_validate(row._mapping) for row in rows]


async def replay(
    db: Database, service: str, handlers: Handlers, ids: Sequence[UUID], *, by: str = ""
) -> list[Replayed]:
    """Tries dead letters again: a consumer's message is handled here and now, an outbox row goes back to the relay."""
    return [await _replay_one(db, service, handlers, letter, by) for letter in ids]


async def _replay_one(db: Database, service: str, handlers: Handlers, letter: UUID, by: str) -> Replayed:
    try:
        async with db.transaction() as session:
            row = (
                await session.execute(
                    text("SELECT headers, payload FROM dead_letters WHERE id = :id AND resolved_at IS NULL FOR UPDATE"),
                    {"id": letter},
                )
            ).one_or_none()
            if row is not None:
                event = read_event(row.headers, bytes(row.payload))
                await apply_once(session, service, handlers, [event])
                await session.execute(
                    text("UPDATE dead_letters SET resolved_at = now(), resolved_by = :by WHERE id = :id"),
                    {"id": letter, "by": by},
                )
                return Replayed(id=letter, ok=True, detail="applied")
            revived = await session.execute(
                text(
                    "UPDATE outbox SET status = 'pending', attempts = 0, next_attempt_at = now() "
                    "WHERE id = :id AND status = 'dead' RETURNING id"
                ),
                {"id": letter},
            )
            if revived.one_or_none() is None:
                return Replayed(id=letter, ok=False, detail="no open dead letter has this id")
    except Unreadable as error:
        return Replayed(id=letter, ok=False, detail=str(error))
    except Exception as error:  # the handler's own failure is the answer here, whatever it is
        return Replayed(id=letter, ok=False, detail=f"failed again: {type(error).__name__}")
    db.wake_relay()
    return Replayed(id=letter, ok=True, detail="handed to the relay again")


async def republish(db: Database, since: datetime) -> int:
    """Hands every event of a service since a moment to the relay again; consumers drop what they know. Returns how many.

    Reaches back no further than the outbox is kept (`retention.OUTBOX_AGE`).
    """
    async with db.transaction() as session:
        result = await session.execute(
            text(
                "UPDATE outbox SET status = 'pending', stream_sequence = NULL, next_attempt_at = now() "
                "WHERE destination IN ('event', 'events') AND status = 'sent' AND created_at >= :since "
                "RETURNING CASE destination WHEN 'events' "
                "THEN coalesce(json_array_length(payload -> 'told'), json_array_length(payload)) ELSE 1 END"
            ),
            {"since": since},
        )
        count = sum(int(events) for events in result.scalars())
    db.wake_relay()
    return count
