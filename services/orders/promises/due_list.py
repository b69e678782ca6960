"""“Tác nghiệp”: what a person, or a team, has to do.

What is due stands on top, the most pressing first (`priority.py`); below it what is to come, in the order of its time.
The whole list is two walks over one index, of which a page is a keyset; the cursor carries the instant at which the
first page was read, so that nothing slips from one part into the other between two pages.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import text

from services.orders.access import VISIBLE, sees_numbers, viewer
from services.orders.care.process import Text
from services.orders.promises.priority import priority_of
from services.orders.promises.views import Counts, DeskView, TaskItem, TaskPage
from services.orders.rescue.words import why_desk
from shared.auth import Principal
from shared.db import ReadSession
from shared.errors import Problem
from shared.given import is_reckoned_with
from shared.phone.hiding import hidden
from shared.phone.masking import masked, national

Bucket = Literal["overdue", "now", "today", "later"]

_BUCKETS: Final[dict[Bucket, str]] = {
    "overdue": "t.deadline_at < :now",
    "now": "t.shown_at <= :now AND t.deadline_at >= :now",
    "today": "t.shown_at > :now AND t.shown_at < :midnight",
    "later": "t.shown_at >= :midnight",
}


class CursorInvalid(Problem):
    type = "cursor-invalid"
    status = 422
    vi = "Trang tiếp theo không đúng. Dùng giá trị 'next' của trang trước, hoặc tải lại từ đầu."
    en = "This is no cursor. Take the `next` of the page before, or begin again."


@dataclass(frozen=True)
class Asked:
    """What a list is narrowed to; by default the viewer's own tasks.

    Args:
        owner: somebody else's list, as far as the viewer may see it.
        team: that team's tasks, as far as the viewer may see them.
        to_take: what is open to the viewer's team (or to `team`) and nobody has taken yet.
        desk: calls about failed deliveries that the COD desk has, as far as the viewer may see them.
    """

    owner: UUID | None = None
    team: str | None = None
    to_take: bool = False
    desk: bool = False
    kind: tuple[str, ...] = ()
    step: tuple[str, ...] = ()
    bucket: tuple[Bucket, ...] = ()
    product: str = ""


@dataclass(frozen=True)
class Place:
    """A task's place in the list, as of the instant at which its first page was read."""

    as_of: datetime
    coming: bool
    """Not due then: in the second part of the list."""
    priority: int
    shown_at: datetime
    id: UUID

    def cursor(self) -> str:
        place = [self.as_of.isoformat(), self.coming, self.priority, self.shown_at.isoformat(), str(self.id)]
        return base64.urlsafe_b64encode(orjson.dumps(place)).decode().rstrip("=")

    @classmethod
    def read(cls, cursor: str) -> Place:
        """
        Raises:
            CursorInvalid: it is none of ours.
        """
        try:
            padded = cursor + "=" * (-len(cursor) % 4)
            as_of, coming, priority, shown_at, id = orjson.loads(
                base64.b64decode(padded, altchars=b"-_", validate=True)
            )
            place = cls(
                datetime.fromisoformat(as_of), bool(coming), int(priority), datetime.fromisoformat(shown_at), UUID(id)
            )
        except (ValueError, TypeError, AttributeError, OverflowError, binascii.Error) as error:
            raise CursorInvalid from error
        for at in (place.as_of, place.shown_at):
            if at.tzinfo is None or not is_reckoned_with(at):
                raise CursorInvalid
        if not 0 <= place.priority < 100:
            raise CursorInvalid
        return place


