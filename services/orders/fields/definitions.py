"""Which fields there are: added, relabelled, ordered and retired by an administrator; every version is kept."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from sqlalchemy import text

from services.orders.fields.values import Choice, Definition, FieldType, Subject
from shared.db import ReadSession, Session
from shared.errors import NotFound, PreconditionFailed, Problem

Label = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
Key = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
MAX_FIELDS: Final = 100
"""Of one subject, retired ones included: a form longer than this is not filled in."""


class ChoiceView(BaseModel):
    model_config = ConfigDict(extra="forbid")

    code: Key
    vi: Label
    en: Label
    retired: bool = False


class NewField(BaseModel):
    """A field to be added."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "subject": "customer",
                    "key": "skin",
                    "vi": "Loại da",
                    "en": "Skin type",
                    "type": "choice",
                    "choices": [
                        {"code": "oily", "vi": "Da dầu", "en": "Oily"},
                        {"code": "dry", "vi": "Da khô", "en": "Dry"},
                    ],
                }
            ]
        },
    )

    subject: Subject
    key: Key = Field(description="for ever; values are kept under it")
    vi: Label
    en: Label
    type: FieldType = Field(description="for ever")
    required: bool = Field(default=False, description="of a customer: to save the fields; of an order: to close it")
    choices: list[ChoiceView] = Field(default=[], max_length=200)
    position: int = Field(default=0, ge=0, le=10_000)

    @model_validator(mode="after")
    def _has_choices_if_it_chooses(self) -> NewField:
        _check_choices(self.type, self.choices)
        return self


class FieldEdit(BaseModel):
    """What is to be different; a field that is missing stays as it is."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"vi": "Loại da mặt", "position": 20}]})

    vi: Label | None = None
    en: Label | None = None
    required: bool | None = None
    choices: list[ChoiceView] | None = Field(
        default=None, max_length=200, description="all of them; one that was there is retired, never left out"
    )
    position: int | None = Field(default=None, ge=0, le=10_000)
    retired: bool | None = Field(default=None, description="retired fields keep their values and take no new ones")


class FieldView(BaseModel):
    subject: Subject
    key: str
    version: int
    vi: str
    en: str
    type: FieldType
    required: bool
    choices: list[ChoiceView]
    position: int
    retired: bool


class FieldExists(Problem):
    type = "field-exists"
    status = 409
    vi = "Đã có trường '{key}'. Đặt mã khác, hoặc sửa trường đó."
    en = "There is a field '{key}' already. Take another key, or edit that field."


class TooManyFields(Problem):
    type = "too-many-fields"
    status = 409
    vi = "Đã có {limit} trường, là tối đa. Dùng lại một trường đã ngừng dùng."
    en = "There are {limit} fields, which is the most. Use a retired one again."


class FieldNotFound(NotFound):
    vi = "Không có trường này. Kiểm tra lại mã."
    en = "There is no such field. Check its key."


class ChoiceInUse(Problem):
    type = "choice-left-out"
    status = 422
    vi = "Lựa chọn {codes} đã có nên không bỏ đi được. Gửi đủ danh sách và đánh dấu 'retired' nếu ngừng dùng."
    en = "The choices {codes} exist and cannot be left out. Send all of them, with 'retired' for those out of use."


class WrongChoices(Problem):
    type = "wrong-choices"
    status = 422
    vi = "Kiểu 'choice' và 'multi_choice' cần ít nhất một lựa chọn, không trùng mã; các kiểu khác không có lựa chọn."
    en = "'choice' and 'multi_choice' need at least one choice, each with a code of its own; other types have none."


def _check_choices(kind: str, choices: list[ChoiceView]) -> None:
    """
    Raises:
        ValueError: a type that chooses has nothing to choose from, or the reverse.
    """
    chooses = kind in ("choice", "multi_choice")
    if chooses != bool(choices) or len({choice.code for choice in choices}) != len(choices):
        raise ValueError("choice and multi_choice need choices with codes of their own, other types have none")


_COLUMNS: Final = "subject, key, version, vi, en, type, required, choices, position, retired_at IS NOT NULL AS retired"
_ALL: Final = text(
    f"SELECT {_COLUMNS} FROM custom_fields WHERE CAST(:subject AS text) IS NULL OR subject = :subject "
    "ORDER BY subject, position, key"
)
_LOCK: Final = text(f"SELECT {_COLUMNS} FROM custom_fields WHERE subject = :subject AND key = :key FOR UPDATE")
_COUNT: Final = text("SELECT count(*) FROM custom_fields WHERE subject = :subject")
# One at a time, so that the limit holds.
_ONE_BY_ONE: Final = text("SELECT pg_advisory_xact_lock(hashtext('chot:custom_fields'))")
_INSERT: Final = text(
    """
