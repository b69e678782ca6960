"""Facts of the orders service: levels, calls, promises, closings."""

from __future__ import annotations

from typing import Final, Literal
from uuid import UUID

from shared.contracts.base import Contract, Dong, Instant, personal
from shared.contracts.events.base import EventType


class LevelChanged(Contract):
    """One transition. Reports are computed from these alone."""

    transition_id: UUID
    order_id: UUID
    sequence: int
    """Position among the order's transitions, from 1. A reader keeps the highest as the current level."""
    from_level: str | None
    to_level: str
    at: Instant
    """Event time."""
    recorded_at: Instant
    cause: str
    """accepted, manual, hotline, call_result, care, carrier, operator, cancel, closed, undo, came_again, released,
    corrected, merged, spam."""
    actor: str = ""
    """Staff code; empty for the system."""
    owner_id: UUID | None = None
    owner_code: str = ""
    team: str = ""
    channel: str = ""
    campaign: str = ""
    landing_page: str = ""
    marketer: str = ""
    product: str = ""
    cohort_at: Instant
    """Arrival of the number (rule D31)."""
    final: bool | None = None
    """Whether `to_level` ends an order, as the company says of its own levels (rule D35); None where only the seed's
    levels were known: read it through `levels.is_final`."""


class OwnerChanged(Contract):
    """An order moved from one person to another at the same level (rule D23)."""

    order_id: UUID
    assignment: int
    level: str
    from_owner_id: UUID | None
    from_owner_code: str = ""
    to_owner_id: UUID | None
    to_owner_code: str = ""
    team: str = ""
    at: Instant


class InteractionLogged(Contract):
    interaction_id: UUID
    order_id: UUID
    kind: Literal["call", "message", "email", "visit"]
    direction: Literal["out", "in"]
    result: str = ""
    at: Instant
    staff_id: UUID | None = None
    staff_code: str = ""
    seconds: int = 0


class InteractionUndone(Contract):
    """Its author took the last result back: the order stands as before it, by a transition with the cause 'undo'."""

    interaction_id: UUID
    order_id: UUID
    at: Instant
    staff_id: UUID | None = None
    staff_code: str = ""
    promises: tuple[UUID, ...] = ()
    """Promises that it ended or made, which count no more; those that were open go on under new ids. What it made good
    is broken again."""


class PromiseEnded(Contract):
    promise_id: UUID
    order_id: UUID
    kind: str
    due_at: Instant
    ended_at: Instant
    outcome: Literal["kept", "broken", "cancelled"]
    cause: str = ""
    late_seconds: int = 0
    """Wall time from `due_at` until it was kept or broken; 0 if before."""
    owner_id: UUID | None = None
    owner_code: str = ""
    kept_by_id: UUID | None = None
    """Who kept it, which is not always who owed it."""
    kept_by: str = ""


class PromiseMadeGood(Contract):
    """A broken promise was met after all, this late."""

    promise_id: UUID
    order_id: UUID
    kind: str
    due_at: Instant
    at: Instant
    late_seconds: int
    """Wall time from `due_at`."""
    interaction_id: UUID | None = None
    """What met it; undone with it."""
    owner_id: UUID | None = None
    owner_code: str = ""
    kept_by_id: UUID | None = None
    """Who met it, which is not always who owed it."""
    kept_by: str = ""


class TaskSnoozed(Contract):
    """Somebody put a task of theirs back on the due list; its promise did not move."""

    task_id: UUID
    order_id: UUID
    kind: str
    """Of its promise."""
    at: Instant
    until: Instant
    times: int
    """How often it was snoozed, this time included."""
    owner_id: UUID
    owner_code: str = ""


class FirstCallMade(Contract):
    """Somebody called a number for the first time since it was assigned to its owner."""

    order_id: UUID
    assignment: int
    promise_id: UUID
    interaction_id: UUID
    owner_id: UUID | None = None
    """Who should have called."""
    owner_code: str = ""
    team: str = ""
    by_id: UUID | None = None
    """Who called."""
    by: str = ""
    arrived_at: Instant
    assigned_at: Instant
    called_at: Instant
    deadline_at: Instant
    in_time: bool
    """Not after the deadline (SLA) of the first call."""
    wait_seconds: int
    """From the arrival of the number, in calling hours."""
    wait_since_assigned_seconds: int
    """From its assignment, in calling hours."""
    late_seconds: int
    """After the deadline, wall time; 0 if in time."""
    channel: str = ""
    product: str = ""
    landing_page: str = ""
    campaign: str = ""
    marketer: str = ""


