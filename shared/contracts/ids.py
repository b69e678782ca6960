"""Workflow ids, in both directions. An id names the business object, so a second start of the same thing is refused."""

from __future__ import annotations

from typing import Final
from uuid import UUID

CARE: Final = "care"
FULFILMENT: Final = "fulfilment"
RESCUE: Final = "rescue"
SHIPMENT: Final = "shipment"
POLLING: Final = "polling"
SETTLEMENT: Final = "settlement"
PRINT: Final = "print"
IMPORT: Final = "import"
FACEBOOK: Final = "facebook"
REPLAN: Final = "replan"
PROCESS_MOVE: Final = "process-move"
WHAT_IF: Final = "what-if"


def care_id(order_id: UUID, *, round: int = 1) -> str:
    """Care that begins again after it ended (the customer left the number once more) is another workflow: 'care/…/2'."""
    return _round(f"{CARE}/{order_id}", round)


def fulfilment_id(order_id: UUID, *, round: int = 1) -> str:
    """A parcel that was never picked up is sent by another workflow: 'fulfilment/…/2'."""
    return _round(f"{FULFILMENT}/{order_id}", round)


def rescue_call_id(task_id: UUID, *, round: int = 1) -> str:
    """A call that goes on after its workflow was ended is followed by another one: 'rescue/…/2'."""
    return _round(f"{RESCUE}/{task_id}", round)


def _round(workflow_id: str, round: int) -> str:
    return workflow_id if round == 1 else f"{workflow_id}/{round}"


def shipment_id(shipment_id: UUID, *, round: int = 1) -> str:
    """A parcel that goes on after its workflow was ended is followed by another one: 'shipment/…/2'."""
    return _round(f"{SHIPMENT}/{shipment_id}", round)


def polling_id(connection_id: UUID, *, round: int = 1) -> str:
    return _round(f"{POLLING}/{connection_id}", round)


def print_id(print_id: UUID, *, round: int = 1) -> str:
    """Papers that go on after their workflow was ended are made by another one: 'print/…/2'."""
    return _round(f"{PRINT}/{print_id}", round)


def settlement_id(statement_id: UUID, *, round: int = 1) -> str:
    """A statement that is withdrawn after it was compared is worked on by another one: 'settlement/…/2'."""
    return _round(f"{SETTLEMENT}/{statement_id}", round)


def facebook_id(page_id: UUID, *, round: int = 1) -> str:
    return _round(f"{FACEBOOK}/{page_id}", round)


def import_id(import_id: UUID, *, round: int = 1) -> str:
    """An import that goes on after it was cancelled, or is taken in after it was tried, is another one: 'import/…/2'."""
    return _round(f"{IMPORT}/{import_id}", round)


def import_undo_id(import_id: UUID, *, round: int = 1) -> str:
    return _round(f"{IMPORT}/{import_id}/undo", round)


def replan_id(calendar: str, version: int, *, round: int = 1) -> str:
    """
    Args:
        calendar: key of a calendar, with '@' and the team of a team's own; or 'holidays'.
    """
    return _round(f"{REPLAN}/{calendar}/{version}", round)


def what_if_id(run_id: UUID, *, round: int = 1) -> str:
    return _round(f"{WHAT_IF}/{run_id}", round)


def process_move_id(move_id: UUID, *, round: int = 1) -> str:
    """The preview is the first; each start of the move itself is another: 'process-move/…/2'."""
    return _round(f"{PROCESS_MOVE}/{move_id}", round)
