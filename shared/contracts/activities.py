"""The activities that workflows call, by name: model in, model out, queue, time-outs and retry in one place.

A service implements them (`services/<name>/activities.py`); `shared.temporal.implements` checks at import that the
implementation takes and returns what the reference says.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Generic, TypeVar
from uuid import UUID

from temporalio.common import RetryPolicy

from shared.contracts.base import Contract, Instant

ArgT = TypeVar("ArgT", bound=Contract)
ResultT = TypeVar("ResultT", bound=Contract)

FOREVER: Final = RetryPolicy(
    initial_interval=timedelta(milliseconds=500), backoff_coefficient=2.0, maximum_interval=timedelta(seconds=30)
)
"""Retry until it works: a database that is away for an hour must delay the work, not end it. What cannot ever work is
raised as a non-retryable ApplicationError by the activity."""


@dataclass(frozen=True)
class ActivityRef(Generic[ArgT, ResultT]):
    """An activity as workflows know it."""

    name: str
    arg: type[ArgT]
    result: type[ResultT]
    queue: str
    start_to_close: timedelta = timedelta(seconds=30)
    heartbeat: timedelta | None = None
    retry: RetryPolicy = field(default_factory=lambda: FOREVER)


class OrderRef(Contract):
    order_id: UUID
    version: int = 0
    """Of the contents; who is asked to act on them waits until it knows this one."""


class ShipmentRef(Contract):
    shipment_id: UUID


class ConnectionRef(Contract):
    connection_id: UUID


class StatementRef(Contract):
    statement_id: UUID


class PrintRef(Contract):
    print_id: UUID


class FacebookPageRef(Contract):
    page_id: UUID
    """Ours, not Facebook's."""


class OperatorView(Contract):
    """What the Temporal UI shows of a workflow: codes only, so that it is safe in clear."""

    sentence_vi: str
    sentence_en: str
    level: str = ""
    owner: str = ""
    """Staff code."""
    team: str = ""
    source: str = ""
    carrier: str = ""
    due_at: Instant | None = None
    overdue: bool = False
    attempts: int = 0


class Advance(Contract):
    """The answer of every 'look at the database and do what is due' activity."""

    done: bool
    """Nothing is left for this workflow: it ends."""
    next_due: Instant | None = None
    """When to look again without a nudge; None = only on a nudge."""
    view: OperatorView
    outcome: str = ""
    """For a done workflow: how it ended, as a code."""
    action: str = ""
    """What the workflow has to do before it waits again, as a code: 'cancel' = cancel the parcel at the carrier;
    'tell' = tell the carrier what is decided about a failed delivery."""


# leads
class ImportRef(Contract):
    import_id: UUID


IMPORT_ADVANCE: Final = ActivityRef(
    "leads.import.advance",
    ImportRef,
    Advance,
    queue="leads",
    start_to_close=timedelta(minutes=5),
    heartbeat=timedelta(seconds=5),
)
"""Gives the next rows of a workbook their verdicts; done when all have one, or somebody cancelled it."""


class UndoBatch(Contract):
    """Leads and duplicates of an import that nobody has worked on as far as leads knows: ids only."""

    import_id: UUID
    lead_ids: tuple[UUID, ...] = ()
    duplicate_ids: tuple[UUID, ...] = ()
    first_row: int = 0
    """Excel's number of the first row of the batch: the next one ends before it. Undoing goes from the last row up."""
    kept: tuple[UUID, ...] = ()
    """Those of the leads whose order was worked on: they stay."""


class UndoPlace(Contract):
    import_id: UUID
    before_row: int
    """Excel's number of a row; 0 = from the end."""


IMPORT_UNDO_CHOOSE: Final = ActivityRef(
    "leads.import.undo.choose", UndoPlace, UndoBatch, queue="leads", start_to_close=timedelta(minutes=1)
)
"""The next rows that can be undone; without any and with `first_row` 0, all are done."""

ORDERS_WITHDRAW: Final = ActivityRef(
    "orders.withdraw", UndoBatch, UndoBatch, queue="orders", start_to_close=timedelta(minutes=1)
)
"""Takes the orders of leads back that nobody has worked on, for ever; the answer's `kept` are those that stay."""

IMPORT_UNDO_REMOVE: Final = ActivityRef(
    "leads.import.undo.remove", UndoBatch, Advance, queue="leads", start_to_close=timedelta(minutes=1)
)
"""Takes the batch but for what is kept out of leads, and puts back what was there before."""


# orders
CARE_ADVANCE: Final = ActivityRef("orders.care.advance", OrderRef, Advance, queue="orders")


class RescueCallRef(Contract):
    task_id: UUID


RESCUE_CALL_ADVANCE: Final = ActivityRef("orders.rescue_call.advance", RescueCallRef, Advance, queue="orders")
"""Whose turn it is to call about a failed delivery; hands the call to the COD desk when it is the desk's."""


class ReplanRef(Contract):
    """A change of business time."""

    revision: int


REPLAN_ADVANCE: Final = ActivityRef(
    "orders.replan.advance",
    ReplanRef,
    Advance,
    queue="orders",
    start_to_close=timedelta(minutes=5),
    heartbeat=timedelta(seconds=15),
)
"""Plans the next open cares again that a change of business time touches; `next_due` says when to go on, so that woken
workflows do not pile up."""


