"""The levels of the company and the table of moves between them, as data; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from shared.contracts import levels, permissions
from shared.contracts.levels import main_level
from shared.errors import Mistake

Kind = Literal["open", "final"]
Requirement = Literal["reason", "call", "order", "note"]

Filled = Annotated[
    dict[str, Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)]], Field(max_length=20)
]
"""What somebody filled in for a move: key → value as text."""

NEEDED_BY_CODE: Final = frozenset(
    {
        *levels.MAIN_LEVELS,
        levels.DUPLICATE,
        levels.WRONG_NUMBER,
        levels.CARE_AGAIN,
        levels.REFUSES_CONTACT,
        levels.CANCELLED_AFTER_CLOSING,
        levels.OUT_FOR_DELIVERY,
        levels.DELIVERY_FAILED,
        levels.RETURNED,
        levels.CANCELLED_AFTER_POSTING,
        levels.RETURNING,
        levels.LOST,
    }
)
"""Levels to which duplicates, spam, refusals, cancellations and carriers bring orders, whatever the care process says."""
PARENTS: Final = frozenset({levels.CLEAN})
"""Main levels that take children of the company's own: from L5 on a level says where stock, parcel and money are, which
facts decide and nobody can make up (rules D1, D5, D17); C3 belongs to leads."""
PERMISSIONS: Final = (
    permissions.ORDERS_CARE,
    permissions.ORDERS_CANCEL,
    permissions.ORDERS_REOPEN,
    permissions.ORDERS_POST,
    permissions.ORDERS_ADMIN,
)
"""What a move by hand may ask for."""


class CustomField(BaseModel):
    """Something that the company wants filled in when an order makes a move."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$", examples=["pay_day"])
    vi: str = Field(min_length=1, max_length=60, examples=["Ngày lĩnh lương"])
    en: str = Field(min_length=1, max_length=60, examples=["Pay day"])
    kind: Literal["text", "number", "date", "choice"] = "text"
    choices: tuple[Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)], ...] = Field(
        default=(), max_length=50, description="of a choice: what may be chosen"
    )

    @model_validator(mode="after")
    def _choices_belong_to_a_choice(self) -> CustomField:
        if (self.kind == "choice") != bool(self.choices):
            raise Mistake(
                "trường lựa chọn phải có choices, trường khác thì không", "a choice has choices, and nothing else has"
            )
        return self

    def accepts(self, value: str) -> bool:
        """Whether a value is one of this kind."""
        match self.kind:
            case "number":
                return value.removeprefix("-").replace(".", "", 1).isdecimal()
            case "date":
                return _is_date(value)
            case "choice":
                return value in self.choices
            case _:
                return bool(value)


