"""What a landing page's form sends → a lead. Pure.

Page builders post a flat object, as JSON, form-encoded or in parts, whose keys are whatever the page's author called the fields;
the page's address with its UTM parameters comes as `link` (LadiPage, as receivers of its webhooks show; it has no
signature and no event id).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Final, Literal, get_args
from urllib.parse import parse_qsl, urlsplit

import orjson
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field as Part
from python_multipart.multipart import parse_form

from services.leads.form_fields import joined, read_content
from services.leads.intake.items import Candidate, Origin, Rejection
from services.leads.sources import KnownSource, UtmRule
from services.leads.text import cell, plain

Field = Literal["phone", "other_phone", "name", "product", "note", "address", "link", "ignore"]
FIELDS: Final[tuple[Field, ...]] = get_args(Field)

UTM: Final = ("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term")
MAX_FIELDS: Final = 300
"""Fields of a form that are looked at; the raw item keeps all."""
MAX_VALUE: Final = 5_000
MAX_LINK: Final = 2_000
MAX_CAMPAIGN: Final = 200
_DEPTH: Final = 4
"""Levels of nesting that are looked into: some builders wrap the fields in 'data' or 'fields'."""

ALIASES: Final[dict[Field, str]] = {
    "phone": "phone, phone number, mobile, mobile phone, tel, telephone, sdt, so dt, so dien thoai, dien thoai, so di dong",
    "other_phone": "phone 2, sdt 2, so dien thoai 2, other phone, zalo, so zalo",
    "name": "name, full name, your name, customer name, ho ten, ho va ten, ten, ten khach hang",
    "product": "product, product code, sku, san pham, ma san pham",
    "note": "message, note, comment, content, ghi chu, loi nhan, noi dung, yeu cau",
    "address": "address, dia chi, dia chi nhan hang, dia chi giao hang",
    "link": "link, url, page url, url page, page link, landing page",
}
"""Names of fields, without accents; case, spaces and signs do not matter."""
_BY_ALIAS: Final = {plain(alias): field for field, aliases in ALIASES.items() for alias in aliases.split(", ")}
_JOINTS: Final = {"phone": " / ", "other_phone": " / ", "note": "\n"}

UNREADABLE: Final = Rejection(
    "body_unreadable",
    vi="Nội dung gửi lên không phải JSON hay biểu mẫu (form). Chọn kiểu gửi JSON hoặc form-urlencoded trong landing page.",
    en="The body is neither JSON nor a form. Choose JSON or form-urlencoded in the landing page's settings.",
)
NO_PHONE_FIELD: Final = Rejection(
    "phone_field_missing",
    vi="Không thấy trường số điện thoại. Khai báo trường nào là số điện thoại ở mục Landing page rồi gửi lại.",
    en="There is no phone field. Say under landing pages which field is the phone number, then send again.",
)


@dataclass(frozen=True, slots=True)
class Submission:
    """A form as read: the origin with campaign, marketer and page, and the lead or why it is none."""

    origin: Origin
    content: Candidate | Rejection


def read_submission(body: bytes, *, content_type: str, page: KnownSource) -> Submission:
    """Reads what a form sent.

    Args:
        body: as it came, in whatever state.
        content_type: what the sender says it is; a body that looks like JSON is read as JSON all the same.
    """
    fields = read_fields(body, content_type=content_type)
    if fields is None:
        return Submission(page.origin(), UNREADABLE)
    values = _map(fields, page.field_map)
    link = values.get("link", "")[:MAX_LINK]
    utm = utm_of(fields, link=link)
    origin = replace(
        page.origin(),
        campaign=cell(utm.get("utm_campaign", ""), MAX_CAMPAIGN) or page.campaign,
        marketer=rule.marketer if (rule := fitting_rule(page.utm_rules, utm)) else page.marketer,
        consent_page=cell(link, MAX_LINK),
    )
    return Submission(origin, read_content(values, product=page.product, no_phone=NO_PHONE_FIELD))


def read_fields(body: bytes, *, content_type: str) -> dict[str, str] | None:
    """The fields of a JSON object or a form; None when it is neither. Bytes that are no UTF-8 become '\ufffd'."""
    text = body.decode("utf-8-sig", "replace").strip()
    if "json" in content_type.lower() or text.startswith("{"):
        return _of_json(text)
    if content_type.lower().startswith("multipart/form-data"):
        return _of_multipart(body, content_type=content_type)
    if "=" not in text or text.startswith(("<", "[")):
        return None
    return _collect(parse_qsl(text, keep_blank_values=True, encoding="utf-8", errors="replace"))


def _of_json(text: str) -> dict[str, str] | None:
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        document = _as_written_by_scripts(text)
    if not isinstance(document, dict):
        return None
    return _collect((_whole(key), _whole(value)) for key, value in _flatten(document, depth=_DEPTH))


def _of_multipart(body: bytes, *, content_type: str) -> dict[str, str] | None:
    """What a script sends that hands the form on as it is (RFC 7578); files are left out."""
    pairs: list[tuple[str, str]] = []

    def keep(part: Part) -> None:
        pairs.append(
            ((part.field_name or b"").decode("utf-8", "replace"), (part.value or b"").decode("utf-8", "replace"))
        )

    try:
        parse_form({"Content-Type": content_type.encode()}, BytesIO(body), keep, None)
    except FormParserError:
        return None
    return _collect(pairs)


def _as_written_by_scripts(text: str) -> object:
    """JSON that strict readers refuse for the sake of one sign: a script that cuts a note to a length halves an emoji, one
    that puts JSON together by hand leaves the line ends in it. The number in it is somebody's all the same. None: it is not
    JSON in any way."""
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None


def _whole(text: str) -> str:
    """The text with a '?' for each half of an emoji."""
    return text.encode("utf-8", "replace").decode()


def _flatten(document: Mapping[str, object], *, depth: int) -> Iterable[tuple[str, str]]:
    for key, value in document.items():
        if isinstance(value, dict):
            if depth:
                yield from _flatten(value, depth=depth - 1)
        elif isinstance(value, list):
            texts = [text for one in value if not isinstance(one, dict | list) and (text := _text(one))]
            yield key, ", ".join(texts)
        else:
            yield key, _text(value)


def _text(value: object) -> str:
    if value is None or isinstance(value, bool):
        return ""
    return value if isinstance(value, str) else repr(value)


def _collect(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The first value of each field that is not empty."""
    fields: dict[str, str] = {}
    for key, value in pairs:
        if len(fields) >= MAX_FIELDS:
            break
        if not fields.get(key):
            fields[key] = value[:MAX_VALUE]
    return fields


