"""Months of care under random people, on a simulated clock: what must hold for every order at every moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from random import Random
from time import perf_counter
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.orders.care import effects as effect
from services.orders.care.decide import decide
from services.orders.care.facts import Pause, Task
from services.orders.care.gate import may_call
from services.orders.care.process import CareProcess
from services.orders.care.seed import cod_standard
from shared.public_holidays import vietnam
from tests.unit.care_world import HANOI, World, staff

PROCESS = cod_standard().closed_on(vietnam([2025, 2026]))
DAYS_OFF = [date(2025, 1, 1) + timedelta(days=n) for n in range(0, 700, 5)]
HOURS = [PROCESS, *(PROCESS.closed_on({*PROCESS.holidays, *DAYS_OFF[first::3]}) for first in range(3))]
"""The company's days off as they may be changed on the way."""
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
YEAR = datetime(2025, 1, 1, tzinfo=ZoneInfo("Asia/Ho_Chi_Minh"))


class Life:
    """One order and the people around it: a salesperson, a colleague, an operator, the customer, workers that sleep."""

    def __init__(self, process: CareProcess, seed: int, *, lasts: timedelta) -> None:
        self.random = Random(seed)
        chance = self.random.random
        assigned_at = YEAR + timedelta(seconds=self.random.randrange(365 * 86_400))
        self.lasts = lasts
        self.world = World(process, assigned_at, asked=chance() < 0.7)
        self.now = assigned_at
        self.diligence = self.random.choice([0.0, 0.3, 0.8, 0.95, 1.0])  # how often a task is done at all
        self.customer = self.random.choice(["never answers", "answers at times", "talks and talks", "anything"])
        self.events = self.random.choice([0.0, 0.05, 0.2, 0.4])  # how often something unexpected happens
        self.claims = self.random.choice([0, 0, 1, 2])
        self.returns = self.random.choice([0, 0, 0, 1])  # after care has ended
        self.asleep_until = assigned_at
        self.plan: tuple[datetime, Callable[[], None]] | None = None  # what somebody does next, and when

    def run(self) -> World:
        world, end = self.world, self.now + self.lasts
        self.advance()
        while (world.ended is None or self.returns) and self.now < end:
            if world.ended is not None:
                self.returns -= 1
                self.plan = (self.now + self.random.random() * 9 * DAY, self.customer_returns)
            if self.plan is None:
                self.plan = self.intention()
            due = (world.decision.next_due if world.decision is not None else None) or end
            self.now = max(self.now, min(max(due, self.asleep_until), self.plan[0] if self.plan else end, end))
            if self.plan is not None and self.now >= self.plan[0]:
                act, self.plan = self.plan[1], None
                act()
            self.advance()
        if world.ended is None:
            self.asleep_until = self.now
            self.advance()
        return world

    # --- people ---------------------------------------------------------------------------------------------------

    def intention(self) -> tuple[datetime, Callable[[], None]] | None:
        """What somebody does next, if anybody does anything."""
        chance = self.random.random
        if chance() < self.events:
            unexpected = [
                self.reassign,
                self.customer_returns,
                self.pause,
                self.other_product,
                self.sleep,
                self.by_hand,
                self.other_hours,
            ]
            return self.now + chance() * 3 * DAY, self.random.choice(unexpected)
        if self.world.in_pool:
            return (self.now + chance() * 20 * DAY, self.claim) if self.claims else None
        tasks = sorted(self.world.tasks.values(), key=lambda task: task.due_at)
        if not tasks or chance() > self.diligence:
            return None
        task = self.random.choice(tasks)
        late = self.random.choice([timedelta(), timedelta(), MINUTE, 20 * MINUTE, 3 * HOUR, -10 * MINUTE, -2 * HOUR])
        return max(task.due_at + late * chance(), self.now + MINUTE), lambda: self.work(task)

    def work(self, task: Task) -> None:
        if task.task == "message":
            self.world.record(self.now, None, kind="message")
            return
        if self.allowed():
            assert inside(self.world.process, "call_hours" if self.world.asked else "legal_adverts", self.now)
            result = self.result()
            promised = self.now + self.random.random() * 6 * DAY if self.random.random() < 0.7 else None
            self.world.record(self.now, result, promised_at=promised, reason="other")

    def result(self) -> str:
        unanswered = ["no_answer", "no_answer", "busy", "switched_off"]
        again = ["call_later", "thinking", "send_info", "buy_later"]
        final = ["closed", "not_buying", "refuses_contact", "wrong_number", "spam"]
        return self.random.choice(
            {
                "never answers": unanswered,
                "answers at times": [*unanswered * 2, *again, "closed"],
                "talks and talks": [*again * 3, "no_answer"],
                "anything": [*unanswered, *again, *final],
            }[self.customer]
        )

    def allowed(self) -> bool:
        return may_call(self.world.process, self.world.facts(), self.now).allowed

    def reassign(self) -> None:
        owner = self.random.choice([staff("S08"), staff("S09"), None])
        self.world.in_pool = owner is None and self.random.random() < 0.3  # a manager releases it
        self.world.assign(owner, self.now)

    def claim(self) -> None:
        self.claims -= 1
        self.world.assign(staff("S10"), self.now, cause="claim")

    def customer_returns(self) -> None:
        if self.random.random() < 0.5:
            self.world.came_again_at = self.now
        else:
            self.world.record(self.now, self.random.choice([None, "call_later", "no_answer"]), inbound=True)

    def pause(self) -> None:
        self.world.pause = Pause(since=self.now, until=self.now + self.random.random() * 3 * DAY)

    def other_product(self) -> None:
        if self.allowed():
            self.world.other_calls.append(self.now)

    def by_hand(self) -> None:
        """Somebody sets a level, or the number comes onto the do-not-call list."""
        if self.random.random() < 0.1:
            self.world.do_not_call_since = self.now
        else:
            self.world.set_level(self.random.choice(["L1.2", "L1.4", "L1.6", "L1.5", "L5", "L5.3"]), self.now)

    def other_hours(self) -> None:
        """Somebody closes some of the coming days, or opens them again."""
        self.world.process = self.random.choice(HOURS)

    def sleep(self) -> None:
        """The workers stop; people go on working."""
        self.asleep_until = self.now + self.random.random() * 2 * DAY

    # --- the service ----------------------------------------------------------------------------------------------

    def advance(self) -> None:
        if self.now < self.asleep_until:
            return
        made = self.world.advance(self.now)
        for each in made:
            if isinstance(each, effect.ReleaseToPool):
                self.world.in_pool = True
                self.world.assign(None, self.now)
            if isinstance(each, effect.RequestReassignment) and self.random.random() < 0.5:
                self.world.assign(self.random.choice([staff("S08"), staff("S09")]), self.now)
        if any(isinstance(each, effect.ReleaseToPool | effect.RequestReassignment) for each in made):
            self.advance()
            return
        holds_now(self.world, self.now)


