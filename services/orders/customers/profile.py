"""Editing what is known of a customer: profile, fields of the trade, preferences, tags; blocking."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator
from sqlalchemy import text

from services.orders.actors import Actor
from services.orders.customers import history
from services.orders.customers.access import Customer
from services.orders.fields import definitions
from services.orders.fields.values import changed
from services.orders.hiding import unmasked, unmasked_values
from shared.db import Session
from shared.errors import Mistake, Problem

Name = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Period = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$")]
FormOfAddress = Literal["anh", "chị", "cô", "chú", "bác", "ông", "bà", "em", "bạn"]


class Preferences(BaseModel):
    """How and when a customer likes to be spoken to."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"form_of_address": "chị", "channel": "zalo", "call_times": ["11:30-13:00", "19:00-20:30"]}]
        },
    )

    form_of_address: FormOfAddress | None = None
    channel: Literal["call", "sms", "zalo", "facebook", "email"] | None = None
    call_times: list[Period] = Field(default=[], max_length=5, description="local time, from-to")
    note: str = Field(default="", max_length=300)

    @field_validator("call_times")
    @classmethod
    def _periods_go_forward(cls, periods: list[str]) -> list[str]:
        for period in periods:
            begin, end = period.split("-")
            if begin >= end:
                raise Mistake(f"{period} kết thúc trước khi bắt đầu", f"{period} ends before it begins")
        return sorted(set(periods))


class CustomerEdit(BaseModel):
    """What is to be different; a field that is missing stays as it is."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"name": "Nguyễn Thị Hoa", "preferences": {"form_of_address": "chị"}, "fields": {"skin": "oily"}}
            ]
        },
    )

    kind: Literal["person", "organisation"] | None = None
    name: Name | None = None
    tax_code: Annotated[str, StringConstraints(pattern=r"^([0-9]{10}(-?[0-9]{3})?|[0-9]{12})?$")] | None = Field(
        default=None, description="mã số thuế: 10 digits, with -NNN a branch, or 12 of a person; empty takes it away"
    )
    note: str | None = Field(default=None, max_length=2000)
    preferences: Preferences | None = Field(default=None, description="all of them")
    fields: dict[str, Any] | None = Field(
        default=None, max_length=100, description="fields of the trade that are to be different; null takes one away"
    )
    reason: str = Field(default="", max_length=200)


class TagsUnknown(Problem):
    type = "unknown-tags"
    status = 422
    vi = "Thẻ {tags} không có hoặc đã ngừng dùng. Chọn thẻ trong danh mục."
    en = "The tags {tags} do not exist or are out of use. Choose from the catalogue."


class AlreadyBlocked(Problem):
    type = "already-blocked"
    status = 409
    vi = "Khách hàng này đang bị đánh dấu chặn rồi."
    en = "This customer is marked as blocked already."


class NotBlocked(Problem):
    type = "not-blocked"
    status = 409
    vi = "Khách hàng này không bị chặn."
    en = "This customer is not blocked."


_WRITE: Final = text(
    """
UPDATE customers SET version = version + 1, kind = :kind, name = :name, tax_code = :tax_code, note = :note,
    preferences = CAST(:preferences AS jsonb), fields = CAST(:fields AS jsonb)
WHERE id = :id RETURNING version
"""
)
_TAG: Final = text("UPDATE customers SET version = version + 1, tags = :tags WHERE id = :id RETURNING version")
_KNOWN_TAGS: Final = text("SELECT id FROM tags WHERE id = ANY(:tags) AND NOT retired AND merged_into IS NULL")
_BLOCK: Final = text(
    """
