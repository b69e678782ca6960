"""What must stay true of levels and moves, whatever a company does with them."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from services.orders.care.seed import cod_standard
from services.orders.levels.catalogue import Catalogue, CustomField, Level, Requirement, Rule, default_rules, next_code
from services.orders.levels.sanity import faults
from shared.contracts.levels import MAIN_LEVELS

SOME_DAY = datetime(2026, 11, 23, tzinfo=UTC)
seed_levels = importlib.import_module("services.orders.migrations.versions.0002_levels")


def seeded() -> Catalogue:
    """What a fresh installation has."""
    levels = {
        code: Level(code=code, vi=vi, en=en, kind=kind, colour=colour, position=position)
        for position, (code, vi, en, kind, colour) in enumerate(seed_levels.LEVELS, start=1)
    }
    rules = [
        Rule(from_level=before, to_level=after, who=tuple(who), permission=permission, requires=tuple(requires))
        for before, after, who, permission, requires in seed_levels.moves()
    ]
    catalogue = Catalogue(version=1, levels=levels, rules={rule.key: rule for rule in rules})
    late = [Rule(from_level=level.code, to_level="C3.1", who=("system",)) for level in catalogue.care_levels()]
    back = [
        Rule(from_level="C3.1", to_level="L1", who=("system",)),
        replace(catalogue.rules["L1.1", "L1"], who=("staff", "system")),
        *(
            Rule(from_level="L5", to_level=code, who=("staff",), permission="orders.reopen", requires=("reason",))
            for code in ("L1.2", "L1.4", "L1.6")
        ),
    ]
    return catalogue.with_rules(*late, *back)


NAMED = frozenset(step.level for step in cod_standard().steps.values())
"""The levels that the seeded process names."""


def with_child(*, kind: str = "open", code: str = "L1.7") -> Catalogue:
    catalogue = seeded()
    child = Level(code=code, vi="Chờ lương", en="Pay day", kind=kind, colour="#0d9488", position=90)  # type: ignore[arg-type]  # a word of the test
    after = catalogue.with_levels(child)
    return after.with_rules(*default_rules(after, child))


def codes(catalogue: Catalogue) -> set[tuple[str, str]]:
    return {(fault.code, fault.where) for fault in faults(catalogue, named=NAMED)}


def by_hand(before: str, after: str, *requires: Requirement, permission: str = "orders.care") -> Rule:
    return Rule(from_level=before, to_level=after, who=("staff",), permission=permission, requires=requires)


def test_the_seed_is_sound() -> None:
    assert faults(seeded(), named=NAMED) == []


@pytest.mark.parametrize("kind", ["open", "final"])
def test_a_child_with_the_moves_of_its_kind_is_sound(kind: str) -> None:
    assert faults(with_child(kind=kind), named=NAMED) == []


def test_an_open_child_goes_wherever_its_siblings_go() -> None:
    catalogue = with_child()
    out = {to: rule for (before, to), rule in catalogue.rules.items() if before == "L1.7"}
    assert set(out) == {"L1.1", "L1.2", "L1.3", "L1.4", "L1.5", "L1.6", "L5", "C3.1"}
    assert (out["L1.1"].requires, out["L1.5"].requires, out["L1.4"].requires) == (("call",), ("reason",), ())
    assert out["C3.1"].who == ("system",)
    into = {before for before, to in catalogue.rules if to == "L1.7"}
    assert into == {"L1", "L1.2", "L1.4", "L1.6"}


def test_a_final_child_is_left_with_a_reason_only_and_reached_with_one() -> None:
    catalogue = with_child(kind="final")
    out = {to: rule for (before, to), rule in catalogue.rules.items() if before == "L1.7"}
    assert set(out) == {"L1.2", "C3.1"}
    assert out["L1.2"].requires == ("reason",)
    assert catalogue.rules["L1.4", "L1.7"].requires == ("reason",)


def test_a_second_child_may_follow_the_first_and_back() -> None:
    catalogue = with_child()
    second = Level(code="L1.8", vi="Chờ chồng", en="Asks family", kind="open", colour="#112233", position=91)
    catalogue = catalogue.with_levels(second)
    catalogue = catalogue.with_rules(*default_rules(catalogue, second))
    assert ("L1.7", "L1.8") in catalogue.rules
    assert ("L1.8", "L1.7") in catalogue.rules
    assert faults(catalogue, named=NAMED) == []


def test_a_code_is_given_once_for_ever() -> None:
    assert next_code(seeded(), "L1") == "L1.7"
    assert next_code(with_child(code="L1.9"), "L1") == "L1.10"


def test_positions_run_through_the_funnel_with_children_after_their_main_level() -> None:
    catalogue = with_child()
    order = [level.code for level in catalogue.children("L1")]
    moved = catalogue.in_order("L1", ["L1.7", *(code for code in order if code != "L1.7")])
    shown = sorted(moved.levels.values(), key=lambda level: level.position)
    assert [level.code for level in shown][2:5] == ["L1", "L1.7", "L1.1"]
    assert [level.code for level in shown if level.is_main] == list(MAIN_LEVELS)
    assert [level.position for level in shown] == list(range(1, len(shown) + 1))


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        (by_hand("L7", "L8"), "carriers_circle"),
        (by_hand("L5", "L7"), "carriers_circle"),
        (by_hand("L7.3", "L8"), "carriers_circle"),
        (Rule(from_level="L7.2", to_level="L7.1", who=("carrier", "system")), "carriers_circle"),
        (by_hand("L7", "L7.4"), "cancelling_unguarded"),
        (by_hand("L5", "L5.3", "reason"), "cancelling_unguarded"),
        (by_hand("L5.3", "L5", "reason"), "not_by_hand"),
        (by_hand("L5", "L1.2", "reason"), "reopening_unguarded"),
        (by_hand("L5", "L1.2", permission="orders.reopen"), "reopening_unguarded"),
        (by_hand("L5", "L1.1", "reason", permission="orders.reopen"), "reopening_unguarded"),
        (by_hand("L1.3", "L1.2"), "requirement_missing"),
        (by_hand("L1.4", "L1.1"), "requirement_missing"),
        (by_hand("L1.4", "L1.3", "reason"), "requirement_missing"),
        (by_hand("L1.4", "L1.5"), "requirement_missing"),
        (by_hand("L1.4", "L1"), "requirement_missing"),
        (by_hand("L1.4", "L5"), "closing_unlike"),
        (by_hand("L1.3", "L5", "order"), "closing_unlike"),
        (by_hand("L1.4", "L5", "order", "note"), "closing_unlike"),
        (Rule(from_level="L1.4", to_level="L5", who=("staff", "system"), requires=("order",)), "people_close"),
        (by_hand("C3", "L1"), "leads_decide"),
        (by_hand("C3.1", "L1", "reason"), "leads_decide"),
        (by_hand("L1.2", "L1.4", permission="staff.admin"), "unknown_permission"),
        (by_hand("L1.2", "L1.4"), "system_move_missing"),  # the process goes there after a missed call
        (by_hand("L1.2", "L1.1", "call"), "system_move_missing"),  # spam ends it
    ],
)
def test_a_move_that_breaks_a_rule_is_named(rule: Rule, code: str) -> None:
    assert (code, f"{rule.from_level}>{rule.to_level}") in codes(seeded().with_rules(rule))


@pytest.mark.parametrize(
    ("key", "code"),
    [
        (("L1.7", "C3.1"), "system_move_missing"),
        (("L1.7", "L1.3"), "system_move_missing"),
        (("L1.7", "L1.4"), "system_move_missing"),
        (("L1.7", "L5"), "closing_missing"),
        (("L5", "L5.3"), "cancelling_missing"),
        (("C3.1", "L1"), "system_move_missing"),
    ],
)
def test_a_move_that_something_needs_cannot_be_taken_away(key: tuple[str, str], code: str) -> None:
    assert (code, f"{key[0]}>{key[1]}") in codes(with_child().without_rule(key))


def test_a_level_that_is_retired_needs_no_moves() -> None:
    catalogue = with_child()
    child = catalogue.levels["L1.7"]
    kept = {key: rule for key, rule in catalogue.rules.items() if "L1.7" not in key}
    assert codes(replace(catalogue, rules=kept)) != set()
    retired = replace(child, retired_at=SOME_DAY)
    assert codes(replace(catalogue.with_levels(retired), rules=kept)) == set()


@pytest.mark.parametrize(
    ("kind", "choices", "good", "bad"),
    [
        ("text", (), ["a", "dài"], [""]),
        ("number", (), ["5", "-5", "1.5"], ["", "5đ", "1.2.3", "-"]),
        ("date", (), ["2026-12-05"], ["", "05/12/2026", "2026-13-01"]),
        ("choice", ("đỏ", "xanh"), ["đỏ"], ["", "tím"]),
    ],
)
def test_a_field_accepts_what_is_of_its_kind(
    kind: str, choices: tuple[str, ...], good: Sequence[str], bad: Sequence[str]
) -> None:
    field = CustomField(key="x", vi="x", en="x", kind=kind, choices=choices)  # type: ignore[arg-type]  # a word of the test
    assert all(field.accepts(value) for value in good)
    assert not any(field.accepts(value) for value in bad)


def test_a_choice_without_choices_is_no_field() -> None:
    with pytest.raises(ValidationError, match="a choice has choices"):
        CustomField(key="x", vi="x", en="x", kind="choice")
