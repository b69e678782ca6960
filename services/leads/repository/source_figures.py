"""Figures of sources, channels and campaigns over a range of arrivals, each from one grouped read of an index."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy import text

from shared.contracts import levels
from shared.db import ReadSession

KeyT = TypeVar("KeyT")

_RANGE: Final = "received_at >= :since AND received_at < :until"
_RAW_OF_SOURCES: Final = text(
    f"""
SELECT source_id AS key, verdict, reason, count(*) AS n FROM raw_items
WHERE source_id = ANY(CAST(:keys AS uuid[])) AND {_RANGE} GROUP BY source_id, verdict, reason
"""
)
_LEADS_OF_SOURCES: Final = text(
    f"""
SELECT source_id AS key, verdict, level, spam, count(*) AS n FROM leads
WHERE source_id = ANY(CAST(:keys AS uuid[])) AND {_RANGE} GROUP BY source_id, verdict, level, spam
"""
)
_RAW_OF_CHANNELS: Final = text(
    f"SELECT channel AS key, verdict, reason, count(*) AS n FROM raw_items WHERE {_RANGE} GROUP BY channel, verdict, reason"
)
_LEADS_OF_CHANNELS: Final = text(
    f"""
SELECT channel AS key, verdict, level, spam, count(*) AS n FROM leads WHERE {_RANGE} GROUP BY channel, verdict, level, spam
"""
)
_LEADS_OF_CAMPAIGN: Final = text(
    f"""
SELECT campaign AS key, verdict, level, spam, count(*) AS n FROM leads
WHERE campaign = :campaign AND {_RANGE} GROUP BY campaign, verdict, level, spam
"""
)
# What was rejected kept where it came from; a corrected item is a lead and counted as one.
_RAW_OF_CAMPAIGN: Final = text(
    f"""
SELECT origin ->> 'campaign' AS key, verdict, reason, count(*) AS n FROM raw_items
WHERE verdict IN ('rejected', 'dismissed') AND origin ->> 'campaign' <> '' AND origin ->> 'campaign' = :campaign
    AND {_RANGE} GROUP BY 1, verdict, reason
"""
)
_SOURCES: Final = text(
    """
SELECT id, name, channel, campaign, marketer, active FROM sources
WHERE (CAST(:after AS uuid) IS NULL OR id > CAST(:after AS uuid)) AND (:everything OR marketer = ANY(CAST(:codes AS text[])))
    AND (CAST(:only AS uuid) IS NULL OR id = CAST(:only AS uuid))
ORDER BY id LIMIT :limit
"""
)


@dataclass(slots=True)
class Figures:
    """What came, and what became of it so far.

    `raw` is everything that reached us. `leads`, `duplicates` and `by_level` are as they stand now; `spam` are those of
    them that were marked so, by kind. `closed` reached L5 as far as their present level tells (also cancelled or returned
    since); `delivered` are at L8.
    """

    raw: int = 0
    leads: int = 0
    duplicates: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    dismissed: int = 0
    spam: Counter[str] = field(default_factory=Counter)
    closed: int = 0
    delivered: int = 0
    by_level: Counter[str] = field(default_factory=Counter)

    def add_raw(self, verdict: str, reason: str, n: int) -> None:
        self.raw += n
        if verdict == "rejected":
            self.rejected[reason] += n
        elif verdict == "dismissed":
            self.dismissed += n

    def add_leads(self, verdict: str, level: str, spam: str, n: int) -> None:
        self.by_level[level] += n
        if verdict == "lead":
            self.leads += n
        else:
            self.duplicates += n
        if spam:
            self.spam[spam] += n
        main = level.partition(".")[0]
        if main in (levels.CLOSED, levels.SENT, levels.DELIVERED):
            self.closed += n
        if main == levels.DELIVERED:
            self.delivered += n


def _summed(found: dict[KeyT, Figures], raw: Iterable[Any], leads: Iterable[Any]) -> dict[KeyT, Figures]:
    """Rows added to the figures of their source, channel or campaign."""
    for row in raw:
        found.setdefault(row.key, Figures()).add_raw(row.verdict, row.reason, row.n)
    for row in leads:
        found.setdefault(row.key, Figures()).add_leads(row.verdict, row.level, row.spam, row.n)
    return found


async def sources(
    session: ReadSession,
    *,
    everything: bool,
    codes: Sequence[str],
    after: UUID | None = None,
    only: UUID | None = None,
    limit: int,
) -> Sequence[Any]:
    """Sources in the order in which they were made: all, or those credited to some staff codes."""
    values = {"everything": everything, "codes": list(codes), "after": after, "only": only, "limit": limit}
    return (await session.execute(_SOURCES, values)).all()


async def of_sources(
    session: ReadSession, ids: Sequence[UUID], *, since: datetime, until: datetime
) -> Mapping[UUID, Figures]:
    """Figures by source, for each of the given."""
    values = {"keys": list(ids), "since": since, "until": until}
    raw = (await session.execute(_RAW_OF_SOURCES, values)).all()
    leads = (await session.execute(_LEADS_OF_SOURCES, values)).all()
    return _summed({id: Figures() for id in ids}, raw, leads)


async def of_channels(session: ReadSession, *, since: datetime, until: datetime) -> Mapping[str, Figures]:
    """Figures by channel, for those through which something came."""
    values = {"since": since, "until": until}
    raw = (await session.execute(_RAW_OF_CHANNELS, values)).all()
    leads = (await session.execute(_LEADS_OF_CHANNELS, values)).all()
    found: dict[str, Figures] = {}
    return _summed(found, raw, leads)


async def of_campaign(session: ReadSession, code: str, *, since: datetime, until: datetime) -> Figures:
    """Figures of a campaign. `raw` is what became a lead or was rejected; what was undone with its import is not in it."""
    values = {"campaign": code, "since": since, "until": until}
    raw = (await session.execute(_RAW_OF_CAMPAIGN, values)).all()
    leads = (await session.execute(_LEADS_OF_CAMPAIGN, values)).all()
    figures = _summed({code: Figures()}, raw, leads)[code]
    figures.raw += figures.leads + figures.duplicates
    return figures
