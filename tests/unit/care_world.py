"""Orders in memory: what a database does with the decisions of the care process, and the people around it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from services.orders.care import effects as effect
from services.orders.care.decide import decide
from services.orders.care.effects import Decision, Effect
from services.orders.care.facts import (
    Command,
    Facts,
    Interaction,
    Owner,
    Pause,
    StepState,
    Task,
    dump_state,
    load_state,
)
from services.orders.care.process import CareProcess
from services.orders.care.seed import cod_standard

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
STANDARD = cod_standard()
MONDAY_9 = "2025-06-02 09:00"
IDS = UUID("01890000-0000-7000-8000-000000000000")


def hanoi(text: str) -> datetime:
    """`"2025-06-02 09:00"` on the clocks of Vietnam."""
    return datetime.fromisoformat(text).replace(tzinfo=HANOI)


def staff(code: str) -> Owner:
    return Owner(id=uuid5(IDS, code), code=code, manager_id=uuid5(IDS, "LEADER"))


@dataclass
class Promise:
    """A promise as its row: it ends once."""

    task: effect.OpenTask
    outcome: str | None = None
    cause: str | None = None
    at: datetime | None = None
    late_by: timedelta | None = None


@dataclass
class World:
    """One order. `advance` is the activity: read the facts, decide, write the effects and the state."""

    process: CareProcess
    assigned_at: datetime
    owner: Owner | None = field(default_factory=lambda: staff("S07"))
    level: str = "L1"
    asked: bool = True
    assignment: int = 1
    level_since: datetime = field(init=False)
    state: StepState | None = None
    interactions: list[Interaction] = field(default_factory=list)
    tasks: dict[str, Task] = field(default_factory=dict)
    windows: dict[str, str] = field(default_factory=dict)
    promises: dict[str, Promise] = field(default_factory=dict)
    log: list[Effect] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    other_calls: list[datetime] = field(default_factory=list)
    other_messages: list[datetime] = field(default_factory=list)
    written_to: bool | None = None
    no_messages_since: datetime | None = None
    do_not_call_since: datetime | None = None
    pause: Pause | None = None
    commands: list[Command] = field(default_factory=list)
    came_again_at: datetime | None = None
    in_pool: bool = False
    assignment_cause: str = "distribution"
    ended: str | None = None
    decision: Decision | None = None

    def __post_init__(self) -> None:
        self.level_since = self.assigned_at

    def facts(self) -> Facts:
        return Facts(
            order_id=IDS,
            level=self.level,
            level_since=self.level_since,
            owner=self.owner,
            assigned_at=self.assigned_at,
            assignment_version=self.assignment,
            asked_to_be_called=self.asked,
            state=self.state,
            interactions=tuple(self.interactions),
            tasks=tuple(self.tasks.values()),
            other_calls=tuple(self.other_calls),
            other_messages=tuple(self.other_messages),
            written_to=self.written_to,
            no_messages_since=self.no_messages_since,
            do_not_call_since=self.do_not_call_since,
            pause=self.pause,
            commands=tuple(self.commands),
            customer_came_again_at=self.came_again_at,
            assignment_cause=self.assignment_cause,
        )

    def advance(self, now: datetime | str) -> list[Effect]:
        """Decide and apply; then decide once more, which must change nothing."""
        now = hanoi(now) if isinstance(now, str) else now
        made = decide(self.process, self.facts(), now)
        for each in made.effects:
            self.apply(each, now)
        self.state = load_state(dump_state(made.state))
        assert self.state == made.state
        again = decide(self.process, self.facts(), now)
        assert again.effects == ()
        assert (again.state, again.next_due) == (made.state, made.next_due)
        self.decision = made
        return list(made.effects)

    # --- what happens -------------------------------------------------------------------------------------------------

    def call(self, at: datetime | str, result: str | None, **more: object) -> list[Effect]:
        """A call is logged, and decided upon, at the moment it ends."""
        at = hanoi(at) if isinstance(at, str) else at
        self.record(at, result, **more)
        return self.advance(at)

    def record(self, at: datetime | str, result: str | None, **more: object) -> None:
        at = hanoi(at) if isinstance(at, str) else at
        number = len(self.interactions) + 1
        made = Interaction(id=uuid5(IDS, str(number)), number=number, at=at, result=result, **more)  # type: ignore[arg-type]  # more holds fields of Interaction
        self.interactions.append(made)

    def assign(self, owner: Owner | None, at: datetime | str, *, cause: str = "") -> None:
        """Leads says who holds the number; by default as it answers what care asked for."""
        default = "reassignment" if owner is not None or not self.in_pool else "floating_pool"
        self.owner, self.assignment, self.assignment_cause = owner, self.assignment + 1, cause or default
        self.assigned_at = hanoi(at) if isinstance(at, str) else at
        self.in_pool = False if owner is not None else self.in_pool

    def command(
        self, at: datetime | str, kind: Literal["skip", "repeat", "bring_forward"], to: str | None = None
    ) -> None:
        """An operator steps in."""
        at = hanoi(at) if isinstance(at, str) else at
        self.commands.append(Command(number=len(self.commands) + 1, at=at, kind=kind, to=to))

    def set_level(self, level: str, at: datetime | str) -> None:
        self.level, self.level_since = level, hanoi(at) if isinstance(at, str) else at

    # --- what is seen -------------------------------------------------------------------------------------------------

    @property
    def step(self) -> str:
        assert self.state is not None
        return self.state.step

    @property
    def task(self) -> Task:
        """The task that the present step waits for."""
        assert self.state is not None
        assert self.state.task is not None
        return self.tasks[self.state.task]

    @property
    def due(self) -> str:
        return shown(self.task.due_at)

    @property
    def deadline(self) -> str:
        return shown(self.task.deadline_at)

    @property
    def next_due(self) -> datetime:
        assert self.decision is not None
        assert self.decision.next_due is not None
        return self.decision.next_due

    def of(self, kind: type[Effect]) -> list[Effect]:
        return [each for each in self.log if isinstance(each, kind)]

    # --- the applier ----------------------------------------------------------------------------------------------

    def apply(self, made: Effect, now: datetime) -> None:
        assert made.key not in self.keys, f"{made.key} happened twice"
        assert made.at <= now
        self.keys.add(made.key)
        self.log.append(made)
        match made:
            case effect.OpenTask():
                self.tasks[made.key] = Task(
                    key=made.key,
                    step=made.step,
                    task=made.task,
                    promise=made.promise,
                    due_at=made.due_at,
                    deadline_at=made.deadline_at,
                    opened_at=now,
                    owner_id=made.owner_id,
                )
                self.windows[made.key] = made.window
                self.promises[made.key] = Promise(made)
            case effect.MoveTask():
                self.tasks[made.task_key] = replace(
                    self.tasks[made.task_key], due_at=made.due_at, deadline_at=made.deadline_at
                )
            case effect.RenameTask():
                self.tasks[made.task_key] = replace(self.tasks[made.task_key], step=made.step)
            case effect.GiveTask():
                self.tasks[made.task_key] = replace(self.tasks[made.task_key], owner_id=made.owner_id)
            case effect.EndPromise():
                promise = self.promises[made.task_key]
                assert promise.outcome is None, f"the promise of {made.task_key} ended twice"
                promise.outcome, promise.cause, promise.at = made.outcome, made.cause, made.at
                promise.late_by = made.late_by
                self.tasks[made.task_key] = replace(self.tasks[made.task_key], promise_open=False)
            case effect.CloseTask():
                assert not self.tasks.pop(made.task_key).promise_open, f"{made.task_key} closed with its promise open"
            case effect.SetLevel():
                self.level, self.level_since = made.level, made.at
            case effect.PutOnDoNotCallList():
                self.do_not_call_since = made.at
            case effect.ReleaseToPool():
                self.in_pool = True
            case effect.EndCare():
                self.ended = made.outcome
            case effect.ReopenCare():
                self.ended = None


def shown(at: datetime) -> str:
    return f"{at.astimezone(HANOI):%a %H:%M}"


def world(at: str = MONDAY_9, **more: Any) -> World:
    """An order of the standard process, looked at once, when it was assigned."""
    made = World(STANDARD, hanoi(at), **more)
    made.advance(at)
    return made


def unanswered(order: World, times: int, result: str = "no_answer") -> list[str]:
    """Call whenever a call is due, in vain."""
    calls = []
    for _ in range(times):
        at = order.task.due_at
        calls.append(shown(at))
        order.call(at, result)
    return calls


def kinds(effects: Iterable[Effect]) -> list[str]:
    return [type(each).__name__ for each in effects]


def ended(made: World, key: str) -> tuple[str | None, str | None]:
    """How a promise ended, and why."""
    return made.promises[key].outcome, made.promises[key].cause