class ProcessMoveRef(Contract):
    """A move of running care to another version of its process."""

    move_id: UUID


PROCESS_MOVE_ADVANCE: Final = ActivityRef(
    "orders.process_move.advance",
    ProcessMoveRef,
    Advance,
    queue="orders",
    start_to_close=timedelta(minutes=5),
    heartbeat=timedelta(seconds=5),
)
"""Previews or moves the next cares; `next_due` says when to go on, no faster than the move may be."""


class WhatIfRef(Contract):
    run_id: UUID


WHAT_IF_ADVANCE: Final = ActivityRef(
    "orders.what_if.advance",
    WhatIfRef,
    Advance,
    queue="orders",
    start_to_close=timedelta(minutes=5),
    heartbeat=timedelta(seconds=15),
)
"""Lets the next recorded orders live through another process; done when all have, or somebody cancelled it."""


class FulfilmentState(Contract):
    """Where the fulfilment of a closed order stands."""

    phase: str
    """closed (waiting for the COD desk), posted, shipped (a shipment was asked for), cancelled, done."""
    view: OperatorView
    version: int = 0
    """Of the order's contents."""


FULFILMENT_STATE: Final = ActivityRef("orders.fulfilment.state", OrderRef, FulfilmentState, queue="orders")


class Reservation(Contract):
    reserved: bool
    missing: tuple[str, ...] = ()
    """SKUs without enough stock."""


RESERVE_STOCK: Final = ActivityRef("orders.stock.reserve", OrderRef, Reservation, queue="orders")


class Done(Contract):
    changed: bool = True
    """False: it had been done before, nothing happened."""


RELEASE_STOCK: Final = ActivityRef("orders.stock.release", OrderRef, Done, queue="orders")


# shipping
class OpenedShipment(Contract):
    shipment_id: UUID
    reference: str
    """Our reference at the carrier, fixed before its first call."""


OPEN_SHIPMENT: Final = ActivityRef("shipping.shipment.open", OrderRef, OpenedShipment, queue="shipping")
"""Makes the shipment's row and starts its workflow (by command), once an order.

Retries until shipping knows the order."""


class CreateAttempt(Contract):
    shipment_id: UUID
    reference: str
    """The reference of this attempt; it stands in history before the carrier hears of it."""


class CreateOutcome(Contract):
    state: str
    """accepted (created or adopted), refused (for a person to correct), next_reference (create under this reference: the
    first one, or the one after a cancelled twin), cancelled (the order was cancelled meanwhile)."""
    reference: str
    """The reference to use next, or the accepted one."""
    reason: str = ""
    view: OperatorView


PREPARE_SHIPMENT: Final = ActivityRef("shipping.shipment.prepare", ShipmentRef, CreateOutcome, queue="shipping")
"""Reads the state and the reference to use, without calling the carrier."""

CREATE_OR_ADOPT: Final = ActivityRef(
    "shipping.shipment.create_or_adopt",
    CreateAttempt,
    CreateOutcome,
    queue="shipping",
    start_to_close=timedelta(minutes=2),
    heartbeat=timedelta(seconds=10),
)
CANCEL_AT_CARRIER: Final = ActivityRef(
    "shipping.shipment.cancel",
    CreateAttempt,
    Done,
    queue="shipping",
    start_to_close=timedelta(minutes=2),
    heartbeat=timedelta(seconds=10),
)
"""Cancels whatever lies at the carrier under a reference; nothing there is success. The compensation of a creation."""

TELL_CARRIER: Final = ActivityRef(
    "shipping.shipment.tell",
    ShipmentRef,
    Done,
    queue="shipping",
    start_to_close=timedelta(minutes=2),
    heartbeat=timedelta(seconds=10),
)
"""Tells the carrier what somebody decided about a failed delivery; nothing to tell is success."""

SHIPMENT_ADVANCE: Final = ActivityRef("shipping.shipment.advance", ShipmentRef, Advance, queue="shipping")
"""Reads the timeline; says whether the parcel has ended and its money is home."""

SETTLEMENT_ADVANCE: Final = ActivityRef(
    "shipping.settlement.advance",
    StatementRef,
    Advance,
    queue="shipping",
    start_to_close=timedelta(minutes=5),
    heartbeat=timedelta(seconds=30),
)
"""Compares the next lines of a carrier's statement with the parcels, then its sum with what the bank has credited."""

PRINT_ADVANCE: Final = ActivityRef(
    "shipping.print.advance",
    PrintRef,
    Advance,
    queue="shipping",
    start_to_close=timedelta(minutes=5),
    heartbeat=timedelta(seconds=30),
)
"""Draws the next slips, or fetches the next labels; done when the file is whole."""

POLL_OVERDUE: Final = ActivityRef(
    "shipping.carrier.poll",
    ConnectionRef,
    Advance,
    queue="shipping",
    start_to_close=timedelta(minutes=10),
    heartbeat=timedelta(seconds=30),
)
"""One round: lease the overdue shipments in batches, ask the carrier within its rate limit, write the facts."""


# leads
FACEBOOK_ADVANCE: Final = ActivityRef(
    "leads.facebook.advance",
    FacebookPageRef,
    Advance,
    queue="leads",
    start_to_close=timedelta(minutes=10),
    heartbeat=timedelta(seconds=10),
)
"""One round: fetch the leads that were announced, read through the forms whose time has come, see that we are still
subscribed, all within Facebook's limits."""
