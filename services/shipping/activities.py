"""The activities that workflows ask of shipping."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final

from temporalio import activity
from temporalio.exceptions import ApplicationError

from services.shipping import cancelling, creation, following, polling
from services.shipping.attempts import Outcome
from services.shipping.carriers.errors import Away, CarrierError
from services.shipping.cod import settlement
from services.shipping.cod.settlement import StatementUnknown
from services.shipping.context import Context, context_of
from services.shipping.creation import OrderUnknown
from services.shipping.rescue import calling
from services.shipping.statuses import ShipmentUnknown
from services.shipping.view import polling_view, shipment_view
from shared.contracts.activities import (
    CANCEL_AT_CARRIER,
    CREATE_OR_ADOPT,
    OPEN_SHIPMENT,
    POLL_OVERDUE,
    PREPARE_SHIPMENT,
    PRINT_ADVANCE,
    SETTLEMENT_ADVANCE,
    SHIPMENT_ADVANCE,
    TELL_CARRIER,
    Advance,
    ConnectionRef,
    CreateAttempt,
    CreateOutcome,
    Done,
    OpenedShipment,
    OrderRef,
    PrintRef,
    ShipmentRef,
    StatementRef,
)
from shared.service import Runtime
from shared.temporal import beating, implements

NOT_YET: Final = "NotYet"


def activities(runtime: Runtime[Any]) -> Sequence[Callable[..., Any]]:
    """Everything that the activity worker of shipping offers."""
    offered = ShippingActivities(context_of(runtime))
    return (
        offered.open_shipment,
        offered.prepare,
        offered.create_or_adopt,
        offered.cancel_at_carrier,
        offered.tell_carrier,
        offered.advance,
        offered.poll_overdue,
        offered.settlement_advance,
        offered.print_advance,
    )


class ShippingActivities:
    """Thin: each one asks the part that knows and puts the answer into the contract's words."""

    def __init__(self, context: Context) -> None:
        self._context = context

    @implements(OPEN_SHIPMENT)
    async def open_shipment(self, order: OrderRef) -> OpenedShipment:
        try:
            shipment_id, reference = await creation.open_shipment(self._context, order.order_id, version=order.version)
        except OrderUnknown:
            raise ApplicationError("the order is not known here yet", type=NOT_YET) from None
        return OpenedShipment(shipment_id=shipment_id, reference=reference)

    @implements(PREPARE_SHIPMENT)
    async def prepare(self, shipment: ShipmentRef) -> CreateOutcome:
        try:
            outcome = await creation.prepare(self._context, shipment.shipment_id)
            return await self._outcome(shipment.shipment_id, outcome)
        except ShipmentUnknown as error:
            raise _unknown_shipment(error) from None

    @implements(CREATE_OR_ADOPT)
    async def create_or_adopt(self, attempt: CreateAttempt) -> CreateOutcome:
        try:
            async with beating():
                outcome = await creation.create_or_adopt(self._context, attempt.shipment_id, attempt.reference)
            return await self._outcome(attempt.shipment_id, outcome)
        except ShipmentUnknown as error:
            raise _unknown_shipment(error) from None
        except CarrierError as error:
            raise _retried(error) from error

    @implements(CANCEL_AT_CARRIER)
    async def cancel_at_carrier(self, attempt: CreateAttempt) -> Done:
        try:
            async with beating():
                changed = await cancelling.cancel_at_carrier(self._context, attempt.shipment_id, attempt.reference)
        except ShipmentUnknown as error:
            raise _unknown_shipment(error) from None
        except CarrierError as error:
            raise _retried(error) from error
        return Done(changed=changed)

    @implements(TELL_CARRIER)
    async def tell_carrier(self, shipment: ShipmentRef) -> Done:
        try:
            async with beating():
                changed = await calling.tell_carrier(self._context, shipment.shipment_id)
        except ShipmentUnknown as error:
            raise _unknown_shipment(error) from None
        except CarrierError as error:
            raise _retried(error) from error
        return Done(changed=changed)

    @implements(SHIPMENT_ADVANCE)
    async def advance(self, shipment: ShipmentRef) -> Advance:
        try:
            return await following.advance(self._context, shipment.shipment_id)
        except ShipmentUnknown as error:
            raise _unknown_shipment(error) from None

    @implements(POLL_OVERDUE)
    async def poll_overdue(self, connection: ConnectionRef) -> Advance:
        done = await polling.poll_overdue(self._context, connection.connection_id, beat=activity.heartbeat)
        return Advance(done=done.connection is None, next_due=done.next_due, view=polling_view(done))

    @implements(SETTLEMENT_ADVANCE)
    async def settlement_advance(self, statement: StatementRef) -> Advance:
        try:
            return await settlement.advance(self._context, statement.statement_id, beat=activity.heartbeat)
        except StatementUnknown as error:
            raise ApplicationError(f"no statement {error}", type="StatementUnknown", non_retryable=True) from None

    @implements(PRINT_ADVANCE)
    async def print_advance(self, wanted: PrintRef) -> Advance:
        from services.shipping.paper import turn  # here: a process that prints nothing does not load the PDF library

        try:
            return await turn.advance(self._context, wanted.print_id, beat=activity.heartbeat)
        except turn.PrintUnknown as error:
            raise ApplicationError(f"no print {error}", type="PrintUnknown", non_retryable=True) from None
        except CarrierError as error:
            raise _retried(error) from error

    async def _outcome(self, shipment_id: Any, outcome: Outcome) -> CreateOutcome:
        followed = await following.look(self._context, shipment_id)
        return CreateOutcome(
            state=outcome.state,
            reference=outcome.reference,
            reason=outcome.reason,
            view=shipment_view(followed.standing, now=self._context.now()),
        )


def _retried(error: CarrierError) -> ApplicationError:
    """Retried by the reference's policy, or when the carrier's gate says; the message has no more than the kind of
    failure."""
    after = error.retry_after if isinstance(error, Away) else None
    delay = timedelta(seconds=after) if after is not None else None
    return ApplicationError(str(error), type=type(error).__name__, next_retry_delay=delay)


def _unknown_shipment(error: ShipmentUnknown) -> ApplicationError:
    """Only a database older than Temporal's has lost a shipment: its workflow ends for a person to look at."""
    return ApplicationError(f"no shipment {error}", type="ShipmentUnknown", non_retryable=True)
