"""The workflows: their names, queue and inputs, for those who start them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Generic, Literal, TypeVar
from uuid import UUID

from shared.contracts import ids
from shared.contracts.base import Contract
from shared.contracts.commands import WorkflowCommand

WORKFLOW_QUEUE: Final = "workflows"

InputT = TypeVar("InputT", bound=Contract)


@dataclass(frozen=True)
class WorkflowRef(Generic[InputT]):
    """A workflow as others know it. `workflows/` holds the implementation under the same name."""

    name: str
    input: type[InputT]
    task_queue: str = WORKFLOW_QUEUE

    def start(self, workflow_id: str, arg: InputT, *, summary: str = "", details: str = "") -> WorkflowCommand:
        return self._command("start", workflow_id, arg, summary, details)

    def nudge(self, workflow_id: str, arg: InputT, *, summary: str = "", details: str = "") -> WorkflowCommand:
        return self._command("nudge", workflow_id, arg, summary, details)

    def _command(
        self, kind: Literal["start", "nudge"], workflow_id: str, arg: InputT, summary: str, details: str
    ) -> WorkflowCommand:
        return WorkflowCommand(
            kind=kind,
            workflow=self.name,
            workflow_id=workflow_id,
            task_queue=self.task_queue,
            input=arg.model_dump(mode="json"),
            summary=summary,
            details=details,
        )


class LongRunning(Contract):
    """The input of a workflow that goes on as new when its history has become long."""

    continued: int = 0
    """How often it went on as new, for the operator."""
    history_limit: int = 0
    """Events after which it does; 0 = when the server suggests it. Tests set it low."""


class CareInput(LongRunning):
    order_id: UUID


class FulfilmentInput(LongRunning):
    order_id: UUID


class RescueCallInput(LongRunning):
    task_id: UUID


class ShipmentInput(LongRunning):
    shipment_id: UUID


class PollingInput(LongRunning):
    connection_id: UUID


class SettlementInput(LongRunning):
    statement_id: UUID


class PrintInput(LongRunning):
    print_id: UUID


class FacebookInput(LongRunning):
    page_id: UUID
    """Ours, not Facebook's."""


class ImportInput(LongRunning):
    import_id: UUID


class ReplanInput(LongRunning):
    revision: int
    """Number of the change of business time."""


class WhatIfInput(LongRunning):
    run_id: UUID


class ProcessMoveInput(LongRunning):
    move_id: UUID


CARE: Final = WorkflowRef("CareWorkflow", CareInput)
FULFILMENT: Final = WorkflowRef("FulfilmentWorkflow", FulfilmentInput)
RESCUE_CALL: Final = WorkflowRef("RescueCallWorkflow", RescueCallInput)
SHIPMENT: Final = WorkflowRef("ShipmentWorkflow", ShipmentInput)
POLLING: Final = WorkflowRef("CarrierPollingWorkflow", PollingInput)
SETTLEMENT: Final = WorkflowRef("SettlementWorkflow", SettlementInput)
PRINT: Final = WorkflowRef("PrintWorkflow", PrintInput)
FACEBOOK: Final = WorkflowRef("FacebookPageWorkflow", FacebookInput)
IMPORT: Final = WorkflowRef("ImportWorkflow", ImportInput)
IMPORT_UNDO: Final = WorkflowRef("ImportUndoWorkflow", ImportInput)
REPLAN: Final = WorkflowRef("ReplanWorkflow", ReplanInput)
PROCESS_MOVE: Final = WorkflowRef("ProcessMoveWorkflow", ProcessMoveInput)
WHAT_IF: Final = WorkflowRef("WhatIfWorkflow", WhatIfInput)


def nudge_care(order_id: UUID, *, code: str, round: int = 1) -> WorkflowCommand:
    """
    Args:
        code: of the order, for the operator's list of workflows: 'DH000123' is no personal data.
    """
    return CARE.nudge(ids.care_id(order_id, round=round), CareInput(order_id=order_id), summary=f"{code}: care")


def nudge_fulfilment(order_id: UUID, *, code: str, round: int = 1) -> WorkflowCommand:
    """
    Args:
        code: of the order, for the operator's list of workflows.
    """
    return FULFILMENT.nudge(
        ids.fulfilment_id(order_id, round=round),
        FulfilmentInput(order_id=order_id),
        summary=f"{code}: closed, until it is sent",
    )


def nudge_rescue_call(task_id: UUID, *, code: str, round: int = 1) -> WorkflowCommand:
    """
    Args:
        code: of the order, for the operator's list of workflows.
    """
    return RESCUE_CALL.nudge(
        ids.rescue_call_id(task_id, round=round),
        RescueCallInput(task_id=task_id),
        summary=f"{code}: who calls about the failed delivery",
    )


def nudge_shipment(shipment_id: UUID, *, round: int = 1) -> WorkflowCommand:
    return SHIPMENT.nudge(
        ids.shipment_id(shipment_id, round=round),
        ShipmentInput(shipment_id=shipment_id),
        summary="A parcel until its money is home",
    )


def nudge_polling(connection_id: UUID, *, round: int = 1) -> WorkflowCommand:
    return POLLING.nudge(
        ids.polling_id(connection_id, round=round),
        PollingInput(connection_id=connection_id),
        summary="Asks one carrier about overdue shipments",
    )


def nudge_settlement(statement_id: UUID, *, round: int = 1) -> WorkflowCommand:
    return SETTLEMENT.nudge(
        ids.settlement_id(statement_id, round=round),
        SettlementInput(statement_id=statement_id),
        summary="A carrier's statement until its money is on the bank account",
    )


def nudge_print(print_id: UUID, *, round: int = 1) -> WorkflowCommand:
    return PRINT.nudge(
        ids.print_id(print_id, round=round),
        PrintInput(print_id=print_id),
        summary="Slips or labels of many parcels as one PDF",
    )


def nudge_facebook(page_id: UUID, *, round: int = 1) -> WorkflowCommand:
    return FACEBOOK.nudge(
        ids.facebook_id(page_id, round=round),
        FacebookInput(page_id=page_id),
        summary="Fetches the leads of one Facebook page",
    )


def start_import(import_id: UUID, *, round: int = 1) -> WorkflowCommand:
    return IMPORT.start(
        ids.import_id(import_id, round=round), ImportInput(import_id=import_id), summary="Takes in one workbook"
    )


def start_import_undo(import_id: UUID, *, round: int = 1) -> WorkflowCommand:
    return IMPORT_UNDO.start(
        ids.import_undo_id(import_id, round=round), ImportInput(import_id=import_id), summary="Undoes one import"
    )


def start_replan(revision: int, *, calendar: str, version: int, round: int = 1) -> WorkflowCommand:
    """
    Args:
        calendar, version: what was changed, for the operator's list.
    """
    return REPLAN.start(
        ids.replan_id(calendar, version, round=round),
        ReplanInput(revision=revision),
        summary=f"{calendar} {version}: plans open care again",
    )


def start_what_if(run_id: UUID, *, round: int = 1) -> WorkflowCommand:
    return WHAT_IF.start(
        ids.what_if_id(run_id, round=round),
        WhatIfInput(run_id=run_id),
        summary="Tries a care process on what was recorded",
    )


def start_process_move(move_id: UUID, *, round: int = 1) -> WorkflowCommand:
    return PROCESS_MOVE.start(
        ids.process_move_id(move_id, round=round),
        ProcessMoveInput(move_id=move_id),
        summary="Moves running care to another version of its process"
        if round > 1
        else "Previews a move of running care",
    )