_DUE: Final = """
SELECT t.id, false AS coming, t.priority, t.shown_at FROM {tables}
WHERE t.closed_at IS NULL AND t.shown_at <= :as_of AND {conditions} {further}
ORDER BY t.priority, t.shown_at, t.id LIMIT :limit
"""
_COMING: Final = """
SELECT t.id, true AS coming, t.priority, t.shown_at FROM {tables}
WHERE t.closed_at IS NULL AND t.shown_at > :as_of AND {conditions} {further}
ORDER BY t.shown_at, t.priority, t.id LIMIT :limit
"""
_PAGE: Final = """
SELECT p.coming, t.id, t.order_id, o.code AS order_code, t.kind, t.origin, t.subject_id, t.step, t.name_vi, t.name_en,
    t.promise, t.priority, t.due_at, t.deadline_at, t.shown_at, t.reminded_at, t.snoozed_until, t.snoozes, t.owner_id,
    coalesce(m.code, '') AS owner_code, t.team, t.to_team, t.claimed_at,
    t.to_desk, t.claimed_by_id, coalesce(k.code, '') AS claimed_by, c.desk_at, c.why, c.call_minutes, c.handed_at, c.from_code,
    c.called_at, c.called_by, o.name AS customer,
    CASE WHEN t.origin = 'rescue' THEN coalesce(nullif(o.recipient_phone, ''), o.phone) ELSE o.phone END AS phone,
    o.level, o.product, o.returning_customer, o.owner_id AS order_owner, o.closer_id, o.level_since, t.asked_by_id,
    l.kind = 'open' AS is_open
FROM (
    SELECT * FROM ({parts}) AS found
    ORDER BY coming, CASE WHEN coming THEN 0 ELSE priority END, shown_at, priority, id LIMIT :limit
) AS p
JOIN tasks t ON t.id = p.id JOIN orders o ON o.id = t.order_id JOIN levels l ON l.code = o.level
LEFT JOIN staff_members m ON m.account_id = t.owner_id AND m.version > 0
LEFT JOIN staff_members k ON k.account_id = t.claimed_by_id AND k.version > 0 LEFT JOIN rescue_calls c ON c.task_id = t.id
ORDER BY p.coming, CASE WHEN p.coming THEN 0 ELSE p.priority END, p.shown_at, p.priority, p.id
"""
_COUNTS: Final = (
    "SELECT "
    + ", ".join(f"count(*) FILTER (WHERE {condition}) AS {bucket}" for bucket, condition in _BUCKETS.items())
    + " FROM {tables} WHERE t.closed_at IS NULL AND {conditions}"
)


async def page(
    session: ReadSession,
    *,
    who: Principal,
    asked: Asked,
    limit: int,
    after: str | None,
    now: datetime,
    zone: ZoneInfo,
) -> TaskPage:
    """A page of open tasks, and on the first one how many there are in each bucket.

    Args:
        zone: the company's, in which a day ends.

    Raises:
        CursorInvalid: `after` is no cursor.
    """
    place = Place.read(after) if after is not None else None
    as_of = place.as_of if place is not None else now
    times = {"now": now, "midnight": _midnight(now, zone)}
    tables, conditions, values = _narrowed(who, asked)
    counts = None
    if place is None:
        query = _COUNTS.format(tables=tables, conditions=conditions)
        counts = Counts(**(await session.execute(text(query), {**values, **times})).one()._mapping)
    if asked.bucket:
        conditions += f" AND ({' OR '.join(f'({_BUCKETS[bucket]})' for bucket in asked.bucket)})"
    query = _PAGE.format(parts=_parts(tables, conditions, place))
    values |= {"as_of": as_of, "limit": limit, **times}
    if place is not None:
        values |= {"priority": place.priority, "shown_at": place.shown_at, "id": place.id}
    rows = (await session.execute(text(query), values)).all()
    last = rows[-1] if len(rows) == limit else None
    return TaskPage(
        server_time=now,
        counts=counts,
        items=[_item(dict(row._mapping), who=who, now=now, midnight=times["midnight"]) for row in rows],
        next=Place(as_of, last.coming, last.priority, last.shown_at, last.id).cursor() if last is not None else None,
    )


def _midnight(now: datetime, zone: ZoneInfo) -> datetime:
    """When the present local day ends."""
    local = now.astimezone(zone)
    return (local + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)


