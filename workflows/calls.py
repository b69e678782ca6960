"""How workflows call activities and show where they stand; used by every workflow."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.common import SearchAttributeUpdate

from shared.contracts.activities import ActivityRef, OperatorView
from shared.contracts.base import Contract
from workflows import search_attributes as attributes

ArgT = TypeVar("ArgT", bound=Contract)
ResultT = TypeVar("ResultT", bound=Contract)


async def call(ref: ActivityRef[ArgT, ResultT], arg: ArgT, *, summary: str = "") -> ResultT:
    """Runs an activity by its reference: queue, time-outs and retries are the reference's.

    Args:
        summary: one line for the Temporal UI; codes only, no personal data.
    """
    result: ResultT = await workflow.execute_activity(
        ref.name,
        arg,
        result_type=ref.result,
        task_queue=ref.queue,
        start_to_close_timeout=ref.start_to_close,
        heartbeat_timeout=ref.heartbeat,
        retry_policy=ref.retry,
        summary=summary or None,
    )
    return result


def show(view: OperatorView) -> None:
    """Shows the operator's view in the Temporal UI: the current details, and search attributes that changed."""
    where = f"**{view.level}** " if view.level else ""
    workflow.set_current_details(f"{where}{view.sentence_vi}\n\n_{view.sentence_en}_")
    wanted: list[SearchAttributeUpdate[Any]] = [
        attributes.LEVEL.value_set(view.level),
        attributes.OWNER.value_set(view.owner),
        attributes.TEAM.value_set(view.team),
        attributes.SOURCE.value_set(view.source),
        attributes.CARRIER.value_set(view.carrier),
        attributes.OVERDUE.value_set(view.overdue),
        attributes.ATTEMPTS.value_set(view.attempts),
        attributes.DUE_AT.value_set(view.due_at) if view.due_at else attributes.DUE_AT.value_unset(),
    ]
    held = workflow.info().typed_search_attributes
    changed = [update for update in wanted if (held.get(update.key) or None) != (update.value or None)]
    if changed:
        workflow.upsert_search_attributes(changed)


def jitter(key: str, *, within: timedelta) -> timedelta:
    """A delay made from an id, so that many workflows due at one moment (08:00) do not wake in one second."""
    spread = max(1, int(within.total_seconds() * 1000))
    return timedelta(milliseconds=int(key.replace("-", "")[-8:], 16) % spread)