@dataclass(frozen=True, slots=True)
class Traced:
    """A field of a form and what it was taken for: by the page's own map, by its name, or for nothing (None)."""

    key: str
    text: str
    meaning: str | None
    by_map: bool


def trace(fields: Mapping[str, str], field_map: Mapping[str, str]) -> list[Traced]:
    """What each field of a form means. The page's own map comes before the names that everybody uses."""
    return [
        Traced(key, text, field_map.get(key) or _BY_ALIAS.get(plain(key)), by_map=key in field_map)
        for key, text in fields.items()
    ]


def _map(fields: Mapping[str, str], field_map: Mapping[str, str]) -> dict[str, str]:
    """Field of a lead → text."""
    return joined(((one.meaning, one.text) for one in trace(fields, field_map)), joints=_JOINTS)


def _query_of(link: str) -> dict[str, str]:
    try:
        return dict(parse_qsl(urlsplit(link).query, errors="replace"))
    except ValueError:  # an address that is none, such as http://[
        return {}


def _named(fields: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name in UTM if (text := fields.get(name, "").strip())}


def utm_of(fields: Mapping[str, str], *, link: str) -> dict[str, str]:
    """The UTM parameters of a form: those of the page's address, and before them those that the form has as fields."""
    return {**_named(_query_of(link)), **_named(fields)}


def fitting_rule(rules: Iterable[UtmRule], utm: Mapping[str, str]) -> UtmRule | None:
    """The first rule that fits: its marketer is credited instead of the page's."""
    return next((rule for rule in rules if utm.get(rule.parameter) == rule.value), None)
