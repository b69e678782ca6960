"""The catalogue in the database: read, locked, written as a numbered change with its event."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, Literal

import orjson
from pydantic import TypeAdapter
from sqlalchemy import text

from services.orders.actors import Actor
from services.orders.levels.catalogue import Catalogue, CustomField, Level, Rule
from services.orders.levels.errors import CatalogueBroken
from services.orders.levels.sanity import faults
from shared.contracts.events.orders import LEVEL_CATALOGUE_CHANGED, LevelCatalogueChanged, LevelNow
from shared.contracts.levels import main_level
from shared.db import ReadSession, Session
from shared.errors import PreconditionFailed
from shared.outbox import emit

What = Literal[
    "level_added", "level_edited", "level_retired", "level_restored", "levels_ordered", "move_set", "move_removed"
]

_FIELDS: Final = TypeAdapter(tuple[CustomField, ...])
_VERSION: Final = text("SELECT version FROM level_catalogue")
_LOCK: Final = text("SELECT version FROM level_catalogue FOR UPDATE")
_LEVELS: Final = text("SELECT code, vi, en, kind, colour, position, retired_at FROM levels ORDER BY position")
_RULES: Final = text(
    "SELECT from_level, to_level, who, permission, groups, requires, fields FROM level_transitions ORDER BY 1, 2"
)
_SAVE_LEVELS: Final = text(
    """
INSERT INTO levels (code, vi, en, kind, parent, colour, position, retired_at)
SELECT code, vi, en, kind, nullif(split_part(code, '.', 1), code), colour, position, retired_at
FROM unnest(CAST(:code AS text[]), CAST(:vi AS text[]), CAST(:en AS text[]), CAST(:kind AS text[]),
    CAST(:colour AS text[]), CAST(:position AS integer[]), CAST(:retired_at AS timestamptz[]))
    AS t (code, vi, en, kind, colour, position, retired_at)
ON CONFLICT (code) DO UPDATE SET vi = excluded.vi, en = excluded.en, colour = excluded.colour,
    position = excluded.position, retired_at = excluded.retired_at
"""
)
_SAVE_RULE: Final = text(
    """
INSERT INTO level_transitions (from_level, to_level, who, permission, groups, requires, fields)
VALUES (:from_level, :to_level, :who, :permission, :groups, :requires, CAST(:fields AS jsonb))
ON CONFLICT (from_level, to_level) DO UPDATE SET who = excluded.who, permission = excluded.permission,
    groups = excluded.groups, requires = excluded.requires, fields = excluded.fields
"""
)
_DROP_RULE: Final = text("DELETE FROM level_transitions WHERE from_level = :from_level AND to_level = :to_level")
_BUMP: Final = text("UPDATE level_catalogue SET version = :version, changed_at = :at")
_CHANGE: Final = text(
    """
INSERT INTO level_changes (version, at, by_id, by_code, what, subject, before, after, reason)
VALUES (:version, :at, :by_id, :by_code, :what, :subject, CAST(:before AS jsonb), CAST(:after AS jsonb), :reason)
"""
)
# The levels to which the versions that new care begins with, or that open care follows, bring orders.
_NAMED: Final = text(
    """
WITH followed AS (
    SELECT DISTINCT process AS key, process_version AS version FROM care WHERE is_open
    UNION SELECT v.key, max(v.version) FROM process_versions v JOIN processes p USING (key)
    WHERE p.retired_at IS NULL GROUP BY v.key
)
SELECT s.value ->> 'level' FROM followed f JOIN process_versions p USING (key, version), json_each(p.body -> 'steps') s
WHERE s.value ->> 'level' IS NOT NULL
UNION SELECT json_object_keys(p.body -> 'resume') FROM followed f JOIN process_versions p USING (key, version)
"""
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of the catalogue, for its history. `before` and `after` are what people see of the subject."""

    what: What
    subject: str
    before: Any = None
    after: Any = None
    reason: str = ""


async def read(session: ReadSession) -> Catalogue:
    """The catalogue as it is."""
    version: int = (await session.execute(_VERSION)).scalar_one()
    return await _read(session, version)


