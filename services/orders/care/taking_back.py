"""A result is taken back: care stands again where it stood before. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from services.orders.care.facts import StepState


def taken_back(before: StepState, after: StepState, *, keys: Mapping[str, str], number: int) -> StepState:
    """The state before an interaction, as far as it may come back.

    Args:
        before: what `decide` was given with the interaction.
        after: the state now.
        keys: of tasks that were opened again: old key → new key, because an effect is written once a key, for ever.
        number: of the interaction, which is not considered again.
    """
    return replace(
        before,
        visits=_further_visits(before, after),
        seen=max(before.seen, number),
        task=keys.get(before.task, before.task) if before.task is not None else None,
        reopened=max(before.reopened, after.reopened),
        replans=max(before.replans, after.replans),
        owner_asked=after.owner_asked,
        manager_told=after.manager_told,
    )


def _further_visits(before: StepState, after: StepState) -> dict[str, int]:
    """Visits are the roots of keys, so they are never counted back: the present one gets a number that none had."""
    steps = {*before.visits, *after.visits}
    visits = {step: max(before.visits.get(step, 0), after.visits.get(step, 0)) for step in steps}
    visits[before.step] = visits.get(before.step, 0) + 1
    return visits
