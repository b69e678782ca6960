"""What `decide` is told about an order: everything it knows, read from the database in one transaction.

No names, phone numbers or addresses: people appear by id and staff code, the customer not at all. All instants are
timezone-aware. The service reads the facts and writes the decision under a lock on the order's row, so that `state`
and the open tasks belong together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal
from uuid import UUID

from pydantic import TypeAdapter

from services.orders.care.process import PromiseKind
from shared.calendar import Calendar
from shared.contracts.levels import CLEAN, is_final, main_level


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Who holds the number now. `shift` is their shift calendar (none, or one in another zone: the calling hours)."""

    id: UUID
    code: str
    manager_id: UUID | None = None
    shift: Calendar | None = None
    away: Literal["", "off_duty", "left"] = ""  # switched off duty, or does not work here any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Interaction:
    """One logged contact with the customer about this order.

    `number` counts the interactions of an order 1, 2, 3 … in the order in which they were *recorded* (given under the
    order's lock); each is considered once, so it is immutable. `at` is when it *happened*, which may be earlier.

    A call about whose result nothing is known yet is no interaction: its instant belongs into `Facts.other_calls`, and
    it is recorded when the result is. What goes out without a result (a message, an e-mail, a visit) has none.
    What comes in without one, or with one that reached nobody, is a customer who tried to reach us.

    `level_set` says that whoever recorded it has already written the transition which the table prescribes.
    """

    id: UUID
    number: int
    at: datetime
    kind: Literal["call", "message", "email", "visit"] = "call"
    inbound: bool = False
    result: str | None = None
    promised_at: datetime | None = None
    reason: str | None = None
    level_set: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """An open task with its promise, as `OpenTask` (and later `MoveTask`, `GiveTask`) left it.

    Only open tasks are facts; `promise_open` turns false when the promise ended while the task goes on (a broken one).
    """

    key: str
    step: str
    task: Literal["call", "message"]
    promise: PromiseKind
    due_at: datetime
    deadline_at: datetime
    opened_at: datetime
    owner_id: UUID | None
    promise_open: bool = True
    owner_code: str = ""  # of whom it was given to, if that is not the owner of the number


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """An operator stopped the care, until a moment or until the fact is taken away."""

    since: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """An operator stepped in. `number` counts the commands of an order; each is considered once.

    `to` is the step to go to (skip: the task at hand is not needed).
    """

    number: int
    at: datetime
    kind: Literal["skip", "repeat", "bring_forward"]
    to: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepState:
    """Where the care stands. Written by `decide` alone; stored as it is (`dump_state`, `load_state`).

    Steps are counted twice: `visits` over the whole life of the order (they make keys unique), `rounds` since the care
    or the present owner's claim began (they are compared with a step's `max`).
    """

    step: str
    level: str  # as the last decision left it
    entered_at: datetime
    due_at: datetime | None = None  # planned at this visit
    planned_from: datetime | None = None  # what that was counted from; none: an instant of its own, such as a promise
    planned_in: str = ""  # the business time in which it was planned
    replans: int = 0  # how often another business time made it be planned again
    task: str | None = None  # key of the open task of this step
    opened: int = 0  # tasks opened in this visit
    done: tuple[str, ...] = ()  # escalations made for this task
    visits: Mapping[str, int] = field(default_factory=dict)
    rounds: Mapping[str, int] = field(default_factory=dict)
    ladder: int = 0  # steps of the ladder used since somebody last spoke with us
    misses: int = 0  # attempts that moved up the ladder since then
    switched_off: int = 0  # of which the telephone was off
    unanswered: int = 0  # attempts without an answer in this round of care
    called: bool = False  # a call or conversation took place in this round of care
    care_since: datetime  # when this round of care began: first assignment, claim, return
    seen: int = 0  # number of the last interaction considered
    commanded: int = 0  # number of the last operator's command considered
    commanded_at: datetime | None = None  # when that was given
    last_at: datetime | None = None  # when the latest of them happened
    last_result: str | None = None
    assignment: int  # version of the last assignment considered
    owner_asked: int | None = None  # version of the assignment (to nobody) for which an owner was asked
    manager_told: int | None = None  # the same for telling the manager
    came_again_at: datetime | None = None  # last return of the customer considered
    reopened: int = 0  # how often care began again after it had ended
    moves: int = 0  # how often it went over to another version of its process
    paused: bool = False
    ended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """An order for `decide`.

    Args:
        level, level_since: the order's level, whoever set it, and since when.
        owner: None while nobody holds the number.
        assigned_at, assignment_version: of the last change of owner (also to nobody); the version grows by each.
        assignment_cause: of the same, as leads says it: distribution, manual, claim, floating_pool, …
        asked_to_be_called: there is a ground for calls beyond the limits for advertising now (rule D38, `grounds`).
        state: None before the first decision.
        interactions: all since care began, in any order.
        tasks: the open ones.
        other_calls, other_messages: outgoing, to this number, that are not among `interactions`: about other orders,
            or without a result yet; over at least the last 24 hours and the present local day.
        do_not_call_since: when the number came onto the do-not-call list, if it is on it.
        commands: what operators ordered since care began, in any order; pause says whether they stopped it.
        customer_came_again_at: last time a duplicate was linked to this order (rules D8, D10).
        written_to: whether there is such a ground for messages; None: the same as for calls.
        no_messages_since: since when messages are forbidden, although calls may not be.
        level_final: whether the level ends an order, as the company says (rule D35); None: ask the seed.
    """

    order_id: UUID
    level: str
    level_since: datetime
    owner: Owner | None
    assigned_at: datetime
    assignment_version: int
    asked_to_be_called: bool
    state: StepState | None = None
    interactions: tuple[Interaction, ...] = ()
    tasks: tuple[Task, ...] = ()
    other_calls: tuple[datetime, ...] = ()
    other_messages: tuple[datetime, ...] = ()
    do_not_call_since: datetime | None = None
    pause: Pause | None = None
    commands: tuple[Command, ...] = ()
    customer_came_again_at: datetime | None = None
    assignment_cause: str = ""
    level_final: bool | None = None
    written_to: bool | None = None
    no_messages_since: datetime | None = None

    @property
    def is_at_own_open_level(self) -> bool:
        """Somebody set an open level of L1: the order is still worked on, whether its process knows the level or not."""
        return main_level(self.level) == CLEAN and not is_final(self.level, self.level_final)

    @property
    def is_floating(self) -> bool:
        """It lies in the floating pool, whoever put it there."""
        return self.owner is None and self.assignment_cause == "floating_pool"

    def calls(self) -> list[datetime]:
        """Every outgoing call to the number, about this order or another, in order."""
        own = (each.at for each in self.interactions if each.kind == "call" and not each.inbound)
        return sorted((*own, *self.other_calls))

    def messages(self) -> list[datetime]:
        """Every outgoing message to the number, about this order or another, in order."""
        own = (each.at for each in self.interactions if each.kind == "message" and not each.inbound)
        return sorted((*own, *self.other_messages))

    @property
    def asked_for_messages(self) -> bool:
        """There is a ground for messages beyond the limits for advertising."""
        return self.asked_to_be_called if self.written_to is None else self.written_to

    def must_not_be_written_to(self) -> bool:
        """Neither call nor message, or no message alone."""
        return self.no_messages_since is not None or self.must_not_be_called()

    def must_not_be_called(self) -> bool:
        """On the do-not-call list, unless the customer left the number again since (rule D10)."""
        since, again = self.do_not_call_since, self.customer_came_again_at
        return since is not None and not (again is not None and again > since)


def dump_state(state: StepState) -> dict[str, Any]:
    """The state as JSON values, for a `jsonb` column."""
    dumped: dict[str, Any] = _state_adapter().dump_python(state, mode="json")
    return dumped


def load_state(data: Mapping[str, Any]) -> StepState:
    """The state that `dump_state` wrote; fields added since then get their defaults.

    Raises:
        pydantic.ValidationError: the data is not a state.
    """
    return _state_adapter().validate_python(dict(data))


@lru_cache(maxsize=1)
def _state_adapter() -> TypeAdapter[StepState]:
    return TypeAdapter(StepState)
