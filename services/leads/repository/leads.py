"""Leads as people look at them: only those that the viewer may see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Text, Uuid, and_, bindparam, column, func, or_, select, table, text, true

from shared.auth import Principal
from shared.contracts.permissions import LEADS_DISTRIBUTE
from shared.db import ReadSession, Session

_TEXTS: Final = (
    "product",
    "note",
    "name",
    "address",
    "channel",
    "campaign",
    "landing_page",
    "marketer",
    "level",
    "phone",
)
_OTHERS: Final = ("verdict", "received_at", "returning_customer", "assignment")
_l = table(
    "leads",
    *(column(name) for name in (*_TEXTS, *_OTHERS)),
    *(column(name, Uuid) for name in ("id", "anchor_id", "source_id", "owner_id")),
    column("created_by", Uuid),
    column("other_phones", ARRAY(Text)),
)
_staff = table("staff_members", column("account_id", Uuid), column("code"), column("name"))
_waiting = table("backlog", column("lead_id", Uuid))

_BELOW: Final = text(
    """
SELECT c.account_id, m.code FROM staff_closure c JOIN staff_members m USING (account_id) WHERE c.superior_id = :viewer
"""
)


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whose leads somebody may see: their own and those of everybody below them, as owner, sender or marketer."""

    everything: bool
    unassigned: bool
    people: tuple[UUID, ...]
    codes: tuple[str, ...]

    def may_see(self) -> ColumnElement[bool]:
        """The condition of every list."""
        if self.everything:
            return true()
        # Arrays, not subqueries, so that each condition can use its index.
        people = bindparam("people", list(self.people), ARRAY(Uuid))
        codes = bindparam("codes", list(self.codes), ARRAY(Text))
        conditions = [
            _l.c.owner_id == func.any(people),
            _l.c.created_by == func.any(people),
            _l.c.marketer == func.any(codes),
        ]
        if self.unassigned:
            conditions.append(_l.c.owner_id.is_(None))
        return or_(*conditions)


async def viewer_of(session: ReadSession, who: Principal) -> Viewer:
    """What a principal may see."""
    below = (await session.execute(_BELOW, {"viewer": who.account_id})).all()
    return Viewer(
        everything=who.sees_all,
        unassigned=who.may(LEADS_DISTRIBUTE),
        people=tuple({who.account_id, *(row.account_id for row in below)}),
        codes=tuple({who.code, *(row.code for row in below)} - {""}),
    )


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list is narrowed to; None does not narrow."""

    level: str | None = None
    verdict: str | None = None
    owner_id: UUID | None = None
    unassigned: bool | None = None
    channel: str | None = None
    campaign: str | None = None
    landing_page: str | None = None
    marketer: str | None = None
    source_id: UUID | None = None
    received_from: datetime | None = None
    received_to: datetime | None = None
    phones: tuple[str, ...] | None = None
    anchor_id: UUID | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        equal = (
            "level",
            "verdict",
            "owner_id",
            "channel",
            "campaign",
            "landing_page",
            "marketer",
            "source_id",
            "anchor_id",
        )
        found: list[ColumnElement[bool]] = [
            _l.c[field] == value for field in equal if (value := getattr(self, field)) is not None
        ]
        if self.unassigned is not None:
            unassigned = and_(_l.c.owner_id.is_(None), _l.c.verdict == "lead")
            found.append(unassigned if self.unassigned else _l.c.owner_id.is_not(None))
        if self.received_from is not None:
            found.append(_l.c.received_at >= self.received_from)
        if self.received_to is not None:
            found.append(_l.c.received_at < self.received_to)
        if self.phones is not None:
            phones = bindparam("phones", list(self.phones), ARRAY(Text))
            # The second condition names the partial index of leads with several numbers.
            several = and_(_l.c.other_phones != text("'{}'"), _l.c.other_phones.op("&&")(phones))
            found.append(or_(_l.c.phone == func.any(phones), several))
        return found


_COLUMNS: Final = select(
    *_l.c,
    _staff.c.code.label("owner_code"),
    _staff.c.name.label("owner_name"),
    _waiting.c.lead_id.is_not(None).label("waits"),
).select_from(
    _l.outerjoin(_staff, _staff.c.account_id == _l.c.owner_id).outerjoin(_waiting, _waiting.c.lead_id == _l.c.id)
)


async def page(
    session: ReadSession, viewer: Viewer, filters: Filters, *, after: UUID | None, limit: int
) -> Sequence[Any]:
    """Leads that the viewer may see, newest first.

    Args:
        after: the last lead of the page before.
    """
    conditions = [viewer.may_see(), *filters.conditions()]
    if after is not None:
        conditions.append(_l.c.id < after)
    statement = _COLUMNS.where(*conditions).order_by(_l.c.id.desc()).limit(limit)
    return (await session.execute(statement)).all()


async def one(session: ReadSession, viewer: Viewer, lead_id: UUID) -> Any | None:
    """One lead, if the viewer may see it."""
    return (await session.execute(_COLUMNS.where(_l.c.id == lead_id, viewer.may_see()))).one_or_none()


_ASSIGN: Final = text(
    """
