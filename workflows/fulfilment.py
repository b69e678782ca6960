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
        self._opened = False
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
                return state.phase
            if state.phase == "posted" and not self._opened:
                self._opened = await self._open_shipment()
                continue
            await self.wait(None, summary=f"{state.phase}: the next step is a person's or the carrier's")
            if await self.is_long(history_limit=input.history_limit):
                workflow.continue_as_new(input.model_copy(update={"continued": input.continued + 1}))

    async def _look(self) -> FulfilmentState:
        self.nudged = False
        state = await call(FULFILMENT_STATE, self._order)
        show(state.view)
        return state

    async def _open_shipment(self) -> bool:
        """Has shipping make the shipment; a nudge meanwhile (the order was cancelled) stops the trying.

        Shipping may be away for hours, and the activity is repeated until it is there. One that is stopped may have
        taken effect all the same: shipping hears of the cancellation by itself.
        """
        opening = asyncio.ensure_future(call(OPEN_SHIPMENT, self._order, summary="make its shipment"))
        await workflow.wait_condition(lambda: opening.done() or self.nudged)
        if opening.done():
            opening.result()
            return True
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
        return False
