"""Orders are born from clean leads, and follow their owner as leads says it. Set-based: an import brings thousands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.orders import customers, hand_over, record, withdrawal
from services.orders.actors import SYSTEM, Actor
from services.orders.care import service as care
from services.orders.causes import REQUEST, Causes
from services.orders.customers import Contact
from services.orders.levels.moves import Move
from services.orders.levels.moves import record as record_transitions
from services.orders.promises import handed_on
from services.orders.record import Order
from services.orders.text import order_code, words
from shared import outbox
from shared.consumer import NotYet
from shared.contracts.events.leads import LeadDuplicated
from shared.contracts.events.orders import OWNER_CHANGED, OwnerChanged
from shared.contracts.levels import CLEAN, NEW
from shared.db import Session


@dataclass(frozen=True)
class Birth:
    """A clean number that becomes an order."""

    id: UUID
    phones: tuple[str, ...]
    name: str
    address: str
    note: str
    product: str
    channel: str
    campaign: str
    landing_page: str
    marketer: str
    cohort_at: datetime
    cause: str
    """Of the transition C3 → L1: accepted, manual, hotline."""
    returning_customer: bool = False
    asked_to_be_called: bool = True
    consent_text: str = ""
    consent_page: str = ""
    flag: str = ""
    """The number had been marked as a competitor's or a test before it came."""
    from_level: str = NEW
    at: datetime | None = None
    """When it became clean; at its arrival if left out."""
    reason: str = ""


@dataclass(frozen=True)
class Assignment:
    """A fact from leads about who holds a number; no owner = released."""

    order_id: UUID
    assignment: int
    owner_id: UUID | None
    owner_code: str
    team: str
    at: datetime
    cause: str


_NUMBERS: Final = text("SELECT nextval('order_numbers') FROM generate_series(1, :count)")
_INSERT: Final = text(
    f"""
INSERT INTO orders (id, code, customer_id, phone, name, lead_address, lead_note, product, channel, campaign,
    landing_page, marketer, cohort_at, returning_customer, asked_to_be_called, consent_text, consent_page,
    level, level_since, sequence, marks, search, judged_at)
SELECT id, code, customer_id, phone, name, lead_address, lead_note, product, channel, campaign,
    landing_page, marketer, cohort_at, returning_customer, asked_to_be_called, consent_text, consent_page,
    '{CLEAN}', level_since, 1, CASE WHEN returning_customer THEN ARRAY['returning_customer'] ELSE '{{}}' END
        || CASE WHEN flag <> '' THEN ARRAY['flag_' || flag] ELSE '{{}}' END,
    to_tsvector('simple', search), level_since
FROM unnest(
    CAST(:id AS uuid[]), CAST(:code AS text[]), CAST(:customer_id AS uuid[]), CAST(:phone AS text[]),
    CAST(:name AS text[]), CAST(:lead_address AS text[]), CAST(:lead_note AS text[]), CAST(:product AS text[]),
    CAST(:channel AS text[]), CAST(:campaign AS text[]), CAST(:landing_page AS text[]), CAST(:marketer AS text[]),
    CAST(:cohort_at AS timestamptz[]), CAST(:returning_customer AS boolean[]), CAST(:asked_to_be_called AS boolean[]),
    CAST(:consent_text AS text[]), CAST(:consent_page AS text[]), CAST(:search AS text[]),
    CAST(:flag AS text[]), CAST(:level_since AS timestamptz[])
) AS t (id, code, customer_id, phone, name, lead_address, lead_note, product, channel, campaign, landing_page, marketer,
    cohort_at, returning_customer, asked_to_be_called, consent_text, consent_page, search, flag, level_since)
ON CONFLICT (id) DO NOTHING
RETURNING {record.COLUMNS}
"""
)
# A lead and its assignment may arrive in two transactions at once, of which neither would see the other's row.
_ONE_BY_ONE: Final = text(
    "SELECT pg_advisory_xact_lock(key) FROM (SELECT hashtextextended(CAST(id AS text), 0) AS key "
    "FROM unnest(CAST(:ids AS uuid[])) AS id ORDER BY 1) AS keys"
)
_KNOWN: Final = text(
    "SELECT id FROM orders WHERE id = ANY(CAST(:ids AS uuid[])) "
    "UNION ALL SELECT lead_id FROM withdrawn_leads WHERE lead_id = ANY(CAST(:ids AS uuid[]))"
)