async def lock(session: Session, *, expected: int) -> Catalogue:
    """The catalogue, to be changed by nobody else until the transaction ends.

    Raises:
        PreconditionFailed: it is not the expected version any more.
    """
    version: int = (await session.execute(_LOCK)).scalar_one()
    if version != expected:
        raise PreconditionFailed
    return await _read(session, version)


async def _read(session: ReadSession, version: int) -> Catalogue:
    found = {row.code: Level(**row._mapping) for row in await session.execute(_LEVELS)}
    rules = [_rule(row) for row in await session.execute(_RULES)]
    return Catalogue(version=version, levels=found, rules={rule.key: rule for rule in rules})


def _rule(row: Any) -> Rule:
    return Rule(
        from_level=row.from_level,
        to_level=row.to_level,
        who=tuple(row.who),
        permission=row.permission,
        groups=tuple(row.groups),
        requires=tuple(row.requires),
        fields=fields_of(row.fields),
    )


def fields_of(column: Any) -> tuple[CustomField, ...]:
    """The `fields` column of a move."""
    return _FIELDS.validate_python(column) if column else ()


async def named_by_processes(session: ReadSession) -> frozenset[str]:
    """The levels that care processes name, the current versions and those that open care follows."""
    return frozenset((await session.execute(_NAMED)).scalars())


async def save(
    session: Session, before: Catalogue, after: Catalogue, change: Change, actor: Actor, *, now: datetime
) -> Catalogue:
    """Writes a changed catalogue as the next version, with its history and event. Returns it as it is then.

    Raises:
        CatalogueBroken: it would break what must stay true.
    """
    found = faults(after, named=await named_by_processes(session))
    if found:
        raise CatalogueBroken(faults=[asdict(fault) for fault in found], first_vi=found[0].vi, first_en=found[0].en)
    version = before.version + 1
    await _save_levels(session, [level for code, level in after.levels.items() if before.levels.get(code) != level])
    for rule in after.rules.values():
        if before.rules.get(rule.key) != rule:
            await session.execute(_SAVE_RULE, _columns(rule))
    for key in before.rules.keys() - after.rules.keys():
        await session.execute(_DROP_RULE, {"from_level": key[0], "to_level": key[1]})
    await session.execute(_BUMP, {"version": version, "at": now})
    await session.execute(
        _CHANGE,
        {
            "version": version,
            "at": now,
            "by_id": actor.account_id,
            "by_code": actor.code,
            "what": change.what,
            "subject": change.subject,
            "before": _json(change.before),
            "after": _json(change.after),
            "reason": change.reason,
        },
    )
    await _tell(session, after, version=version, by=actor.code, at=now)
    return Catalogue(version=version, levels=after.levels, rules=after.rules)


async def _save_levels(session: Session, changed: Iterable[Level]) -> None:
    rows = [asdict(level) for level in changed]
    if rows:
        await session.execute(_SAVE_LEVELS, {column: [row[column] for row in rows] for column in rows[0]})


def _columns(rule: Rule) -> dict[str, Any]:
    return {
        "from_level": rule.from_level,
        "to_level": rule.to_level,
        "who": list(rule.who),
        "permission": rule.permission,
        "groups": list(rule.groups),
        "requires": list(rule.requires),
        "fields": _json([field.model_dump() for field in rule.fields]),
    }


def _json(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


async def _tell(session: Session, catalogue: Catalogue, *, version: int, by: str, at: datetime) -> None:
    """Others keep the whole catalogue, so that one event is enough to know it."""
    told = LevelCatalogueChanged(
        version=version,
        at=at,
        by=by,
        levels=tuple(
            LevelNow(
                code=level.code,
                parent=None if level.is_main else main_level(level.code),
                vi=level.vi,
                en=level.en,
                colour=level.colour,
                final=not level.is_open,
                position=level.position,
                retired=not level.is_active,
            )
            for level in sorted(catalogue.levels.values(), key=lambda level: level.position)
        ),
    )
    await emit(session, LEVEL_CATALOGUE_CHANGED, told, subject="levels")
