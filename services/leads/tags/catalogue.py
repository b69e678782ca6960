"""The catalogue: groups and tags in the database. Every change of a tag is a fact for the other services."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy import text

from services.leads.tags.palette import HEX, Colour
from services.leads.text import plain
from shared.contracts.events.leads_everyday import TAG_CHANGED, TagChanged
from shared.db import ReadSession, Session
from shared.outbox import event_row, write

Object = Literal["lead", "customer"]

_GROUPS: Final = text("SELECT id, object, name, position, version FROM tag_groups ORDER BY object DESC, position, key")
_TAGS: Final = text(
    """
SELECT t.id, t.group_id, t.name, t.colour, t.position, t.retired_at, t.merged_into, t.version
FROM tags t JOIN tag_groups g ON g.id = t.group_id WHERE :retired OR t.retired_at IS NULL
ORDER BY g.object DESC, g.position, g.key, t.position, t.key
"""
)
_ONE: Final = text(
    """
SELECT t.id, t.group_id, t.name, t.colour, t.position, t.retired_at, t.merged_into, t.version, g.object, g.name AS group_name
FROM tags t JOIN tag_groups g ON g.id = t.group_id WHERE t.id = :id
"""
)
_LOCK: Final = text("SELECT id FROM tags WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR UPDATE")
_LOCK_GROUP: Final = text("SELECT id, object, name, position, version FROM tag_groups WHERE id = :id FOR UPDATE")
_NEW_GROUP: Final = text(
    """
INSERT INTO tag_groups (id, object, name, key, position) VALUES (:id, :object, :name, :key, :position)
ON CONFLICT (object, key) DO NOTHING RETURNING id
"""
)
_GROUP_TAKEN: Final = text("SELECT 1 FROM tag_groups WHERE object = :object AND key = :key AND id <> :id")
_EDIT_GROUP: Final = text(
    "UPDATE tag_groups SET name = :name, key = :key, position = :position, version = version + 1 WHERE id = :id"
)
_DROP_GROUP: Final = text(
    "DELETE FROM tag_groups g WHERE id = :id AND NOT EXISTS (SELECT 1 FROM tags t WHERE t.group_id = g.id) RETURNING id"
)
_TAKEN: Final = text(
    "SELECT 1 FROM tags WHERE group_id = :group_id AND key = :key AND id <> :id AND retired_at IS NULL"
)
_NEW: Final = text(
    """
INSERT INTO tags (id, group_id, name, key, colour, position) VALUES (:id, :group_id, :name, :key, :colour, :position)
"""
)
_EDIT: Final = text(
    """
UPDATE tags SET group_id = :group_id, name = :name, key = :key, colour = :colour, position = :position,
    retired_at = CASE WHEN :retired THEN coalesce(retired_at, now()) END, version = version + 1
WHERE id = :id
"""
)
_DROP: Final = text(
    """
DELETE FROM tags t WHERE id = :id AND NOT EXISTS (SELECT 1 FROM lead_tags WHERE tags @> ARRAY[t.id])
    AND NOT EXISTS (SELECT 1 FROM tags m WHERE m.merged_into = t.id) RETURNING id
"""
)
_RETIRE: Final = text("UPDATE tags SET retired_at = coalesce(retired_at, now()), version = version + 1 WHERE id = :id")
_MERGE: Final = text(
    """
UPDATE tags SET retired_at = coalesce(retired_at, now()), merged_into = :into, version = version + 1
WHERE id = :id OR merged_into = :id RETURNING id
"""
)
_RETAG: Final = text(
    """
UPDATE lead_tags SET version = version + 1, tags = CASE WHEN tags @> ARRAY[CAST(:into AS uuid)]
    THEN array_remove(tags, CAST(:id AS uuid)) ELSE array_replace(tags, CAST(:id AS uuid), CAST(:into AS uuid)) END
WHERE tags @> ARRAY[CAST(:id AS uuid)]
"""
)
_ABOUT: Final = text(
    """
