"""The process as a graph: which step can follow which."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from services.orders.care.process import NEXT_TRY, NOW, SKIP_TRY, STAY, CareProcess


@dataclass(frozen=True, slots=True)
class Graph:
    """Edges of a process in which every name is known.

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
        by_itself = {name: tuple(dict.fromkeys(_ways_on(process, name))) for name in process.steps}
        edges = {name: tuple(dict.fromkeys((*ways, *_returns(process, name)))) for name, ways in by_itself.items()}
        return cls(
            start=process.start,
            ends=frozenset(name for name, step in process.steps.items() if step.end),
            limited=frozenset(name for name, step in process.steps.items() if step.max is not None),
            edges=edges,
            by_itself=by_itself,
            paths=_shortest_paths(edges, (*process.resume.values(), process.do_not_call))
            | _shortest_paths(edges, (process.start,)),
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
        """Circles in which no step has a `max`, each once, as the steps in order with the first one again at the end."""
        free = {
            name: tuple(way for way in ways if way not in self.limited)
            for name, ways in self.by_itself.items()
            if name not in self.limited
        }
        found: set[frozenset[str]] = set()
        for name in free:
            for way in free[name]:
                back = _shortest_paths(free, (way,)).get(name)
                if back is not None and frozenset(back) not in found:
                    found.add(frozenset(back))
                    yield (name, *back)


def _ways_on(process: CareProcess, name: str) -> Iterator[str]:
    step = process.steps[name]
    if step.task != "wait":
        yield from _answers(process, name)
    for target in (step.done, step.timeout):
        if target is not None:
            yield target
    if any(rung.do == "release_to_pool" for rung in process.rungs_of(name)):
        yield process.pool


def _returns(process: CareProcess, name: str) -> Iterator[str]:
    step = process.steps[name]
    if step.task == "wait":  # nobody calls from the pool; what is logged there came from the customer
        yield from _answers(process, name)
    if step.claimed is not None:
        yield step.claimed
    if step.came_again is not None and step.came_again != NOW:
        yield step.came_again


def _answers(process: CareProcess, name: str) -> Iterator[str]:
    for (at, _), goes in process.table.items():
        if at == name:
            yield from _meant(process, name, goes.to)


def _meant(process: CareProcess, name: str, target: str) -> Iterator[str]:
    """The steps that a target can mean when it is followed from the step `name`."""
    ladder = process.ladder
    if target in (NEXT_TRY, SKIP_TRY):
        place = ladder.steps.index(name) + 1 if name in ladder.steps else 0
        if target == SKIP_TRY:
            place += 1
            yield ladder.then  # too often switched off
        yield ladder.steps[place] if place < len(ladder.steps) else ladder.then
    elif target != STAY:
        yield target
        then = process.steps[target].then
        if then is not None and then != target:
            yield from _meant(process, name, then)


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