class TakingLimitReached(Contract):
    """So many untouched numbers were taken away from somebody in a shift that they should get no more until they switch
    themselves on duty again."""

    account_id: UUID
    code: str
    taken: int
    since: Instant
    """When the shift began."""
    at: Instant
    order_id: UUID
    """The last that was taken."""


class ReassignmentRequested(Contract):
    """Care asks leads, the only writer of the owner, to take a number away."""

    order_id: UUID
    assignment: int
    """The assignment that is to end; leads ignores the request if it has moved on."""
    to: Literal["another", "floating_pool"]
    reason: str
    at: Instant


class OrderLine(Contract):
    sku: str
    name: str
    quantity: int
    unit_price: Dong
    weight_grams: int


class Address(Contract):
    """Two-tier since 2025-07-01; district only for the old era."""

    province: str
    ward: str
    detail: str = personal()
    district: str = ""
    province_code: str = ""
    """Of the statistics office, in the era of the address (old with a district); empty where it was typed as text."""
    district_code: str = ""
    ward_code: str = ""


class OrderClosed(Contract):
    """Won (L5). What shipping needs to send it and reporting to count it."""

    order_id: UUID
    version: int
    """Grows with each edit of the order until it is sent; a reader keeps the highest."""
    code: str
    """Short order code that people read out, e.g. 'DH-4F7K2M9Q'; the base of the carrier reference."""
    closed_at: Instant
    closer_id: UUID
    closer_code: str
    recipient: str = personal()
    phone: str = personal()
    address: Address
    lines: tuple[OrderLine, ...]
    discount: Dong = 0
    shipping_fee: Dong = 0
    """Charged to the customer."""
    deposit: Dong = 0
    total: Dong
    cod: Dong
    """What the courier asks of the customer in all (rule D30)."""
    note: str = personal("")
    customer_id: UUID | None = None
    """As it was then; a merge of customers tells which orders went where."""


class OrderCancelled(Contract):
    order_id: UUID
    version: int
    at: Instant
    reason: str
    by: str = ""
    """Staff code."""


class OrderMerged(Contract):
    """Two closed orders of one person are one now: the younger's lines went to the older, and it ended at L5.3 with cause
    `merged`, which is no cancellation (rule D20). The older's contents are told as a further version."""

    order_id: UUID
    """The younger."""
    into_id: UUID
    """The older, which stays."""
    at: Instant
    reason: str
    by: str = ""
    """Staff code."""


class LevelNow(Contract):
    """A level of the catalogue as it is now."""

    code: str
    parent: str | None = None
    """The main level of a child."""
    vi: str
    en: str
    colour: str
    """#rrggbb"""
    final: bool
    """Whether it ends an order (rule D35)."""
    position: int
    """Place in the funnel, children after their main level."""
    retired: bool = False
    """No order is brought to it by hand any more; histories go on showing it."""


class LevelCatalogueChanged(Contract):
    """The levels of the company as they are now: the whole catalogue, so that one event is enough to know it."""

    version: int
    """Grows with every change; a reader keeps the highest."""
    at: Instant
    by: str = ""
    """Staff code."""
    levels: tuple[LevelNow, ...]


LEVEL_CHANGED: Final = EventType("orders.level.changed.v1", LevelChanged)
LEVEL_CATALOGUE_CHANGED: Final = EventType("orders.level_catalogue.changed.v1", LevelCatalogueChanged)
OWNER_CHANGED: Final = EventType("orders.owner.changed.v1", OwnerChanged)
INTERACTION_LOGGED: Final = EventType("orders.interaction.logged.v1", InteractionLogged)
INTERACTION_UNDONE: Final = EventType("orders.interaction.undone.v1", InteractionUndone)
PROMISE_ENDED: Final = EventType("orders.promise.ended.v1", PromiseEnded)
PROMISE_MADE_GOOD: Final = EventType("orders.promise.made_good.v1", PromiseMadeGood)
TASK_SNOOZED: Final = EventType("orders.task.snoozed.v1", TaskSnoozed)
FIRST_CALL_MADE: Final = EventType("orders.first_call.made.v1", FirstCallMade)
TAKING_LIMIT_REACHED: Final = EventType("orders.taking_limit.reached.v1", TakingLimitReached)
REASSIGNMENT_REQUESTED: Final = EventType("orders.reassignment.requested.v1", ReassignmentRequested)
ORDER_CLOSED: Final = EventType("orders.order.closed.v1", OrderClosed)
ORDER_CANCELLED: Final = EventType("orders.order.cancelled.v1", OrderCancelled)
ORDER_MERGED: Final = EventType("orders.order.merged.v1", OrderMerged)
