"""Long work, turn after turn: what is to be done, and how far it is, are the database's."""

from __future__ import annotations

from typing import TypeVar

from temporalio import workflow

from shared.contracts.activities import ActivityRef, Advance
from shared.contracts.base import Contract
from shared.contracts.workflows import LongRunning
from workflows.calls import call, show
from workflows.length import go_on_as_new, is_long

ArgT = TypeVar("ArgT", bound=Contract)


async def take_turns(turn: ActivityRef[ArgT, Advance], arg: ArgT, *, summary: str, input: LongRunning) -> str:
    """Until the work is done; returns how it ended.

    Args:
        turn: does a part of the work; its answer's `next_due` says when the next turn may begin, None: at once.
        summary: what a turn takes, in the Temporal UI.
    """
    while True:
        advance = await call(turn, arg, summary=summary)
        show(advance.view)
        if advance.done:
            return advance.outcome
        await _rest(advance)
        if is_long(input):
            go_on_as_new(input)


async def _rest(advance: Advance) -> None:
    if advance.next_due is not None and advance.next_due > workflow.now():
        await workflow.sleep(advance.next_due - workflow.now(), summary="lets woken workflows catch up")
