"""The pure part of the projection: what an event says about an order, and what an order adds to the rollups.

A rollup is the sum of the contributions of all orders. When an order changes, its old contributions are taken away and
its new ones added, so events may come in any order and in any batch and the sums come out the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from shared.contracts import levels
from shared.contracts.events.leads import LeadDuplicated
from shared.contracts.events.orders import LevelChanged, OrderClosed, OwnerChanged
from shared.contracts.events.shipping import CodSettled, ShipmentChanged

COMPANY_ZONE: Final = ZoneInfo("Asia/Ho_Chi_Minh")
"""Days of the rollups. Another zone would need every rollup made afresh, so the setting may say no other."""


MERGED: Final = "merged"
"""Cause of the move to L5.3 of an order that was merged into another, and the part of that level which these are."""
CARE: Final = "care"
"""Where an order lies that somebody cares for, or that waits for somebody."""


@dataclass(frozen=True)
class OrderFacts:
    """What reporting knows of one order. A field is None or empty until an event has said it."""

    order_id: UUID
    cohort_at: datetime | None = None
    """Arrival of the number (rule D31)."""
    channel: str = ""
    campaign: str = ""
    landing_page: str = ""
    marketer: str = ""
    product: str = ""
    owner_id: UUID | None = None
    assignment: int = 0
    level: str | None = None
    sequence: int = 0
    l1_at: datetime | None = None
    l5_at: datetime | None = None
    l7_at: datetime | None = None
    l8_at: datetime | None = None
    cancelled_at: datetime | None = None
    """First entry into L5.3 or L7.4."""
    unsent_at: datetime | None = None
    """First entry into L7.4: cancelled between posting and pick-up (rule D5)."""
    handed_over_at: datetime | None = None
    closed_version: int = 0
    closed_at: datetime | None = None
    closed_value: int = 0
    """Đồng, after discount, without the shipping fee (rule D28)."""
    deposit: int = 0
    shipping_fee: int | None = None
    """Đồng that the customer pays for the delivery, which is no revenue; None: nobody has told it."""
    settled_at: datetime | None = None
    settled_amount: int = 0
    compensated: bool = False
    """What came is the carrier's compensation for a lost parcel, which is no revenue (rule D3)."""
    place: str = CARE
    """Where it lies while it is in care (rule D14): care, floating or archived."""
    place_assignment: int = 0
    merged: bool = False
    """Its lines went to an older order, and it ended at L5.3 without being cancelled (rule D20)."""
    withdrawn: bool = False
    """Its import was undone: it adds nothing, whatever is still told of it."""


class Rollup(NamedTuple):
    """One row of a rollup and one of its measures."""

    table: str
    key: tuple[Any, ...]
    measure: str


COHORT_SOURCE: Final = "cohort_source_days"
"""Key: cohort day, channel, marketer, landing page, product."""
COHORT_OWNER: Final = "cohort_owner_days"
"""Key: cohort day, present owner."""
COHORT_LEVEL: Final = "cohort_level_days"
"""Key: cohort day, present owner, level."""
COHORT_PLACE: Final = "cohort_place_days"
"""Key: cohort day, level, place; only of what lies with nobody, and of L5.3 what was merged."""
MONEY: Final = "money_days"
"""Key: day of the fact, kind."""

REACHED: Final = ("c3", "duplicates", "l1", "l5", "l7", "l8", "net_closed", "merged")
"""Measures of the cohort rollups."""


def _earliest(known: datetime | None, told: datetime) -> datetime:
    return told if known is None or told < known else known


