"""Which orders may be on a page: the newest by whatever narrows a list most, as for customers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from services.orders.candidates import Candidates, full, narrowest
from services.orders.customers.sought import PEOPLE, held_by
from services.orders.text import read_code, words
from shared.auth import Principal
from shared.db import ReadSession
from shared.phone import read_phone

ENOUGH: Final = 200
"""Candidates whose rows are looked at for one page: as many as the longest page shows."""
LENT: Final = 500
"""Orders that are somebody's whoever holds them, read at a time from a narrow index; a page of who has more may be short."""
NEAR: Final = 5_000
"""The newest orders that are looked through for those of many people."""
CLOSED: Final = "L5"
"""The level at which an order waits for the COD desk."""
_LAST: Final = UUID(int=2**128 - 1)


@dataclass(frozen=True)
class Filters:
    """What a list is narrowed to; empty = everything that the viewer may see."""

    level: tuple[str, ...] = ()
    """Codes; a main level stands for itself alone."""
    owner: UUID | None = None
    unassigned: bool = False
    phone: str = ""
    """Whole, as typed."""
    text: str = ""
    """An order code, or beginnings of words of the name, with or without accents."""
    to_post: bool = False
    """Closed, in full stock, waiting for the COD desk."""

    @property
    def code(self) -> str | None:
        return read_code(self.text)


@dataclass(frozen=True)
class Seen:
    """Whose orders the viewer sees."""

    people: Sequence[UUID]
    lent: Candidates
    """Orders that are theirs whoever holds them: with a task that is open to their team, or of which they took a call."""


_PEOPLE: Final = text(
    "SELECT account_id FROM staff_closure WHERE superior_id = :viewer UNION SELECT CAST(:viewer AS uuid)"
)
_OF_TEAM: Final = text(
    """
SELECT DISTINCT order_id FROM tasks
WHERE closed_at IS NULL AND to_team AND team = :team AND team <> '' AND order_id < coalesce(CAST(:before AS uuid), :last)
ORDER BY order_id DESC LIMIT :enough
"""
)
_TAKEN: Final = text(
    """
SELECT DISTINCT order_id FROM tasks WHERE claimed_by_id = :viewer AND order_id < coalesce(CAST(:before AS uuid), :last)
ORDER BY order_id DESC LIMIT :enough
"""
)


async def seen_by(session: ReadSession, who: Principal, *, before: UUID | None) -> Seen | None:
    """None: all orders."""
    if who.sees_all:
        return None
    asked = {"before": before, "last": _LAST, "enough": LENT}
    people = list((await session.execute(_PEOPLE, {"viewer": who.account_id})).scalars())
    of_team = list((await session.execute(_OF_TEAM, {**asked, "team": who.team})).scalars())
    taken = list((await session.execute(_TAKEN, {**asked, "viewer": who.account_id})).scalars())
    return Seen(people, full(of_team, enough=LENT) | full(taken, enough=LENT))


def conditions(filters: Filters, seen: Seen | None) -> dict[str, dict[str, Any]]:
    """Condition on orders `o`, their reservation `r` and fulfilment `f` → its parameters: all that is asked for."""
    found: dict[str, dict[str, Any]] = {}
    if filters.level:
        found["o.level = ANY(:levels)"] = {"levels": list(filters.level)}
    if filters.owner is not None:
        found["o.owner_id = :owner"] = {"owner": filters.owner}
    if filters.unassigned:
        found["o.owner_id IS NULL"] = {}
    if filters.phone:
        phone = read_phone(filters.phone) or filters.phone
        found["o.customer_id IN (SELECT customer_id FROM customer_phones WHERE phone = :phone)"] = {"phone": phone}
    if filters.to_post:
        found[f"f.phase = 'closed' AND r.state = 'reserved' AND o.level = '{CLOSED}'"] = {}
    if filters.code is not None:
        found["o.code = :code"] = {"code": filters.code}
    elif sought := words(filters.text):
        found["o.search @@ to_tsquery('simple', :words)"] = {"words": " & ".join(f"{word}:*" for word in sought)}
    if seen is not None:
        found["(o.owner_id = ANY(:people) OR o.closer_id = ANY(:people) OR o.id = ANY(:lent))"] = {
            "people": list(seen.people),
            "lent": list(seen.lent.ids),
        }
    return found


