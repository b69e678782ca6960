"""Pages and counts of leads that somebody may see."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import UUID

import asyncpg
from sqlalchemy import ARRAY, ColumnElement, Select, Uuid, any_, cast, func, literal, select, text, tuple_
from sqlalchemy.exc import DBAPIError

from services.leads.errors import ListTooSlow
from services.leads.listing import own
from services.leads.listing.cursor import Order, Place
from services.leads.listing.filters import LeadFilters, found_by, matches
from services.leads.listing.words import LOOKED_AT, PART
from services.leads.repository.leads import LEADS, SHOWN, Viewer
from shared.db import ReadSession

MAX_COUNT: Final = 10_000
"""Leads that are counted one by one; a list with more says “hơn 10.000”."""
FEW: Final = 2_000
"""Leads that a search finds and that are then looked at one by one."""
WITHIN: Final = 5
"""Seconds for one page. Filters that nothing fits and no index helps with end in advice, not in a busy database."""

# A plan made for any value would walk all leads for a value that few have.
_PLAN_EACH: Final = text(
    "SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('statement_timeout', :within, true)"
)
_KEYS: Final[dict[Order, ColumnElement[Any]]] = {
    "newest": LEADS.c.received_at,
    "oldest": LEADS.c.received_at,
    "changed": LEADS.c.changed_at,
}


async def page(
    session: ReadSession,
    viewer: Viewer,
    filters: LeadFilters,
    *,
    order: Order,
    after: Place | None,
    limit: int,
    columns: Select[Any] = SHOWN,
    within: int = WITHIN,
) -> Sequence[Any]:
    """Leads that the viewer may see.

    Args:
        after: the last lead of the page before.
        columns: what is read of each.
        within: seconds that it may take.

    Raises:
        ListTooSlow: it took longer.
    """
    key = _KEYS[order]
    statement = columns.where(viewer.may_see(), *await _conditions(session, filters, within))
    if not filters.narrows and own.fits(viewer, limit=limit):
        async with _bounded(session, within):
            some = await own.ids(session, viewer, order=order, after=after, limit=limit)
        statement = statement.where(_is_any(some))
    if order == "oldest":
        if after is not None:
            statement = statement.where(tuple_(key, LEADS.c.id) > tuple_(after.at, after.id))
        statement = statement.order_by(key, LEADS.c.id)
    else:
        if after is not None:
            statement = statement.where(tuple_(key, LEADS.c.id) < tuple_(after.at, after.id))
        statement = statement.order_by(key.desc(), LEADS.c.id.desc())
    async with _bounded(session, within):
        found: Sequence[Any] = (await session.execute(statement.limit(limit))).all()
    return found


def place_of(row: Any, order: Order) -> Place:
    """Where a page that ends with this row has ended."""
    return Place(row.changed_at if order == "changed" else row.received_at, row.id)


async def count(session: ReadSession, viewer: Viewer, filters: LeadFilters, *, most: int = MAX_COUNT) -> int:
    """How many leads there are; `most` + 1 when there are more than `most`."""
    conditions = await _conditions(session, filters, WITHIN)
    some = select(LEADS.c.id).where(viewer.may_see(), *conditions).limit(most + 1).subquery()
    async with _bounded(session, WITHIN):
        return (await session.execute(select(func.count()).select_from(some))).scalar_one()


async def ids(session: ReadSession, viewer: Viewer, filters: LeadFilters, *, most: int) -> list[UUID]:
    """The ids of all leads that fit, oldest arrival first; one more than `most` when there are more."""
    statement = (
        select(LEADS.c.id)
        .where(viewer.may_see(), *await _conditions(session, filters, WITHIN))
        .order_by(LEADS.c.received_at, LEADS.c.id)
        .limit(most + 1)
    )
    async with _bounded(session, WITHIN):
        return list((await session.execute(statement)).scalars())


async def _conditions(session: ReadSession, filters: LeadFilters, within: int) -> list[ColumnElement[bool]]:
    """The conditions of a list. What is searched for is found first, because the planner cannot know how rare a word is,
    and would look for it among the newest leads; only a word that many leads have is left to be met there."""
    search = filters.search()
    conditions = filters.conditions()
    if search is None:
        return conditions
    async with _bounded(session, within):
        by_words = found_by(search, waiting=LOOKED_AT // PART, most=FEW + 1)
        some = (await session.execute(by_words)).scalars().all()
    if len(some) > FEW:
        return [*conditions, matches(search)]
    return [*conditions, _is_any(some)]


def _is_any(ids: Sequence[UUID]) -> ColumnElement[bool]:
    return LEADS.c.id == any_(cast(literal(list(ids), ARRAY(Uuid)), ARRAY(Uuid)))


@asynccontextmanager
async def _bounded(session: ReadSession, within: int) -> AsyncIterator[None]:
    await session.execute(_PLAN_EACH, {"within": f"{within}s"})
    try:
        yield
    except asyncpg.QueryCanceledError as error:
        raise ListTooSlow(seconds=within) from error
    except DBAPIError as error:
        if error.orig is not None and isinstance(error.orig.__cause__, asyncpg.QueryCanceledError):
            raise ListTooSlow(seconds=within) from error
        raise
