"""The process as a graph: which step can follow which."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from services.orders.care.process import NEXT_TRY, NOW, SKIP_TRY, STAY, CareProcess

By = Literal["result", "done", "timeout", "released", "claimed", "came_again"]


@dataclass(frozen=True, slots=True)
class Graph:
    """Edges of a process; links that lead to a step nobody knows are left out.

    `edges` are all ways on; `by_itself` those that a care goes without a person taking the number out of the pool and
    without the customer coming back.
    """

    start: str
    ends: frozenset[str]
    limited: frozenset[str]
    edges: dict[str, tuple[str, ...]]
    by_itself: dict[str, tuple[str, ...]]
    paths: dict[str, tuple[str, ...]]

    @classmethod
    def of(cls, process: CareProcess) -> Graph:
        by_itself = {
            name: tuple(dict.fromkeys(link.to for link in links(process, name) if not link.returns))
            for name in process.steps
        }
        edges = {name: tuple(dict.fromkeys(link.to for link in links(process, name))) for name in process.steps}
        return cls(
            start=process.start,
            ends=frozenset(name for name, step in process.steps.items() if step.end),
            limited=frozenset(name for name, step in process.steps.items() if step.max is not None),
            edges=edges,
            by_itself=by_itself,
            paths=_shortest_paths(edges, _known(process, *process.resume.values(), process.do_not_call))
            | _shortest_paths(edges, _known(process, process.start)),
        )

    @property
    def reachable(self) -> frozenset[str]:
        return frozenset(self.paths)

    def path_to(self, step: str) -> tuple[str, ...]:
        """A shortest way from the start (or from where care can be resumed) to a step; the step alone if there is none."""
        return self.paths.get(step, (step,))

    def can_end(self, step: str) -> bool:
        """Whether some way leads from here to an end."""
        return any(reached in self.ends for reached in _shortest_paths(self.by_itself, (step,)))

    def circles_without_limit(self) -> Iterator[tuple[str, ...]]:
        """Circles in which no step has a `max`, as the steps in order with the first one again at the end; of those that
        hold all steps of another, only the other."""
        free = {
            name: tuple(way for way in ways if way not in self.limited)
            for name, ways in self.by_itself.items()
            if name not in self.limited
        }
        circles = [
            (name, *back)
            for name in free
            for way in free[name]
            if (back := _shortest_paths(free, (way,)).get(name)) is not None
        ]
        told: list[frozenset[str]] = []
        for circle in sorted(circles, key=len):
            if not any(steps <= frozenset(circle) for steps in told):
                told.append(frozenset(circle))
                yield circle


@dataclass(frozen=True, slots=True)
class Link:
    """A way from one step to another.

    `returns`: only if a person takes the number out of the pool, or the customer comes back. `direct` ways are what the
    data say, the others are gone once a limit is reached.
    """

    to: str
    by: By
    result: str | None = None
    returns: bool = False
    direct: bool = True


def links(process: CareProcess, name: str) -> Iterator[Link]:
    """Every way on from a step, in the order of the data."""
    for link in _links(process, name):
        if link.to in process.steps:
            yield link


def _links(process: CareProcess, name: str) -> Iterator[Link]:
    step = process.steps[name]
    waits = step.task == "wait"  # nobody calls from the pool; what is logged there came from the customer
    for (at, result), goes in process.table.items():
        if at == name:
            for target, direct in _meant(process, name, goes.to, ()):
                yield Link(target, "result", result, returns=waits, direct=direct)
    if step.done is not None:
        yield Link(step.done, "done")
    if step.timeout is not None:
        yield Link(step.timeout, "timeout")
    escalation = process.escalations.get(step.escalate) if step.escalate is not None else None
    if escalation is not None and any(rung.do == "release_to_pool" for rung in escalation.rungs):
        yield Link(process.pool, "released")
    if step.claimed is not None:
        yield Link(step.claimed, "claimed", returns=True)
    if step.came_again is not None and step.came_again != NOW:
        yield Link(step.came_again, "came_again", returns=True)


def _meant(process: CareProcess, name: str, target: str, seen: tuple[str, ...]) -> Iterator[tuple[str, bool]]:
    """The steps that a target can mean when it is followed from the step `name`, and whether without any limit."""
    ladder = process.ladder
    if target in (NEXT_TRY, SKIP_TRY):
        place = ladder.steps.index(name) + 1 if name in ladder.steps else 0
        if target == SKIP_TRY:
            place += 1
            yield ladder.then, False  # too often switched off
        yield ladder.steps[place] if place < len(ladder.steps) else ladder.then, not seen
    elif target != STAY:
        yield target, not seen
        then = process.steps[target].then if target in process.steps else None
        if then is not None and then not in (target, *seen):
            yield from _meant(process, name, then, (*seen, target))


def _known(process: CareProcess, *names: str) -> tuple[str, ...]:
    return tuple(name for name in names if name in process.steps)


def _shortest_paths(edges: dict[str, tuple[str, ...]], starts: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    paths: dict[str, tuple[str, ...]] = {start: (start,) for start in starts}
    waiting = deque(starts)
    while waiting:
        step = waiting.popleft()
        for way in edges.get(step, ()):
            if way not in paths:
                paths[way] = (*paths[step], way)
                waiting.append(way)
    return paths
