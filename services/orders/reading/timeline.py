"""Everything that happened to an order, in one list, the newest first."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Final, TypeVar
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import text

from services.orders.access import sees_numbers_of
from services.orders.hiding import hidden_in
from shared.auth import Principal
from shared.db import ReadSession

Cursor = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,20}~[a-z_]+~[0-9a-zA-Z:._-]{1,120}$")]


class Entry(BaseModel):
    """One line of the timeline."""

    kind: str = Field(
        description="level, interaction, call (not logged), note, hand_over, undo, came_again, correction, owner, "
        "promise, notice, command, process (moved to another version), shipment, rescue (a failed delivery), money"
    )
    key: str = Field(description="identifies the entry within its kind")
    at: datetime = Field(description="when it happened")
    what: str = Field(description="new level, result, owner code, outcome, status, version: by kind", examples=["L1.4"])
    before: str = Field(description="what it was before, where that makes sense", examples=["L1"])
    by: str = Field(description="staff code or carrier; empty for the system")
    reason: str
    note: str
    seconds: int = Field(description="length of a call; how late a promise was kept, or a broken one made good")
    amount: int = Field(description="đồng")


class Timeline(BaseModel):
    items: list[Entry]
    next: str | None = Field(description="`after` of the next page; null on the last")


ENTRIES: Final = """
    SELECT 'level' AS kind, order_id, CAST(id AS text) AS key, at, to_level AS what, from_level AS before, actor_code AS by,
        CASE WHEN reason <> '' THEN reason ELSE cause END AS reason, note, 0 AS seconds, 0 AS amount
    FROM transitions WHERE order_id = ANY(:ids)
    UNION ALL
    SELECT 'interaction', i.order_id, CAST(i.id AS text), i.at, CASE WHEN i.result <> '' THEN i.result ELSE i.kind END,
        i.direction, i.staff_code, i.reason, i.note, coalesce(nullif(c.talk_seconds, 0), i.seconds), 0
    FROM interactions i LEFT JOIN telephone_calls c ON c.interaction_id = i.id WHERE i.order_id = ANY(:ids)
    UNION ALL
    SELECT 'call', c.order_id, CAST(c.id AS text), c.started_at, c.state, c.direction, coalesce(m.code, ''), c.cause,
        c.handled_how, c.talk_seconds, 0
    FROM telephone_calls c LEFT JOIN staff_members m ON m.account_id = c.account_id AND m.version > 0
    WHERE c.order_id = ANY(:ids) AND c.interaction_id IS NULL AND c.direction IS NOT NULL
    UNION ALL
    SELECT 'note', order_id, CAST(id AS text), at, CASE WHEN answers_id IS NULL THEN 'note' ELSE 'answer' END, '',
        author_code, '', text, 0, 0
    FROM notes WHERE order_id = ANY(:ids)
    UNION ALL
    SELECT 'hand_over', order_id, CAST(assignment AS text), at, to_code, from_code, '',
        concat_ws(', ', 'tasks ' || tasks, 'promises ' || promises, 'notes ' || notes, 'calls ' || calls), '', 0, 0
    FROM hand_overs WHERE order_id = ANY(:ids)
    UNION ALL
    SELECT 'undo', u.order_id, CAST(u.interaction_id AS text), u.undone_at, CASE WHEN result <> '' THEN result ELSE kind END, '',
        staff_code, '', '', 0, 0
    FROM undo_points u JOIN interactions i ON i.id = u.interaction_id WHERE u.order_id = ANY(:ids) AND undone_at IS NOT NULL
    UNION ALL
    SELECT 'came_again', order_id, CAST(lead_id AS text), at, product, cause, channel,
        CASE WHEN released_at IS NOT NULL THEN 'released' WHEN flag <> '' THEN flag ELSE landing_page END, note, 0, 0
    FROM arrivals WHERE order_id = ANY(:ids)
    UNION ALL
    SELECT 'correction', order_id, CAST(revision AS text), at, CASE WHEN number_changed THEN 'phone' ELSE 'data' END, '', by_code,
        reason, '', 0, 0
    FROM corrections WHERE order_id = ANY(:ids)
    UNION ALL
    SELECT 'owner', order_id, CAST(assignment AS text), at, owner_code, '', '', cause, '', 0, 0
    FROM assignments WHERE order_id = ANY(:ids)
    UNION ALL
    SELECT 'promise', order_id, CAST(id AS text), ended_at, outcome, kind, '', cause, '', late_seconds, 0
    FROM promises WHERE order_id = ANY(:ids) AND ended_at IS NOT NULL AND voided_at IS NULL
    UNION ALL
    SELECT 'notice', order_id, CAST(id AS text), at, kind, '', '', '', '', 0, 0
    FROM notices WHERE order_id = ANY(:ids) AND kind IN ('due', 'overdue', 'no_owner')
    UNION ALL
    SELECT 'command', order_id, CAST(number AS text), at, kind, step, by_code, reason, '', 0, 0
    FROM care_commands WHERE order_id = ANY(:ids)
    UNION ALL
    SELECT 'process', order_id, CAST(id AS text), at, to_process || '@' || to_version,
        from_process || coalesce('@' || from_version, ''), by_code, reason,
        CASE WHEN from_step <> to_step THEN from_step || ' → ' || to_step ELSE to_step END, 0, 0
    FROM care_moves WHERE order_id = ANY(:ids)
    UNION ALL
    SELECT 'shipment', order_id, shipment_id || ':' || sequence, at, status, waybill, carrier, reason_code, '', 0, 0
    FROM shipment_facts WHERE order_id = ANY(:ids)
    UNION ALL
    SELECT 'rescue', order_id, rescue_id || ':' || sequence, at, step, outcome, by_code, wish, sentence, 0, 0
    FROM rescue_steps WHERE order_id = ANY(:ids) AND step <> 'changed'
    UNION ALL
    SELECT 'rescue', t.order_id, c.task_id || '.desk', c.handed_at, 'handed_over', '', c.from_code, c.why, c.sentence, 0, 0
    FROM rescue_calls c JOIN tasks t ON t.id = c.task_id WHERE t.order_id = ANY(:ids) AND c.handed_at IS NOT NULL
    UNION ALL
    SELECT 'rescue', order_id, CAST(id AS text), at, CASE WHEN reached THEN 'reached' ELSE 'not_reached' END, '', by_code, note,
        CASE WHEN reached THEN 'Gọi cứu đơn, gặp khách' ELSE 'Gọi cứu đơn, không gặp khách' END, 0, 0
    FROM rescue_attempts WHERE order_id = ANY(:ids)
    UNION ALL
    SELECT 'money', order_id, CAST(shipment_id AS text), at, evidence, '', carrier, '', '', 0, amount
    FROM settlements WHERE order_id = ANY(:ids)
