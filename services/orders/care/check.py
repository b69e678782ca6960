"""The checker: a process that could lose a customer, or pester one, is refused before it is published."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from services.orders.care.graph import Graph
from services.orders.care.law import beyond_law
from services.orders.care.level_moves import Moves, forbidden_moves
from services.orders.care.names import unknown_names
from services.orders.care.problem import Problem, problem
from services.orders.care.process import PSEUDO_STEPS, STAY, After, At, CareProcess, OtherHalf, Step
from services.orders.care.trial import crowded_day, crowded_with_messages

# What a company starts with (domain.md); children that it adds are given to `problems`.
CARE_LEVELS = frozenset({"L1", "L1.1", "L1.2", "L1.3", "L1.4", "L1.5", "L1.6", "L5"})


class BrokenProcess(ValueError):
    """The process must not be published; `problems` say why."""

    def __init__(self, found: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(map(str, found)))
        self.problems = found


def require_sound(process: CareProcess, *, levels: Collection[str] = CARE_LEVELS) -> None:
    """Refuse a process that has problems.

    Raises:
        BrokenProcess: it has.
    """
    found = problems(process, levels=levels)
    if found:
        raise BrokenProcess(found)


def problems(
    process: CareProcess, *, levels: Collection[str] = CARE_LEVELS, moves: Moves | None = None
) -> tuple[Problem, ...]:
    """Everything that is wrong with a process; nothing means that it may be published.

    Args:
        levels: the level codes that exist in the company.
        moves: its table of allowed moves; None: not asked about.

    Names are checked first: while one is unknown, paths mean little, and only such problems are told. The dry runs come
    last, on a process that is sound but for them.
    """
    graph = Graph.of(process)
    found = tuple(unknown_names(process, graph, levels=levels)) or tuple(_limits_in_a_circle(process))
    if found:
        return found
    found = (
        *_waiting(process, graph),
        *_paths(process, graph),
        *_limits(process, graph),
        *_numbers(process),
        *beyond_law(process),
        *(forbidden_moves(process, graph, moves) if moves is not None else ()),
    )
    return found or tuple(_crowds(process))


def _limits_in_a_circle(process: CareProcess) -> Iterator[Problem]:
    """Steps whose `then` leads back to them: with every limit reached there would be no step to go to."""
    for name in process.steps:
        path = [name]
        then = process.steps[name].then
        while then in process.steps and then not in path:
            path.append(then)
            then = process.steps[then].then
        if then == name:
            yield problem(
                "endless",
                f"steps.{name}.then",
                (*path, name),
                vi="Các “then” nối thành vòng, hết số lần thì không còn bước nào để sang.",
                en="These thens form a circle: with every limit reached there is no step left to go to.",
            )


def _waiting(process: CareProcess, graph: Graph) -> Iterator[Problem]:
    """Every state that waits has an owner, a timer and an answer to everything that may happen."""
    for name, step in process.steps.items():
        where, path = f"steps.{name}", graph.path_to(name)
        if step.end and (step.task is not None or step.due is not None):
            yield problem(
                "end_with_task",
                where,
                path,
                vi="Bước kết thúc không thể có việc phải làm. Bỏ “task” và “due”.",
                en="A step that ends the care cannot have a task. Remove task and due.",
            )
        if step.snooze is not None and step.task not in ("call", "message"):
            yield problem(
                "snooze_without_task",
                f"{where}.snooze",
                path,
                vi="Bước này không có việc trong danh sách của ai nên không có gì để hoãn nhắc. Bỏ “snooze”.",
                en="Nobody has a task on their list at this step, so there is nothing to snooze. Remove snooze.",
            )
        if step.end:
            continue
        if step.owner is None or step.task is None:
            yield problem(
                "no_owner",
                where,
                path,
                vi="Bước chờ mà không ai phải làm gì. Thêm “task” và “owner”.",
                en="This step waits, yet nobody owes anything. Add task and owner, or make it an end.",
            )
        if step.due is None or not _has_last_timer(process, name, step):
            yield problem(
                "no_timer",
                where,
                path,
                vi="Bước chờ có thể kéo dài mãi. Thêm “due”, và “timeout” hoặc bậc thang có “release_to_pool”.",
                en="This step could wait for ever. Add due, and a timeout or an escalation that releases to the pool.",
            )
        if step.task in ("call", "message"):
            yield from _task_parts(process, name, step, path)


def _task_parts(process: CareProcess, name: str, step: Step, path: tuple[str, ...]) -> Iterator[Problem]:
    missing = [result for result in process.results if (name, result) not in process.table]
    if missing:
        yield problem(
            "no_answer_to_result",
            f"rules.{name}",
            path,
            vi=f"Chưa có hướng đi cho kết quả: {', '.join(missing)}. Thêm vào “rules”.",
            en=f"Nothing is said for the results {', '.join(missing)}. Add them to the rules.",
        )
    if step.promise is None:
        yield problem(
            "no_promise",
            f"steps.{name}",
            path,
            vi="Việc chưa có loại hẹn “promise”.",
            en="The task has no kind of promise.",
        )
    if step.task == "message" and step.done is None:
        yield problem(
            "no_way_on",
            f"steps.{name}.done",
            path,
            vi="Gửi tin xong thì sang bước nào? Thêm “done”.",
            en="Where does it go once the message is sent? Add done.",
        )


def _has_last_timer(process: CareProcess, name: str, step: Step) -> bool:
    if step.timeout is not None:
        return True
    rungs = process.rungs_of(name)
    return step.task != "wait" and any(rung.do == "release_to_pool" for rung in rungs)


def _paths(process: CareProcess, graph: Graph) -> Iterator[Problem]:
    for name in process.steps:
        if name not in graph.reachable:
            yield problem(
                "unreachable",
                f"steps.{name}",
                (name,),
                vi=f"Không có đường nào dẫn tới bước “{name}”. Bỏ bước này hoặc nối vào.",
                en=f"No way leads to step {name!r}. Remove it or connect it.",
            )
        elif not graph.can_end(name):
            yield problem(
                "dead_end",
                f"steps.{name}",
                graph.path_to(name),
                vi=f"Từ bước “{name}” không đi tới kết thúc nào.",
                en=f"From step {name!r} no end can be reached.",
            )
    for circle in graph.circles_without_limit():
        yield problem(
            "endless",
            f"steps.{circle[-1]}",
            (*graph.path_to(circle[0])[:-1], *circle),
            vi="Vòng lặp không có giới hạn số lần. Thêm “max” và “then” cho một bước trong vòng.",
            en="This circle has no limit. Add max and then to one of its steps.",
        )


def _limits(process: CareProcess, graph: Graph) -> Iterator[Problem]:
    for name, step in process.steps.items():
        if (step.max is None) != (step.then is None):
            yield problem(
                "limit_without_then",
                f"steps.{name}",
                graph.path_to(name),
                vi="“max” và “then” phải đi cùng nhau.",
                en="max and then belong together: how often, and where to go instead.",
            )
        if step.then in PSEUDO_STEPS and step.then == STAY:
            yield problem(
                "limit_without_then",
                f"steps.{name}.then",
                graph.path_to(name),
                vi="Hết số lần thì phải sang bước khác.",
                en="When the limit is reached it must go to another step.",
            )
    if process.steps[process.pool].owner != "floating_pool":
        yield problem(
            "no_owner",
            "pool",
            graph.path_to(process.pool),
            vi="Bước nhận số được thả phải thuộc kho số thả nổi.",
            en="The step for released numbers must belong to the floating pool.",
        )


def _crowds(process: CareProcess) -> Iterator[Problem]:
    """What a customer who never answers would have to bear."""
    crowded = crowded_day(process)
    if crowded is not None:
        yield problem(
            "too_many_calls",
            "ladder.steps",
            crowded.path,
            vi=f"Khách không nghe sẽ bị gọi {crowded.count} lần trong một ngày (tối đa "
            f"{process.caps.calls_per_number_per_day}) nếu lần đầu gọi lúc {crowded.first_call:%H:%M %d/%m/%Y}.",
            en=f"Who never answers gets {crowded.count} calls in one day (at most "
            f"{process.caps.calls_per_number_per_day}) after a first call at {crowded.first_call:%H:%M on %d/%m/%Y}.",
            result=crowded.result,
        )
    messages = crowded_with_messages(process)
    if messages is not None:
        yield problem(
            "too_many_messages",
            "ladder.message.after_misses",
            messages.path,
            vi=f"Khách không nghe sẽ nhận {messages.count} tin nhắn trong 24 giờ (tối đa "
            f"{process.caps.advert_messages}) nếu lần đầu gọi lúc {messages.first_call:%H:%M %d/%m/%Y}.",
            en=f"Who never answers gets {messages.count} messages within 24 hours (at most "
            f"{process.caps.advert_messages}) after a first call at {messages.first_call:%H:%M on %d/%m/%Y}.",
            result=messages.result,
        )


def _numbers(process: CareProcess) -> Iterator[Problem]:
    for path, _ in process.numbers():
        if process.reason_for(path) is None:
            yield problem(
                "no_reason",
                path,
                vi="Con số này chưa có lý do. Thêm vào “reasons”.",
                en="Nobody has said why this number is what it is. Add it to reasons.",
            )
    window = process.calendar(process.windows.asked)
    for name, step in process.steps.items():
        times = (
            [step.due.at]
            if isinstance(step.due, At) and step.due.at is not None
            else [step.due.evening, step.due.morning]
            if isinstance(step.due, OtherHalf)
            else []
        )
        for time_of_day in times:
            second = time_of_day.hour * 3600 + time_of_day.minute * 60
            if not any(period.start <= second < period.end for periods in window.weekly for period in periods):
                yield problem(
                    "never_in_window",
                    f"steps.{name}.due",
                    (name,),
                    vi=f"{time_of_day:%H:%M} không bao giờ nằm trong giờ gọi.",
                    en=f"{time_of_day:%H:%M} is never inside the calling hours.",
                )
    for name, calendar in process.calendars.items():
        if not any(calendar.weekly.values()):
            yield problem(
                "never_open", f"calendars.{name}", vi="Lịch này không mở ngày nào.", en="This calendar is never open."
            )
    yield from _escalation_order(process)


def _escalation_order(process: CareProcess) -> Iterator[Problem]:
    for name, escalation in process.escalations.items():
        for number, (earlier, later) in enumerate(zip(escalation.rungs, escalation.rungs[1:], strict=False), start=1):
            if later.since == earlier.since and later.after < earlier.after:
                yield problem(
                    "escalation_order",
                    f"escalations.{name}.rungs.{number}",
                    vi="Bậc sau phải đến sau bậc trước.",
                    en="A later rung must not come before the one above it.",
                )
    for name, step in process.steps.items():
        for number, rung in enumerate(process.rungs_of(name)):
            if rung.since != "due" and not (isinstance(step.due, After) and step.due.after <= rung.after):
                yield problem(
                    "escalation_order",
                    f"escalations.{step.escalate}.rungs.{number}",
                    (name,),
                    vi="Bậc này tính từ lúc chia số, nhưng bước không bắt đầu từ đó hoặc còn chưa đến hạn.",
                    en="This rung counts from the assignment, but the step does not, or is not due by then.",
                )
