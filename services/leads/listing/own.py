"""The newest, oldest and last changed leads of a few people, each read from the end of their own index.

The planner cannot know whether what somebody may see, as owner, sender or marketer, lies among the newest leads or years
back: for the OR of the three it walks all leads from the newest (or the last changed) on, which for a colleague whose leads
are all old is the whole table.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from services.leads.driver import connection_of
from services.leads.listing.cursor import Order, Place
from services.leads.repository.leads import Viewer
from shared.db import ReadSession

LOOKED_AT: Final = 10_000
"""Leads that a page may look at: so many as people times its length. The leads of more people lie close together."""

_ONE_KIND: Final = """
SELECT l.id, l.{by} FROM unnest({people}) AS p (key) CROSS JOIN LATERAL (
    SELECT id, {by} FROM leads WHERE {column} = p.key {and_more} {from_place}
    ORDER BY {by} {way}, id {way} LIMIT $3
) l
"""
_KINDS: Final = (
    ("owner_id", "$1::uuid[]", ""),
    ("created_by", "$1::uuid[]", ""),
    ("marketer", "$2::text[]", "AND marketer <> ''"),
)


def fits(viewer: Viewer, *, limit: int) -> bool:
    """Whether a page without filters is to be read so."""
    narrow = not viewer.everything and not viewer.unassigned
    return narrow and len(viewer.people) * limit <= LOOKED_AT


def statement(order: Order, *, from_place: bool) -> str:
    """The ids of a page. $1: accounts, $2: staff codes, $3: how many, $4 and $5: the place after which it begins."""
    by = "changed_at" if order == "changed" else "received_at"
    way, sign = ("ASC", ">") if order == "oldest" else ("DESC", "<")
    place = f"AND ({by}, id) {sign} ($4::timestamptz, $5::uuid)" if from_place else ""
    kinds = " UNION ".join(
        _ONE_KIND.format(by=by, people=people, column=column, and_more=more, from_place=place, way=way)
        for column, people, more in _KINDS
    )
    return f"SELECT id FROM ({kinds}) u ORDER BY {by} {way}, id {way} LIMIT $3"


async def ids(session: ReadSession, viewer: Viewer, *, order: Order, after: Place | None, limit: int) -> Sequence[UUID]:
    """The leads of a page that the viewer may see."""
    connection = await connection_of(session)
    place = (after.at, after.id) if after is not None else ()
    sql = statement(order, from_place=after is not None)
    return [row["id"] for row in await connection.fetch(sql, list(viewer.people), list(viewer.codes), limit, *place)]