"""
"""What happened to the orders `:ids`, one SELECT a kind; whatever tells of an order belongs here."""

_PAGE: Final = text(
    f"""
SELECT kind, key, at, what, before, by, reason, note, seconds, amount FROM ({ENTRIES}) AS entries
WHERE CAST(:at AS timestamptz) IS NULL OR (at, kind, key) < (:at, CAST(:kind AS text), CAST(:key AS text))
ORDER BY at DESC, kind DESC, key DESC LIMIT :limit
"""
)


async def page(
    session: ReadSession, order_id: UUID, *, who: Principal, limit: int, after: str | None, now: datetime
) -> Timeline:
    """A page of the timeline, the newest first."""
    whole = await sees_numbers_of(session, order_id, who, now=now)
    at, kind, key = _read_cursor(after)
    rows = await session.execute(_PAGE, {"ids": [order_id], "limit": limit, "at": at, "kind": kind, "key": key})
    items = [Entry.model_validate(dict(row._mapping)) for row in rows]
    following = _cursor(items[-1]) if len(items) == limit else None
    return Timeline(items=[shown(entry, who=who, whole=whole) for entry in items], next=following)


_BY_PEOPLE: Final = ("interaction", "level", "note", "rescue")
"""Kinds that show what one person wrote, and nothing else."""
AnEntry = TypeVar("AnEntry", bound=Entry)


def shown(entry: AnEntry, *, who: Principal, whole: bool) -> AnEntry:
    """An entry as somebody may see it; whoever wrote it sees what they wrote.

    Args:
        whole: whether they see the customer's numbers whole (rule D26).
    """
    own = entry.kind in _BY_PEOPLE and entry.by == who.code
    return entry if whole or own else hidden_in(entry)


_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def _cursor(entry: Entry) -> str:
    since = entry.at - _EPOCH
    microseconds = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    return f"{microseconds}~{entry.kind}~{entry.key}"


def _read_cursor(after: str | None) -> tuple[Any, str | None, str | None]:
    if after is None:
        return None, None, None
    microseconds, kind, key = after.split("~", 2)
    return _EPOCH + timedelta(microseconds=int(microseconds)), kind, key
