"""What the database knows of a number and an order for the legal gate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import text

from services.orders.care.grounds import ENDS_AFTER, Act, Asked, By, Ground, Known, Purpose, Withdrawn, ground_for
from services.orders.listed import LISTED_MESSAGES, SINCE
from shared.db import ReadSession

CONTACTS_SINCE: Final = timedelta(hours=48)
"""How far back contacts bear upon the caps: 24 hours, and the present local day."""

# Refusals in calls are the customer's own row here, which knows them, and what took them back, sooner than leads tells.
_ACTS: Final = """(
SELECT jsonb_agg(jsonb_build_object('at', c.at, 'purpose', c.purpose, 'act', c.act, 'id', c.id, 'text', c.text, 'page', c.page))
FROM consents c WHERE c.phone = {phone} AND c.how NOT IN ('refusal', 'refusal_over'))"""

_OF_ORDERS: Final = text(
    f"""
SELECT o.id AS order_id, o.asked_to_be_called, o.cohort_at, o.consent_text, o.consent_page,
    greatest(c.do_not_call_at, {SINCE}) AS do_not_call_at, {LISTED_MESSAGES} AS no_messages_at,
    (SELECT max(at) FROM assignments WHERE order_id = o.id AND cause = 'claim') AS claimed_at,
    CASE WHEN l.kind = 'final' THEN o.level_since ELSE k.archived_at END AS care_ended_at,
    (SELECT max(e.at) FROM care_effects e WHERE e.order_id = o.id AND e.effect = 'EndCare' AND e.at + :ends_after <= (
        SELECT min(r.at) FROM care_effects r WHERE r.order_id = o.id AND r.effect = 'ReopenCare' AND r.at >= e.at)
    ) AS lapsed_at,
    {_ACTS.format(phone="o.phone")} AS acts, (
        SELECT jsonb_agg(jsonb_build_object('at', a.at, 'how', a.how, 'id', a.id)) FROM (
            SELECT at, 'came_again' AS how, lead_id AS id FROM arrivals WHERE order_id = o.id AND asked_again
            UNION ALL
            SELECT at, 'contacted_us', id FROM standing_interactions WHERE order_id = o.id AND direction = 'in'
            UNION ALL
            SELECT i.at, 'agreed', i.id FROM standing_interactions i
            WHERE i.order_id = o.id AND i.direction = 'out' AND i.promised_at IS NOT NULL
                AND CAST(p.body -> 'results' -> i.result ->> 'reached' AS boolean)
        ) a) AS asked
FROM orders o JOIN customers c ON c.id = o.customer_id JOIN levels l ON l.code = o.level
LEFT JOIN care k ON k.order_id = o.id
LEFT JOIN process_versions p ON p.key = k.process AND p.version = k.process_version
WHERE o.id = ANY(CAST(:ids AS uuid[]))
"""
)
_OF_NUMBER: Final = text(
    f"""
SELECT greatest(
        (SELECT max(c.do_not_call_at) FROM customers c JOIN customer_phones p ON p.customer_id = c.id WHERE p.phone = o.phone),
        {SINCE}) AS do_not_call_at,
    {LISTED_MESSAGES} AS no_messages_at, {_ACTS.format(phone="o.phone")} AS acts
FROM (SELECT CAST(:phone AS text) AS phone, false AS asked_to_be_called, now() AS cohort_at) o
"""
)
_CONTACTS: Final = text(
    """
SELECT at FROM standing_interactions WHERE phone = :phone AND direction = 'out' AND kind = :by AND at > :since
UNION ALL
SELECT started_at FROM telephone_calls
WHERE :by = 'call' AND phone = :phone AND direction = 'out' AND interaction_id IS NULL AND started_at > :since
    AND state <> 'nothing'
"""
)
_ASKED: Final = TypeAdapter(tuple[Asked, ...])
_SAID: Final = TypeAdapter(tuple[Act, ...])


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What holds of a number, about an order if there is one.

    Args:
        known: from which the ground follows.
        do_not_call_since, no_messages_since: the do-not-call list and refusals.
    """

    known: Known
    do_not_call_since: datetime | None
    no_messages_since: datetime | None

    @property
    def forbids_messages_since(self) -> datetime | None:
        """Whoever must not be called must not be written to either."""
        found = (self.do_not_call_since, self.no_messages_since)
        return max((each for each in found if each is not None), default=None)

    def ground(self, *, by: By, purpose: Purpose = "request", at: datetime) -> Ground | Withdrawn:
        return ground_for(self.known, by=by, purpose=purpose, at=at)


async def of_order(session: ReadSession, order_id: UUID, *, now: datetime) -> Standing:
    """What holds of the number of an order, about that order."""
    return (await of_orders(session, [order_id], now=now))[order_id]


async def of_orders(session: ReadSession, ids: Sequence[UUID], *, now: datetime) -> dict[UUID, Standing]:
    """The same of many orders; those that do not exist are left out."""
    rows = await session.execute(_OF_ORDERS, {"ids": list(ids), "now": now, "ends_after": ENDS_AFTER})
    return {row.order_id: _of_order(row) for row in rows}


def _of_order(row: Any) -> Standing:
    asked = _ASKED.validate_python(row.asked or ())
    if row.asked_to_be_called:
        left = Asked(at=row.cohort_at, how="left_number", id=row.order_id, text=row.consent_text, page=row.consent_page)
        asked = (left, *asked)
    known = Known(
        asked=asked,
        acts=_said(row),
        claimed_at=row.claimed_at,
        care_ended_at=row.care_ended_at,
        lapsed_at=row.lapsed_at,
    )
    return Standing(known=known, do_not_call_since=row.do_not_call_at, no_messages_since=row.no_messages_at)


async def of_number(session: ReadSession, phone: str, *, now: datetime) -> Standing:
    """What holds of a number about which there is no order: nobody behind it has asked for anything."""
    row = (await session.execute(_OF_NUMBER, {"phone": phone, "now": now})).one()
    known = Known(acts=_said(row))
    return Standing(known=known, do_not_call_since=row.do_not_call_at, no_messages_since=row.no_messages_at)


def _said(row: Any) -> tuple[Act, ...]:
    return _SAID.validate_python(row.acts or ())


async def contacts(session: ReadSession, phone: str, *, by: By, now: datetime) -> tuple[datetime, ...]:
    """Every outgoing call, or message, to a number of late, about whatever product and answered or not."""
    rows = await session.execute(_CONTACTS, {"phone": phone, "by": by, "since": now - CONTACTS_SINCE})
    return tuple(rows.scalars())
