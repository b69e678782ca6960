"""What `decide` wants done, as data.

Every effect carries `key`, which is unique within its order for ever, so that a constraint can refuse a second one;
`at`, the instant at which it was owed (workers that were down make `at` earlier than the moment of the decision); and
`cause`. Effects are applied in their order, in one transaction with the new state.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from services.orders.care.facts import StepState
from services.orders.care.process import PromiseKind, Text

Cause = Literal[
    "assigned",  # the first assignment of the order
    "reassigned",  # another owner
    "claimed",  # taken from the floating pool
    "released",  # put into it by a manager
    "call_result",
    "message_sent",
    "customer_contacted",  # called or wrote to us, without a logged result
    "came_again",  # left the number again (rules D8, D10)
    "level_set",  # somebody, or the closing of the order, set the level
    "do_not_call",
    "overdue",  # the time for it ran out
    "due",  # its time has come
    "no_owner",
    "cap",  # the caps or the legal window moved it
    "process_moved",  # the care went over to another version of its process
    "calendar",  # working hours, holidays or the owner's shift were changed
    "operator",  # somebody stepped in: skipped, repeated, brought forward
    "paused",
    "resumed",
    "mended",  # the task was missing although the step waits for it
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    key: str
    at: datetime
    cause: Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTask(Effect):
    """Open a task with its promise; `key` is the task's key from then on.

    `due_at` lies inside the calendar called `window` and respects the caps; the promise is broken after `deadline_at`.
    `owner_id` is None while nobody holds the number. Its `opened_at` is the moment of the decision.
    """

    step: str
    task: Literal["call", "message"]
    name: Text
    promise: PromiseKind
    due_at: datetime
    deadline_at: datetime
    window: str
    owner_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveTask(Effect):
    """Put an open task off to the next legal slot; its promise goes with it."""

    task_key: str
    due_at: datetime
    deadline_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameTask(Effect):
    """An open task belongs to another step from now on; its promise stays what it is."""

    task_key: str
    step: str
    name: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveTask(Effect):
    """Hand an open task to another owner, to nobody, or to whoever of the team is free (`to_team`)."""

    task_key: str
    owner_id: UUID | None
    to_team: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EndPromise(Effect):
    """A promise ends, once. `late_by` tells how long after `due_at` it was kept (zero if before) or broke.

    How late a broken one was made good is in the `CloseTask` of its task, if that is done at all.
    """

    task_key: str
    outcome: Literal["kept", "broken", "cancelled"]
    late_by: timedelta | None = None
    interaction_id: UUID | None = None  # what kept it


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseTask(Effect):
    """A task is done (by an interaction, `late_by` after it was due) or not needed any more."""

    task_key: str
    outcome: Literal["done", "cancelled"]
    interaction_id: UUID | None = None
    late_by: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetLevel(Effect):
    """Write the transition to this level, with `at` as its event time."""

    level: str
    interaction_id: UUID | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemindOwner(Effect):
    task_key: str
    owner_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class TellManager(Effect):
    """Tell the owner's superior (None: whoever runs the distribution) of a late task, or of an order without owner."""

    manager_id: UUID | None
    owner_id: UUID | None
    task_key: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestReassignment(Effect):
    """Ask leads for another owner. Until one comes, nothing changes here.

    `untouched_on` is the beginning of the local day if the number is taken away because nobody has called it yet: so many
    are taken from a person in a shift (`at_most`), and then they are off duty.
    """

    owner_id: UUID | None
    untouched_on: datetime | None = None
    at_most: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseToPool(Effect):
    """Ask leads to clear the owner and offer the number in the floating pool (rule D14)."""

    owner_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddMark(Effect):
    mark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PutOnDoNotCallList(Effect):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive(Effect):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class EndCare(Effect):
    """No task, no timer any more. `outcome` is the last step, or the level that took the order out of care."""

    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReopenCare(Effect):
    """Care had ended and begins again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The answer of `decide`.

    Args:
        effects: to be applied in this order; empty if nothing is owed.
        state: to be stored, also when there is no effect.
        next_due: ask again at this instant at the latest; always later than the moment of the decision. None: care has
            ended, or is paused until somebody resumes it.
        sentence: who must do what by when, and why; staff codes, never a customer's data.
    """

    effects: tuple[Effect, ...]
    state: StepState
    next_due: datetime | None
    sentence: Text