def _is_date(value: str) -> bool:
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A level as it is now. `position` runs through the whole funnel, children after their main level."""

    code: str
    vi: str
    en: str
    kind: Kind
    colour: str
    position: int = 0
    retired_at: datetime | None = None

    @property
    def main(self) -> str:
        return main_level(self.code)

    @property
    def is_main(self) -> bool:
        return self.code == self.main

    @property
    def is_open(self) -> bool:
        """Whether orders at it are still worked on (rule D35)."""
        return self.kind == "open"

    @property
    def is_active(self) -> bool:
        return self.retired_at is None

    @property
    def in_care(self) -> bool:
        """L1 or one of its children."""
        return self.main == levels.CLEAN


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """An allowed move; whatever has no rule is refused.

    Args:
        who: staff by hand, system (the care process, with the results that people log, and other services), carrier,
            correction (a carrier's, with a later time of its own).
        permission, groups: what people need to make it by hand; no group = everybody with the permission.
        requires, fields: what has to be given, by hand or with a logged result.
    """

    from_level: str
    to_level: str
    who: tuple[str, ...]
    permission: str = permissions.ORDERS_CARE
    groups: tuple[str, ...] = ()
    requires: tuple[Requirement, ...] = ()
    fields: tuple[CustomField, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        return (self.from_level, self.to_level)

    def allows(self, who: str) -> bool:
        return who in self.who


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """All levels, retired ones too, and all moves."""

    version: int
    levels: Mapping[str, Level]
    rules: Mapping[tuple[str, str], Rule]

    def children(self, parent: str) -> list[Level]:
        """The children of a main level in their order, retired ones too."""
        found = (level for level in self.levels.values() if level.main == parent and not level.is_main)
        return sorted(found, key=lambda level: level.position)

    def care_levels(self) -> list[Level]:
        """L1 and those of its children that are not retired, in their order."""
        found = (level for level in self.levels.values() if level.in_care and level.is_active)
        return sorted(found, key=lambda level: level.position)

    def rule(self, from_level: str, to_level: str) -> Rule | None:
        return self.rules.get((from_level, to_level))

    def with_levels(self, *changed: Level) -> Catalogue:
        return replace(self, levels={**self.levels, **{level.code: level for level in changed}})

    def with_rules(self, *changed: Rule) -> Catalogue:
        return replace(self, rules={**self.rules, **{rule.key: rule for rule in changed}})

    def without_rule(self, key: tuple[str, str]) -> Catalogue:
        return replace(self, rules={each: rule for each, rule in self.rules.items() if each != key})

    def in_order(self, parent: str, codes: Sequence[str]) -> Catalogue:
        """The children of a main level in this order; positions are counted afresh through the whole funnel."""
        ordered: list[Level] = []
        for main in levels.MAIN_LEVELS:
            children = self.children(main)
            if main == parent:
                children.sort(key=lambda level: codes.index(level.code))
            ordered += [self.levels[main], *children]
        return self.with_levels(*(replace(level, position=place) for place, level in enumerate(ordered, start=1)))


def next_code(catalogue: Catalogue, parent: str) -> str:
    """The first code after all that the parent's children ever had: a code is given once."""
    taken = [int(level.code.split(".", 1)[1]) for level in catalogue.children(parent)]
    return f"{parent}.{max(taken, default=0) + 1}"


def required_by_system(level: Level) -> frozenset[str]:
    """Where the system has to be able to bring an order from a level of L1, whatever people do with the table.

    A late verdict of leads makes it a duplicate (C3.1); spam and a wrong number end it (L1.1), the do-not-call list too
    (L1.3); one that had ended goes on when the customer leaves the number again (L1.2, rule D10).
    """
    if not level.in_care:
        return frozenset()
    if level.is_open:
        return frozenset({levels.DUPLICATE, levels.WRONG_NUMBER, levels.REFUSES_CONTACT})
    return frozenset({levels.DUPLICATE, levels.CARE_AGAIN})


def needs_to_enter(level: Level) -> tuple[Requirement, ...]:
    """What a person has to give to end an order at a level of L1 (rules D13, D27)."""
    if level.code in (levels.WRONG_NUMBER, levels.REFUSES_CONTACT):
        return ("call",)
    return () if level.is_open else ("reason",)


def default_rules(catalogue: Catalogue, child: Level) -> Iterator[Rule]:
    """The moves of its kind that a child of L1 begins with: to and from its siblings as results of calls go (rule D15), to
    L5 by a closing, to C3.1 by a late verdict, out of an ended one by a reason (rule D10)."""
    both = ("staff", "system")
    siblings = [level for level in catalogue.care_levels() if level.code != child.code]
    for other in siblings:
        if other.is_open:
            yield Rule(from_level=other.code, to_level=child.code, who=both, requires=needs_to_enter(child))
    if not child.is_open:
        yield Rule(from_level=child.code, to_level=levels.CARE_AGAIN, who=both, requires=("reason",))
    else:
        for other in siblings:
            if not other.is_main:
                yield Rule(from_level=child.code, to_level=other.code, who=both, requires=needs_to_enter(other))
        yield Rule(from_level=child.code, to_level=levels.CLOSED, who=("staff",), requires=("order",))
    yield Rule(from_level=child.code, to_level=levels.DUPLICATE, who=("system",))
