"""What may stand in a field of the trade. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal

from shared.errors import Problem
from shared.phone import PhoneProblem, one_phone

Subject = Literal["customer", "order"]
FieldType = Literal["text", "number", "date", "choice", "multi_choice", "boolean", "phone"]

MAX_TEXT: Final = 1000
"""Characters of a text."""
MAX_NUMBER: Final = 10**15
"""A number larger than this is a slip of the hand, and JSON readers would round it."""


@dataclass(frozen=True)
class Choice:
    code: str
    vi: str
    en: str
    retired: bool = False


@dataclass(frozen=True)
class Definition:
    """A field as it may be filled in."""

    key: str
    type: FieldType
    required: bool = False
    choices: tuple[Choice, ...] = ()
    retired: bool = False


class InvalidFields(Problem):
    """`errors` lists field, code, and what to do in Vietnamese (`message`) and English (`message_en`)."""

    type = "invalid-fields"
    status = 422
    vi = "Một số trường chưa đúng: {summary}. Xem 'errors', sửa rồi gửi lại; chưa có gì được lưu."
    en = "Some fields are not right: {summary}. See 'errors', correct them and send again; nothing was saved."


class _Wrong(Exception):
    """A value will not do: code, what to do in Vietnamese, the same in English."""


def changed(
    definitions: Sequence[Definition], given: Mapping[str, Any], *, before: Mapping[str, Any], complete: bool
) -> dict[str, Any]:
    """All values after an edit.

    Args:
        given: what is to be different; None takes a value away. A field that is missing stays as it is.
        complete: whether what is required must be there afterwards.

    Raises:
        InvalidFields: a field is unknown, retired or wrongly filled in, or something required is missing.
    """
    known = {definition.key: definition for definition in definitions}
    after, errors = dict(before), list[dict[str, str]]()
    for key, value in given.items():
        if key in known and key in before and value == before[key]:
            continue  # sent back as it was shown: it stays, also where it would not be taken today
        try:
            cleaned = _cleaned(known.get(key), value, before=before.get(key))
        except _Wrong as wrong:
            errors.append(_error(key, *wrong.args))
            continue
        if cleaned is None:
            after.pop(key, None)
        else:
            after[key] = cleaned
    if complete:
        wrong_keys = {error["field"] for error in errors}
        errors += [
            _error(key, "missing", "bắt buộc, hãy điền", "is required")
            for key, definition in known.items()
            if definition.required and not definition.retired and key not in after and f"fields.{key}" not in wrong_keys
        ]
    if errors:
        raise InvalidFields(summary=", ".join(error["field"] for error in errors), errors=errors)
    return after


def sought(definition: Definition, typed: str) -> dict[str, Any]:
    """The JSON that a value contains when it is what somebody looks for.

    Raises:
        InvalidFields: no such value can be.
    """
    value: Any = typed
    try:
        if definition.type == "number":
            value = _typed_number(typed)
        elif definition.type == "boolean":
            value = {"true": True, "false": False}.get(typed.lower(), typed)
        elif definition.type == "multi_choice":
            value = [typed]
        every = Definition(definition.key, definition.type, choices=definition.choices)
        cleaned = _cleaned(every, value, before=value)
    except _Wrong as wrong:
        raise _invalid(definition.key, *wrong.args) from None
    return {definition.key: cleaned}


def bound(definition: Definition, typed: str) -> float | date:
    """One end of a range that somebody looks for.

    Raises:
        InvalidFields: the field has no ranges, or no such value can be.
    """
    if definition.type not in ("number", "date"):
        raise _invalid(
            definition.key,
            "no_range",
            "chỉ lọc theo khoảng với số và ngày; dùng 'field'",
            "has no ranges, only numbers and dates do; use 'field'",
        )
    value = sought(definition, typed)[definition.key]
    if value is None:
        raise _invalid(definition.key, "missing", "thiếu giá trị", "needs a value")
    return date.fromisoformat(value) if definition.type == "date" else float(value)


def wrong_range(key: str) -> InvalidFields:
    """What is said of a range that ends before it begins."""
    return _invalid(
        key, "wrong_range", "đầu khoảng lớn hơn cuối khoảng, hãy đổi lại", "begins after its end, turn them round"
    )


def no_such_field(key: str) -> InvalidFields:
    """What is said of a field that nobody has defined."""
    return _invalid(key, "unknown", "không có trường này", "there is no such field")


def _invalid(key: str, code: str, vi: str, en: str) -> InvalidFields:
    error = _error(key, code, vi, en)
    return InvalidFields(summary=error["field"], errors=[error])


def _error(key: str, code: str, vi: str, en: str) -> dict[str, str]:
    return {"field": f"fields.{key}", "code": code, "message": vi, "message_en": en}


def _cleaned(definition: Definition | None, value: Any, *, before: Any) -> Any:
    """The value as it is kept; None = there is none."""
    if definition is None:
        raise _Wrong("unknown", "không có trường này", "there is no such field")
    if value is None or (isinstance(value, str) and not value.strip()) or value == []:
        return None
    if definition.retired and value != before:
        raise _Wrong("retired", "trường này đã ngừng dùng", "this field is not in use any more")
    return _READERS[definition.type](definition, value, before)


def _text(_: Definition, value: Any, __: Any) -> Any:
    if not isinstance(value, str):
        raise _Wrong("text", "phải là chữ", "must be text")
    value = value.strip()
    if len(value) > MAX_TEXT:
        raise _Wrong("too_long", f"dài quá {MAX_TEXT} ký tự", f"is longer than {MAX_TEXT} characters")
    if "\x00" in value:
        raise _Wrong("text", "có ký tự không hợp lệ", "has a character that no text has")
    return value


def _number(_: Definition, value: Any, __: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _Wrong("number", "phải là số, ví dụ 36.5", "must be a number, e.g. 36.5")
    if abs(value) > MAX_NUMBER:
        raise _Wrong("too_large", "số lớn quá", "is too large a number")
    return int(value) if float(value).is_integer() else value


def _typed_number(typed: str) -> Any:
    try:
        return float(typed)
    except ValueError:
        return typed


def _date(_: Definition, value: Any, __: Any) -> str:
    try:
        return date.fromisoformat(value if len(value) == 10 else "").isoformat()
    except (TypeError, ValueError):
        raise _Wrong("date", "phải là ngày, ví dụ 1990-12-31", "must be a day, e.g. 1990-12-31") from None


def _boolean(_: Definition, value: Any, __: Any) -> bool:
    if not isinstance(value, bool):
        raise _Wrong("boolean", "phải là true hoặc false", "must be true or false")
    return value


def _phone(_: Definition, value: Any, __: Any) -> str:
    if not isinstance(value, str):
        raise _Wrong("phone", "phải là số điện thoại viết dưới dạng chữ", "must be a telephone number as text")
    phone = one_phone(value)
    if isinstance(phone, PhoneProblem):
        raise _Wrong("phone", phone.vi, phone.en)
    return phone


def _choice(definition: Definition, value: Any, before: Any) -> Any:
    open_to = [choice.code for choice in definition.choices if not choice.retired or choice.code == before]
    if not isinstance(value, str) or value not in open_to:
        raise _Wrong("choice", f"phải là một trong: {', '.join(open_to)}", f"must be one of: {', '.join(open_to)}")
    return value


def _choices(definition: Definition, value: Any, before: Any) -> list[str]:
    if not isinstance(value, list):
        raise _Wrong("multi_choice", "phải là danh sách", "must be a list")
    held = before if isinstance(before, list) else []
    codes = {_choice(definition, code, code if code in held else None) for code in value}
    # In the order of the choices, so that the same answers are the same value.
    return [choice.code for choice in definition.choices if choice.code in codes]


_READERS: Final[Mapping[str, Callable[[Definition, Any, Any], Any]]] = {
    "text": _text,
    "number": _number,
    "date": _date,
    "choice": _choice,
    "multi_choice": _choices,
    "boolean": _boolean,
    "phone": _phone,
}
