"""What the routes of care processes answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field

from services.orders.care.difference import Change
from services.orders.care.process import CareProcess, SnoozeLimits
from services.orders.processes.findings import Finding


class ProcessItem(BaseModel):
    key: str = Field(examples=["cod_standard"])
    vi: str
    en: str
    latest: int = Field(description="the version with which care begins")
    published_at: datetime
    published_by: str
    retired_at: datetime | None
    open_drafts: int


class ProcessPage(BaseModel):
    items: list[ProcessItem]
    next: str | None = Field(description="`after` of the next page; null on the last")


class VersionItem(BaseModel):
    version: int
    note: str
    published_at: datetime
    published_by: str
    based_on: int | None
    running: int = Field(description="care that runs in this version")


class VersionPage(BaseModel):
    items: list[VersionItem]
    next: int | None = Field(description="`after` of the next page; null on the last")


class Version(BaseModel):
    """One immutable version; `process` is its body with its reasons."""

    key: str
    version: int
    note: str
    published_at: datetime
    published_by: str
    process: CareProcess


class DraftItem(BaseModel):
    id: UUID
    key: str
    based_on: int | None = Field(description="the version from which it began; null: from nothing")
    version: int = Field(description="grows with each save; the ETag")
    state: str = Field(description="open, published, discarded")
    created_at: datetime
    created_by: str
    changed_at: datetime
    changed_by: str
    published_as: int | None


class DraftPage(BaseModel):
    items: list[DraftItem]
    next: UUID | None = Field(description="`after` of the next page; null on the last")


class Defaults(BaseModel):
    """What holds where the process says nothing."""

    snooze: SnoozeLimits = Field(description="of steps without `snooze`: the company's settings")
    promise_days: int = Field(description="how far ahead a step without `max_days` may be promised: the same")


class Draft(DraftItem):
    """A draft with its body, and what the checker says of it as it stands."""

    process: CareProcess
    defaults: Defaults | None = None
    sound: bool
    findings: list[Finding]


class SaveItem(BaseModel):
    version: int
    what: str = Field(examples=["step callback"], description="created, saved, or the step that was edited or removed")
    at: datetime
    by_code: str


class SavePage(BaseModel):
    items: list[SaveItem]
    next: int | None = Field(description="`after` of the next page; null on the last")


class Save(SaveItem):
    process: CareProcess


class ChangeItem(BaseModel):
    path: str
    kind: str = Field(description="added, removed or changed")
    vi: str = Field(examples=["Bước “Gọi lại lần 2”: hạn sau 1 giờ (giờ gọi) → sau 30 phút (giờ gọi)."])
    en: str


class Difference(BaseModel):
    """What differs, in words; empty: the same."""

    before: str = Field(examples=["cod_standard@2"])
    after: str
    changes: list[ChangeItem]


def in_words(changes: Sequence[Change], *, before: str, after: str) -> Difference:
    return Difference(
        before=before,
        after=after,
        changes=[ChangeItem(path=each.path, kind=each.kind, vi=each.text.vi, en=each.text.en) for each in changes],
    )
