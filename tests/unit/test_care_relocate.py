"""A care goes over to another version of its process: nothing dropped, nothing repeated, promises kept."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.orders.care import effects as effect
from services.orders.care.check import problems
from services.orders.care.facts import dump_state, load_state
from services.orders.care.process import CareProcess, Promised
from services.orders.care.relocate import Relocation, relocate
from services.orders.care.seed import blank, cod_standard
from tests.unit.care_world import STANDARD, World, hanoi, shown, world
from tests.unit.test_care_life import HOURS, PROCESS, Life
from tests.unit.test_care_process import edited

QUICKER = edited(STANDARD, {"steps/no_answer_2/due": {"after": "30m"}, "steps/callback/grace": "30m"})
NAMES = {
    "no_answer_2": "no_answer_two",
    "callback": "promised",
    "thinking": "later",
    "pool": "lake",
    "first_call": "hello",
}


def renamed(process: CareProcess, names: dict[str, str]) -> CareProcess:
    """The same process with other names for some of its steps."""

    def other(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: other(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [other(inner) for inner in value]
        return names.get(value, value) if isinstance(value, str) else value

    data = process.model_dump(mode="json", exclude_unset=True)
    results = data["results"]
    for part in ("ladder", "resume", "start", "pool", "do_not_call"):
        data[part] = other(data[part])
    data["steps"] = {
        names.get(name, name): other(step) | {"name": step["name"]} for name, step in data["steps"].items()
    }
    for name, step in process.steps.items():
        moved = data["steps"][names.get(name, name)]
        moved.update({field: getattr(step, field) for field in ("promise", "escalate") if getattr(step, field)})
    data["rules"] = [
        {"at": [names.get(at, at) for at in rule["at"]], "results": {r: other(to) for r, to in rule["results"].items()}}
        for rule in data["rules"]
    ]
    data["results"] = results
    data["reasons"] |= {"steps.*": data["reasons"]["caps.min_gap"]}
    return CareProcess.model_validate(data)


RENAMED = renamed(STANDARD, NAMES)


def move(made: World, new: CareProcess, at: datetime | str, **steps: str) -> Relocation:
    """Move and apply; then look again, which must change nothing."""
    now = hanoi(at) if isinstance(at, str) else at
    done = relocate(made.process, new, made.facts(), steps=steps, now=now)
    for each in done.decision.effects:
        made.apply(each, now)
    made.state = load_state(dump_state(done.decision.state))
    if done.moved:
        made.process = new
    made.decision = done.decision
    if not any(isinstance(each, effect.ReleaseToPool | effect.RequestReassignment) for each in done.decision.effects):
        assert made.advance(now) == []
    return done


def kinds(done: Relocation) -> list[str]:
    return [type(each).__name__ for each in done.decision.effects]


def test_the_processes_of_these_tests_are_sound() -> None:
    assert problems(QUICKER) == ()
    assert problems(RENAMED) == ()


def test_a_move_to_a_version_that_owes_the_same_changes_nothing() -> None:
    order = world()
    order.call("2025-06-02 09:03", "no_answer")
    done = move(order, edited(STANDARD, {"steps/thinking/max": 2}), "2025-06-02 09:10")
    assert (done.change, done.found_by, done.decision.effects) == ("same", "name", ())
    assert order.task.key == "no_answer_2:1"


def test_a_time_that_the_other_version_plans_differently_moves_the_task_and_its_promise() -> None:
    order = world()
    order.call("2025-06-02 09:03", "no_answer")
    assert (order.due, order.task.key) == ("Mon 10:03", "no_answer_2:1")
    quick = edited(QUICKER, {"ladder/apart": "30m"})
    done = move(order, quick, "2025-06-02 09:10")
    assert (done.change, kinds(done)) == ("retimed", ["MoveTask"])
    assert (order.due, order.deadline, order.task.key) == ("Mon 09:33", "Mon 10:03", "no_answer_2:1")


def test_a_time_comes_forward_at_most_to_now_and_nobody_becomes_late_by_it() -> None:
    order = world()
    order.call("2025-06-02 09:03", "no_answer")
    move(order, edited(QUICKER, {"ladder/apart": "30m"}), "2025-06-02 10:00")
    assert (order.due, order.deadline) == ("Mon 10:00", "Mon 10:30")


def test_a_promised_callback_stays_promised_at_its_time() -> None:
    order = world()
    order.call("2025-06-02 09:03", "call_later", promised_at=hanoi("2025-06-05 15:20"))
    later = edited(STANDARD, {"steps/callback/due": {"promised": True, "default": "1h", "else_at": "10:00"}})
    done = move(order, later, "2025-06-02 09:10")
    assert (done.change, order.due) == ("same", "Thu 15:20")


def test_a_step_with_another_name_is_found_by_family_and_its_task_stays_the_same_task() -> None:
    order = world()
    order.call("2025-06-02 09:03", "call_later", promised_at=hanoi("2025-06-05 15:20"))
    done = move(order, RENAMED, "2025-06-02 09:10")
    assert (done.change, done.found_by, order.step) == ("renamed", "family", "promised")
    assert (order.task.key, order.task.step, order.due) == ("callback:1", "promised", "Thu 15:20")
    order.call("2025-06-05 15:20", "no_answer")
    assert order.step == "no_answer_two"
    assert order.promises["callback:1"].outcome == "kept"


def test_a_retry_that_no_longer_exists_becomes_the_last_one_that_does() -> None:
    order = world()
    for at in ("2025-06-02 09:03", "2025-06-02 10:03", "2025-06-02 18:00", "2025-06-03 11:30", "2025-06-03 18:30"):
        order.call(at, "no_answer")
    assert order.step == "no_answer_6"
    shorter = edited(
        STANDARD,
        {
            "ladder/steps": ["no_answer_2", "no_answer_3", "no_answer_4", "no_answer_5"],
            "steps/no_answer_6": None,
        },
    )
    done = move(order, shorter, "2025-06-03 18:35")
    assert (order.step, done.found_by) == ("no_answer_5", "family")
    order.call(order.task.due_at, "no_answer")
    assert order.step == "pool"


def test_a_step_is_mapped_as_somebody_says() -> None:
    order = world()
    order.call("2025-06-02 09:03", "thinking")
    done = move(order, STANDARD, "2025-06-02 09:10", thinking="send_info")
    assert (done.change, done.found_by, order.step) == ("replaced", "map", "send_info")
    ended = order.promises["thinking:1"]
    assert (ended.outcome, ended.cause, order.task.task) == ("cancelled", "process_moved", "message")


def test_a_step_without_any_likeness_goes_where_the_level_says() -> None:
    order = world()
    order.call("2025-06-02 09:03", "send_info")
    done = move(order, blank(), "2025-06-02 09:10")
    assert (done.change, done.found_by, order.step) == ("replaced", "level", "callback")


def test_a_message_about_a_missed_call_is_still_owed() -> None:
    order = world()
    order.call("2025-06-02 09:03", "no_answer")
    assert set(order.tasks) == {"no_answer_2:1", "no_answer_2:1:message"}
    move(order, RENAMED, "2025-06-02 09:10")
    assert {task.step for task in order.tasks.values()} == {"no_answer_two"}
    order.record("2025-06-02 09:20", None, kind="message")
    order.advance("2025-06-02 09:20")
    assert order.promises["no_answer_2:1:message"].outcome == "kept"


def test_a_message_that_the_other_version_does_not_know_is_cancelled() -> None:
    order = world()
    order.call("2025-06-02 09:03", "no_answer")
    move(order, blank(), "2025-06-02 09:10")
    assert order.promises["no_answer_2:1:message"].cause == "process_moved"


def test_escalations_that_were_made_are_not_made_again() -> None:
    order = world()
    for at in ("2025-06-02 09:10", "2025-06-02 09:15"):
        order.advance(at)
    louder = edited(
        STANDARD,
        {
            "escalations/first_call/rungs": [
                {"do": "remind_owner", "after": "8m", "since": "assigned"},
                {"do": "remind_owner", "after": "14m", "since": "assigned"},
                {"do": "tell_manager", "after": "15m", "since": "assigned"},
                {"do": "request_reassignment", "after": "40m", "since": "assigned"},
                {"do": "release_to_pool", "after": "16h", "since": "care"},
            ]
        },
    )
    done = move(order, louder, "2025-06-02 09:20")
    assert kinds(done) == ["RemindOwner"]  # the second reminder, which only the other version knows, was due at 09:14
    assert [shown(each.at) for each in order.of(effect.TellManager)] == ["Mon 09:15"]
    assert shown(order.next_due) == "Mon 09:40"


def test_what_the_old_version_owes_by_now_is_done_first() -> None:
    order = world()
    done = move(order, QUICKER, "2025-06-02 09:20")
    assert kinds(done) == ["RemindOwner", "EndPromise", "TellManager"]
    assert (done.change, order.promises["first_call:1"].outcome) == ("same", "broken")


def test_a_number_in_the_pool_waits_as_long_as_the_other_version_says() -> None:
    order = world()
    order.level = "L1.4"
    order.set_level("L1.4", "2025-06-02 09:01")
    order.advance("2025-06-02 09:01")
    order.in_pool = True
    order.assign(None, "2025-06-02 09:05")
    order.advance("2025-06-02 09:05")
    assert order.step == "pool"
    done = move(order, edited(STANDARD, {"steps/pool/due": {"after": "7d", "clock": "wall"}}), "2025-06-04 09:00")
    assert (done.change, shown(order.next_due)) == ("retimed", "Mon 09:05")


def test_a_care_that_had_ended_by_the_old_version_stays_in_it() -> None:
    order = world()
    order.do_not_call_since = hanoi("2025-06-02 09:05")
    done = move(order, RENAMED, "2025-06-02 09:06")
    assert (done.moved, done.change, order.ended) == (False, "ended", "refused")


def test_a_step_that_has_another_level_takes_the_order_along() -> None:
    order = world()
    order.call("2025-06-02 09:03", "thinking")
    done = move(order, edited(STANDARD, {"steps/thinking/level": "L1.6"}), "2025-06-02 09:10")
    assert (kinds(done), order.level, done.change) == (["SetLevel"], "L1.6", "same")


def test_a_care_may_go_there_and_back_again() -> None:
    order = world()
    order.call("2025-06-02 09:03", "no_answer")
    for minute in range(10, 16):
        move(order, RENAMED if minute % 2 == 0 else STANDARD, f"2025-06-02 09:{minute}")
    assert (order.step, order.task.key, order.due) == ("no_answer_2", "no_answer_2:1", "Mon 10:03")


def test_an_escalation_that_was_made_is_remembered_by_a_version_that_does_not_know_it() -> None:
    told, reassigned = {"do": "tell_manager", "after": "2h"}, {"do": "request_reassignment", "after": "8h"}
    without = edited(STANDARD, {"escalations/standard/rungs": [told]})
    elsewhere = edited(STANDARD, {"escalations/standard/rungs": [reassigned, told]})
    order = world()
    order.call("2025-06-02 09:03", "no_answer")
    asked = order.advance("2025-06-03 08:30")
    assert "RequestReassignment" in [type(each).__name__ for each in asked]
    for version in (without, without, elsewhere):
        assert kinds(move(order, version, "2025-06-03 08:40")) == []
    assert order.advance("2025-06-03 11:00") == []


def test_a_paused_care_stays_paused_and_goes_on_in_the_other_version() -> None:
    from services.orders.care.facts import Pause

    order = world()
    order.call("2025-06-02 09:03", "thinking")
    order.pause = Pause(since=hanoi("2025-06-02 09:05"), until=hanoi("2025-06-02 11:00"))
    order.advance("2025-06-02 09:05")
    done = move(order, RENAMED, "2025-06-02 09:10")
    assert (done.change, order.tasks) == ("renamed", {})
    order.pause = None
    order.advance("2025-06-02 11:00")
    assert (order.step, order.due) == ("later", "Tue 09:03")


class MovedLife(Life):
    """A life in which somebody moves the care, again and again, between versions of its process."""

    versions: tuple[CareProcess, ...] = ()
    moves = 0

    def advance(self) -> None:
        if self.now >= self.asleep_until and self.world.state is not None and self.random.random() < 0.15:
            self.moved()
        super().advance()

    def moved(self) -> None:
        made = self.world
        if made.ended is not None:
            return
        made.advance(self.now)
        if made.ended is not None:
            return
        before = {key: task for key, task in made.tasks.items() if task.promise_open}
        agreed = (
            made.state is not None
            and isinstance(made.process.steps[made.state.step].due, Promised)
            and made.state.planned_from is None
        )
        main = made.state.task if made.state is not None else None
        if self.pool_is_coming(made):
            return
        version = self.random.choice(self.versions).closed_on(made.process.holidays)
        done = move(made, version, self.now)
        self.moves += 1
        assert done.moved
        if agreed and main in before and main in made.tasks:
            assert made.tasks[main].due_at == before[main].due_at
        for key, task in before.items():
            if key not in made.tasks:
                assert made.promises[key].cause == "process_moved"
            else:
                assert made.tasks[key].deadline_at > self.now or made.tasks[key].deadline_at == task.deadline_at
        assert made.state is not None
        step = made.process.steps[made.state.step]
        assert made.ended or made.state.paused or step.task == "wait" or made.state.task in made.tasks

    def other_hours(self) -> None:
        """The days off are the company's: they change under whatever version the care is in."""
        self.world.process = self.world.process.closed_on(self.random.choice(HOURS).holidays)

    def pool_is_coming(self, made: World) -> bool:
        """Care has asked for the pool or another owner, and leads has not answered yet."""
        return made.in_pool and made.owner is not None


