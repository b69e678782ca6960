"""Names in a process that nobody knows: steps, levels, results, calendars, escalations."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from fnmatch import fnmatchcase

from services.orders.care.graph import Graph
from services.orders.care.problem import Problem, problem
from services.orders.care.process import KEEP, NOW, PSEUDO_STEPS, CareProcess


def unknown_names(process: CareProcess, graph: Graph, *, levels: Collection[str]) -> Iterator[Problem]:
    """
    Args:
        graph: of the links whose ends are known.
        levels: the level codes that exist in the company.
    """
    yield from _steps(process, graph)
    yield from _levels(process, graph, levels=levels)
    yield from _escalations(process, graph)
    yield from _calendars(process)
    yield from _results(process, graph)


def _steps(process: CareProcess, graph: Graph) -> Iterator[Problem]:
    for where, name in _step_names(process):
        if name not in process.steps and not (name in PSEUDO_STEPS and _may_be_pseudo(where)):
            step, result = _place(process, where)
            yield problem(
                "unknown_step",
                where,
                graph.path_to(step) if step is not None else (),
                vi=f"Không có bước “{name}”. Chọn một bước đang có.",
                en=f"There is no step {name!r}; name an existing one.",
                result=result,
            )
    for number, rule in enumerate(process.rules):
        for place, pattern in enumerate(rule.at):
            if not any(fnmatchcase(name, pattern) for name in process.steps):
                yield problem(
                    "unknown_step",
                    f"rules.{number}.at.{place}",
                    vi=f"Không có bước nào tên “{pattern}”. Chọn một bước đang có.",
                    en=f"No step is called {pattern!r}; name an existing one.",
                )


def _levels(process: CareProcess, graph: Graph, *, levels: Collection[str]) -> Iterator[Problem]:
    named = [(f"steps.{name}.level", step.level, graph.path_to(name)) for name, step in process.steps.items()]
    named += [(f"resume.{level}", level, ()) for level in process.resume]
    for where, level, path in named:
        if level != KEEP and level not in levels:
            yield problem(
                "unknown_level",
                where,
                path,
                vi=f"Không có trạng thái “{level}”. Chọn một trạng thái đang có, hoặc thêm nó trước.",
                en=f"There is no level {level!r}. Choose an existing one, or add it first.",
            )


def _escalations(process: CareProcess, graph: Graph) -> Iterator[Problem]:
    for name, step in process.steps.items():
        if step.escalate is not None and step.escalate not in process.escalations:
            yield problem(
                "unknown_escalation",
                f"steps.{name}.escalate",
                graph.path_to(name),
                vi=f"Không có bậc thang nhắc việc “{step.escalate}”.",
                en=f"There is no escalation {step.escalate!r}.",
            )


def _calendars(process: CareProcess) -> Iterator[Problem]:
    for name, calendar in process.windows.model_dump().items():
        if calendar not in process.calendars:
            yield problem(
                "unknown_calendar",
                f"windows.{name}",
                vi=f"Không có lịch “{calendar}”.",
                en=f"There is no calendar {calendar!r}.",
            )


def _results(process: CareProcess, graph: Graph) -> Iterator[Problem]:
    used = [(f"rules.{n}.results.{result}", result) for n, rule in enumerate(process.rules) for result in rule.results]
    for where, result in [*used, ("ladder.switched_off", process.ladder.switched_off)]:
        if result not in process.results:
            step, _ = _place(process, where)
            yield problem(
                "unknown_result",
                where,
                graph.path_to(step) if step is not None else (),
                vi=f"Không có kết quả gọi “{result}”.",
                en=f"There is no call result {result!r}.",
                result=result,
            )


def _step_names(process: CareProcess) -> Iterator[tuple[str, str]]:
    """Every place where a step is named."""
    for where in ("start", "do_not_call", "pool"):
        yield where, getattr(process, where)
    yield from ((f"resume.{level}", step) for level, step in process.resume.items())
    yield from ((f"ladder.steps.{n}", step) for n, step in enumerate(process.ladder.steps))
    yield "ladder.then", process.ladder.then
    for name, step in process.steps.items():
        for link in ("then", "done", "timeout", "claimed", "came_again"):
            target = getattr(step, link)
            if target is not None and not (link == "came_again" and target == NOW):
                yield f"steps.{name}.{link}", target
    for number, rule in enumerate(process.rules):
        yield from ((f"rules.{number}.results.{result}", goes.to) for result, goes in rule.results.items())


def _may_be_pseudo(where: str) -> bool:
    return where.startswith("rules.") or (where.endswith(".then") and where != "ladder.then")


def _place(process: CareProcess, where: str) -> tuple[str | None, str | None]:
    """The step, and the call result there, at which a place in the data comes to bear."""
    kind, _, rest = where.partition(".")
    if kind == "steps":
        return rest.rpartition(".")[0], None
    if kind == "rules":
        number, _, result = rest.partition(".results.")
        at = process.rules[int(number)].at
        return next((name for name in process.steps if any(fnmatchcase(name, each) for each in at)), None), result
    return None, None