UPDATE customers SET version = version + 1, blocked_at = :at, blocked_by = :by, blocked_reason = :reason
WHERE id = :id RETURNING version
"""
)


async def edit(session: Session, customer: Customer, wanted: CustomerEdit, actor: Actor, *, now: datetime) -> int:
    """Edits a locked customer; returns the version.

    Raises:
        InvalidFields: a field of the trade is wrongly filled in, or a required one is missing.
    """
    before: dict[str, Any] = {
        name: getattr(customer, name) for name in ("kind", "name", "tax_code", "note", "preferences", "fields")
    }
    after = dict(before)
    for name in ("kind", "name", "tax_code", "note"):
        if getattr(wanted, name) is not None:
            after[name] = unmasked(getattr(wanted, name), before[name])
    if wanted.preferences is not None:
        after["preferences"] = unmasked_values(
            wanted.preferences.model_dump(exclude_defaults=True), customer.preferences
        )
    if wanted.fields is not None:
        known = await definitions.of(session, "customer")
        after["fields"] = changed(
            known, unmasked_values(wanted.fields, customer.fields), before=customer.fields, complete=True
        )
    if after == before:
        return customer.version
    values = {**after, "preferences": _json(after["preferences"]), "fields": _json(after["fields"]), "id": customer.id}
    version: int = (await session.execute(_WRITE, values)).scalar_one()
    changes = {name: [before[name], after[name]] for name in before if before[name] != after[name]}
    fields = changes.pop("fields", None)
    if fields is not None:
        changes |= {f"fields.{key}": [fields[0].get(key), fields[1].get(key)] for key in sorted(_differing(*fields))}
    kind = "fields" if fields is not None and all(key.startswith("fields.") for key in changes) else "profile"
    await history.keep(
        session,
        customer.id,
        kind=kind,
        changes=changes,
        version=version,
        actor=actor,
        at=now,
        reason=wanted.reason.strip(),
    )
    return version


async def set_tags(session: Session, customer: Customer, tags: list[UUID], actor: Actor, *, now: datetime) -> int:
    """Gives a locked customer these tags and no others; returns the version.

    Raises:
        TagsUnknown: one of them is not to be given; those that they have already may stay.
    """
    wanted = list(dict.fromkeys(tags))
    known = set((await session.execute(_KNOWN_TAGS, {"tags": wanted})).scalars())
    unknown = [tag for tag in wanted if tag not in known and tag not in customer.tags]
    if unknown:
        raise TagsUnknown(tags=", ".join(map(str, unknown)))
    if set(wanted) == set(customer.tags):
        return customer.version
    version: int = (await session.execute(_TAG, {"id": customer.id, "tags": wanted})).scalar_one()
    changes = {"tags": [list(customer.tags), wanted]}
    await history.keep(session, customer.id, kind="tags", changes=changes, version=version, actor=actor, at=now)
    return version


async def block(session: Session, customer: Customer, actor: Actor, *, reason: str, now: datetime) -> int:
    """Marks a locked customer as one who does not take what they order ('bom hàng', rule D46); returns the version.

    Raises:
        AlreadyBlocked: they are marked.
    """
    if customer.blocked_at is not None:
        raise AlreadyBlocked
    return await _block(session, customer, actor, blocked=True, reason=reason, now=now)


async def unblock(session: Session, customer: Customer, actor: Actor, *, reason: str, now: datetime) -> int:
    """Takes the mark away; returns the version.

    Raises:
        NotBlocked: they are not marked.
    """
    if customer.blocked_at is None:
        raise NotBlocked
    return await _block(session, customer, actor, blocked=False, reason=reason, now=now)


async def _block(
    session: Session, customer: Customer, actor: Actor, *, blocked: bool, reason: str, now: datetime
) -> int:
    values = {"at": now, "by": actor.code, "reason": reason} if blocked else {"at": None, "by": "", "reason": ""}
    version: int = (await session.execute(_BLOCK, {"id": customer.id, **values})).scalar_one()
    await history.keep(
        session,
        customer.id,
        kind="blocked" if blocked else "unblocked",
        changes={"blocked": [not blocked, blocked]},
        version=version,
        actor=actor,
        at=now,
        reason=reason,
    )
    return version


def _differing(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
