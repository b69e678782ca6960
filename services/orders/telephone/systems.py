"""Telephone systems as rows: how they tell of calls, whose extensions are whose, how a call is asked of them."""

from __future__ import annotations

import ipaddress
import string
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator
from sqlalchemy import text

from services.orders.telephone.causes import ASK, NOTHING, normal
from shared.db import ReadSession, Session
from shared.errors import Mistake, NotFound, Problem

PURPOSE: Final = "telephone hooks"
"""Of the secrets in the addresses that telephone systems call."""
PLACES: Final = frozenset({"phone", "phone_e164", "extension", "request", "order"})
"""Placeholders that a click to call fills in; every further one is a credential."""

Format = Literal["chot", "stringee", "asterisk"]
Extension = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)]


class SystemNotFound(NotFound):
    vi = "Không tìm thấy tổng đài này. Kiểm tra lại mã."
    en = "There is no such telephone system. Check the id."


class SystemNameTaken(Problem):
    type = "telephone-system-name-taken"
    status = 409
    vi = "Đã có tổng đài tên '{name}'. Chọn tên khác."
    en = "There is a telephone system named '{name}'. Choose another name."


class NoKey(Problem):
    type = "credentials-key-missing"
    status = 409
    vi = "Máy chủ chưa có CHOT_CREDENTIALS_KEY nên chưa kết nối được. Nhờ người vận hành đặt khóa này."
    en = "The server has no CHOT_CREDENTIALS_KEY, so nothing can be connected. Ask the operator to set it."


class CauseResultUnknown(Problem):
    type = "cause-result-unknown"
    status = 422
    vi = "Nguyên nhân '{cause}' không thể nghĩa là '{result}'. Chọn một trong: {allowed}."
    en = "The cause '{cause}' cannot mean '{result}'. Choose one of: {allowed}."


class CredentialMissing(Problem):
    type = "credential-missing"
    status = 422
    vi = "Mẫu gọi dùng '{name}' nhưng chưa có trong 'credentials'. Bổ sung rồi lưu lại."
    en = "The request uses '{name}', which is not among the 'credentials'. Add it and save again."


class ExtensionStaffUnknown(Problem):
    type = "extension-staff-unknown"
    status = 422
    vi = "Số máy lẻ {extension} gán cho tài khoản không có. Kiểm tra lại."
    en = "Extension {extension} belongs to an account that does not exist. Check it."


class ClickToCall(BaseModel):
    """The HTTP request that starts a call. Placeholders in braces: {phone} (0912…), {phone_e164} (+84912…), {extension},
    {request} (our id, which the system should send back in its events), {order} (the order's code), and the names of
    credentials."""

    model_config = ConfigDict(extra="forbid")

    method: Literal["GET", "POST"] = "POST"
    url: str = Field(max_length=500, examples=["https://api.stringee.com/v1/call2/callout"])
    headers: dict[str, str] = Field(default={}, max_length=20, examples=[{"X-STRINGEE-AUTH": "{token}"}])
    body: str = Field(default="", max_length=4000, description="text with placeholders; values are escaped for JSON")
    content_type: str = Field(default="application/json", max_length=100)
    call_id_field: str = Field(
        default="", max_length=60, description="field of the answer that names the call, if there is one"
    )
    accepted_field: str = Field(
        default="", max_length=60, description="field of the answer that says whether it was accepted"
    )
    accepted_value: str = Field(default="", max_length=60, description="what it says then", examples=["0"])

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        if not _keeps_secrets(url):
            raise Mistake("phải là https://, không có user hay fragment", "must be https://, without user or fragment")
        return url

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not (name.isascii() and name.replace("-", "").isalnum() and value.isascii() and value.isprintable()):
                raise Mistake(
                    "header có tên bằng chữ cái và giá trị ASCII in được",
                    "a header has a name of letters and printable ASCII",
                )
        return headers

    @model_validator(mode="after")
    def _reads(self) -> ClickToCall:
        self.placeholders()
        return self

    def placeholders(self) -> frozenset[str]:
        """Every name in braces.

        Raises:
            ValueError: braces that enclose no name. In JSON, `{` itself is written `{{` and `}` is written `}}`.
        """
        found: set[str] = set()
        for template in (self.url, self.body, *self.headers.values()):
            for _, name, format, conversion in string.Formatter().parse(template):
                if name is None:
                    continue
                if not name.isidentifier() or format or conversion:
                    raise ValueError("braces enclose a name; write {{ and }} for braces themselves")
                found.add(name)
        return frozenset(found)


