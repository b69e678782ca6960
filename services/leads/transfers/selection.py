"""Which leads a person deals out: some by name, or what fits a filter; only such as they may see, and still in care."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from services.leads.driver import Connection
from services.leads.repository.leads import Viewer

MAX_CHOSEN: Final = 10_000
"""Leads of one distribution."""

State = Literal["waiting", "floating", "archived", "owned"]

_STATES: Final[dict[State, str]] = {
    "waiting": "EXISTS (SELECT 1 FROM backlog b WHERE b.lead_id = l.id)",
    "floating": "l.floating_since IS NOT NULL AND l.archived_at IS NULL",
    "archived": "l.archived_at IS NOT NULL",
    "owned": "l.owner_id IS NOT NULL",
}
_EQUAL: Final = ("owner_id", "level", "channel", "campaign", "landing_page", "marketer", "product", "source_id")
# Arrays, not subqueries, so that each condition can use its index.
_VISIBLE: Final = """($1::boolean OR l.owner_id = ANY($2::uuid[]) OR l.created_by = ANY($2::uuid[])
    OR l.marketer = ANY($3::text[]) OR ($4::boolean AND l.owner_id IS NULL))"""
_FITTING: Final = f"""
SELECT l.id, l.assignment FROM leads l WHERE {_VISIBLE} AND l.verdict = 'lead' AND l.in_care AND {{conditions}}
ORDER BY l.received_at, l.id LIMIT {MAX_CHOSEN + 1}
"""
_NAMED: Final = f"""
SELECT l.id, l.assignment, l.verdict, l.in_care FROM leads l WHERE {_VISIBLE} AND l.id = ANY($5::uuid[])
"""


@dataclass(frozen=True, slots=True)
class Filter:
    """What is dealt out; None does not narrow."""

    state: State | None = None
    pool_id: UUID | None = None
    owner_id: UUID | None = None
    level: str | None = None
    channel: str | None = None
    campaign: str | None = None
    landing_page: str | None = None
    marketer: str | None = None
    product: str | None = None
    source_id: UUID | None = None
    received_from: datetime | None = None
    received_to: datetime | None = None

    def conditions(self, first: int) -> tuple[str, list[Any]]:
        """The condition in SQL, with its arguments from this number on."""
        found, values = ["true"], list[Any]()

        def narrow(condition: str, value: Any) -> None:
            if value is not None:
                found.append(condition.format(f"${first + len(values)}"))
                values.append(value)

        if self.state is not None:
            found.append(_STATES[self.state])
        for field in _EQUAL:
            narrow(f"l.{field} = {{}}", getattr(self, field))
        narrow("EXISTS (SELECT 1 FROM backlog b WHERE b.lead_id = l.id AND b.pool_id = {})", self.pool_id)
        narrow("l.received_at >= {}", self.received_from)
        narrow("l.received_at < {}", self.received_to)
        return " AND ".join(found), values


@dataclass(frozen=True, slots=True)
class Chosen:
    """Leads to deal out, oldest first or as named, with their assignment; `refused` of those named, with the reason."""

    leads: list[tuple[UUID, int]]
    refused: dict[UUID, str]
    more: bool = False
    """Whether more fit the filter than one distribution takes."""


async def fitting(connection: Connection, viewer: Viewer, filter: Filter) -> Chosen:
    """Leads that fit a filter, oldest arrival first."""
    conditions, values = filter.conditions(first=5)
    rows = await connection.fetch(_FITTING.format(conditions=conditions), *_viewer(viewer), *values)
    leads = [(row["id"], row["assignment"]) for row in rows[:MAX_CHOSEN]]
    return Chosen(leads, {}, more=len(rows) > MAX_CHOSEN)


async def named(connection: Connection, viewer: Viewer, leads: Sequence[UUID], *, closed_too: bool = False) -> Chosen:
    """Leads by their ids, in the order given. Refused: not-found, duplicate, ended.

    Args:
        closed_too: also orders that are not in care any more.
    """
    rows = {row["id"]: row for row in await connection.fetch(_NAMED, *_viewer(viewer), list(leads))}
    chosen: list[tuple[UUID, int]] = []
    refused: dict[UUID, str] = {}
    for lead_id in dict.fromkeys(leads):
        row = rows.get(lead_id)
        if row is None:
            refused[lead_id] = "not-found"
        elif row["verdict"] == "duplicate":
            refused[lead_id] = "duplicate"
        elif not (row["in_care"] or closed_too):
            refused[lead_id] = "ended"
        else:
            chosen.append((lead_id, row["assignment"]))
    return Chosen(chosen, refused)


def _viewer(viewer: Viewer) -> tuple[Any, ...]:
    return viewer.everything, list(viewer.people), list(viewer.codes), viewer.unassigned