def _query(era: str, filters: Filters, people: Sequence[UUID]) -> str:
    """The tokens of what is asked for.

    Args:
        era: before each token; @ in the query of an era.
        people: one of whom must hold or have closed the order; none = nobody need.
    """

    def one_of(tokens: Sequence[str]) -> list[str]:
        return [f"({' | '.join(tokens)})"] if tokens else []

    wanted = [] if filters.code is not None else [f"'{era}{word}':*" for word in words(filters.text)]
    wanted += one_of([f"'{era}.l{level}'" for level in filters.level if level.replace(".", "").isalnum()])
    wanted += [f"'{era}.l{CLOSED}'"] if filters.to_post else []
    wanted += [f"'{era}{held_by(filters.owner)}'"] if filters.owner is not None else []
    wanted += [f"'{era}.u'"] if filters.unassigned else []
    wanted += one_of([f"'{era}{held_by(person)}'" for person in people])
    return " & ".join(wanted)


_OF_CODE: Final = text("SELECT id FROM orders WHERE code = :code")
_OF_PHONE: Final = text(
    """
SELECT o.id FROM customer_phones p JOIN orders o ON o.customer_id = p.customer_id
WHERE p.phone = :phone AND o.id < coalesce(CAST(:before AS uuid), :last) ORDER BY o.id DESC LIMIT :enough
"""
)
_TO_POST: Final = text(
    """
SELECT order_id FROM fulfilments WHERE phase = 'closed' AND order_id < coalesce(CAST(:before AS uuid), :last)
ORDER BY order_id DESC LIMIT :enough
"""
)
_SOUGHT: Final = text(
    """
SELECT ids, place FROM orders_sought(CAST(:by_era AS text), CAST(CAST(:of_all AS text) AS tsquery), CAST(:before AS uuid),
    :enough)
"""
)
_NEWEST_OF_PEOPLE: Final = text(
    """
WITH newest AS (
    SELECT * FROM order_search WHERE order_id < coalesce(CAST(:before AS uuid), :last) ORDER BY order_id DESC LIMIT :near
)
SELECT ARRAY(SELECT order_id FROM newest WHERE tokens @@ CAST(CAST(:of_all AS text) AS tsquery)
    ORDER BY order_id DESC LIMIT :enough) AS ids, (
    SELECT order_id FROM order_search WHERE order_id < coalesce(CAST(:before AS uuid), :last)
    ORDER BY order_id DESC OFFSET :near - 1 LIMIT 1) AS place
"""
)
_LENT: Final = text(
    """
SELECT order_id FROM order_search
WHERE order_id = ANY(:lent) AND (:wanted = '' OR tokens @@ CAST(CAST(:wanted AS text) AS tsquery)) ORDER BY order_id DESC
"""
)
_NEWEST: Final = text(
    "SELECT id FROM orders WHERE id < coalesce(CAST(:before AS uuid), :last) ORDER BY id DESC LIMIT :enough"
)


async def candidates(
    session: ReadSession, filters: Filters, seen: Seen | None, *, limit: int, before: UUID | None
) -> Candidates:
    """Which orders may be on a page."""
    asked = {"before": before, "last": _LAST, "enough": ENOUGH}
    lists = []
    if filters.code is not None:
        ids = (await session.execute(_OF_CODE, {"code": filters.code})).scalars()
        lists.append(Candidates([id for id in ids if before is None or id < before], None))
    if filters.phone:
        phone = read_phone(filters.phone) or filters.phone
        lists.append(full(list((await session.execute(_OF_PHONE, {**asked, "phone": phone})).scalars()), enough=ENOUGH))
    if filters.to_post:
        lists.append(full(list((await session.execute(_TO_POST, asked)).scalars()), enough=ENOUGH))
    if all(each.place is not None for each in lists):
        # As many as the page shows, unless another list leaves out some.
        lists += await _with_tokens(session, filters, seen, before=before, enough=ENOUGH if lists else limit)
    return narrowest(lists)


async def _with_tokens(
    session: ReadSession, filters: Filters, seen: Seen | None, *, before: UUID | None, enough: int
) -> list[Candidates]:
    people = () if seen is None else seen.people
    asked = {"before": before, "enough": enough}
    of_all = _query("", filters, people)
    by_era = _query("@", filters, people if len(people) <= PEOPLE else ())
    if not of_all:
        ids = (await session.execute(_NEWEST, {**asked, "last": _LAST})).scalars()
        return [full(list(ids), enough=enough)]
    if by_era:
        row = (await session.execute(_SOUGHT, {**asked, "of_all": of_all, "by_era": by_era})).one()
        found = Candidates(row.ids, row.place)
    else:
        row = (await session.execute(_NEWEST_OF_PEOPLE, {**asked, "of_all": of_all, "near": NEAR, "last": _LAST})).one()
        found = Candidates(row.ids, row.ids[-1] if len(row.ids) == enough else row.place)
    if seen is None or not seen.lent.ids:
        return [found if seen is None else found | seen.lent]
    wanted = {"lent": list(seen.lent.ids), "wanted": _query("", filters, ())}
    lent = list((await session.execute(_LENT, wanted)).scalars())
    return [found | Candidates(lent, seen.lent.place)]