def level_changed(order: OrderFacts, event: LevelChanged) -> OrderFacts:
    """A transition: the first time a main level was reached, and the present level by the highest sequence."""
    order = replace(
        order,
        cohort_at=event.cohort_at,
        channel=event.channel,
        campaign=event.campaign,
        landing_page=event.landing_page,
        marketer=event.marketer,
        product=event.product,
    )
    main = levels.main_level(event.to_level)
    if main == levels.CLEAN:
        order = replace(order, l1_at=_earliest(order.l1_at, event.at))
    elif event.to_level == levels.CANCELLED_AFTER_CLOSING and event.cause == MERGED:
        order = replace(order, merged=True)
    elif event.to_level == levels.CANCELLED_AFTER_CLOSING:
        order = replace(order, cancelled_at=_earliest(order.cancelled_at, event.at))
    elif event.to_level == levels.CANCELLED_AFTER_POSTING:
        at = _earliest(order.cancelled_at, event.at)
        order = replace(order, cancelled_at=at, unsent_at=_earliest(order.unsent_at, event.at))
    elif main == levels.CLOSED:
        order = replace(order, l5_at=_earliest(order.l5_at, event.at))
    elif main == levels.SENT:
        order = replace(order, l7_at=_earliest(order.l7_at, event.at))
    elif main == levels.DELIVERED:
        order = replace(order, l8_at=_earliest(order.l8_at, event.at))
    if event.sequence > order.sequence:
        order = replace(order, level=event.to_level, sequence=event.sequence)
    return order


def finals(changes: Iterable[LevelChanged]) -> dict[str, tuple[bool, datetime]]:
    """What transitions say of the levels that they enter: whether each ends an order, and when that was said last."""
    said: dict[str, tuple[bool, datetime]] = {}
    for change in sorted(changes, key=lambda change: change.recorded_at):
        if change.final is not None:
            said[change.to_level] = (change.final, change.recorded_at)
    return said


def lead_duplicated(order: OrderFacts, event: LeadDuplicated) -> OrderFacts:
    """A number that came again: counted in C3 and C3.1, in nothing later (rule D8)."""
    order = replace(
        order,
        cohort_at=event.received_at,
        channel=event.source.channel,
        campaign=event.source.campaign,
        landing_page=event.source.landing_page,
        marketer=event.source.marketer,
        product=event.product,
    )
    return replace(order, level=levels.DUPLICATE) if order.sequence == 0 else order


def owner_changed(order: OrderFacts, event: OwnerChanged) -> OrderFacts:
    if event.assignment <= order.assignment:
        return order
    return replace(order, owner_id=event.to_owner_id, assignment=event.assignment)


def order_closed(order: OrderFacts, event: OrderClosed) -> OrderFacts:
    if event.version <= order.closed_version:
        return order
    return replace(
        order,
        closed_version=event.version,
        closed_at=event.closed_at,
        closed_value=event.total - event.shipping_fee,
        deposit=event.deposit,
        shipping_fee=event.shipping_fee,
    )


def shipment_changed(order: OrderFacts, event: ShipmentChanged) -> OrderFacts:
    if event.handed_over_at is None:
        return order
    return replace(order, handed_over_at=_earliest(order.handed_over_at, event.handed_over_at))


def cod_settled(order: OrderFacts, event: CodSettled) -> OrderFacts:
    if event.amount == 0 and event.evidence != "status":
        # What had proved that it was home was withdrawn: a statement, or the bank's credit.
        return replace(order, settled_at=None, settled_amount=0)
    at = _earliest(order.settled_at, event.at)
    return replace(order, settled_at=at, settled_amount=event.amount, compensated=event.compensation)


def is_merged(order: OrderFacts) -> bool:
    """Whether what was agreed in it is counted with another order."""
    return order.merged and order.level == levels.CANCELLED_AFTER_CLOSING