def holds_now(world: World, now: datetime) -> None:
    """What must hold after every decision."""
    state, decision = world.state, world.decision
    assert state is not None
    assert decision is not None
    step = world.process.steps[state.step]
    if world.ended is not None:
        assert state.ended
        assert world.tasks == {}
        assert decision.next_due is None
        return
    if state.paused:
        assert world.tasks == {}
        assert world.pause is not None
        assert decision.next_due == world.pause.until
        return
    assert decision.next_due is not None
    assert decision.next_due > now
    assert step.task == "wait" or state.task in world.tasks, "an open order without a task or a timer"
    assert world.level == (step.level if step.level != "keep" else world.level)
    for key, promise in world.promises.items():
        assert (promise.outcome is None) == (key in world.tasks and world.tasks[key].promise_open)
    for task in world.tasks.values():
        assert not task.promise_open or task.deadline_at > now
        assert task.due_at <= task.deadline_at
        if task.task == "call" and task.promise_open:
            assert inside(world.process, world.windows[task.key], task.due_at)
            assert fits_the_caps(world, task.due_at)


def inside(process: CareProcess, window: str, at: datetime) -> bool:
    """Whether the wall clock shows a time inside the periods of the window, read off the process itself."""
    local = at.astimezone(HANOI)
    hours = process.calendars[window]
    if hours.public_holidays and local.date() in process.holidays:
        return False
    for days, periods in hours.weekly.items():
        first, _, last = days.partition("-")
        names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
        if names.index(first) <= local.weekday() <= names.index(last or first):
            shown = f"{local:%H:%M}"
            return any(begin <= shown < end for begin, end in (period.split("-") for period in periods))
    return False


def fits_the_caps(world: World, at: datetime) -> bool:
    """Whether one more call at this instant keeps the caps, counted by hand."""
    made = [call for call in world.facts().calls() if call <= at]
    gap = timedelta(minutes=15) if world.asked else DAY
    same_day = [call for call in made if call.astimezone(HANOI).date() == at.astimezone(HANOI).date()]
    return all(at - call >= gap for call in made) and len(same_day) < 3


def held_always(world: World) -> None:
    """What must hold for a whole life."""
    days = Counter(call.astimezone(HANOI).date() for call in world.facts().calls())
    assert max(days.values(), default=0) <= 3
    if world.ended is not None:
        assert all(promise.outcome is not None for promise in world.promises.values())
    else:
        assert (
            world.tasks or world.process.steps[world.step].task == "wait" or world.state is None or world.state.paused
        )


@pytest.mark.parametrize(
    ("seeds", "lasts"),
    [
        # the retries and the thirty days of the pool fit into fifty days
        pytest.param(range(1_000), 50 * DAY, id="a thousand orders"),
        pytest.param(range(1_000, 31_000), 150 * DAY, id="thirty thousand orders", marks=pytest.mark.soak),
    ],
)
def test_months_of_care_under_random_people_lose_no_order_and_break_no_rule(seeds: range, lasts: timedelta) -> None:
    outcomes: Counter[str | None] = Counter()
    promises: Counter[str | None] = Counter()
    for seed in seeds:
        life = Life(PROCESS, seed, lasts=lasts)
        try:
            world = life.run()
            held_always(world)
        except Exception as error:
            error.add_note(f"seed {seed} at {life.now}")
            raise
        outcomes[world.ended] += 1
        promises.update(promise.outcome for promise in world.promises.values())
    # The run means something only if lives of every kind were in it.
    assert set(outcomes) >= {"closed", "refused", "wrong", "not_buying", "archived"}
    assert min(promises[outcome] for outcome in ("kept", "broken", "cancelled")) > 20


