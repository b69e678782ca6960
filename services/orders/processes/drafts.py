"""Drafts of a process: saved by whoever edits, with the history of saves, until one is published or discarded."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.orders.actors import Actor
from services.orders.care.difference import difference
from services.orders.care.process import CareProcess, Text
from services.orders.care.seed import blank
from services.orders.processes import body as bodies
from services.orders.processes import findings, versions
from services.orders.processes.errors import (
    DraftClosed,
    DraftNotFound,
    NewerVersion,
    NothingChanged,
    ProcessNotFound,
    ProcessRetired,
    ProcessUnsound,
    SaveNotFound,
)
from services.orders.processes.views import (
    Difference,
    Draft,
    DraftItem,
    DraftPage,
    Save,
    SaveItem,
    SavePage,
    in_words,
)
from shared.db import ReadSession, Session
from shared.errors import PreconditionFailed

_COLUMNS: Final = "id, key, based_on, version, state, created_at, created_by, changed_at, changed_by, published_as"
_INSERT: Final = text(
    """
INSERT INTO process_drafts (id, key, based_on, body, created_at, created_by_id, created_by, changed_at, changed_by)
VALUES (:id, :key, :based_on, CAST(:body AS json), :at, :by_id, :by, :at, :by)
"""
)
_SAVE: Final = text(
    """
INSERT INTO process_draft_saves (draft_id, version, body, what, at, by_id, by_code)
VALUES (:id, :version, CAST(:body AS json), :what, :at, :by_id, :by)
"""
)
_UPDATE: Final = text(
    """
UPDATE process_drafts SET body = CAST(:body AS json), version = :version, changed_at = :at, changed_by = :by WHERE id = :id
"""
)
_CLOSE: Final = text(
    """
UPDATE process_drafts SET state = :state, published_as = :published_as, changed_at = :at, changed_by = :by WHERE id = :id
"""
)
_ONE: Final = f"SELECT {_COLUMNS}, body FROM process_drafts WHERE key = :key AND id = :id"
_READ: Final = text(_ONE)
_LOCK: Final = text(f"{_ONE} FOR UPDATE")
_PAGE: Final = text(
    f"""
SELECT {_COLUMNS} FROM process_drafts
WHERE key = :key AND (CAST(:after AS uuid) IS NULL OR id < :after) AND (:closed OR state = 'open')
ORDER BY id DESC LIMIT :limit
"""
)
_SAVES: Final = text(
    """
SELECT version, what, at, by_code FROM process_draft_saves
WHERE draft_id = :id AND version < :after ORDER BY version DESC LIMIT :limit
"""
)
_ONE_SAVE: Final = text(
    "SELECT version, what, at, by_code, body FROM process_draft_saves WHERE draft_id = :id AND version = :version"
)
_NEW_PROCESS: Final = text("INSERT INTO processes (key, created_at) VALUES (:key, :at) ON CONFLICT DO NOTHING")
_PUBLISH: Final = text(
    """