def reached(order: OrderFacts) -> dict[str, int]:
    """Which main levels the order reached at least once, as 0 or 1 (rules D5, D33): a later one implies the earlier."""
    unsent = order.unsent_at is not None and order.handed_over_at is None
    l8 = order.l8_at is not None
    l7 = l8 or (order.l7_at is not None and not unsent)
    l5 = l7 or order.l5_at is not None or order.l7_at is not None
    # One that was found to be a duplicate later is counted as one, as if it had come as one (rule D8).
    l1 = l5 or (order.l1_at is not None and order.level != levels.DUPLICATE)
    reopened = order.level is not None and levels.main_level(order.level) == levels.CLEAN
    return {
        "c3": 1,
        "duplicates": int(order.level == levels.DUPLICATE),
        "l1": int(l1),
        "l5": int(l5),
        "l7": int(l7),
        "l8": int(l8),
        "net_closed": int(l5 and order.cancelled_at is None and not reopened and not is_merged(order)),
        "merged": int(is_merged(order)),
    }


NOBODY: Final = UUID(int=0)
"""Owner key of an order that nobody holds; a key column cannot be null."""


def divides(level: str, final: bool | None = None) -> bool:
    """Whether reports divide a level by place (rule D14): those in which numbers are cared for.

    Args:
        final: what the company says of a level of its own. Sums are kept without it, since it may be told after them;
            who reads them asks with it.
    """
    return levels.main_level(level) == levels.CLEAN and not levels.is_final(level, final)


def contributions(order: OrderFacts, zone: ZoneInfo) -> Counter[Rollup]:
    """What an order adds to the rollups. Nothing, until its cohort is known."""
    sums: Counter[Rollup] = Counter()
    if order.cohort_at is not None and order.level is not None:
        cohort = day_of(order.cohort_at, zone)
        owner = order.owner_id or NOBODY
        source = (cohort, order.channel, order.marketer, order.landing_page, order.product)
        for measure, count in reached(order).items():
            sums[Rollup(COHORT_SOURCE, source, measure)] += count
            sums[Rollup(COHORT_OWNER, (cohort, owner), measure)] += count
        sums[Rollup(COHORT_LEVEL, (cohort, owner, order.level), "orders")] += 1
        if order.place != CARE and divides(order.level):
            sums[Rollup(COHORT_PLACE, (cohort, order.level, order.place), "orders")] += 1
        if is_merged(order):
            sums[Rollup(COHORT_PLACE, (cohort, order.level, MERGED), "orders")] += 1
    for kind, at, amount in _money(order):
        key = (day_of(at, zone), kind)
        sums[Rollup(MONEY, key, "orders")] += 1
        sums[Rollup(MONEY, key, "amount")] += amount
    return sums


def _money(order: OrderFacts) -> list[tuple[str, datetime, int]]:
    """The named money facts of an order (rule D28): kind, moment, đồng."""
    facts: list[tuple[str, datetime, int]] = []
    if is_merged(order):
        return facts  # the other order has them
    if order.closed_at is not None:
        facts.append(("closed", order.closed_at, order.closed_value))
        if order.l8_at is not None:
            facts.append(("delivered", order.l8_at, order.closed_value))
    if order.settled_at is not None and order.compensated:
        facts.append(("compensated", order.settled_at, order.settled_amount))
    elif _is_prepaid(order):
        if order.l8_at is not None:
            facts.append(("received", order.l8_at, order.closed_value))
    elif order.settled_at is not None:
        facts.append(("received", order.settled_at, _received(order)))
    return facts


def _is_prepaid(order: OrderFacts) -> bool:
    """Nothing is left for the courier to collect: the shop has the money, which is revenue once the goods are delivered."""
    if order.closed_at is None or order.shipping_fee is None:
        return False
    return order.deposit >= order.closed_value + order.shipping_fee


def _received(order: OrderFacts) -> int:
    """What came home for the goods: the courier collects the shipping fee with the rest (rules D28, D30)."""
    paid = order.settled_amount + order.deposit
    if order.shipping_fee is not None:
        return max(0, paid - order.shipping_fee)
    return min(paid, order.closed_value) if order.closed_at is not None else paid


def day_of(at: datetime, zone: ZoneInfo) -> date:
    """The company's day of a moment: 00:00-24:00 in its zone (rule D31)."""
    return at.astimezone(zone).date()
