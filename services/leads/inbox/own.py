"""The newest raw items of a few people, each kind read from the end of an index of its own.

The planner cannot know whether what somebody may see, as who sent it or as whom its source is credited to, lies among the
newest items or years back: for the OR of the two it walks all items from the newest on, which for a colleague with few of
them is the whole table.

As with arrivals, what became a lead or a duplicate is found by its sender in `leads`, and only what did not in raw items.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.leads.inbox.arrivals import NOT_TAKEN, TAKEN, Kind
from services.leads.repository.leads import Viewer

LOOKED_AT: Final = 10_000
"""Items that a page may look at: so many as people times its length. The items of more people lie close together."""

_SENT: Final = """
SELECT s.* FROM unnest(CAST(:people AS uuid[])) AS p (id) CROSS JOIN LATERAL (
    SELECT l.id, l.received_at FROM leads l JOIN raw_items r ON r.id = l.id
    WHERE l.created_by = p.id {and_more} {and_of_leads} ORDER BY l.received_at DESC, l.id DESC LIMIT :limit) s
"""
_OF_SOURCES: Final = """
SELECT s.* FROM sources o CROSS JOIN LATERAL (
    SELECT r.id, r.received_at FROM raw_items r WHERE r.source_id = o.id {and_more}
    ORDER BY r.received_at DESC, r.id DESC LIMIT :limit) s
WHERE o.marketer = ANY(CAST(:codes AS text[]))
"""
_OTHERS: Final = """
SELECT s.* FROM unnest(CAST(:people AS uuid[])) AS p (id) CROSS JOIN LATERAL (
    SELECT r.id, r.received_at FROM raw_items r
    WHERE r.created_by = p.id AND r.verdict IN ('rejected', 'dismissed', 'undone') {and_more}
    ORDER BY r.received_at DESC, r.id DESC LIMIT :limit) s
"""
KINDS: Final[Sequence[Kind]] = (
    (_SENT, TAKEN),
    (_OTHERS, NOT_TAKEN),
    (_OF_SOURCES, TAKEN | NOT_TAKEN),
)


def fits(viewer: Viewer, *, limit: int) -> bool:
    """Whether a page is to be read so."""
    narrow = not viewer.everything and not viewer.unassigned
    return narrow and len(viewer.people) * limit <= LOOKED_AT
