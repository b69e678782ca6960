"""What becomes of the profiles of two customers who are one person, and of the one that is taken apart again. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID


@dataclass(frozen=True)
class Profile:
    """The part of a customer's row that a merge joins."""

    kind: str
    name: str
    tax_code: str
    note: str
    preferences: dict[str, Any]
    fields: dict[str, Any]
    tags: tuple[UUID, ...]
    do_not_call_at: datetime | None
    do_not_call_reason: str
    confirmed_at: datetime | None
    confirmed_by: str
    confirmed_interaction: UUID | None
    blocked_at: datetime | None
    blocked_by: str
    blocked_reason: str


COLUMNS: Final = tuple(field.name for field in fields(Profile))
_TOGETHER: Final = (
    ("do_not_call_at", "do_not_call_reason"),
    ("confirmed_at", "confirmed_by", "confirmed_interaction"),
    ("blocked_at", "blocked_by", "blocked_reason"),
    ("kind",),
    ("name",),
    ("tax_code",),
)
"""Columns that say one thing between them."""


def joined(kept: Profile, gone: Profile) -> Profile:
    """The profile of both: what the one that stays does not know comes from the other. The later refusal counts, the first
    conversation, and the earlier block."""
    refusal = _of(max, kept, gone, "do_not_call_at")
    confirmed = _of(min, kept, gone, "confirmed_at")
    blocked = _of(min, kept, gone, "blocked_at")
    return Profile(
        kind="organisation" if "organisation" in (kept.kind, gone.kind) else "person",
        name=kept.name or gone.name,
        tax_code=kept.tax_code or gone.tax_code,
        note="\n".join(dict.fromkeys(filter(None, (kept.note, gone.note)))),
        preferences={**gone.preferences, **kept.preferences},
        fields={**gone.fields, **kept.fields},
        tags=tuple(dict.fromkeys((*kept.tags, *gone.tags))),
        do_not_call_at=refusal.do_not_call_at,
        do_not_call_reason=refusal.do_not_call_reason,
        confirmed_at=confirmed.confirmed_at,
        confirmed_by=confirmed.confirmed_by,
        confirmed_interaction=confirmed.confirmed_interaction,
        blocked_at=blocked.blocked_at,
        blocked_by=blocked.blocked_by,
        blocked_reason=blocked.blocked_reason,
    )


def parted(now: Profile, *, before: Profile, after: Profile) -> Profile:
    """The profile of the one that stayed, without what the merge brought; what was edited since stays with it.

    Args:
        now: as it is.
        before, after: as the merge found it and left it.
    """
    values: dict[str, Any] = {}
    for columns in _TOGETHER:
        source = before if all(getattr(now, c) == getattr(after, c) for c in columns) else now
        values |= {column: getattr(source, column) for column in columns}
    values["note"] = before.note if now.note == after.note else now.note
    for column in ("preferences", "fields"):
        values[column] = _unjoined(getattr(now, column), getattr(before, column), getattr(after, column))
    brought = set(after.tags) - set(before.tags)
    dropped = set(after.tags) - set(now.tags)
    fresh = [tag for tag in now.tags if tag not in after.tags]
    values["tags"] = (
        *(tag for tag in before.tags if tag not in dropped),
        *(tag for tag in fresh if tag not in brought),
    )
    return Profile(**values)


def restored(gone: Profile, *, now: Profile, after: Profile) -> Profile:
    """The profile of the one that had gone, as it was; a refusal since the merge, whoever made it, holds for both."""
    if now.do_not_call_at is None or now.do_not_call_at == after.do_not_call_at:
        return gone
    return replace(gone, do_not_call_at=now.do_not_call_at, do_not_call_reason=now.do_not_call_reason)


def differences(before: Profile, after: Profile) -> dict[str, list[Any]]:
    """What a history says: column → [before, after]."""
    old, new = asdict(before), asdict(after)
    return {column: [old[column], new[column]] for column in COLUMNS if old[column] != new[column]}


def _of(better: Any, kept: Profile, gone: Profile, column: str) -> Profile:
    """Of two, the one whose instant is the better; the one that stays when they are equal or neither has one."""
    known = [profile for profile in (kept, gone) if getattr(profile, column) is not None]
    chosen: Profile = better(known, key=lambda profile: getattr(profile, column)) if known else kept
    return chosen


def _unjoined(now: dict[str, Any], before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Each key as it was before, unless it was edited since."""
    found = {}
    for key in now.keys() | before.keys():
        source = before if now.get(key) == after.get(key) else now
        if key in source:
            found[key] = source[key]
    return found