UPDATE leads SET owner_id = :owner, assignment = assignment + 1, floating_since = NULL, archived_at = NULL
WHERE id = :id RETURNING assignment
"""
)
_HOLDER: Final = text("SELECT owner_id, assignment FROM leads WHERE id = :id FOR NO KEY UPDATE")
_UNQUEUE: Final = text("DELETE FROM backlog WHERE lead_id = :id")
_RECORD: Final = text(
    """
INSERT INTO assignments (lead_id, assignment, owner_id, previous_owner_id, cause, at, by, reason)
VALUES (:id, :assignment, :owner, :previous, 'manual', :at, :by, :reason)
"""
)
_HISTORY: Final = text(
    """
SELECT a.lead_id, a.assignment, a.owner_id, o.code AS owner_code, a.previous_owner_id, p.code AS previous_code, a.cause,
    a.at, a.by,
    a.reason, a.pool_id, n.name AS pool, a.round, a.position, a.sticky_id, a.excluded, a.topic
FROM assignments a LEFT JOIN staff_members o ON o.account_id = a.owner_id
    LEFT JOIN staff_members p ON p.account_id = a.previous_owner_id LEFT JOIN pools n ON n.id = a.pool_id
WHERE a.lead_id = :id ORDER BY a.assignment
"""
)
_CODES: Final = text("SELECT account_id, code FROM staff_members WHERE account_id = ANY(:ids)")
_WAITS: Final = text("SELECT pool_id, cause, sticky_id, excluded FROM backlog WHERE lead_id = :id")


@dataclass(frozen=True, slots=True)
class Handed:
    """A lead given to somebody by hand."""

    assignment: int
    previous_owner_id: UUID | None


async def hand_to(
    session: Session, lead_id: UUID, owner_id: UUID, *, at: datetime, by: str, reason: str
) -> Handed | None:
    """Gives a lead to somebody, out of the backlog too; None when they hold it already."""
    holder = (await session.execute(_HOLDER, {"id": lead_id})).one()
    await session.execute(_UNQUEUE, {"id": lead_id})
    if holder.owner_id == owner_id:
        return None
    assignment: int = (await session.execute(_ASSIGN, {"id": lead_id, "owner": owner_id})).scalar_one()
    handed = Handed(assignment, holder.owner_id)
    await session.execute(
        _RECORD,
        {
            "id": lead_id,
            "assignment": assignment,
            "owner": owner_id,
            "previous": handed.previous_owner_id,
            "at": at,
            "by": by,
            "reason": reason,
        },
    )
    return handed


async def history(session: ReadSession, lead_id: UUID) -> Sequence[Any]:
    """Every assignment and release of a lead, oldest first."""
    return (await session.execute(_HISTORY, {"id": lead_id})).all()


async def waits(session: ReadSession, lead_id: UUID) -> Any | None:
    """The lead's place in the backlog."""
    return (await session.execute(_WAITS, {"id": lead_id})).one_or_none()


async def codes(session: ReadSession, accounts: Sequence[UUID]) -> dict[UUID, str]:
    """Staff codes by account."""
    return {row.account_id: row.code for row in (await session.execute(_CODES, {"ids": accounts})).all()}
