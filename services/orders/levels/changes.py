"""What people do to the catalogue: each is one numbered change under the catalogue's lock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import text

from services.orders.actors import Actor
from services.orders.levels import store, usage
from services.orders.levels.catalogue import (
    NEEDED_BY_CODE,
    PARENTS,
    Catalogue,
    CustomField,
    Kind,
    Level,
    Requirement,
    Rule,
    default_rules,
    next_code,
)
from services.orders.levels.errors import (
    AlreadySo,
    CodeTaken,
    GroupUnknown,
    LevelInUse,
    LevelNeeded,
    LevelRetired,
    LevelUnknown,
    MainLevelFixed,
    MoveUnknown,
    NameTaken,
    NoChildrenHere,
    NotAllChildren,
)
from services.orders.levels.store import Change
from shared.db import Session

_GROUPS: Final = text("SELECT DISTINCT group_name FROM staff_members WHERE version > 0 AND group_name <> '' ORDER BY 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLevel:
    parent: str
    number: int | None
    vi: str
    en: str
    colour: str
    kind: Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What None leaves as it is."""

    vi: str | None = None
    en: str | None = None
    colour: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ByHand:
    """What somebody says of a move: whether people make it, and care; what it needs. What carriers do stays."""

    staff: bool
    care: bool
    permission: str
    groups: tuple[str, ...]
    requires: tuple[Requirement, ...]
    fields: tuple[CustomField, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class By:
    """Whose change it is, on which version of the catalogue it rests, and why."""

    actor: Actor
    version: int
    now: datetime
    reason: str = ""


async def add(session: Session, new: NewLevel, by: By) -> tuple[Catalogue, Level]:
    """A child of a main level, last among its siblings, with the moves of its kind.

    Raises:
        NoChildrenHere, CodeTaken, NameTaken: it cannot be added so.
        PreconditionFailed: somebody changed the catalogue meanwhile.
    """
    before = await store.lock(session, expected=by.version)
    if new.parent not in PARENTS:
        raise NoChildrenHere(parent=new.parent, parents=", ".join(sorted(PARENTS)))
    code = next_code(before, new.parent) if new.number is None else f"{new.parent}.{new.number}"
    if code in before.levels:
        raise CodeTaken(code=code)
    level = Level(code=code, vi=new.vi, en=new.en, kind=new.kind, colour=new.colour)
    _ensure_names_free(before, level)
    children = [child.code for child in before.children(new.parent)]
    after = before.with_levels(replace(level, position=10**6)).in_order(new.parent, [*children, code])
    level = after.levels[code]
    after = after.with_rules(*default_rules(after, level))
    change = Change(what="level_added", subject=code, after=seen(level), reason=by.reason)
    return await store.save(session, before, after, change, by.actor, now=by.now), level


async def edit(session: Session, code: str, wanted: Edit, by: By) -> tuple[Catalogue, Level]:
    """Other names or another colour.

    Raises:
        LevelUnknown, MainLevelFixed, NameTaken, PreconditionFailed: it cannot be changed so.
    """
    before = await store.lock(session, expected=by.version)
    level = _child(before, code)
    changed = replace(level, vi=wanted.vi or level.vi, en=wanted.en or level.en, colour=wanted.colour or level.colour)
    _ensure_names_free(before, changed)
    if changed == level:
        return before, level
    change = Change(what="level_edited", subject=code, before=seen(level), after=seen(changed), reason=by.reason)
    after = before.with_levels(changed)
    return await store.save(session, before, after, change, by.actor, now=by.now), changed


async def order(session: Session, parent: str, codes: Sequence[str], by: By) -> Catalogue:
    """The children of a main level in another order, the retired ones among them.

    Raises:
        NotAllChildren: it is not the children, each once.
        PreconditionFailed: somebody changed the catalogue meanwhile.
    """
    before = await store.lock(session, expected=by.version)
    present = [child.code for child in before.children(parent)]
    if sorted(codes) != sorted(present) or not present:
        raise NotAllChildren(parent=parent, expected=", ".join(present))
    if list(codes) == present:
        return before
    change = Change(what="levels_ordered", subject=parent, before=present, after=list(codes), reason=by.reason)
    return await store.save(session, before, before.in_order(parent, codes), change, by.actor, now=by.now)


async def retire(session: Session, code: str, by: By) -> tuple[Catalogue, Level]:
    """Nobody brings an order to it any more; histories and reports go on showing it.

    Raises:
        LevelUnknown, MainLevelFixed, LevelNeeded, AlreadySo, LevelInUse, PreconditionFailed: it has to stay.
    """
    before = await store.lock(session, expected=by.version)
    level = _child(before, code)
    if code in NEEDED_BY_CODE:
        raise LevelNeeded(code=code)
    if not level.is_active:
        raise AlreadySo(code=code)
    uses = await usage.uses_of(session, code)
    if uses:
        raise LevelInUse(
            code=code,
            uses=[asdict(use) for use in uses],
            told_vi="; ".join(use.vi for use in uses),
            told_en="; ".join(use.en for use in uses),
        )
    retired = replace(level, retired_at=by.now)
    change = Change(what="level_retired", subject=code, before=seen(level), after=seen(retired), reason=by.reason)
    after = before.with_levels(retired)
    return await store.save(session, before, after, change, by.actor, now=by.now), retired


async def restore(session: Session, code: str, by: By) -> tuple[Catalogue, Level]:
    """A retired level is used again, with its moves, and those of its kind that came to be meanwhile.

    Raises:
        LevelUnknown, MainLevelFixed, AlreadySo, NameTaken, PreconditionFailed: it cannot be.
    """
    before = await store.lock(session, expected=by.version)
    level = _child(before, code)
    if level.is_active:
        raise AlreadySo(code=code)
    restored = replace(level, retired_at=None)
    _ensure_names_free(before, restored)
    after = before.with_levels(restored)
    missing = [rule for rule in default_rules(after, restored) if after.rules.get(rule.key) is None]
    change = Change(what="level_restored", subject=code, before=seen(level), after=seen(restored), reason=by.reason)
    return await store.save(session, before, after.with_rules(*missing), change, by.actor, now=by.now), restored


async def set_move(session: Session, from_level: str, to_level: str, wanted: ByHand, by: By) -> tuple[Catalogue, Rule]:
    """Allows a move, or changes who may make it and what it needs; what carriers do by it stays.

    Raises:
        LevelUnknown, LevelRetired, GroupUnknown, CatalogueBroken, PreconditionFailed: the table cannot be so.
    """
    before = await store.lock(session, expected=by.version)
    for code in (from_level, to_level):
        if code not in before.levels:
            raise LevelUnknown(code=code, what="level")
        if not before.levels[code].is_active:
            raise LevelRetired(code=code)
    await _ensure_groups(session, wanted.groups)
    known = before.rule(from_level, to_level)
    carriers = tuple(who for who in (known.who if known else ()) if who in ("carrier", "correction"))
    by_us = ("staff",) * wanted.staff + ("system",) * wanted.care
    rule = Rule(
        from_level=from_level,
        to_level=to_level,
        who=(*by_us, *carriers),
        permission=wanted.permission,
        groups=wanted.groups,
        requires=wanted.requires,
        fields=wanted.fields,
    )
    if rule == known:
        return before, rule
    change = Change(
        what="move_set",
        subject=f"{from_level}>{to_level}",
        before=seen_rule(known) if known else None,
        after=seen_rule(rule),
        reason=by.reason,
    )
    return await store.save(session, before, before.with_rules(rule), change, by.actor, now=by.now), rule


async def remove_move(session: Session, from_level: str, to_level: str, by: By) -> Catalogue:
    """Neither people nor care make this move any more; what carriers do by it stays.

    Raises:
        MoveUnknown, CatalogueBroken, PreconditionFailed: it is not there, or has to stay.
    """
    before = await store.lock(session, expected=by.version)
    known = before.rule(from_level, to_level)
    if known is None or not (known.allows("staff") or known.allows("system")):
        raise MoveUnknown(from_level=from_level, to_level=to_level, what="move")
    carriers = tuple(who for who in known.who if who in ("carrier", "correction"))
    after = before.without_rule(known.key)
    if carriers:
        after = before.with_rules(Rule(from_level=from_level, to_level=to_level, who=carriers))
    change = Change(what="move_removed", subject=f"{from_level}>{to_level}", before=seen_rule(known), reason=by.reason)
    return await store.save(session, before, after, change, by.actor, now=by.now)


def seen(level: Level) -> dict[str, Any]:
    """A level as the history shows it."""
    return {
        "vi": level.vi,
        "en": level.en,
        "kind": level.kind,
        "colour": level.colour,
        "retired": not level.is_active,
    }


def seen_rule(rule: Rule) -> dict[str, Any]:
    """A move as the history shows it."""
    return {
        "who": list(rule.who),
        "permission": rule.permission,
        "groups": list(rule.groups),
        "requires": list(rule.requires),
        "fields": [field.model_dump() for field in rule.fields],
    }


def _child(catalogue: Catalogue, code: str) -> Level:
    level = catalogue.levels.get(code)
    if level is None:
        raise LevelUnknown(code=code, what="level")
    if level.is_main:
        raise MainLevelFixed(code=code)
    return level


def _ensure_names_free(catalogue: Catalogue, wanted: Level) -> None:
    """Two levels of one name could not be told apart on the screen."""
    for level in catalogue.levels.values():
        if level.code != wanted.code and level.is_active:
            for name, other in ((wanted.vi, level.vi), (wanted.en, level.en)):
                if name.casefold() == other.casefold():
                    raise NameTaken(name=name, code=level.code)


async def _ensure_groups(session: Session, groups: Sequence[str]) -> None:
    if groups:
        known = list((await session.execute(_GROUPS)).scalars())
        unknown = sorted(set(groups) - set(known))
        if unknown:
            raise GroupUnknown(groups=", ".join(unknown), known=", ".join(known))
