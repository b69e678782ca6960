"""What manual distributions and hand-overs share on the way in and out: people, previews, progress, rows."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from services.leads.driver import Connection, Pool
from services.leads.moves import people as known_people
from services.leads.state import LeadsRuntime
from services.leads.transfers import store
from services.leads.transfers.plan import Kind
from services.leads.transfers.splitting import Share
from services.leads.transfers.work import Transfers
from shared.errors import Language, Mistake

WITHIN: Final = 5.0
"""Seconds in which a confirmation works batches off itself; the background does what is left."""

Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=500)]

_LOADS: Final = """
SELECT owner_id, count(*) AS in_care FROM leads WHERE in_care AND owner_id = ANY($1::uuid[]) GROUP BY owner_id
"""


class ShareIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    account_id: UUID
    count: int | None = Field(default=None, ge=0, le=50_000, description="so many; null = an even part of the rest")


class PeopleIn(BaseModel):
    """Who gets leads, in the order in which they are dealt out: what cannot be divided goes to the first."""

    model_config = ConfigDict(extra="forbid")

    people: list[ShareIn] = Field(default=[], max_length=500)

    @field_validator("people")
    @classmethod
    def _each_once(cls, people: list[ShareIn]) -> list[ShareIn]:
        if len({share.account_id for share in people}) != len(people):
            raise Mistake("một người có hai lần", "a colleague is named twice")
        return people

    def shares(self) -> list[Share]:
        return [Share(share.account_id, share.count) for share in self.people]


class ConfirmIn(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"reason": "chia số đầu tuần"}})

    reason: Reason


class ReceiverOut(BaseModel):
    account_id: UUID
    code: str
    leads: int = Field(description="planned; once it is done, got")
    asked: int | None = Field(description="how many were asked for this person; null = an even part")
    on_duty: bool
    in_care: int = Field(description="leads this person has in care now")
    warning: str = Field(description="what to consider before it is confirmed; empty: nothing")


class TransferOut(BaseModel):
    """A transfer: first a preview, then work in progress, then done."""

    id: UUID
    state: Literal["preview", "running", "done", "cancelled"]
    strategy: Literal["people", "pools"] = Field(description="pools: the rules of the pools choose the receivers")
    from_code: str | None = Field(description="of a hand-over: whose leads")
    by: str
    reason: str
    made_at: datetime
    good_until: datetime = Field(description="a preview can be confirmed until then")
    finished_at: datetime | None
    rows: int = Field(description="leads of the plan")
    rows_done: int = Field(
        description="rows before this position are done; one that has no result was given as planned"
    )
    results: dict[str, int] = Field(
        description="rows by result: given, kept (held already), waiting (nobody of its pool could take it), changed "
        "(moved on since the preview), inactive (receiver locked meanwhile), gone"
    )
    people: list[ReceiverOut]


class TransferPage(BaseModel):
    items: list[TransferOut]
    next: UUID | None


class TransferRow(BaseModel):
    position: int
    lead_id: UUID
    to_code: str | None = Field(description="who is to get it; null: whom its pool chooses")
    result: str | None = Field(description="null: not done")
    owner_code: str | None = Field(description="who has it after that")


class TransferRowPage(BaseModel):
    items: list[TransferRow]
    next: int | None = Field(description="`after` of the next page; null on the last")


async def shown(connection: Connection | Pool, kind: Kind, transfer_id: UUID, language: Language) -> TransferOut:
    """A transfer as it stands.

    Raises:
        NotFound: there is no such transfer.
    """
    transfer = await store.get(connection, kind, transfer_id)
    return await _shown(connection, transfer, language)


async def page_of(pool: Pool, kind: Kind, *, after: UUID | None, limit: int, language: Language) -> TransferPage:
    """Confirmed transfers, the newest first."""
    items = [await _shown(pool, row, language) for row in await store.page(pool, kind, after=after, limit=limit)]
    return TransferPage(items=items, next=items[-1].id if len(items) == limit else None)


async def _shown(connection: Connection | Pool, transfer: Any, language: Language) -> TransferOut:
    counts = await store.counts(connection, transfer["id"])
    named = store.described(transfer["people"])
    asked = {account_id: count for account_id, _, count in named}
    accounts = list(dict.fromkeys([*asked, *(account_id for account_id in counts if account_id)]))
    known = await known_people(connection, accounts)
    loads = {row["owner_id"]: row["in_care"] for row in await connection.fetch(_LOADS, accounts)}
    receivers = []
    for account_id in accounts:
        person = known[account_id]
        receivers.append(
            ReceiverOut(
                account_id=account_id,
                code=person.code,
                leads=counts.get(account_id, 0),
                asked=asked.get(account_id),
                on_duty=person.on_duty,
                in_care=loads.get(account_id, 0),
                warning=_warning(active=person.active, on_duty=person.on_duty, language=language),
            )
        )
    return TransferOut.model_validate(
        {
            **transfer,
            "rows": transfer["row_count"],
            "results": await store.results(connection, transfer),
            "people": receivers,
        }
    )


def _warning(*, active: bool, on_duty: bool, language: Language) -> str:
    if not active:
        return "Tài khoản đã khóa: sẽ không nhận số." if language == "vi" else "The account is locked: it gets nothing."
    if not on_duty:
        return (
            "Đang tạm ngưng nhận số: số vẫn được giao nếu bạn xác nhận."
            if language == "vi"
            else "Off duty: the leads are given all the same if you confirm."
        )
    return ""


async def confirm(
    runtime: LeadsRuntime, kind: Kind, transfer_id: UUID, *, by: UUID, reason: str, language: Language
) -> TransferOut:
    """Makes what was shown happen, and works it off here as far as a few seconds reach."""
    driver = await runtime.db.driver()
    async with driver.acquire() as connection, connection.transaction():
        await store.confirm(connection, kind, transfer_id, by=by, reason=reason, now=datetime.now(UTC))
    work = Transfers(runtime.db)
    until = time.monotonic() + WITHIN
    while time.monotonic() < until and await work.step(transfer_id):
        pass
    return await shown(driver, kind, transfer_id, language)


async def rows_of(
    runtime: LeadsRuntime, kind: Kind, transfer_id: UUID, *, after: int, result: str | None, limit: int
) -> TransferRowPage:
    """Rows of a transfer.

    Raises:
        NotFound: there is no such transfer.
    """
    driver = await runtime.db.driver()
    await store.get(driver, kind, transfer_id)
    found = await store.rows(driver, transfer_id, after=after, result=result, limit=limit)
    items = [TransferRow.model_validate(dict(row)) for row in found]
    return TransferRowPage(items=items, next=items[-1].position if len(items) == limit else None)
