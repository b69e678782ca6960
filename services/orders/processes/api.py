"""Routes of care processes: versions, drafts, the checker."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.orders.access import Reader
from services.orders.actors import staff
from services.orders.care.process import SnoozeLimits, Text
from services.orders.http import ClockDep, Limit, RuntimeDep
from services.orders.processes import drafts, versions
from services.orders.processes.access import Editor, Publisher
from services.orders.processes.body import EditedProcess, StepEdit
from services.orders.processes.findings import Check
from services.orders.processes.views import (
    Defaults,
    Difference,
    Draft,
    DraftItem,
    DraftPage,
    ProcessPage,
    Save,
    SavePage,
    Version,
    VersionPage,
)
from services.orders.settings import OrdersSettings
from shared.db import Session
from shared.etag import ExpectedVersion, tag
from shared.idempotency import OnceDep
from shared.service import Runtime

router = APIRouter(prefix="/v1/care-processes", tags=["care processes"])

Key = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_]{1,39}$", examples=["cod_standard"])]
StepKey = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_]{0,39}$", examples=["callback"])]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class NewDraft(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{}, {"from_version": 2}, {"name": {"vi": "Mỹ phẩm", "en": "Cosmetics"}}]},
    )

    from_version: int | None = Field(default=None, ge=1, description="the newest if left out")
    from_process: str | None = Field(default=None, max_length=40, description="begin with the body of another process")
    name: Text | None = Field(default=None, description="of a new process")


class Publication(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"note": "Gọi lại lần 2 sau 30 phút thay vì 1 giờ"}]}
    )

    note: Reason = Field(description="what it is for, shown in the list of versions")
    replaces: int | None = Field(
        default=None, ge=1, description="the newest version as you have seen it, if another was published meanwhile"
    )


class Published(BaseModel):
    key: str
    version: int


class Retirement(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "gộp vào cod_standard"}]})

    reason: Reason


class DraftBody(BaseModel):
    """The whole process. Key and version are the server's."""

    model_config = ConfigDict(extra="forbid")

    process: EditedProcess


# --- versions ---------------------------------------------------------------------------------------------------------


@router.get("")
async def list_processes(_: Reader, runtime: RuntimeDep, limit: Limit = 50, after: str = "") -> ProcessPage:
    """The company's care processes."""
    async with runtime.db.read() as session:
        return await versions.page(session, limit=limit, after=after)


@router.get("/{key}/versions")
async def list_versions(
    _: Reader, runtime: RuntimeDep, key: Key, limit: Limit = 50, after: int | None = None
) -> VersionPage:
    """The versions of a process, the newest first, with how much care runs in each."""
    async with runtime.db.read() as session:
        return await versions.versions(session, key, limit=limit, after=after)


@router.get("/{key}/versions/{version}", response_model_exclude_unset=True)
async def get_version(_: Reader, runtime: RuntimeDep, key: Key, version: int) -> Version:
    """One version with its body and the reasons of its steps and numbers."""
    async with runtime.db.read() as session:
        return await versions.version(session, key, version)


@router.get("/{key}/diff")
async def diff_versions(
    _: Reader,
    runtime: RuntimeDep,
    key: Key,
    before: Annotated[int, Query(alias="from", ge=1)],
    after: Annotated[int, Query(alias="to", ge=1)],
) -> Difference:
    """What two versions differ in, in words."""
    async with runtime.db.read() as session:
        return await versions.compare(session, key, before, after)


@router.post("/{key}/retire", status_code=204)
async def retire_process(
    who: Publisher, runtime: RuntimeDep, clock: ClockDep, key: Key, retirement: Retirement
) -> None:
    """'Ngừng dùng': no care begins with it any more; care that runs goes on to its end."""
    async with runtime.db.transaction() as session:
        await versions.retire(session, key, by=who.code, reason=retirement.reason, at=clock())


@router.post("/{key}/restore", status_code=204)
async def restore_process(_: Publisher, runtime: RuntimeDep, key: Key) -> None:
    """A retired process may be chosen and published again."""
    async with runtime.db.transaction() as session:
        await versions.restore(session, key)


def _with_defaults(draft: Draft, runtime: Runtime[OrdersSettings]) -> Draft:
    settings = runtime.settings
    snooze = SnoozeLimits(at_most=timedelta(minutes=settings.snooze_minutes), times=settings.snoozes_per_task)
    return draft.model_copy(update={"defaults": Defaults(snooze=snooze, promise_days=settings.promise_days)})


# --- drafts -----------------------------------------------------------------------------------------------------------


@router.post("/{key}/drafts", status_code=201, response_model=DraftItem)
async def create_draft(
    who: Editor, runtime: RuntimeDep, once: OnceDep, clock: ClockDep, key: Key, new: NewDraft
) -> Response:
    """Begins a draft, from a version or (for a process that does not exist yet) from the least that one needs."""

    async def effect(session: Session) -> DraftItem:
        return await drafts.create(
            session,
            key,
            from_version=new.from_version,
            from_process=new.from_process,
            name=new.name,
            actor=staff(who),
            at=clock(),
        )

    return await once.run(runtime.db, str(who.account_id), effect)


@router.get("/{key}/drafts")
async def list_drafts(
    _: Editor, runtime: RuntimeDep, key: Key, limit: Limit = 50, after: UUID | None = None, closed: bool = False
) -> DraftPage:
    """The drafts of a process, the newest first; with `closed` also those that were published or discarded."""
    async with runtime.db.read() as session:
        return await drafts.page(session, key, limit=limit, after=after, closed=closed)


