"""The do-not-call list: look, add, remove, check."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Self
from uuid import UUID

from fastapi import APIRouter, Query, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.leads.api.dependencies import ConsentKeeper, Limit, Reader
from services.leads.consent import do_not_call
from services.leads.consent.do_not_call import By, NewEntry, Place
from services.leads.consent.errors import NotListed, NumbersUnreadable
from services.leads.driver import connection_of, mark_outbox_written, write_outbox
from services.leads.errors import CursorUnreadable, PhoneFilterUnreadable
from services.leads.state import RuntimeDep
from shared.contracts.events.leads_everyday import DoNotCallKind, DoNotCallSource
from shared.db import Session
from shared.given import GivenInstant, is_reckoned_with
from shared.idempotency import OnceDep
from shared.phone import read_phones
from shared.phone.masking import masked

router = APIRouter(prefix="/v1/do-not-call", tags=["consent"])

MAX_NUMBERS: Final = 1_000
"""Numbers of one request; longer lists are imported as a file."""

Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=500)]
Numbers = Annotated[list[Annotated[str, Field(max_length=200)]], Field(min_length=1, max_length=MAX_NUMBERS)]


class EntryOut(BaseModel):
    phone: str
    source: DoNotCallSource
    kind: DoNotCallKind
    reason: str
    since: datetime
    until: datetime | None
    by: str = Field(description="staff code; empty: a rule of the system, as with level L1.3")
    lead_id: UUID | None
    import_id: UUID | None

    @classmethod
    def of(cls, row: Any, *, show: Callable[[str], str]) -> Self:
        """A row of the list, its number shown so."""
        return cls.model_validate({**dict(row), "phone": show(row["phone"])})


class EntryPage(BaseModel):
    items: list[EntryOut]
    next: str | None = Field(description="`after` of the next page; null on the last")


class AddIn(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"phones": ["0912 345 678"], "kind": "calls", "source": "complaint", "reason": "Khiếu nại 21/11"}
        },
    )

    phones: Numbers
    kind: DoNotCallKind = Field(default="all", description="what is forbidden: all, calls or messages")
    source: DoNotCallSource = Field(default="customer", description="who says so")
    reason: Reason
    until: GivenInstant | None = Field(default=None, description="exclusive; without it, for good")


class RemoveIn(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"phone": "0912 345 678", "source": "complaint", "reason": "Đã giải quyết"}},
    )

    phone: str = Field(max_length=200)
    source: DoNotCallSource
    reason: Reason


class ChangedOut(BaseModel):
    numbers: int = Field(description="how many numbers were concerned")


class CheckIn(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"phones": ["0912 345 678"]}})

    phones: Numbers


class CheckedOut(BaseModel):
    phone: str = Field(description="as it was sent")
    readable: bool
    calls: bool = Field(description="may be called, as far as the list goes")
    messages: bool = Field(description="may be written to, as far as the list goes")
    sources: list[DoNotCallSource]


class CheckOut(BaseModel):
    items: list[CheckedOut]


@router.get("")
async def list_entries(
    _: ConsentKeeper,
    runtime: RuntimeDep,
    limit: Limit = 50,
    after: Annotated[str | None, Query(max_length=100)] = None,
    source: DoNotCallSource | None = None,
    kind: DoNotCallKind | None = None,
    phone: Annotated[str | None, Query(max_length=200, description="in any spelling")] = None,
) -> EntryPage:
    """The list, newest entry first, with masked numbers; one number is looked up with `phone` or under `/v1/consents`."""
    place = _read_cursor(after) if after is not None else None
    number = one_phone(phone) if phone is not None else None
    async with runtime.db.read() as session:
        rows = await do_not_call.page(session, after=place, limit=limit, source=source, kind=kind, phone=number)
    return EntryPage(
        items=[EntryOut.of(row._mapping, show=masked) for row in rows],
        next=f"{rows[-1].since.isoformat()}~{rows[-1].place}" if len(rows) == limit else None,
    )


@router.post("", status_code=201, response_model=ChangedOut)
async def add_entries(body: AddIn, who: ConsentKeeper, once: OnceDep, runtime: RuntimeDep) -> Response:
    """Lists numbers. A number that the same source has listed already gets the new kind, reason and end."""
    phones, now = _all_phones(body.phones), datetime.now(UTC)
    if body.until is not None and body.until <= now:
        raise RequestValidationError([{"type": "past", "loc": ("body", "until"), "msg": "is in the past"}])

    async def effect(session: Session) -> ChangedOut:
        connection = await connection_of(session)
        await do_not_call.lock(connection, phones)
        entries = [NewEntry(phone, body.source, body.kind, body.reason, now, body.until) for phone in phones]
        told = await do_not_call.add(connection, entries, by=By(who.account_id, who.code), at=now)
        await write_outbox(connection, told)
        mark_outbox_written(session)
        return ChangedOut(numbers=len(phones))

    return await once.run(runtime.db, str(who.account_id), effect)


@router.post("/remove", status_code=200, response_model=ChangedOut)
async def remove_entry(body: RemoveIn, who: ConsentKeeper, once: OnceDep, runtime: RuntimeDep) -> Response:
    """Takes back what one source has said of a number, with a reason that is kept."""
    phone, now = one_phone(body.phone), datetime.now(UTC)

    async def effect(session: Session) -> ChangedOut:
        connection = await connection_of(session)
        await do_not_call.lock(connection, [phone])
        if not any(entry["source"] == body.source for entry in await do_not_call.of_phone(connection, phone)):
            raise NotListed
        by = By(who.account_id, who.code)
        told = await do_not_call.remove(connection, [(phone, body.source)], reason=body.reason, by=by, at=now)
        await write_outbox(connection, told)
        mark_outbox_written(session)
        return ChangedOut(numbers=1)

    return await once.run(runtime.db, str(who.account_id), effect, status=200)


@router.post("/check")
async def check(body: CheckIn, _: Reader, runtime: RuntimeDep) -> CheckOut:
    """Whether numbers may be called and written to, as far as the list goes. Up to 1,000 at once."""
    readings = [read_phones(typed) for typed in body.phones]
    async with runtime.db.read() as session:
        wanted = {found.e164 for reading in readings for found in reading.phones}
        listed = await do_not_call.entries_of(await connection_of(session), wanted)
    items = []
    for typed, reading in zip(body.phones, readings, strict=True):
        entries = [entry for found in reading.phones if found.e164 in listed for entry in listed[found.e164].entries]
        kinds = {entry.kind for entry in entries}
        items.append(
            CheckedOut(
                phone=typed,
                readable=bool(reading.phones),
                calls=not kinds & {"all", "calls"},
                messages=not kinds & {"all", "messages"},
                sources=sorted({entry.source for entry in entries}),
            )
        )
    return CheckOut(items=items)


def one_phone(typed: str) -> str:
    """The number in a text.

    Raises:
        PhoneFilterUnreadable: there is none.
    """
    reading = read_phones(typed)
    if reading.primary is None:
        assert reading.problem is not None, "a reading without numbers says why"
        raise PhoneFilterUnreadable(reason_vi=reading.problem.vi, reason_en=reading.problem.en)
    return reading.primary.e164


def _all_phones(typed: list[str]) -> list[str]:
    """Each number once.

    Raises:
        NumbersUnreadable: names the places of those that cannot be read.
    """
    readings = [read_phones(text) for text in typed]
    wrong = [
        {"place": place, "vi": reading.problem.vi, "en": reading.problem.en}
        for place, reading in enumerate(readings)
        if reading.problem is not None
    ]
    if wrong:
        raise NumbersUnreadable(unreadable=wrong)
    return list(dict.fromkeys(found.e164 for reading in readings for found in reading.phones))


def _read_cursor(cursor: str) -> Place:
    try:
        at, number = cursor.split("~")
        place = Place(datetime.fromisoformat(at), int(number))
    except ValueError:
        raise CursorUnreadable from None
    if place.since.tzinfo is None or not is_reckoned_with(place.since) or not 0 < place.place < 2**63:
        raise CursorUnreadable
    return place