async def bear(
    session: Session,
    births: Sequence[Birth],
    *,
    recorded_at: datetime,
    actor: Actor = SYSTEM,
    causes: Causes = REQUEST,
) -> dict[UUID, Order]:
    """Makes customers and orders at L1, with the transition C3 → L1 each; those that exist already, or were
    withdrawn, are left alone.

    Returns:
        The orders made now.
    """
    wanted = {birth.id: birth for birth in births}
    await session.execute(_ONE_BY_ONE, {"ids": list(wanted)})
    known = await session.execute(_KNOWN, {"ids": list(wanted)})
    for order_id in known.scalars():
        del wanted[order_id]
    if not wanted:
        return {}
    fresh = list(wanted.values())
    customer_ids = await customers.ensure(session, [Contact(birth.phones, birth.name) for birth in fresh])
    numbers = (await session.execute(_NUMBERS, {"count": len(fresh)})).scalars().all()
    rows = [
        _row(birth, customer_id, number)
        for birth, customer_id, number in zip(fresh, customer_ids, numbers, strict=True)
    ]
    inserted = await session.execute(_INSERT, {column: [row[column] for row in rows] for column in rows[0]})
    made = {row.id: record.read(row) for row in inserted}
    await record_transitions(
        session,
        [
            (wanted[order_id].from_level, order, _clean(wanted[order_id], recorded_at=recorded_at))
            for order_id, order in made.items()
        ],
        actor,
        causes=causes,
    )
    return made


def _clean(birth: Birth, *, recorded_at: datetime) -> Move:
    """To L1, where every order begins."""
    return Move(CLEAN, at=birth.at or birth.cohort_at, recorded_at=recorded_at, cause=birth.cause, reason=birth.reason)


def _row(birth: Birth, customer_id: UUID, number: int) -> dict[str, Any]:
    return {
        "id": birth.id,
        "code": order_code(number),
        "customer_id": customer_id,
        "phone": birth.phones[0],
        "name": birth.name,
        "lead_address": birth.address,
        "lead_note": birth.note,
        "product": birth.product,
        "channel": birth.channel,
        "campaign": birth.campaign,
        "landing_page": birth.landing_page,
        "marketer": birth.marketer,
        "cohort_at": birth.cohort_at,
        "returning_customer": birth.returning_customer,
        "asked_to_be_called": birth.asked_to_be_called,
        "consent_text": birth.consent_text,
        "consent_page": birth.consent_page,
        "search": " ".join(words(birth.name)),
        "flag": birth.flag,
        "level_since": birth.at or birth.cohort_at,
    }


_KEEP_FACTS: Final = text(
    """
INSERT INTO assignments (order_id, assignment, owner_id, owner_code, team, at, cause)
SELECT * FROM unnest(
    CAST(:order_id AS uuid[]), CAST(:assignment AS integer[]), CAST(:owner_id AS uuid[]), CAST(:owner_code AS text[]),
    CAST(:team AS text[]), CAST(:at AS timestamptz[]), CAST(:cause AS text[]))
    AS t (order_id, assignment, owner_id, owner_code, team, at, cause)
WHERE NOT EXISTS (SELECT 1 FROM withdrawn_leads w WHERE w.lead_id = t.order_id)
ON CONFLICT (order_id, assignment) DO NOTHING
"""
)


async def keep_assignments(session: Session, facts: Sequence[Assignment]) -> None:
    """Writes what leads said, in any order and also before the order is known; a fact told twice is one fact."""
    await session.execute(_ONE_BY_ONE, {"ids": list({fact.order_id for fact in facts})})
    columns = Assignment.__dataclass_fields__
    await session.execute(_KEEP_FACTS, {column: [getattr(fact, column) for fact in facts] for column in columns})


_LATEST: Final = text(
    """
SELECT DISTINCT ON (order_id) order_id, assignment, owner_id, owner_code, team, at, cause
FROM assignments WHERE order_id = ANY(CAST(:ids AS uuid[])) ORDER BY order_id, assignment DESC
"""
)
_SET_OWNERS: Final = text(
    """
UPDATE orders SET owner_id = t.owner_id, owner_code = t.owner_code, team = t.team, assignment = t.assignment,
    assigned_at = t.at
FROM unnest(
    CAST(:order_id AS uuid[]), CAST(:assignment AS integer[]), CAST(:owner_id AS uuid[]), CAST(:owner_code AS text[]),
    CAST(:team AS text[]), CAST(:at AS timestamptz[])) AS t (order_id, assignment, owner_id, owner_code, team, at)
WHERE orders.id = t.order_id
"""
)