def _narrowed(who: Principal, asked: Asked) -> tuple[str, str, dict[str, Any]]:
    """Tables, conditions and their parameters, visibility included."""
    conditions: list[str] = []
    values: dict[str, Any] = {"viewer": who.account_id}
    if asked.to_take:
        conditions.append("t.to_team AND t.team = :team AND t.team <> ''")
        values["team"] = asked.team if asked.team is not None else who.team
    of_order = bool(asked.product)
    if asked.desk:
        of_order = True
        conditions.append(f"t.to_desk AND {VISIBLE}")
        values |= viewer(who)
    if asked.team is not None:
        conditions.append("t.team = :team")
        values["team"] = asked.team
        if not who.sees_all:
            of_order = True
            conditions.append(VISIBLE)
            values |= viewer(who)
    elif asked.owner is not None:
        conditions.append(
            "t.owner_id = :owner AND (:sees_all OR :owner = :viewer "
            "OR EXISTS (SELECT 1 FROM staff_closure WHERE superior_id = :viewer AND account_id = :owner))"
        )
        values |= {"owner": asked.owner, "sees_all": who.sees_all}
    elif not (asked.to_take or asked.desk):
        conditions.append("t.owner_id = :viewer")
    if asked.product:
        conditions.append("o.product = :product")
        values["product"] = asked.product
    for column, wanted in (("kind", asked.kind), ("step", asked.step)):
        if wanted:
            conditions.append(f"t.{column} = ANY(:{column})")
            values[column] = list(wanted)
    tables = "tasks t JOIN orders o ON o.id = t.order_id" if of_order else "tasks t"
    return tables, " AND ".join(conditions), values


def _parts(tables: str, conditions: str, place: Place | None) -> str:
    """The two parts of the list, from a place on."""
    further_due = further_coming = ""
    if place is not None and place.coming:
        further_coming = "AND (t.shown_at, t.priority, t.id) > (:shown_at, :priority, :id)"
    elif place is not None:
        further_due = "AND (t.priority, t.shown_at, t.id) > (:priority, :shown_at, :id)"
    coming = _COMING.format(tables=tables, conditions=conditions, further=further_coming)
    if place is not None and place.coming:
        return coming
    return f"({_DUE.format(tables=tables, conditions=conditions, further=further_due)}) UNION ALL ({coming})"


def bucket_of(*, shown_at: datetime, deadline_at: datetime, now: datetime, midnight: datetime) -> Bucket:
    """Where a task stands: overdue (its promise is broken), now (due), today (to come), later."""
    if deadline_at < now:
        return "overdue"
    if shown_at <= now:
        return "now"
    return "today" if shown_at < midnight else "later"


def _item(row: dict[str, Any], *, who: Principal, now: datetime, midnight: datetime) -> TaskItem:
    mine = who.account_id in (row["owner_id"], row["claimed_by_id"]) or (
        row["to_team"] and row["team"] and row["team"] == who.team
    )
    order = {**row, "owner_id": row["order_owner"]}
    whole = sees_numbers(who, order, calls=mine and row["kind"] != "answer", now=now)
    bucket = bucket_of(shown_at=row["shown_at"], deadline_at=row["deadline_at"], now=now, midnight=midnight)
    until = row["deadline_at"] if bucket in ("overdue", "now") else row["shown_at"]
    return TaskItem.model_validate(
        {
            **row,
            "customer": row["customer"] if whole else hidden(row["customer"]),
            "phone": national(row["phone"]) if whole else masked(row["phone"]),
            "bucket": bucket,
            "overdue": bucket == "overdue",
            "overdue_since": row["deadline_at"] if bucket == "overdue" else None,
            "seconds_left": int((until - now).total_seconds()),
            "priority": priority_of(row["priority"]),
            "desk": _desk(row),
        }
    )


def _desk(row: dict[str, Any]) -> DeskView | None:
    """What the COD desk has to do with a call about a failed delivery; None for other tasks."""
    if row["origin"] != "rescue":
        return None
    words = why_desk(row["why"], call_minutes=row["call_minutes"]) if row["why"] else Text(vi="", en="")
    return DeskView(
        at=row["desk_at"],
        handed_over=row["handed_at"] is not None,
        why=row["why"] or "",
        why_vi=words.vi,
        why_en=words.en,
        from_code=row["from_code"] or "",
        reached_at=row["called_at"],
        reached_by=row["called_by"] or "",
    )
