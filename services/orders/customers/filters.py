"""What a list of customers is narrowed to, as tokens, ranges and conditions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import text

from services.orders.customers import sought
from services.orders.customers.candidates import Range
from services.orders.customers.sought import Sought
from services.orders.fields import definitions, values
from services.orders.fields.values import Subject, no_such_field
from services.orders.text import words
from shared.auth import Principal
from shared.db import ReadSession

LENT: Final = 500
"""Orders with a task that is open to the viewer's team, whose customers are the viewer's too; the newest, if there are more."""

_PEOPLE: Final = text(
    "SELECT account_id FROM staff_closure WHERE superior_id = :viewer UNION SELECT CAST(:viewer AS uuid)"
)
_LENT: Final = text(
    """
SELECT DISTINCT o.customer_id FROM (
    SELECT order_id FROM tasks WHERE closed_at IS NULL AND to_team AND team = :team AND team <> ''
    ORDER BY order_id DESC LIMIT :most) t
JOIN orders o ON o.id = t.order_id
"""
)
_FIELD_TOKENS: Final = text("SELECT field_tokens(CAST(:fields AS jsonb))")


@dataclass(frozen=True)
class Filters:
    """What a list is narrowed to; empty = every customer that the viewer may see."""

    text: str = ""
    """Words of the name, a contact's or a recipient's, with or without accents; the last may be a beginning."""
    phone: str = ""
    tags: tuple[UUID, ...] = ()
    """All of them."""
    fields: tuple[tuple[str, str], ...] = ()
    """Key and value of fields of the trade; all of them."""
    fields_from: tuple[tuple[str, str], ...] = ()
    fields_to: tuple[tuple[str, str], ...] = ()
    """Key and end of a range of a number or a day, both ends included; all of them."""
    owner: UUID | None = None
    """Holds one of their orders."""
    kind: str = ""
    blocked: bool | None = None
    last_order_from: datetime | None = None
    last_order_to: datetime | None = None
    """The last order came in within [from, to)."""

    @property
    def loose(self) -> bool:
        """Whether something that no index knows may leave out many."""
        return bool(self.last_order_from or self.last_order_to or self.kind == "person" or self.blocked is False)


_LIVING: Final = "c.merged_into IS NULL"
# Ids begin with the instant at which the number came in, so that those of orders know what came since.
_SINCE: Final = "EXISTS (SELECT FROM orders o WHERE o.customer_id = c.id AND o.id >= :since)"
_NOT_SINCE: Final = "NOT EXISTS (SELECT FROM orders o WHERE o.customer_id = c.id AND o.id >= :until)"
_SEEN: Final = """(c.id = ANY(CAST(:lent AS uuid[])) OR EXISTS (SELECT FROM orders o WHERE o.customer_id = c.id
    AND (o.owner_id = ANY(CAST(:people AS uuid[])) OR o.closer_id = ANY(CAST(:people AS uuid[])))))"""
_HELD: Final = "EXISTS (SELECT FROM orders o WHERE o.customer_id = c.id AND o.owner_id = :owner)"


@dataclass(frozen=True)
class Seen:
    """Whose customers the viewer sees."""

    people: Sequence[UUID]
    lent: Sequence[UUID]


async def seen_by(session: ReadSession, who: Principal) -> Seen | None:
    """None: everybody."""
    if who.sees_all:
        return None
    people = list((await session.execute(_PEOPLE, {"viewer": who.account_id})).scalars())
    lent = list((await session.execute(_LENT, {"team": who.team, "most": LENT})).scalars())
    return Seen(people, lent)


def conditions(
    filters: Filters, *, fields: dict[str, Any], ranges: Sequence[Range], seen: Seen | None
) -> dict[str, dict[str, Any]]:
    """Condition on customers `c` → its parameters: all that is asked for but words of names; what leaves out many first."""
    found: dict[str, dict[str, Any]] = {_LIVING: {}}
    if filters.tags:
        found["c.tags @> CAST(:tags AS uuid[])"] = {"tags": list(filters.tags)}
    if fields:
        found["c.fields @> CAST(:fields AS jsonb)"] = {"fields": orjson.dumps(fields).decode()}
    if filters.owner is not None:
        found[_HELD] = {"owner": filters.owner}
    if filters.kind:
        found["c.kind = :kind"] = {"kind": filters.kind}
    if filters.blocked is not None:
        found["c.blocked_at IS NOT NULL" if filters.blocked else "c.blocked_at IS NULL"] = {}
    if filters.last_order_from is not None:
        found[_SINCE] = {"since": first_id(filters.last_order_from)}
    if filters.last_order_to is not None:
        found[_NOT_SINCE] = {"until": first_id(filters.last_order_to)}
    for each in ranges:
        found[each.of_customer()] = each.parameters()
    if seen is not None:
        found[_SEEN] = {"people": list(seen.people), "lent": list(seen.lent)}
    return found


async def sought_by(
    session: ReadSession, filters: Filters, *, fields: dict[str, Any], ranges: Sequence[Range], seen: Seen | None
) -> Sought:
    """The tokens that all who are asked for have."""
    found = [sought.tagged(tag) for tag in filters.tags]
    if fields:
        found += (await session.execute(_FIELD_TOKENS, {"fields": orjson.dumps(fields).decode()})).scalars()
    if filters.owner is not None:
        found.append(sought.held_by(filters.owner))
    if filters.kind == "organisation":
        found.append(sought.ORGANISATION)
    if filters.blocked:
        found.append(sought.BLOCKED)
    if found or words(filters.text) or seen is not None:
        # Alone it would be of no use: a range knows them itself.
        found += [sought.having(each.key) for each in ranges]
    return Sought(text=filters.text, tokens=found, people=None if seen is None else seen.people)


def first_id(at: datetime) -> UUID:
    """The least id that can have been made at an instant (UUIDv7: 48 bits of milliseconds in front)."""
    return UUID(int=int(at.timestamp() * 1000) << 80 | 0x7 << 76)


async def filled(session: ReadSession, subject: Subject, asked: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Values of fields that are sought.

    Raises:
        InvalidFields: a field does not exist, or cannot have such a value.
    """
    known = {definition.key: definition for definition in await definitions.of(session, subject)}
    found: dict[str, Any] = {}
    for key, typed in asked:
        if key not in known:
            raise no_such_field(key)
        value = values.sought(known[key], typed)
        if isinstance(value[key], list):
            value[key] = [*found.get(key, []), *value[key]]
        found |= value
    return found


async def ranges_of(session: ReadSession, filters: Filters) -> list[Range]:
    """Ranges of fields, one for each field.

    Raises:
        InvalidFields: a field does not exist, has no ranges, or the range is none.
    """
    if not filters.fields_from and not filters.fields_to:
        return []
    known = {definition.key: definition for definition in await definitions.of(session, "customer")}
    ends: dict[str, tuple[list[Any], list[Any]]] = {}
    for side, asked in enumerate((filters.fields_from, filters.fields_to)):
        for key, typed in asked:
            if key not in known:
                raise no_such_field(key)
            ends.setdefault(key, ([], []))[side].append(values.bound(known[key], typed))
    found = []
    for number, (key, (least, most)) in enumerate(ends.items()):
        if least and most and max(least) > min(most):
            raise values.wrong_range(key)
        found.append(Range(number, key, max(least, default=None), min(most, default=None)))
    return found
