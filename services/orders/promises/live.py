"""What a salesperson's screen shows at once: `tasks/{account}` and `team_tasks/{team}`, the COD desk's: `desk_tasks/cod`
(docs/streams.md).

The state is what is due now, what was told lately, and when the next thing changes by itself (`changes_at`): the stream
looks again at that instant, so a task appears when it is due although nobody has done anything, with NATS and Temporal
away as well.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from services.orders.access import VISIBLE, viewer
from shared.auth import Principal
from shared.contracts.permissions import ORDERS_READ, SHIPPING_WRITE
from shared.db import ReadSession, Session, tell_after_commit
from shared.streams import State, Topic

SHOWN: Final = 20
"""Due tasks in a state; the list has all of them."""
DESK: Final = "cod"
"""Key of the desk's topic: there is one desk."""
NOTICES: Final = 10
"""Notices in a state; `GET /v1/notices` has all of them."""


def tasks_changed(session: Session, *accounts: UUID | None, team: str = "") -> None:
    """Who follows these people's due lists, or what their team may take, sees them anew after the commit.

    Args:
        accounts: whose lists changed; None stands for a task that is open to the team.
    """
    for account in accounts:
        if account is not None:
            tell_after_commit(session, f"tasks/{account}")
        elif team:
            tell_after_commit(session, f"team_tasks/{team}")


def desk_changed(session: Session) -> None:
    """What the COD desk has to call about changed."""
    tell_after_commit(session, f"desk_tasks/{DESK}")


_COLUMNS: Final = """t.id, t.order_id, o.code AS order_code, t.kind, t.step, t.name_vi, t.name_en, t.promise, t.priority,
    t.due_at, t.deadline_at, t.snoozed_until, t.reminded_at, CASE WHEN t.deadline_at < :now THEN 'overdue' ELSE 'now' END
    AS bucket"""
_DUE: Final = text(
    f"""
SELECT {_COLUMNS} FROM (
    SELECT * FROM tasks WHERE closed_at IS NULL AND owner_id = :account AND shown_at <= :now
    ORDER BY priority, shown_at, id LIMIT {SHOWN}
) AS t JOIN orders o ON o.id = t.order_id ORDER BY t.priority, t.shown_at, t.id
"""
)
_COUNTS: Final = text(
    """
SELECT count(*) FILTER (WHERE deadline_at < :now) AS overdue,
    count(*) FILTER (WHERE shown_at <= :now AND deadline_at >= :now) AS now,
    least(min(shown_at) FILTER (WHERE shown_at > :now), min(deadline_at) FILTER (WHERE deadline_at >= :now)) AS changes_at
FROM tasks WHERE closed_at IS NULL AND owner_id = :account
"""
)
_NOTICES: Final = text(
    f"""
SELECT n.id, n.order_id, o.code AS order_code, n.kind, n.at
FROM (SELECT * FROM notices WHERE account_id = :account ORDER BY id DESC LIMIT {NOTICES}) AS n
JOIN orders o ON o.id = n.order_id ORDER BY n.id DESC
"""
)
_BELOW: Final = text("SELECT 1 FROM staff_closure WHERE superior_id = :viewer AND account_id = :account")
_TO_TAKE: Final = text(
    f"""
SELECT {_COLUMNS} FROM tasks t JOIN orders o ON o.id = t.order_id
WHERE t.closed_at IS NULL AND t.to_team AND t.team = :team ORDER BY t.priority, t.shown_at, t.id LIMIT {SHOWN}
"""
)
_TO_TAKE_COUNT: Final = text("SELECT count(*) FROM tasks WHERE closed_at IS NULL AND to_team AND team = :team")

_OF_DESK: Final = text(
    f"""
SELECT {_COLUMNS} FROM tasks t JOIN orders o ON o.id = t.order_id
WHERE t.closed_at IS NULL AND t.to_desk AND {VISIBLE} ORDER BY t.priority, t.shown_at, t.id LIMIT {SHOWN}
"""
)
_OF_DESK_COUNT: Final = text(
    f"""
SELECT count(*) FROM tasks t JOIN orders o ON o.id = t.order_id
WHERE t.closed_at IS NULL AND t.to_desk AND {VISIBLE}
"""
)


async def _read_tasks(session: ReadSession, who: Principal, key: str) -> State | None:
    try:
        account = UUID(key)
    except ValueError:
        return None
    if account != who.account_id and not who.sees_all:
        below = await session.execute(_BELOW, {"viewer": who.account_id, "account": account})
        if below.first() is None:
            return None
    now = datetime.now(UTC)
    values = {"account": account, "now": now}
    counts = (await session.execute(_COUNTS, values)).one()
    return {
        "counts": {"overdue": counts.overdue, "now": counts.now},
        "due": _rows(await session.execute(_DUE, values)),
        "notices": _rows(await session.execute(_NOTICES, {"account": account})),
        "changes_at": counts.changes_at,
    }


async def _read_team(session: ReadSession, who: Principal, key: str) -> State | None:
    if not key or (key != who.team and not who.sees_all):
        return None
    values = {"team": key, "now": datetime.now(UTC)}
    return {
        "count": (await session.execute(_TO_TAKE_COUNT, values)).scalar_one(),
        "to_take": _rows(await session.execute(_TO_TAKE, values)),
    }


async def _read_desk(session: ReadSession, who: Principal, key: str) -> State | None:
    if key != DESK:
        return None
    values = {"now": datetime.now(UTC), **viewer(who)}
    return {
        "count": (await session.execute(_OF_DESK_COUNT, viewer(who))).scalar_one(),
        "to_call": _rows(await session.execute(_OF_DESK, values)),
    }


def _rows(found: Any) -> list[dict[str, Any]]:
    # The driver's ids are of a class of its own, which orjson does not know.
    return [
        {name: str(value) if isinstance(value, UUID) else value for name, value in row._mapping.items()}
        for row in found
    ]


def _changes_at(state: State) -> datetime | None:
    at: datetime | None = state["changes_at"]
    return at


TOPICS: Final = (
    Topic("tasks", ORDERS_READ, _read_tasks, changes_at=_changes_at),
    Topic("team_tasks", ORDERS_READ, _read_team),
    Topic("desk_tasks", SHIPPING_WRITE, _read_desk),
)
"""What can be followed here."""