@pytest.mark.parametrize(
    "orders",
    [
        pytest.param(40, id="forty orders"),
        pytest.param(2_000, id="two thousand orders", marks=pytest.mark.soak),
    ],
)
def test_a_year_of_care_has_no_illegal_call_no_task_outside_its_window_and_ends_every_promise(orders: int) -> None:
    """A year from each order's arrival, with customers who come back, claims, and working hours that change."""
    ends: Counter[str] = Counter()
    for seed in range(100_000, 100_000 + orders):
        life = Life(PROCESS, seed, lasts=365 * DAY)
        life.returns += 3  # somebody comes back after care has ended, again and again
        world = life.run()
        held_always(world)
        assert world.ended is not None, f"seed {seed}: still in care after a year"
        ends.update(str(promise.outcome) for promise in world.promises.values())
    assert set(ends) == {"kept", "broken", "cancelled"}


def test_care_that_nobody_works_on_ends_by_itself() -> None:
    for day in range(0, 365, 9):
        world = World(PROCESS, YEAR + day * DAY + timedelta(hours=day % 24))
        at = world.assigned_at
        world.advance(at)
        while world.ended is None:
            at = world.next_due
            world.advance(at)
        assert world.ended == "archived"
        assert all(promise.outcome is not None for promise in world.promises.values())
        assert at - world.assigned_at < 45 * DAY


@settings(max_examples=80)
@given(st.integers(0, 365 * 86_400))
def test_who_never_answers_is_called_six_times_in_three_to_five_days(second: int) -> None:
    assigned_at = YEAR + timedelta(seconds=second)
    world = World(PROCESS, assigned_at)
    world.advance(assigned_at)
    calls: list[datetime] = []
    while world.step != "pool":
        at = world.task.due_at
        calls.append(at)
        world.call(at, "no_answer")
    assert len(calls) == 6
    assert all(inside(PROCESS, "call_hours", at) for at in calls)
    assert max(Counter(at.astimezone(HANOI).date() for at in calls).values()) <= 3
    assert all(later - earlier >= HOUR for earlier, later in pairwise(calls))
    first, last = calls[0].astimezone(HANOI).date(), calls[-1].astimezone(HANOI).date()
    holidays = sum(first <= on <= last for on in PROCESS.holidays)
    assert 3 * DAY <= last - first <= (5 + holidays) * DAY


@settings(max_examples=40)
@given(st.integers(0, 365 * 86_400), st.lists(st.integers(1, 5_000), max_size=12))
def test_asking_more_often_changes_nothing(second: int, minutes: list[int]) -> None:
    """Decisions at needless moments leave the same promises, tasks and levels as those at the due moments alone."""

    def promises(world: World) -> dict[str, tuple[str | None, datetime | None]]:
        return {key: (promise.outcome, promise.at) for key, promise in world.promises.items()}

    def live(extra: list[datetime]) -> World:
        world = World(PROCESS, YEAR + timedelta(seconds=second))
        at, results = world.assigned_at, ["no_answer", "call_later", "thinking"]  # and then nobody cares
        world.advance(at)
        while world.ended is None:
            due = world.task.due_at if results else world.next_due
            for moment in [moment for moment in extra if at < moment < min(due, world.next_due)]:
                world.advance(moment)
            at = min(due, world.next_due)
            if results and at == due:
                world.call(at, results.pop(0))
            else:
                world.advance(at)
        return world

    start = YEAR + timedelta(seconds=second)
    extra = [start + timedelta(minutes=sum(minutes[: n + 1])) for n in range(len(minutes))]
    often, seldom = live(extra), live([])
    assert promises(often) == promises(seldom)
    assert often.level == seldom.level
    assert [each.key for each in often.log] == [each.key for each in seldom.log]


def test_a_decision_takes_well_under_a_millisecond() -> None:
    """Thousands of tasks fall due at 08:00; the measure is the calendar itself, in the same run."""
    world = World(PROCESS, datetime(2025, 6, 2, 2, tzinfo=UTC))
    world.advance(world.assigned_at)
    world.call(world.task.due_at, "no_answer")
    facts, now = world.facts(), world.next_due

    def seconds(run: Callable[[], object]) -> float:
        """The shortest of some runs: the machine may be busy, the work is the same."""
        begun = [perf_counter()]
        for _ in range(300):
            run()
            begun.append(perf_counter())
        return min(later - earlier for earlier, later in pairwise(begun))

    calendar = PROCESS.calendar("call_hours")
    assert seconds(lambda: decide(PROCESS, facts, now)) < 200 * seconds(lambda: calendar.add(now, HOUR))