@router.get("/{key}/drafts/{draft_id}", response_model_exclude_unset=True)
async def get_draft(_: Editor, runtime: RuntimeDep, key: Key, draft_id: UUID, response: Response) -> Draft:
    """A draft with its body, and what the checker says of it as it stands."""
    async with runtime.db.read() as session:
        draft = await drafts.read(session, key, draft_id)
    tag(response, draft.version)
    return _with_defaults(draft, runtime)


@router.put("/{key}/drafts/{draft_id}", response_model_exclude_unset=True)
async def save_draft(
    who: Editor,
    runtime: RuntimeDep,
    clock: ClockDep,
    version: ExpectedVersion,
    key: Key,
    draft_id: UUID,
    body: DraftBody,
    response: Response,
) -> Draft:
    """Saves the whole body. The answer has the checker's hints; only publishing needs them to be gone."""
    async with runtime.db.transaction() as session:
        draft = await drafts.save(session, key, draft_id, body.process, version=version, actor=staff(who), at=clock())
    tag(response, draft.version)
    return _with_defaults(draft, runtime)


@router.put("/{key}/drafts/{draft_id}/steps/{step}", response_model_exclude_unset=True)
async def save_step(
    who: Editor,
    runtime: RuntimeDep,
    clock: ClockDep,
    version: ExpectedVersion,
    key: Key,
    draft_id: UUID,
    step: StepKey,
    edit: StepEdit,
    response: Response,
) -> Draft:
    """Adds or replaces one step, with its results and reasons."""
    async with runtime.db.transaction() as session:
        draft = await drafts.save_step(
            session, key, draft_id, step, edit, version=version, actor=staff(who), at=clock()
        )
    tag(response, draft.version)
    return _with_defaults(draft, runtime)


@router.delete("/{key}/drafts/{draft_id}/steps/{step}", response_model_exclude_unset=True)
async def remove_step(
    who: Editor,
    runtime: RuntimeDep,
    clock: ClockDep,
    version: ExpectedVersion,
    key: Key,
    draft_id: UUID,
    step: StepKey,
    response: Response,
) -> Draft:
    """Removes one step. What still leads to it is named by the checker."""
    async with runtime.db.transaction() as session:
        draft = await drafts.remove_step(session, key, draft_id, step, version=version, actor=staff(who), at=clock())
    tag(response, draft.version)
    return _with_defaults(draft, runtime)


@router.delete("/{key}/drafts/{draft_id}", status_code=204)
async def discard_draft(
    who: Editor, runtime: RuntimeDep, clock: ClockDep, version: ExpectedVersion, key: Key, draft_id: UUID
) -> None:
    """Ends a draft without publishing it. Its history stays."""
    async with runtime.db.transaction() as session:
        await drafts.discard(session, key, draft_id, version=version, actor=staff(who), at=clock())


@router.get("/{key}/drafts/{draft_id}/saves")
async def list_saves(
    _: Editor, runtime: RuntimeDep, key: Key, draft_id: UUID, limit: Limit = 50, after: int | None = None
) -> SavePage:
    """Who saved when, the latest first."""
    async with runtime.db.read() as session:
        return await drafts.saves(session, key, draft_id, limit=limit, after=after)


@router.get("/{key}/drafts/{draft_id}/saves/{version}", response_model_exclude_unset=True)
async def get_save(_: Editor, runtime: RuntimeDep, key: Key, draft_id: UUID, version: int) -> Save:
    """The body as it was saved then; to go back to it, save it again."""
    async with runtime.db.read() as session:
        return await drafts.one_save(session, key, draft_id, version)


@router.get("/{key}/drafts/{draft_id}/diff")
async def diff_draft(
    _: Editor,
    runtime: RuntimeDep,
    key: Key,
    draft_id: UUID,
    to: Annotated[int | None, Query(ge=1, description="the newest version if left out")] = None,
) -> Difference:
    """What the draft changes, in words."""
    async with runtime.db.read() as session:
        return await drafts.compare(session, key, draft_id, to=to)


@router.post("/{key}/drafts/{draft_id}/check")
async def check_draft(_: Editor, runtime: RuntimeDep, key: Key, draft_id: UUID) -> Check:
    """What would refuse the draft, and what its editor should look at once more; each with its path."""
    async with runtime.db.read() as session:
        draft = await drafts.read(session, key, draft_id)
    return Check(sound=draft.sound, findings=draft.findings)


@router.post("/{key}/drafts/{draft_id}/publish", status_code=201, response_model=Published)
async def publish_draft(
    who: Publisher,
    runtime: RuntimeDep,
    once: OnceDep,
    clock: ClockDep,
    version: ExpectedVersion,
    key: Key,
    draft_id: UUID,
    publication: Publication,
) -> Response:
    """'Áp dụng': makes the draft a new, immutable version. New care begins with it; running care stays in its version
    until it is moved (`POST /v1/care-processes/{key}/moves`)."""

    async def effect(session: Session) -> Published:
        number = await drafts.publish(
            session,
            key,
            draft_id,
            version=version,
            replaces=publication.replaces,
            note=publication.note,
            actor=staff(who),
            at=clock(),
        )
        return Published(key=key, version=number)

    return await once.run(runtime.db, str(who.account_id), effect)
