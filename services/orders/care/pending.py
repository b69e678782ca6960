"""What was recorded since the last decision, in the order in which it happened."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from services.orders.care.facts import Command, Facts, Interaction, StepState

What = Literal["interaction", "assignment", "came_again", "level", "command", "pause", "resume"]

# At one instant: a call comes before what it brought about.
_RANK: dict[What, int] = {
    "interaction": 0,
    "assignment": 1,
    "came_again": 2,
    "level": 3,
    "command": 4,
    "pause": 5,
    "resume": 6,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    at: datetime
    what: What
    interaction: Interaction | None = None
    command: Command | None = None


def pending(facts: Facts, state: StepState, now: datetime) -> list[Happening]:
    """Everything that `state` has not considered yet; what claims to lie in the future is taken as of now."""
    found = [
        Happening(at=min(made.at, now), what="interaction", interaction=made)
        for made in facts.interactions
        if made.number > state.seen
    ]
    if facts.assignment_version > state.assignment:
        found.append(Happening(at=min(facts.assigned_at, now), what="assignment"))
    again = facts.customer_came_again_at
    if again is not None and (state.came_again_at is None or again > state.came_again_at):
        found.append(Happening(at=min(again, now), what="came_again"))
    if facts.level != state.level:
        found.append(Happening(at=min(facts.level_since, now), what="level"))
    found += [
        Happening(at=min(command.at, now), what="command", command=command)
        for command in facts.commands
        if command.number > state.commanded
    ]
    pause = facts.pause
    paused = pause is not None and pause.since <= now and (pause.until is None or now < pause.until)
    if paused and pause is not None and not state.paused:
        found.append(Happening(at=pause.since, what="pause"))
    if state.paused and not paused:
        found.append(Happening(at=(pause.until if pause is not None else None) or now, what="resume"))
    return sorted(
        found, key=lambda each: (each.at, _RANK[each.what], getattr(each.interaction or each.command, "number", 0))
    )