SELECT t.id, t.version, t.name, t.colour, g.name AS group_name, t.position, t.retired_at, t.merged_into
FROM tags t JOIN tag_groups g ON g.id = t.group_id WHERE t.id = ANY(CAST(:ids AS uuid[])) AND g.object = 'lead' ORDER BY t.id
"""
)
_OF_GROUP: Final = text("SELECT id FROM tags WHERE group_id = :id")
_COUNTS: Final = text(
    "SELECT tag, count(*) AS leads FROM lead_tags, unnest(tags) AS tag WHERE tag = ANY(CAST(:ids AS uuid[])) GROUP BY tag"
)


@dataclass(frozen=True, slots=True)
class Tag:
    """What somebody says of a tag."""

    group_id: UUID
    name: str
    colour: Colour
    position: int
    retired: bool = False


def key_of(name: str) -> str:
    """What makes two names the same; a name of signs alone is itself."""
    return plain(name) or name.casefold()


async def groups(session: ReadSession) -> Sequence[Any]:
    return (await session.execute(_GROUPS)).all()


async def tags(session: ReadSession, *, retired: bool) -> Sequence[Any]:
    """The tags in the order in which they are shown."""
    return (await session.execute(_TAGS, {"retired": retired})).all()


async def counts(session: ReadSession, ids: Iterable[UUID]) -> Mapping[UUID, int]:
    """How many leads have each tag."""
    return {row.tag: row.leads for row in await session.execute(_COUNTS, {"ids": list(ids)})}


async def one(session: ReadSession, tag_id: UUID) -> Any | None:
    return (await session.execute(_ONE, {"id": tag_id})).one_or_none()


async def lock(session: Session, *ids: UUID) -> None:
    """Holds tags until the commit: nobody gives or takes them meanwhile."""
    await session.execute(_LOCK, {"ids": list(ids)})


async def lock_group(session: Session, group_id: UUID) -> Any | None:
    return (await session.execute(_LOCK_GROUP, {"id": group_id})).one_or_none()


async def add_group(session: Session, group_id: UUID, *, object: Object, name: str, position: int) -> bool:
    """Makes a group; False when its name is taken."""
    values = {"id": group_id, "object": object, "name": name, "key": key_of(name), "position": position}
    return (await session.execute(_NEW_GROUP, values)).first() is not None


async def edit_group(session: Session, group: Any, *, name: str, position: int) -> bool:
    """Changes a locked group; False when its name is taken."""
    values = {"id": group.id, "object": group.object, "name": name, "key": key_of(name), "position": position}
    if (await session.execute(_GROUP_TAKEN, values)).first() is not None:
        return False
    await session.execute(_EDIT_GROUP, values)
    await tell(session, (await session.execute(_OF_GROUP, {"id": group.id})).scalars().all())
    return True


async def drop_group(session: Session, group_id: UUID) -> bool:
    """Takes an empty group away; False when it has tags."""
    return (await session.execute(_DROP_GROUP, {"id": group_id})).first() is not None


async def is_taken(session: ReadSession, tag_id: UUID, tag: Tag) -> bool:
    """Whether another tag of the group in use has the name."""
    values = {"id": tag_id, "group_id": tag.group_id, "key": key_of(tag.name)}
    return (await session.execute(_TAKEN, values)).first() is not None


async def add(session: Session, tag_id: UUID, tag: Tag) -> None:
    await session.execute(_NEW, _values(tag_id, tag))
    await tell(session, [tag_id])


async def edit(session: Session, tag_id: UUID, tag: Tag) -> None:
    """Changes a locked tag."""
    await session.execute(_EDIT, {**_values(tag_id, tag), "retired": tag.retired})
    await tell(session, [tag_id])


async def drop(session: Session, tag_id: UUID) -> bool:
    """Takes a locked tag away that no lead has; False when it was used, and is retired instead."""
    if (await session.execute(_DROP, {"id": tag_id})).first() is not None:
        return True
    await session.execute(_RETIRE, {"id": tag_id})
    await tell(session, [tag_id])
    return False


async def merge(session: Session, tag_id: UUID, into: UUID) -> int:
    """Gives every lead that has a locked tag the other instead, and retires it. Returns how many leads had it.

    The other services are told of the tag alone: they know what it became, so a tag that 200,000 leads have is one fact.
    """
    moved = await session.execute(_MERGE, {"id": tag_id, "into": into})
    changed = [row.id for row in moved]
    leads = await session.execute(_RETAG, {"id": tag_id, "into": into})
    await tell(session, changed)
    return leads.rowcount  # type: ignore[attr-defined,no-any-return]  # an UPDATE gives a cursor result


async def tell(session: Session, ids: Sequence[UUID]) -> None:
    """The facts about tags of leads as they are now."""
    rows = await session.execute(_ABOUT, {"ids": list(ids)})
    await write(
        session,
        [
            event_row(
                TAG_CHANGED,
                TagChanged(
                    tag_id=row.id,
                    version=row.version,
                    name=row.name,
                    colour=row.colour,
                    group=row.group_name,
                    position=row.position,
                    retired=row.retired_at is not None,
                    merged_into=row.merged_into,
                ),
                subject=row.id,
            )
            for row in rows
        ],
    )


def _values(tag_id: UUID, tag: Tag) -> dict[str, Any]:
    return {
        "id": tag_id,
        "group_id": tag.group_id,
        "name": tag.name,
        "key": key_of(tag.name),
        "colour": HEX[tag.colour],
        "position": tag.position,
    }
