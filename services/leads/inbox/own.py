"""The newest raw items of a few people, each kind read from the end of an index of its own.

The planner cannot know whether what somebody may see, as who sent it or as whom its source is credited to, lies among the
newest items or years back: for the OR of the two it walks all items from the newest on, which for a colleague with few of
them is the whole table.

What became a lead or a duplicate has its sender and its arrival also in `leads`, where an index leads to them; of raw items only
those few that did not have such an index, which costs an import nothing for the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.leads.repository.leads import Viewer

LOOKED_AT: Final = 10_000
"""Items that a page may look at: so many as people times its length. The items of more people lie close together."""
ELSEWHERE: Final = frozenset({"import_id", "digits"})
"""Filters with an index of their own, which leaves so few items that nothing else matters."""

_SENT: Final = """
SELECT s.* FROM unnest(CAST(:people AS uuid[])) AS p (id) CROSS JOIN LATERAL (
    SELECT l.id, l.received_at FROM leads l JOIN raw_items r ON r.id = l.id
    WHERE l.created_by = p.id {and_more} {and_of_leads} ORDER BY l.received_at DESC, l.id DESC LIMIT :limit) s
"""
# The source as a range, and ordered by, so that only the index of sources gives that order: by the index of all arrivals the
# planner would walk past those of all other sources.
_OF_SOURCES: Final = """
SELECT s.* FROM sources o CROSS JOIN LATERAL (
    SELECT r.id, r.received_at FROM raw_items r WHERE r.source_id BETWEEN o.id AND o.id {and_more}
    ORDER BY r.source_id DESC, r.received_at DESC, r.id DESC LIMIT :limit) s
WHERE o.marketer = ANY(CAST(:codes AS text[]))
"""
_NOT_TAKEN: Final = """
SELECT s.* FROM unnest(CAST(:people AS uuid[])) AS p (id) CROSS JOIN LATERAL (
    SELECT r.id, r.received_at FROM raw_items r
    WHERE r.created_by = p.id AND r.verdict IN ('rejected', 'dismissed', 'undone') {and_more}
    ORDER BY r.received_at DESC, r.id DESC LIMIT :limit) s
"""
_KINDS: Final = (
    (_SENT, {"lead", "duplicate"}),
    (_NOT_TAKEN, {"rejected", "dismissed", "undone"}),
    (_OF_SOURCES, {"lead", "duplicate", "rejected", "dismissed", "undone"}),
)
"""Where to look, and the verdicts that are found there."""


def fits(viewer: Viewer, filters: Sequence[str], *, limit: int) -> bool:
    """Whether a page is to be read so.

    Args:
        filters: names of the filters that narrow it.
    """
    narrow = not viewer.everything and not viewer.unassigned
    return narrow and len(viewer.people) * limit <= LOOKED_AT and ELSEWHERE.isdisjoint(filters)


def statement(columns: str, conditions: Sequence[str], of_place: Sequence[str], *, verdict: str | None) -> str:
    """A page.

    Args:
        columns: of `r`.
        conditions: on `r`, but for those on its place.
        of_place: conditions on `r.received_at` and `r.id` alone, which `leads` has too.
        verdict: the only one that is looked for.
    """
    of_leads = [one.replace("r.received_at", "l.received_at").replace("r.id", "l.id") for one in of_place]
    and_more = "".join(f" AND {one}" for one in (*conditions, *of_place))
    and_of_leads = "".join(f" AND {one}" for one in of_leads)
    found = " UNION ".join(
        kind.format(and_more=and_more, and_of_leads=and_of_leads)
        for kind, verdicts in _KINDS
        if verdict is None or verdict in verdicts
    )
    return f"""
SELECT {columns} FROM (SELECT id FROM ({found}) u ORDER BY received_at DESC, id DESC LIMIT :limit) page
JOIN raw_items r ON r.id = page.id ORDER BY r.received_at DESC, r.id DESC
"""
