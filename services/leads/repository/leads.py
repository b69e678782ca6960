"""Leads as people look at them: only those that the viewer may see."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Boolean,
    ColumnElement,
    DateTime,
    Text,
    Uuid,
    bindparam,
    column,
    func,
    literal_column,
    or_,
    select,
    table,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB

from services.leads.changes.errors import BeingUndone
from services.leads.driver import connection_of
from services.leads.errors import LeadIsDuplicate
from services.leads.imports import leaving
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
_OTHERS: Final = ("verdict", "assignment", "version", "spam", "flag", "released_at")
LEADS: Final = table(
    "leads",
    *(column(name) for name in (*_TEXTS, *_OTHERS)),
    *(column(name, Uuid) for name in ("id", "anchor_id", "source_id", "owner_id")),
    column("created_by", Uuid),
    column("other_phones", ARRAY(Text)),
    *(column(name, DateTime(timezone=True)) for name in ("received_at", "changed_at", "ended_at")),
    *(column(name, Boolean) for name in ("returning_customer", "asked_to_be_called", "do_not_call")),
)
_staff = table("staff_members", column("account_id", Uuid), *(column(name) for name in ("code", "name", "team")))
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
            LEADS.c.owner_id == func.any(people),
            LEADS.c.created_by == func.any(people),
            LEADS.c.marketer == func.any(codes),
        ]
        if self.unassigned:
            conditions.append(LEADS.c.owner_id.is_(None))
        return or_(*conditions)

    def sees(self, lead: Any) -> bool:
        """The same for one lead, given as a row with owner_id, created_by and marketer."""
        if self.everything or (self.unassigned and lead.owner_id is None):
            return True
        return lead.owner_id in self.people or lead.created_by in self.people or lead.marketer in self.codes


EVERYTHING: Final = Viewer(everything=True, unassigned=True, people=(), codes=())


async def viewer_of(session: ReadSession, who: Principal) -> Viewer:
    """What a principal may see."""
    people, codes = await people_below(session, who.account_id, who.code)
    return Viewer(everything=who.sees_all, unassigned=who.may(LEADS_DISTRIBUTE), people=people, codes=codes)


async def people_below(session: ReadSession, account_id: UUID, code: str) -> tuple[tuple[UUID, ...], tuple[str, ...]]:
    """Somebody and everybody below them: their accounts and staff codes."""
    below = (await session.execute(_BELOW, {"viewer": account_id})).all()
    people = {account_id, *(row.account_id for row in below)}
    return tuple(people), tuple({code, *(row.code for row in below)} - {""})


_TAGS: Final = """(
SELECT coalesce(jsonb_agg(jsonb_build_object('id', t.id, 'name', t.name, 'colour', t.colour)
    ORDER BY g.position, g.key, t.position, t.key), '[]')
FROM lead_tags k JOIN tags t ON t.id = ANY (k.tags) JOIN tag_groups g ON g.id = t.group_id WHERE k.lead_id = leads.id)"""
_NOTES: Final = "(SELECT count(*) FROM lead_notes n WHERE n.lead_id = leads.id)"
_LEVEL: Final = "(SELECT c.{column} FROM level_catalogue c WHERE c.code = leads.level)"

SHOWN: Final = select(
    *LEADS.c,
    _staff.c.code.label("owner_code"),
    _staff.c.name.label("owner_name"),
    _staff.c.team.label("owner_team"),
    _waiting.c.lead_id.is_not(None).label("waits"),
    literal_column(_TAGS, JSONB).label("tags"),
    literal_column(_NOTES).label("notes"),
    *(literal_column(_LEVEL.format(column=name), Text).label(f"level_{name}") for name in ("vi", "en")),
).select_from(
    LEADS.outerjoin(_staff, _staff.c.account_id == LEADS.c.owner_id).outerjoin(
        _waiting, _waiting.c.lead_id == LEADS.c.id
    )
)
"""Leads with everything that is shown of them; without a condition."""


async def visible_among(session: ReadSession, viewer: Viewer, lead_ids: Collection[UUID]) -> set[UUID]:
    """Those of some leads that the viewer may see."""
    wanted = LEADS.c.id == func.any(bindparam("ids", list(lead_ids), ARRAY(Uuid)))
    return set((await session.execute(select(LEADS.c.id).where(wanted, viewer.may_see()))).scalars())


async def one(session: ReadSession, viewer: Viewer, lead_id: UUID) -> Any | None:
    """One lead, if the viewer may see it."""
    return (await session.execute(SHOWN.where(LEADS.c.id == lead_id, viewer.may_see()))).one_or_none()


_LOCK: Final = text("SELECT id FROM leads WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR NO KEY UPDATE")


async def lock(session: Session, lead_ids: Sequence[UUID]) -> set[UUID]:
    """Holds leads until the commit; returns those that are there and stay."""
    there = set((await session.execute(_LOCK, {"ids": list(lead_ids)})).scalars())
    return there - await leaving.among(await connection_of(session), there)


async def lock_one(session: Session, lead_id: UUID) -> None:
    """Holds a lead that was there a moment ago until the commit.

    Raises:
        BeingUndone: it is gone with its import, or about to go.
    """
    if not await lock(session, [lead_id]):
        raise BeingUndone


_ASSIGN: Final = text(
    """
UPDATE leads SET owner_id = :owner, assignment = assignment + 1, floating_since = NULL, archived_at = NULL
WHERE id = :id RETURNING assignment
"""
)
_HOLDER: Final = text("SELECT owner_id, assignment, verdict, anchor_id FROM leads WHERE id = :id")
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
    """Gives a lead to somebody, out of the backlog too; None when they hold it already.

    Raises:
        LeadIsDuplicate: it became one meanwhile, which has no owner.
        BeingUndone: it is gone with its import, or about to go.
    """
    await lock_one(session, lead_id)
    holder = (await session.execute(_HOLDER, {"id": lead_id})).one()
    if holder.verdict == "duplicate":
        raise LeadIsDuplicate(anchor_id=str(holder.anchor_id))
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