@pytest.mark.parametrize(
    "lives",
    [pytest.param(8, id="some"), pytest.param(400, id="many", marks=pytest.mark.soak)],
)
def test_lives_that_are_moved_again_and_again_lose_nothing_and_repeat_nothing(lives: int) -> None:
    MovedLife.versions = (
        PROCESS,
        renamed(PROCESS, NAMES),
        edited(PROCESS, {"steps/no_answer_2/due": {"after": "90m"}, "steps/thinking/due": {"days": 2}}),
        blank_with_results(),
    )
    moves = 0

    @settings(max_examples=lives, derandomize=True)
    @given(st.integers(0, 10**9))
    def live(seed: int) -> None:
        nonlocal moves
        life = MovedLife(PROCESS, seed, lasts=timedelta(days=45))
        made = life.run()
        moves += life.moves
        for key, promise in made.promises.items():
            assert promise.outcome is not None or key in made.tasks, f"the promise of {key} is lost"
        if made.ended is not None:
            assert made.tasks == {}

    live()
    assert moves > lives


def blank_with_results() -> CareProcess:
    """Another process altogether, which knows the same results."""
    data = blank().model_dump(mode="json", exclude_unset=True)
    data["results"] = cod_standard().model_dump(mode="json", exclude_unset=True)["results"]
    data["ladder"]["switched_off"] = "switched_off"
    further = {"thinking": "callback", "send_info": "callback", "buy_later": "callback", "spam": "wrong"}
    missed = dict.fromkeys(["busy", "no_answer", "switched_off"], "no_answer_next")
    data["rules"][0]["results"] |= further
    data["rules"][1]["results"] = missed
    data["rules"][2]["results"] = dict.fromkeys(missed, "stay")
    process = CareProcess.model_validate(data)
    assert problems(process) == ()
    return process