async def follow_owners(session: Session, ids: Sequence[UUID], *, causes: Causes = REQUEST) -> dict[UUID, Order]:
    """Gives orders the owner of their highest assignment, with one event for each change.

    Returns:
        The orders that changed, as they are now. Orders that are not known yet follow when they are born.
    """
    orders = await record.lock_many(session, list(ids))
    facts = (await session.execute(_LATEST, {"ids": list(orders)})).all()
    newer = {fact.order_id: Assignment(**fact._mapping) for fact in facts}
    newer = {id: fact for id, fact in newer.items() if fact.assignment > orders[id].assignment}
    if not newer:
        return {}
    columns = ("order_id", "assignment", "owner_id", "owner_code", "team", "at")
    await session.execute(
        _SET_OWNERS, {column: [getattr(fact, column) for fact in newer.values()] for column in columns}
    )
    await hand_over.take_over(
        session,
        [
            hand_over.Change(orders[id], fact.owner_id, fact.assignment, fact.at, fact.cause)
            for id, fact in newer.items()
        ],
    )
    events = []
    for id, fact in newer.items():
        if orders[id].owner_id != fact.owner_id:
            with causes.of(id):
                events.append(outbox.event_row(OWNER_CHANGED, _changed(orders[id], fact), subject=id))
    await outbox.write(session, events)
    await handed_on.tell(session, [(orders[id], fact.owner_id, fact.assignment, fact.at) for id, fact in newer.items()])
    return {id: _held(orders[id], fact) for id, fact in newer.items()}


def _changed(order: Order, fact: Assignment) -> OwnerChanged:
    return OwnerChanged(
        order_id=order.id,
        assignment=fact.assignment,
        level=order.level,
        from_owner_id=order.owner_id,
        from_owner_code=order.owner_code,
        to_owner_id=fact.owner_id,
        to_owner_code=fact.owner_code,
        team=fact.team,
        at=fact.at,
    )


def _held(order: Order, fact: Assignment) -> Order:
    return replace(
        order,
        owner_id=fact.owner_id,
        owner_code=fact.owner_code,
        team=fact.team,
        assignment=fact.assignment,
        assigned_at=fact.at,
    )


_ARRIVAL: Final = text(
    """
INSERT INTO arrivals (lead_id, order_id, at, product, channel, landing_page, note, asked_again, flag, released_at)
VALUES (:lead_id, :anchor_id, :received_at, :product, :channel, :landing_page, :note, :anchor_asked_again, :flag,
    (SELECT judged_at FROM orders WHERE id = :lead_id))
ON CONFLICT (lead_id) DO NOTHING RETURNING released_at
"""
)


async def came_again(session: Session, lead: LeadDuplicated) -> None:
    """Puts a duplicate on the timeline of its anchor; if the customer asked again, care takes it up, also ended care.

    One that was released before this was heard has an order of its own, and concerns the anchor no more.

    Raises:
        NotYet: the anchor has not arrived here.
    """
    await withdrawal.one_at_a_time(session, lead.lead_id)
    if await withdrawal.is_withdrawn(session, lead.lead_id):
        return
    order = await record.lock(session, lead.anchor_id)
    if order is None:
        raise NotYet(f"order {lead.anchor_id}")
    fields = {"anchor_id", "lead_id", "received_at", "product", "note", "anchor_asked_again", "flag"}
    source = {"channel": lead.source.channel, "landing_page": lead.source.landing_page}
    arrived = await session.execute(_ARRIVAL, {**lead.model_dump(include=fields), **source})
    new = arrived.first()
    if new is not None and new.released_at is None and lead.anchor_asked_again and order.main == CLEAN:
        await care.wake(session, order.id)


_TELL: Final = text(
    """
INSERT INTO notices (id, order_id, key, account_id, kind, at)
SELECT t.id, t.order_id, 'unassigned', NULL, 'no_owner', t.at
FROM unnest(CAST(:ids AS uuid[]), CAST(:orders AS uuid[]), CAST(:at AS timestamptz[])) AS t (id, order_id, at)
ON CONFLICT (order_id, key) DO NOTHING
"""
)


async def tell_unassigned(session: Session, raised: Mapping[UUID, datetime]) -> None:
    """Tells whoever distributes of new numbers that nobody has, once each.

    Raises:
        NotYet: one of the orders has not arrived here.
    """
    known = set((await session.execute(_KNOWN, {"ids": list(raised)})).scalars())
    if len(known) < len(raised):
        raise NotYet("an order of a number without owner")
    await session.execute(
        _TELL, {"ids": [uuid7() for _ in raised], "orders": list(raised), "at": list(raised.values())}
    )
