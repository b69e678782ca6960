"""Errors as RFC 9457 problem details, with sentences in Vietnamese and English that tell what to do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, ClassVar, Final, Literal
from zoneinfo import ZoneInfo

import asyncpg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from shared.db import is_contended, is_unavailable, is_unstorable
from shared.telemetry import correlation_id, logger

log = logger(__name__)

Language = Literal["vi", "en"]
MEDIA_TYPE: Final = "application/problem+json"
ZONE: Final = ZoneInfo("Asia/Ho_Chi_Minh")
"""In which times stand in sentences; Vietnam has one."""


class Problem(Exception):
    """An error that a caller can cause or must hear of. Subclass it once for each kind.

    Class attributes: `type` (stable, kebab-case), `status`, `vi` and `en` (what is wrong and what to do; may have
    `{placeholders}` filled from the keyword arguments, which are also members of the answer). Moments and days are shown
    as people here write them, and are ISO 8601 as members.
    """

    type: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    vi: ClassVar[str] = "Có lỗi trong hệ thống. Thử lại sau ít phút; nếu vẫn lỗi, báo quản trị kèm mã liên hệ."
    en: ClassVar[str] = "Something failed here. Try again in a few minutes; if it stays, report the correlation id."
    headers: ClassVar[dict[str, str]] = {}

    def __init__(self, **members: Any) -> None:
        super().__init__(self.type)
        self.members = members

    def detail(self, language: Language) -> str:
        return (self.vi if language == "vi" else self.en).format(
            **{name: _shown(value) for name, value in self.members.items()}
        )

    def body(self, language: Language) -> dict[str, Any]:
        return {
            **{name: value.isoformat() if isinstance(value, date) else value for name, value in self.members.items()},
            "type": f"https://chot.dev/problems/{self.type}",
            "title": self.type,
            "status": self.status,
            "detail": self.detail(language),
            "correlation_id": correlation_id(),
        }


def _shown(value: Any) -> Any:
    """A value as it stands in a sentence."""
    if isinstance(value, datetime):
        return f"{value.astimezone(ZONE):%d/%m/%Y %H:%M}"
    return f"{value:%d/%m/%Y}" if isinstance(value, date) else value


class NotFound(Problem):
    type = "not-found"
    status = 404
    vi = "Không tìm thấy {what}. Kiểm tra lại mã, hoặc bạn chưa được quyền xem."
    en = "There is no such {what}, or you may not see it. Check the id."


class Forbidden(Problem):
    type = "forbidden"
    status = 403
    vi = "Việc này cần quyền '{permission}' mà bạn chưa có. Nhờ người có quyền làm, hoặc nhờ quản trị cấp cho nhóm của bạn."
    en = (
        "This needs the permission '{permission}', which you lack. Ask somebody who has it, or an administrator for it."
    )


class Unauthenticated(Problem):
    type = "unauthenticated"
    status = 401
    vi = "Chưa đăng nhập hoặc phiên đã hết hạn. Đăng nhập lại."
    en = "You are not signed in, or the session has ended. Sign in again."
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": "Bearer"}


class Conflict(Problem):
    type = "conflict"
    status = 409
    vi = "Dữ liệu vừa được người khác thay đổi. Tải lại rồi thử lại."
    en = "Somebody changed this meanwhile. Load it again and repeat."


class PreconditionRequired(Problem):
    type = "if-match-required"
    status = 428
    vi = "Thiếu tiêu đề If-Match. Tải lại bản ghi và gửi kèm ETag của nó."
    en = "The If-Match header is missing. Load the record and send its ETag."


class PreconditionFailed(Problem):
    type = "if-match-failed"
    status = 412
    vi = "Bản ghi đã đổi so với lúc bạn tải. Tải lại, xem thay đổi rồi lưu lại."
    en = "The record changed since you loaded it. Load it again, look at the change and save again."


class Unavailable(Problem):
    type = "unavailable"
    status = 503
    vi = "Hệ thống tạm thời chưa ghi nhận được. Thử lại sau vài giây; dữ liệu của bạn chưa được lưu."
    en = "This could not be stored just now. Repeat in a few seconds; nothing was saved."
    headers: ClassVar[dict[str, str]] = {"Retry-After": "2"}


class TooLarge(Problem):
    type = "too-large"
    status = 413
    vi = "Nội dung gửi lên lớn hơn {limit} byte. Chia nhỏ rồi gửi lại."
    en = "The body is larger than {limit} bytes. Split it and send again."


class Unstorable(Problem):
    type = "text-unstorable"
    status = 422
    vi = (
        "Nội dung gửi lên có ký tự NUL (\\u0000) nên không lưu được. Bỏ ký tự đó rồi gửi lại; chưa có gì được thay đổi."
    )
    en = "A text holds the character NUL (\\u0000), which cannot be stored. Take it out and send again; nothing was changed."


class Invalid(Problem):
    """The request does not have the right form; `errors` lists field, message and what was expected."""

    type = "invalid"
    status = 422
    vi = "Một số trường chưa đúng. Xem 'errors', sửa rồi gửi lại."
    en = "Some fields are not right. See 'errors', correct them and send again."


def language_of(request: Request) -> Language:
    """The language asked for: Vietnamese unless English comes first in Accept-Language."""
    first = request.headers.get("accept-language", "").split(",", 1)[0].strip().lower()
    return "en" if first.startswith("en") else "vi"


_VI: Final = {
    "missing": "thiếu trường này, hãy bổ sung",
    "string_too_short": "ngắn quá, cần ít nhất {min_length} ký tự",
    "string_too_long": "dài quá, tối đa {max_length} ký tự",
    "too_short": "ít quá, cần ít nhất {min_length} mục",
    "too_long": "nhiều quá, tối đa {max_length} mục",
    "string_type": "phải là chuỗi ký tự",
    "string_unicode": "có ký tự không hợp lệ, hãy gõ lại",
    "string_pattern_mismatch": "có ký tự không được dùng ở đây",
    "control_character": "phải là một dòng, không có ký tự điều khiển",
    "bool_type": "phải là true hoặc false",
    "bool_parsing": "phải là true hoặc false",
    "list_type": "phải là một danh sách",
    "dict_type": "phải là một đối tượng JSON",
    "model_type": "phải là một đối tượng JSON",
    "model_attributes_type": "phải là một đối tượng JSON",
    "uuid_parsing": "không phải mã UUID",
    "uuid_type": "không phải mã UUID",
    "int_type": "phải là số nguyên",
    "int_parsing": "phải là số nguyên",
    "int_from_float": "phải là số nguyên",
    "float_type": "phải là số",
    "float_parsing": "phải là số",
    "greater_than": "nhỏ quá, phải lớn hơn {gt}",
    "greater_than_equal": "nhỏ quá, phải từ {ge} trở lên",
    "less_than": "lớn quá, phải nhỏ hơn {lt}",
    "less_than_equal": "lớn quá, tối đa {le}",
    "multiple_of": "phải là bội số của {multiple_of}",
    **dict.fromkeys(
        ("datetime_type", "datetime_parsing", "datetime_from_date_parsing", "datetime_object_invalid"),
        "phải là thời điểm ISO 8601, ví dụ 2026-11-21T09:00:00+07:00",
    ),
    **dict.fromkeys(
        ("date_type", "date_parsing", "date_from_datetime_parsing", "date_from_datetime_inexact"),
        "phải là ngày, ví dụ 2026-11-21",
    ),
    "outside_years": "phải nằm trong khoảng từ năm {first} đến năm {last}",
    "timezone_aware": "thời điểm thiếu múi giờ, ví dụ 2026-11-21T09:00:00+07:00",
    "past": "đã qua, hãy chọn thời điểm sau bây giờ",
    "cursor": "phải là giá trị 'next' của trang trước",
    "json_invalid": "nội dung không phải JSON hợp lệ",
    "extra_forbidden": "trường này không có, hãy bỏ đi hoặc kiểm tra chính tả",
    "enum": "giá trị không có trong danh sách cho phép: {expected}",
    "literal_error": "giá trị không có trong danh sách cho phép: {expected}",
    "union_tag_invalid": "giá trị không có trong danh sách cho phép: {expected_tags}",
    "union_tag_not_found": "thiếu trường {discriminator}, hãy bổ sung",
}
"""What to do about a field, by pydantic's kind of mistake; filled with what pydantic says of the limit."""