INSERT INTO process_versions (key, version, body, published_at, published_by, published_by_id, note, based_on)
VALUES (:key, :version, CAST(:body AS json), :at, :by, :by_id, :note, :based_on)
"""
)


async def create(
    session: Session,
    key: str,
    *,
    from_version: int | None,
    from_process: str | None,
    name: Text | None,
    actor: Actor,
    at: datetime,
) -> DraftItem:
    """Begins a draft: from a version, or from nothing for a process that does not exist yet.

    Args:
        from_version: which; None: the newest, or nothing if the process is new.
        from_process: take the body of another process instead.
        name: of the new process.

    Raises:
        ProcessNotFound, VersionNotFound: there is nothing to begin from.
    """
    source = from_process or key
    newest = await versions.latest_version(session, source)
    if newest is None and (from_process is not None or from_version is not None):
        raise ProcessNotFound(key=source)
    process = blank() if newest is None else (await versions.version(session, source, from_version or newest)).process
    if name is not None:
        process = process.model_copy(update={"name": name})
    # A draft of a process rests on a version of its own, wherever its body comes from.
    based_on = (from_version or newest) if source == key else await versions.latest_version(session, key)
    body = bodies.dump(process, key=key, version=(based_on or 0) + 1)
    draft_id = uuid7()
    values = {"id": draft_id, "body": body, "at": at, "by_id": actor.account_id, "by": actor.code}
    await session.execute(_INSERT, {**values, "key": key, "based_on": based_on})
    await session.execute(_SAVE, {**values, "version": 1, "what": "created"})
    return _item(await _exists(session, key, draft_id))


async def read(session: ReadSession, key: str, draft_id: UUID) -> Draft:
    """A draft with its body and what the checker says of it.

    Raises:
        DraftNotFound: there is none.
    """
    row = await _exists(session, key, draft_id)
    process = _process(row)
    checked = await findings.check(session, process)
    return Draft(**dict(_item(row)), process=process, sound=checked.sound, findings=checked.findings)


async def page(session: ReadSession, key: str, *, limit: int, after: UUID | None, closed: bool) -> DraftPage:
    """The drafts of a process, the newest first.

    Args:
        closed: also those that were published or discarded.
    """
    rows = (await session.execute(_PAGE, {"key": key, "after": after, "closed": closed, "limit": limit})).all()
    items = [DraftItem.model_validate(dict(row._mapping)) for row in rows]
    return DraftPage(items=items, next=items[-1].id if len(items) == limit else None)


async def save(
    session: Session, key: str, draft_id: UUID, process: CareProcess, *, version: int, actor: Actor, at: datetime
) -> Draft:
    """Replaces the whole body.

    Raises:
        DraftNotFound, DraftClosed: there is no open draft.
        PreconditionFailed: it is not at `version` any more.
    """
    row = await _open(session, key, draft_id, version=version)
    await _write(session, row, process, what="saved", actor=actor, at=at)
    return await read(session, key, draft_id)


async def save_step(
    session: Session,
    key: str,
    draft_id: UUID,
    step: str,
    edit: bodies.StepEdit,
    *,
    version: int,
    actor: Actor,
    at: datetime,
) -> Draft:
    """Adds or replaces one step; errors as `save`."""
    row = await _open(session, key, draft_id, version=version)
    process = CareProcess.model_validate(bodies.with_step(row.body, step, edit))
    await _write(session, row, process, what=f"step {step}", actor=actor, at=at)
    return await read(session, key, draft_id)


async def remove_step(
    session: Session, key: str, draft_id: UUID, step: str, *, version: int, actor: Actor, at: datetime
) -> Draft:
    """Removes one step; errors as `save`.

    Raises:
        StepNotFound: there is no such step.
    """
    row = await _open(session, key, draft_id, version=version)
    process = CareProcess.model_validate(bodies.without_step(row.body, step))
    await _write(session, row, process, what=f"removed {step}", actor=actor, at=at)
    return await read(session, key, draft_id)


async def discard(session: Session, key: str, draft_id: UUID, *, version: int, actor: Actor, at: datetime) -> None:
    """Ends a draft without publishing it; its history stays. Errors as `save`."""
    await _open(session, key, draft_id, version=version)
    await session.execute(
        _CLOSE, {"id": draft_id, "state": "discarded", "published_as": None, "at": at, "by": actor.code}
    )


async def saves(session: ReadSession, key: str, draft_id: UUID, *, limit: int, after: int | None) -> SavePage:
    """Who saved when, the latest first.

    Raises:
        DraftNotFound: there is no such draft.
    """
    await _exists(session, key, draft_id)
    rows = await session.execute(_SAVES, {"id": draft_id, "after": after or 2**31 - 1, "limit": limit})
    items = [SaveItem.model_validate(dict(row._mapping)) for row in rows]
    return SavePage(items=items, next=items[-1].version if len(items) == limit else None)


async def one_save(session: ReadSession, key: str, draft_id: UUID, number: int) -> Save:
    """The body as it was saved then.

    Raises:
        DraftNotFound, SaveNotFound: there is none.
    """
    await _exists(session, key, draft_id)
    row = (await session.execute(_ONE_SAVE, {"id": draft_id, "version": number})).one_or_none()
    if row is None:
        raise SaveNotFound(version=number)
    item = SaveItem.model_validate(row, from_attributes=True)
    return Save(**dict(item), process=CareProcess.model_validate(row.body))


async def compare(session: ReadSession, key: str, draft_id: UUID, *, to: int | None) -> Difference:
    """What the draft changes in a version, the newest unless `to` says another.

    Raises:
        DraftNotFound, VersionNotFound: there is none.
        ProcessNotFound: the process has no version yet to compare with.
    """
    draft = await _exists(session, key, draft_id)
    number = to or await versions.latest_version(session, key)
    if number is None:
        raise ProcessNotFound(key=key)
    before = (await versions.version(session, key, number)).process
    return in_words(difference(before, _process(draft)), before=f"{key}@{number}", after=f"draft {draft_id}")


async def publish(
    session: Session,
    key: str,
    draft_id: UUID,
    *,
    version: int,
    replaces: int | None,
    note: str,
    actor: Actor,
    at: datetime,
) -> int:
    """Makes a draft the newest version of its process, for ever as it is. Running care stays in its version.

    Args:
        replaces: the newest version as the publisher has seen it, where that is not the one on which the draft rests.

    Returns:
        The number of the version.

    Raises:
        DraftNotFound, DraftClosed, PreconditionFailed: as `save`.
        ProcessRetired: nobody would begin with it.
        NewerVersion: somebody else published meanwhile, and the publisher has not seen it.
        ProcessUnsound: the checker objects.
        NothingChanged: it says what the newest version says.
    """
    row = await _open(session, key, draft_id, version=version)
    await session.execute(_NEW_PROCESS, {"key": key, "at": at})
    if (await versions.lock(session, key)).retired_at is not None:
        raise ProcessRetired(key=key)
    newest = await versions.latest(session, key)
    process = _process(row)
    if newest is not None:
        if newest.version not in (row.based_on, replaces):
            raise NewerVersion(latest=newest.version, by=newest.published_by or "?")
        if not difference(newest.process, process):
            raise NothingChanged(version=newest.version)
    checked = await findings.check(session, process)
    if not checked.sound:
        errors = [each for each in checked.findings if each.severity == "error"]
        raise ProcessUnsound(count=len(errors), findings=[each.model_dump() for each in checked.findings])
    number = newest.version + 1 if newest is not None else 1
    await session.execute(
        _PUBLISH,
        {
            "key": key,
            "version": number,
            "body": bodies.dump(process, key=key, version=number),
            "at": at,
            "by": actor.code,
            "by_id": actor.account_id,
            "note": note,
            "based_on": row.based_on,
        },
    )
    await session.execute(
        _CLOSE, {"id": draft_id, "state": "published", "published_as": number, "at": at, "by": actor.code}
    )
    return number


async def _exists(session: ReadSession, key: str, draft_id: UUID) -> Any:
    row = (await session.execute(_READ, {"key": key, "id": draft_id})).one_or_none()
    if row is None:
        raise DraftNotFound
    return row


async def _open(session: Session, key: str, draft_id: UUID, *, version: int) -> Any:
    row = (await session.execute(_LOCK, {"key": key, "id": draft_id})).one_or_none()
    if row is None:
        raise DraftNotFound
    if row.state != "open":
        raise DraftClosed(state=row.state)
    if row.version != version:
        raise PreconditionFailed
    return row


async def _write(session: Session, row: Any, process: CareProcess, *, what: str, actor: Actor, at: datetime) -> None:
    values = {
        "id": row.id,
        "version": row.version + 1,
        "body": bodies.dump(process, key=row.key, version=(row.based_on or 0) + 1),
        "at": at,
        "by": actor.code,
    }
    await session.execute(_UPDATE, values)
    await session.execute(_SAVE, {**values, "what": what, "by_id": actor.account_id})


def _item(row: Any) -> DraftItem:
    return DraftItem.model_validate(row, from_attributes=True)


def _process(row: Any) -> CareProcess:
    return CareProcess.model_validate(row.body)