class SystemFields(BaseModel):
    """What a company says of its telephone system."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
    format: Format = Field(description="how its events look: stringee, asterisk (AMI events), or chot (any other)")
    zone: str = Field(default="Asia/Ho_Chi_Minh", max_length=60, description="of its times that name none")
    causes: dict[str, str] = Field(
        default={},
        max_length=100,
        description="what its end causes mean, where that differs from the usual: a result, 'ask', or 'nothing'",
        examples=[{"480 Temporarily Unavailable": "switched_off"}],
    )
    click_to_call: ClickToCall | None = None
    enabled: bool = True
    extensions: dict[Extension, UUID] = Field(
        default={}, max_length=2000, description="extension → account", examples=[{"101": "0192f0a1-…"}]
    )

    @field_validator("zone")
    @classmethod
    def _is_a_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise Mistake(
                "không phải múi giờ, ví dụ Asia/Ho_Chi_Minh", "is no time zone, e.g. Asia/Ho_Chi_Minh"
            ) from None
        return zone

    @field_validator("causes")
    @classmethod
    def _are_normal(cls, causes: dict[str, str]) -> dict[str, str]:
        return {normal(cause): result for cause, result in causes.items()}


class SystemView(SystemFields):
    """A telephone system without its secrets."""

    model_config = ConfigDict(extra="ignore")

    id: UUID
    credentials: list[str] = Field(description="names of those that are stored")
    version: int = Field(description="also the ETag; send it as If-Match with a change")
    last_heard_at: datetime | None = Field(description="when it last told us anything")
    unreadable: int = Field(description="bodies that could not be read")


_VIEW: Final = """
SELECT s.id, s.name, s.format, s.zone, s.causes, s.click_to_call, s.enabled, s.credentials, s.version, s.secret_number,
    (SELECT coalesce(jsonb_object_agg(extension, account_id), '{}') FROM telephone_extensions e WHERE e.system_id = s.id)
        AS extensions,
    (SELECT max(received_at) FROM telephone_raw r WHERE r.system_id = s.id) AS last_heard_at,
    (SELECT count(*) FROM telephone_raw r WHERE r.system_id = s.id AND r.state = 'failed') AS unreadable
FROM telephone_systems s
"""
_ALL: Final = text(f"{_VIEW} ORDER BY s.id")
_ONE: Final = text(f"{_VIEW} WHERE s.id = :id")
_LOCK: Final = text("SELECT 1 FROM telephone_systems WHERE id = :id FOR UPDATE")
_EXTENSIONS: Final = text(
    """
WITH old AS (DELETE FROM telephone_extensions WHERE system_id = :id AND extension <> ALL(CAST(:extensions AS text[])))
INSERT INTO telephone_extensions (system_id, extension, account_id)
SELECT :id, t.extension, t.account_id
FROM unnest(CAST(:extensions AS text[]), CAST(:accounts AS uuid[])) AS t (extension, account_id)
ON CONFLICT (system_id, extension) DO UPDATE SET account_id = excluded.account_id
"""
)
_STRANGERS: Final = text(
    """
SELECT t.extension FROM unnest(CAST(:extensions AS text[]), CAST(:accounts AS uuid[])) AS t (extension, account_id)
WHERE NOT EXISTS (SELECT 1 FROM staff_members m WHERE m.account_id = t.account_id AND m.version > 0)
ORDER BY 1 LIMIT 1
"""
)
_RESULTS: Final = text("SELECT body -> 'results' FROM process_versions")


async def every(session: ReadSession) -> list[Any]:
    return list((await session.execute(_ALL)).all())


async def one(session: ReadSession, id: UUID) -> Any:
    """
    Raises:
        SystemNotFound: there is none.
    """
    row = (await session.execute(_ONE, {"id": id})).one_or_none()
    if row is None:
        raise SystemNotFound
    return row


async def lock(session: Session, id: UUID) -> Any:
    """
    Raises:
        SystemNotFound: there is none.
    """
    if (await session.execute(_LOCK, {"id": id})).first() is None:
        raise SystemNotFound
    return await one(session, id)


async def keep_extensions(session: Session, id: UUID, extensions: Mapping[str, UUID]) -> None:
    """These are all the extensions of a system.

    Raises:
        ExtensionStaffUnknown: an account does not exist.
    """
    values = {"extensions": list(extensions), "accounts": list(extensions.values())}
    stranger = (await session.execute(_STRANGERS, values)).scalar()
    if stranger is not None:
        raise ExtensionStaffUnknown(extension=stranger)
    await session.execute(_EXTENSIONS, {"id": id, **values})


async def check_causes(session: ReadSession, causes: Mapping[str, str]) -> None:
    """
    Raises:
        CauseResultUnknown: a cause means no result that any care process knows without somebody having spoken.
    """
    known: set[str] = set()
    for results in (await session.execute(_RESULTS)).scalars():
        known |= {name for name, result in results.items() if not result.get("reached", False)}
    allowed = [ASK, NOTHING, *sorted(known)]
    for cause, result in causes.items():
        if result not in allowed:
            raise CauseResultUnknown(cause=cause, result=result, allowed=", ".join(allowed))


def check_credentials(click: ClickToCall | None, names: set[str]) -> None:
    """
    Raises:
        CredentialMissing: the request uses one that is not stored.
    """
    if click is None:
        return
    for name in sorted(click.placeholders() - PLACES - names):
        raise CredentialMissing(name=name)


def dump(click: ClickToCall | None) -> str | None:
    return orjson.dumps(click.model_dump(mode="json")).decode() if click is not None else None


def _keeps_secrets(url: str) -> bool:
    """Whether an address is https, or on this machine (a PBX beside us, a simulator)."""
    try:
        address = urlsplit(url)
        host = address.hostname or ""
    except ValueError:
        return False
    if not host or address.username or address.fragment:
        return False
    if address.scheme == "https":
        return True
    if address.scheme != "http":
        return False
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
