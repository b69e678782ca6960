"""When a workflow's history has become long, and how it goes on then."""

from __future__ import annotations

from typing import NoReturn

from temporalio import workflow

from shared.contracts.workflows import LongRunning


def is_long(input: LongRunning) -> bool:
    info = workflow.info()
    return info.is_continue_as_new_suggested() or 0 < input.history_limit <= info.get_current_history_length()


def go_on_as_new(input: LongRunning) -> NoReturn:
    """Ends this run and begins the next with an empty history. What the next has to know is in the database."""
    workflow.continue_as_new(input.model_copy(update={"continued": input.continued + 1}))
