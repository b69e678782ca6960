"""Published versions of care processes, and the end of their use."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import text

from services.orders.care.difference import difference
from services.orders.care.process import CareProcess
from services.orders.processes.errors import ProcessInUse, ProcessNotFound, VersionNotFound
from services.orders.processes.views import (
    Difference,
    ProcessItem,
    ProcessPage,
    Version,
    VersionItem,
    VersionPage,
    in_words,
)
from shared.db import ReadSession, Session

_PAGE: Final = text(
    """
SELECT p.key, v.body -> 'name' ->> 'vi' AS vi, v.body -> 'name' ->> 'en' AS en, v.version AS latest, v.published_at,
    v.published_by, p.retired_at,
    (SELECT count(*) FROM process_drafts d WHERE d.key = p.key AND d.state = 'open') AS open_drafts
FROM processes p CROSS JOIN LATERAL (
    SELECT * FROM process_versions v WHERE v.key = p.key ORDER BY v.version DESC LIMIT 1) v
WHERE p.key > :after ORDER BY p.key LIMIT :limit
"""
)
_VERSIONS: Final = text(
    """
SELECT v.version, v.note, v.published_at, v.published_by, v.based_on, coalesce(c.running, 0) AS running
FROM process_versions v LEFT JOIN (
    SELECT process_version, count(*) AS running FROM care WHERE is_open AND process = :key GROUP BY 1
) c ON c.process_version = v.version
WHERE v.key = :key AND v.version < :after ORDER BY v.version DESC LIMIT :limit
"""
)
_VERSION: Final = text(
    "SELECT version, note, published_at, published_by, body FROM process_versions WHERE key = :key AND version = :version"
)
_LATEST: Final = text("SELECT max(version) FROM process_versions WHERE key = :key")
_LOCK: Final = text("SELECT key, retired_at FROM processes WHERE key = :key FOR UPDATE")
_CHOSEN_BY: Final = text(
    """
SELECT r.name FROM process_choice_rules r
WHERE r.process = :key AND r.version = (SELECT max(version) FROM process_choices)
UNION ALL
SELECT '*' FROM process_choices c
WHERE c.fallback = :key AND c.version = (SELECT max(version) FROM process_choices)
"""
)
_RETIRE: Final = text(
    "UPDATE processes SET retired_at = :at, retired_by = :by, retired_reason = :reason WHERE key = :key AND retired_at IS NULL"
)
_RESTORE: Final = text("UPDATE processes SET retired_at = NULL, retired_by = '', retired_reason = '' WHERE key = :key")


@dataclass(frozen=True)
class Latest:
    """The newest version of a process."""

    version: int
    process: CareProcess
    published_by: str


def read_body(body: dict[str, Any], *, key: str, version: int) -> CareProcess:
    """A stored body as a process. Its row says which version it is."""
    return CareProcess.model_validate(body | {"key": key, "version": version})


async def page(session: ReadSession, *, limit: int, after: str) -> ProcessPage:
    """The processes by key."""
    rows = (await session.execute(_PAGE, {"after": after, "limit": limit})).all()
    items = [ProcessItem.model_validate(dict(row._mapping)) for row in rows]
    return ProcessPage(items=items, next=items[-1].key if len(items) == limit else None)


async def versions(session: ReadSession, key: str, *, limit: int, after: int | None) -> VersionPage:
    """The versions of a process, the newest first.

    Raises:
        ProcessNotFound: there is no such process.
    """
    if await latest_version(session, key) is None:
        raise ProcessNotFound(key=key)
    rows = (await session.execute(_VERSIONS, {"key": key, "after": after or 2**31 - 1, "limit": limit})).all()
    items = [VersionItem.model_validate(dict(row._mapping)) for row in rows]
    return VersionPage(items=items, next=items[-1].version if len(items) == limit else None)


async def version(session: ReadSession, key: str, number: int) -> Version:
    """One version.

    Raises:
        VersionNotFound: there is no such version.
    """
    row = (await session.execute(_VERSION, {"key": key, "version": number})).one_or_none()
    if row is None:
        raise VersionNotFound(key=key, version=number)
    return Version(
        key=key,
        version=number,
        note=row.note,
        published_at=row.published_at,
        published_by=row.published_by,
        process=read_body(row.body, key=key, version=number),
    )


async def latest_version(session: ReadSession, key: str) -> int | None:
    """The number of the newest version; None if there is no such process."""
    newest: int | None = (await session.execute(_LATEST, {"key": key})).scalar_one()
    return newest


async def latest(session: ReadSession, key: str) -> Latest | None:
    """The newest version; None if there is no such process."""
    number = await latest_version(session, key)
    if number is None:
        return None
    found = await version(session, key, number)
    return Latest(number, found.process, found.published_by)


async def compare(session: ReadSession, key: str, before: int, after: int) -> Difference:
    """What two versions differ in, in words.

    Raises:
        VersionNotFound: there is no such version.
    """
    old, new = await version(session, key, before), await version(session, key, after)
    return in_words(difference(old.process, new.process), before=f"{key}@{before}", after=f"{key}@{after}")


async def lock(session: Session, key: str) -> Any:
    """The process, held until the transaction ends.

    Raises:
        ProcessNotFound: there is none.
    """
    row = (await session.execute(_LOCK, {"key": key})).one_or_none()
    if row is None:
        raise ProcessNotFound(key=key)
    return row


async def retire(session: Session, key: str, *, by: str, reason: str, at: datetime) -> None:
    """No care begins with this process any more; what runs goes on. Retiring it twice is once.

    Raises:
        ProcessNotFound: there is none.
        ProcessInUse: a rule of choice still names it.
    """
    await lock(session, key)
    rules = list((await session.execute(_CHOSEN_BY, {"key": key})).scalars())
    if rules:
        raise ProcessInUse(key=key, rules=", ".join(rules))
    await session.execute(_RETIRE, {"key": key, "at": at, "by": by, "reason": reason})


async def restore(session: Session, key: str) -> None:
    """A retired process may be chosen again.

    Raises:
        ProcessNotFound: there is none.
    """
    await lock(session, key)
    await session.execute(_RESTORE, {"key": key})
