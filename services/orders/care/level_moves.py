"""Whether the company's table of allowed moves lets an order take every way of a process."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from services.orders.care.graph import Graph, Link, links
from services.orders.care.problem import Problem, problem
from services.orders.care.process import KEEP, CareProcess
from shared.contracts.levels import CLEAN, CLOSED

Moves = Mapping[tuple[str, str], Collection[str]]
"""(from, to) → who may: staff, system, carrier, correction."""


def forbidden_moves(process: CareProcess, graph: Graph, moves: Moves) -> Iterator[Problem]:
    """Ways of a process from a level to another that the table does not know."""
    told: set[tuple[str, str]] = set()
    listed = Link(process.do_not_call, "timeout")  # at any moment the number may come onto the do-not-call list
    for name, levels in _levels_at(process).items():
        for link in (*links(process, name), *(() if process.steps[name].end else (listed,))):
            target = process.steps[link.to].level
            for level in sorted(levels):
                missing = _missing(moves.get((level, target), ()), link, target)
                if target in (KEEP, level) or not missing or (level, target) in told:
                    continue
                told.add((level, target))
                yield problem(
                    "forbidden_move",
                    f"steps.{link.to}.level",
                    (*graph.path_to(name), link.to),
                    vi=f"Bảng chuyển trạng thái không cho {' và '.join(missing)} chuyển từ {level} sang {target}. "
                    "Thêm vào bảng hoặc đổi trạng thái của bước.",
                    en=f"The table of moves lets {' and '.join(missing)} not go from {level} to {target}. "
                    "Add it there, or give the step another level.",
                )


def _missing(who: Collection[str], link: Link, target: str) -> list[str]:
    """Those who have to be allowed and are not: time moves orders as the system does, results as staff or, logged late,
    as the system; a closing is always somebody's."""
    needed = ["staff"] if target == CLOSED else ["staff", "system"] if link.by == "result" else ["system"]
    return [each for each in needed if each not in who]


def _levels_at(process: CareProcess) -> dict[str, set[str]]:
    """The levels that an order can have at each step: a step may leave it as it was."""
    found: dict[str, set[str]] = {name: set() for name in process.steps}
    waiting = [(process.start, CLEAN), *((step, level) for level, step in process.resume.items())]
    while waiting:
        name, before = waiting.pop()
        own = process.steps[name].level
        level = before if own == KEEP else own
        if level not in found[name]:
            found[name].add(level)
            waiting += [(link.to, level) for link in links(process, name)]
    return found
