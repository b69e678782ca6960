"""A parcel from its creation at the carrier until its money is home."""

from __future__ import annotations

import asyncio

from temporalio import workflow
from temporalio.common import VersioningBehavior

from shared.contracts.activities import (
    CANCEL_AT_CARRIER,
    CREATE_OR_ADOPT,
    PREPARE_SHIPMENT,
    SHIPMENT_ADVANCE,
    TELL_CARRIER,
    CreateAttempt,
    CreateOutcome,
    ShipmentRef,
)
from shared.contracts.workflows import SHIPMENT, ShipmentInput
from workflows.calls import call, show
from workflows.nudged import Nudged


@workflow.defn(name=SHIPMENT.name, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class ShipmentWorkflow(Nudged):
    """Creates or adopts the shipment, then waits: what the carrier reports is in the database, a nudge says 'look'."""

    @workflow.init
    def __init__(self, input: ShipmentInput) -> None:
        self._shipment = ShipmentRef(shipment_id=input.shipment_id)
        self._reference = ""
        self._told: list[str] = []
        """References that the carrier may have heard of: what a compensation has to cancel."""

    @workflow.run
    async def run(self, input: ShipmentInput) -> str:
        """How the shipment ended, as its status."""
        if not await self._create():
            for reference in dict.fromkeys([*self._told, self._reference]):
                await self._cancel(reference)
        return await self._follow(input)

    async def _create(self) -> bool:
        """Until the carrier has the shipment. False: it is not to be sent any more."""
        outcome = await self._look()
        while outcome.state not in ("accepted", "cancelled"):
            if outcome.state == "refused":
                await self.wait(None, summary="a person corrects what the carrier refuses")
                outcome = await self._look()
            else:
                # Registered before the carrier hears of it, because the outcome of a creation can be unknown.
                self._told.append(outcome.reference)
                outcome = await self._create_under(outcome.reference)
        self._reference = outcome.reference
        return outcome.state == "accepted"

    async def _look(self) -> CreateOutcome:
        self.nudged = False
        outcome = await call(PREPARE_SHIPMENT, self._shipment)
        show(outcome.view)
        return outcome

    async def _create_under(self, reference: str) -> CreateOutcome:
        creating = asyncio.ensure_future(call(CREATE_OR_ADOPT, self._attempt(reference), summary=reference))
        try:
            outcome = await asyncio.shield(creating)
        except asyncio.CancelledError:
            # An operator ends the workflow: not before it is known whether there is a parcel, which the database, the
            # callbacks and the polls then follow without it.
            await creating
            raise
        show(outcome.view)
        return outcome

    async def _cancel(self, reference: str) -> None:
        await call(CANCEL_AT_CARRIER, self._attempt(reference), summary=reference)

    def _attempt(self, reference: str) -> CreateAttempt:
        return CreateAttempt(shipment_id=self._shipment.shipment_id, reference=reference)

    async def _follow(self, input: ShipmentInput) -> str:
        """Until the parcel and its money have come to their end."""
        while True:
            self.nudged = False
            advance = await call(SHIPMENT_ADVANCE, self._shipment)
            show(advance.view)
            if advance.done:
                return advance.outcome
            if advance.action == "cancel":
                await self._cancel(self._reference)
                continue
            if advance.action == "tell":
                await call(TELL_CARRIER, self._shipment, summary="what is decided about a failed delivery")
                continue
            await self.wait(advance.next_due, summary="overdue unless the carrier reports")
            await self.go_on_as_new_if_long(input)
