"""A closed order until its parcel is at the carrier, or until it is cancelled."""

from __future__ import annotations

import asyncio
from typing import Final

from temporalio import workflow
from temporalio.common import VersioningBehavior

from shared.contracts.activities import (
    FULFILMENT_STATE,
    OPEN_SHIPMENT,
    RELEASE_STOCK,
    RESERVE_STOCK,
    ActivityRef,
    Done,
    FulfilmentState,
    OpenedShipment,
    OrderRef,
)
from shared.contracts.workflows import FULFILMENT, FulfilmentInput
from workflows.calls import call, show
from workflows.nudged import Nudged

ENDED: Final = ("cancelled", "done")


# Auto-upgrade for the reason given in care.py: it waits, and what happens is decided in the database.
@workflow.defn(name=FULFILMENT.name, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class FulfilmentWorkflow(Nudged):
    """Reserve, wait for the COD desk, have a shipment opened, follow until the carrier has it."""

    @workflow.init
    def __init__(self, input: FulfilmentInput) -> None:
        self._order = OrderRef(order_id=input.order_id)
        self._opening: asyncio.Future[OpenedShipment] | None = None
        self._undo: list[ActivityRef[OrderRef, Done]] = []
        """What has to be undone if the order is cancelled, the last first."""

    @workflow.run
    async def run(self, input: FulfilmentInput) -> str:
        """How it ended: done (the carrier has it) or cancelled."""
        # Registered before the first try: a reservation whose answer was lost is given back as well.
        self._undo.append(RELEASE_STOCK)
        await call(RESERVE_STOCK, self._order, summary="units of a closed order")
        while True:
            state = await self._look()
            if state.phase == "cancelled":
                for undo in reversed(self._undo):
                    await call(undo, self._order, summary="the order was cancelled")
            if state.phase in ENDED:
                return state.phase  # a shipment that shipping was still asked for is not asked for any more
            if state.phase == "posted" and self._opening is None:
                order = self._order.model_copy(update={"version": state.version})
                self._opening = asyncio.ensure_future(call(OPEN_SHIPMENT, order, summary="make its shipment"))
            await self._wait(state)
            await self.go_on_as_new_if_long(input)

    async def _look(self) -> FulfilmentState:
        self.nudged = False
        state = await call(FULFILMENT_STATE, self._order)
        show(state.view)
        return state

    async def _wait(self, state: FulfilmentState) -> None:
        """Until a nudge, also while shipping is being asked: it may be away for hours, and the order be cancelled
        meanwhile. What takes effect all the same is shipping's to undo, which hears of the cancellation by itself."""
        opening = self._opening
        if opening is None or opening.done():
            await self.wait(None, summary=f"{state.phase}: the next step is a person's or the carrier's")
            return
        await workflow.wait_condition(lambda: self.nudged or opening.done())
        if opening.done():
            opening.result()  # what can never succeed ends the workflow, for an operator to see