class Mistake(ValueError):
    """What a validator of a request finds wrong, and what to do about it, in both languages.

    Args:
        vi, en: behind the name of the field, without a full stop.
    """

    def __init__(self, vi: str, en: str) -> None:
        super().__init__(en)
        self.vi = vi
        self.en = en


def _told(item: Mapping[str, Any], language: Language) -> str:
    error = item.get("ctx", {}).get("error")
    if isinstance(error, Mistake):
        return error.vi if language == "vi" else error.en
    return _in_vietnamese(item) if language == "vi" else str(item["msg"])


def _in_vietnamese(item: Mapping[str, Any]) -> str:
    if (told := _VI.get(item["type"])) is None:
        return str(item["msg"])
    limits = {name: str(limit).replace(" or ", " hoặc ") for name, limit in item.get("ctx", {}).items()}
    try:
        return told.format(**limits)
    except KeyError:  # found by ourselves, without the limit that pydantic would have told
        return str(item["msg"])


def response(problem: Problem, language: Language) -> JSONResponse:
    """The HTTP answer of a problem."""
    return JSONResponse(
        problem.body(language), status_code=problem.status, headers=problem.headers, media_type=MEDIA_TYPE
    )


def invalid(error: RequestValidationError, language: Language) -> Invalid:
    """Names each wrong field and what to do about it, without repeating its value."""
    return Invalid(
        errors=[
            {
                "field": ".".join(str(part) for part in item["loc"]),
                "message": _told(item, language),
                "code": item["type"],
            }
            for item in error.errors()
        ]
    )