INSERT INTO custom_fields (subject, key, vi, en, type, required, choices, position)
VALUES (:subject, :key, :vi, :en, :type, :required, CAST(:choices AS jsonb), :position) ON CONFLICT DO NOTHING RETURNING 1
"""
)
_UPDATE: Final = text(
    """
UPDATE custom_fields SET version = :version, vi = :vi, en = :en, required = :required, choices = CAST(:choices AS jsonb),
    position = :position, retired_at = CASE WHEN NOT :retired THEN NULL ELSE coalesce(retired_at, :now) END
WHERE subject = :subject AND key = :key
"""
)
_KEEP: Final = text(
    """
INSERT INTO custom_field_versions (subject, key, version, definition, at, by_code)
VALUES (:subject, :key, :version, CAST(:definition AS jsonb), :at, :by)
"""
)


async def every(session: ReadSession, subject: Subject | None = None) -> list[FieldView]:
    """The fields in their order, retired ones included."""
    return [FieldView.model_validate(dict(row._mapping)) for row in await session.execute(_ALL, {"subject": subject})]


async def of(session: ReadSession, subject: Subject) -> list[Definition]:
    """The fields of a subject as values are read by them."""
    return [
        Definition(
            view.key,
            view.type,
            required=view.required,
            choices=tuple(Choice(**choice.model_dump()) for choice in view.choices),
            retired=view.retired,
        )
        for view in await every(session, subject)
    ]


async def add(session: Session, field: NewField, *, by: str, now: datetime) -> FieldView:
    """
    Raises:
        FieldExists, TooManyFields: it cannot be added.
    """
    await session.execute(_ONE_BY_ONE)
    if (await session.execute(_COUNT, {"subject": field.subject})).scalar_one() >= MAX_FIELDS:
        raise TooManyFields(limit=MAX_FIELDS)
    values = field.model_dump()
    if (await session.execute(_INSERT, {**values, "choices": _json(values["choices"])})).first() is None:
        raise FieldExists(key=field.key)
    view = FieldView(**values, version=1, retired=False)
    await _keep(session, view, by=by, now=now)
    return view


async def edit(
    session: Session, subject: Subject, key: str, wanted: FieldEdit, *, version: int, by: str, now: datetime
) -> FieldView:
    """
    Raises:
        FieldNotFound: there is none.
        PreconditionFailed: somebody edited it meanwhile.
        ChoiceInUse, WrongChoices: the choices will not do.
    """
    row = (await session.execute(_LOCK, {"subject": subject, "key": key})).one_or_none()
    if row is None:
        raise FieldNotFound
    before = FieldView.model_validate(dict(row._mapping))
    if before.version != version:
        raise PreconditionFailed
    given = {name: value for name, value in wanted if value is not None}
    after = before.model_copy(update=given)
    left_out = {choice.code for choice in before.choices} - {choice.code for choice in after.choices}
    if left_out:
        raise ChoiceInUse(codes=", ".join(sorted(left_out)))
    try:
        _check_choices(after.type, after.choices)
    except ValueError:
        raise WrongChoices from None
    if after == before:
        return before
    after = after.model_copy(update={"version": version + 1})
    values = after.model_dump()
    await session.execute(_UPDATE, {**values, "choices": _json(values["choices"]), "now": now})
    await _keep(session, after, by=by, now=now)
    return after


async def _keep(session: Session, view: FieldView, *, by: str, now: datetime) -> None:
    kept = {"subject": view.subject, "key": view.key, "version": view.version, "at": now, "by": by}
    await session.execute(_KEEP, {**kept, "definition": view.model_dump_json()})


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