class NoSuchPath(Problem):
    type = "no-such-path"
    status = 404
    vi = "Không có địa chỉ này. Kiểm tra lại đường dẫn; danh sách ở /docs."
    en = "There is no such address. Check the path; /docs lists them."


class WrongMethod(Problem):
    type = "wrong-method"
    status = 405
    vi = "Địa chỉ này không nhận phương thức đã gửi. Các phương thức dùng được ở /docs."
    en = "This address does not take that method. /docs lists those that it takes."


class _Http(Problem):
    """Whatever else the framework itself refuses."""

    vi = "{reason}"
    en = "{reason}"

    def __init__(self, error: HTTPException) -> None:
        super().__init__(reason=str(error.detail))
        self._status = error.status_code

    def body(self, language: Language) -> dict[str, Any]:
        return {
            **super().body(language),
            "type": "about:blank",
            "title": self.members["reason"],
            "status": self._status,
        }


_FRAMEWORKS: Final[Mapping[int, type[Problem]]] = {404: NoSuchPath, 405: WrongMethod}


def install(app: FastAPI) -> None:
    """Makes every error of an application a problem details answer."""

    async def on_problem(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Problem)
        return response(error, language_of(request))

    async def on_invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        language = language_of(request)
        return response(invalid(error, language), language)

    async def on_http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        ours = _FRAMEWORKS.get(error.status_code)
        problem = ours() if ours is not None else _Http(error)
        return JSONResponse(
            problem.body(language_of(request)),
            status_code=error.status_code,
            headers=error.headers,
            media_type=MEDIA_TYPE,
        )

    async def on_any(request: Request, error: Exception) -> JSONResponse:
        if is_unavailable(error):
            log.warning("engine away", error=type(error).__name__)
            return response(Unavailable(), language_of(request))
        if is_contended(error):
            log.warning("two transactions waited for one another", error=type(error).__name__)
            return response(Unavailable(), language_of(request))
        if is_unstorable(error):
            return response(Unstorable(), language_of(request))
        log.error("request failed", exc_info=error)
        return response(Problem(), language_of(request))

    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(HTTPException, on_http)
    # Named one by one besides Exception: Starlette re-raises what only the catch-all handles, after answering.
    for kind in (DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        app.add_exception_handler(kind, on_any)
    app.add_exception_handler(Exception, on_any)
