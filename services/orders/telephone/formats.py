"""How telephone systems tell of calls: their webhooks, read into events."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

import orjson
from pydantic import ValidationError

from services.orders.telephone.events import CallEvent, Direction, What
from services.orders.telephone.numbers import outside_number

FORM: Final = "application/x-www-form-urlencoded"
MILLISECONDS_FROM: Final = 100_000_000_000
"""Numbers from here on are milliseconds since 1970, those below are seconds (of the year 5138)."""

FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 2200
"""Times outside are mistakes, and arithmetic on the very last years would overflow."""


class Unreadable(Exception):
    """A body that is no event of this format. The text says why, without repeating the body."""


Reader = Callable[[Mapping[str, Any], ZoneInfo, Collection[str]], list[CallEvent]]
"""Reads one object of a body, given the zone of times that name none, and the extensions that are ours. An event that
says nothing to us gives none."""


def read(
    format: str, body: bytes, *, content_type: str, zone: ZoneInfo, extensions: Collection[str]
) -> list[CallEvent]:
    """The events in a body: a JSON object or a list of them, or a form.

    Raises:
        Unreadable: it is none of this format.
    """
    found: list[CallEvent] = []
    for item in _objects(body, content_type):
        try:
            found += FORMATS[format](item, zone, extensions)
        except ValidationError as error:
            wrong = error.errors()[0]
            raise Unreadable(f"{'.'.join(map(str, wrong['loc']))}: {wrong['type']}") from None
    return found


def _objects(body: bytes, content_type: str) -> list[Mapping[str, Any]]:
    if content_type.startswith(FORM):
        try:
            return [dict(parse_qsl(body.decode(), keep_blank_values=True))]
        except UnicodeDecodeError:
            raise Unreadable("the form is not UTF-8") from None
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Unreadable("not JSON") from None
    items = data if isinstance(data, list) else [data]
    if not all(isinstance(item, dict) for item in items):
        raise Unreadable("not an object")
    return items


# --- our own format, for systems that can be told what to send -----------------------------------------------------------

_WHAT: Final[Mapping[str, What]] = {
    "start": "started",
    "started": "started",
    "created": "started",
    "ring": "ringing",
    "ringing": "ringing",
    "answer": "answered",
    "answered": "answered",
    "end": "ended",
    "ended": "ended",
    "hangup": "ended",
    "cdr": "ended",
    "record": "recorded",
    "recorded": "recorded",
    "recording": "recorded",
}
_DIRECTION: Final[Mapping[str, Direction]] = {
    "out": "out",
    "outbound": "out",
    "outgoing": "out",
    "in": "in",
    "inbound": "in",
    "incoming": "in",
}


def read_plain(item: Mapping[str, Any], zone: ZoneInfo, _: Collection[str]) -> list[CallEvent]:
    """Flat fields: call_id, event, at, direction, phone, extension, cause, started_at, answered_at, talk_seconds,
    recording, request. Times are ISO 8601 or seconds or milliseconds since 1970."""
    what = _WHAT.get(_text(item, "event").lower())
    if what is None:
        raise Unreadable("event: unknown")
    direction = _text(item, "direction").lower()
    if direction and direction not in _DIRECTION:
        raise Unreadable("direction: unknown")
    event = CallEvent.model_validate(
        {
            "call_id": _text(item, "call_id"),
            "what": what,
            "at": _needed_time(item, "at", zone),
            "direction": _DIRECTION.get(direction),
            "phone": _text(item, "phone"),
            "extension": _text(item, "extension"),
            "cause": _text(item, "cause"),
            "started_at": _time(item.get("started_at"), zone),
            "answered_at": _time(item.get("answered_at"), zone),
            "talk_seconds": _number(item.get("talk_seconds")),
            "recording": _text(item, "recording"),
            "request": _text(item, "request"),
        }
    )
    return [event]


# --- Stringee: https://developer.stringee.com/docs/server/call-events ----------------------------------------------------

_STRINGEE: Final[Mapping[str, What]] = {
    "created": "started",
    "started": "started",
    "ringing": "ringing",
    "answered": "answered",
    "ended": "ended",
}


def read_stringee(item: Mapping[str, Any], zone: ZoneInfo, extensions: Collection[str]) -> list[CallEvent]:
    """Stringee's call events. `agentEnded` is about one leg only and says nothing. It sends none when a recording is
    ready, so whoever fetches those tells of them in our own format, to the same address."""
    if "call_status" not in item:
        return read_plain(item, zone, extensions)
    what = _STRINGEE.get(_text(item, "call_status"))
    if what is None:
        return []
    caller, callee = _side(item, "from"), _side(item, "to")
    from_us, to_us = _text(caller, "type") == "internal", _text(callee, "type") == "internal"
    if from_us and to_us:
        return []  # colleagues among themselves
    direction: Direction = "out" if from_us else "in"
    ours, theirs = (caller, callee) if direction == "out" else (callee, caller)
    extension = (_text(item, "request_from_user_id") if direction == "out" else "") or _text(ours, "number")
    event = CallEvent.model_validate(
        {
            "call_id": _text(item, "call_id"),
            "what": what,
            "at": _needed_time(item, "timestamp_ms", zone),
            "direction": direction,
            "phone": _text(theirs, "number"),
            "extension": extension,
            "cause": _text(item, "endCallCause"),
            "talk_seconds": _number(item.get("answerDuration")),
            "request": _text(item, "clientCustomData")[:60],
        }
    )
    return [event]


def _side(item: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    side = item.get(name)
    return side if isinstance(side, dict) else {}


# --- Asterisk: https://docs.asterisk.org, AMI events Cdr, DialBegin, DialEnd --------------------------------------------

_CHANNEL: Final = re.compile(r"[A-Za-z0-9]+/([^-@;]+)")


def read_asterisk(item: Mapping[str, Any], zone: ZoneInfo, extensions: Collection[str]) -> list[CallEvent]:
    """AMI events as JSON objects, as a relay beside the PBX forwards them (`timestampevents=yes`).

    `Cdr` tells the whole call when it is over, in the PBX's own time; `DialBegin` and `DialEnd` tell of it while it goes
    on. A recording's link stands in the CDR's `UserField`.
    """
    match _text(item, "Event"):
        case "Cdr":
            return _cdr(item, zone, extensions)
        case "DialBegin":
            return _dial(item, zone, extensions, what="ringing")
        case "DialEnd" if _text(item, "DialStatus") == "ANSWER":
            return _dial(item, zone, extensions, what="answered")
        case "":
            return read_plain(item, zone, extensions)
        case _:
            return []


def _cdr(item: Mapping[str, Any], zone: ZoneInfo, extensions: Collection[str]) -> list[CallEvent]:
    direction, extension, phone = _sides(
        _extension_of(item, "Channel"),
        _extension_of(item, "DestinationChannel"),
        caller=_text(item, "Source"),
        callee=_text(item, "Destination"),
        extensions=extensions,
    )
    if direction is None:
        return []
    field = _text(item, "UserField")
    event = CallEvent.model_validate(
        {
            "call_id": _text(item, "UniqueID"),
            "what": "ended",
            "at": _needed_time(item, "EndTime", zone),
            "direction": direction,
            "phone": phone,
            "extension": extension,
            "cause": _text(item, "Disposition"),
            "started_at": _time(item.get("StartTime"), zone),
            "answered_at": _time(item.get("AnswerTime"), zone),
            "talk_seconds": _number(item.get("BillableSeconds")),
            "recording": field if field.startswith(("http://", "https://")) else "",
            "request": _text(item, "AccountCode")[:60],
        }
    )
    return [event]


def _dial(item: Mapping[str, Any], zone: ZoneInfo, extensions: Collection[str], *, what: What) -> list[CallEvent]:
    direction, extension, phone = _sides(
        _extension_of(item, "Channel"),
        _extension_of(item, "DestChannel"),
        caller=_text(item, "CallerIDNum"),
        callee=_text(item, "DestCallerIDNum") or _text(item, "DialString"),
        extensions=extensions,
    )
    if direction is None:
        return []
    event = CallEvent.model_validate(
        {
            "call_id": _text(item, "Linkedid") or _text(item, "DestLinkedid"),
            "what": what,
            "at": _needed_time(item, "Timestamp", zone),
            "direction": direction,
            "phone": phone,
            "extension": extension,
        }
    )
    return [event]


def _sides(
    calling: str, called: str, *, caller: str, callee: str, extensions: Collection[str]
) -> tuple[Direction | None, str, str]:
    """Direction, our extension, the customer's number; no direction for colleagues among themselves and for what is
    neither ours nor a telephone number."""
    from_us, to_us = calling in extensions or caller in extensions, called in extensions or callee in extensions
    if from_us and not to_us and outside_number(callee):
        return "out", calling if calling in extensions else caller, callee
    if not from_us and outside_number(caller):
        return "in", called if called in extensions else callee if to_us else "", caller
    return None, "", ""


def _extension_of(item: Mapping[str, Any], name: str) -> str:
    """'PJSIP/101-00000012' → '101'."""
    match = _CHANNEL.match(_text(item, name))
    return match[1] if match else ""


# --- fields ------------------------------------------------------------------------------------------------------------


def _text(item: Mapping[str, Any], name: str) -> str:
    value = item.get(name)
    if value is None or isinstance(value, (dict, list)):
        return ""
    return str(value).replace("\x00", "").strip()


def _number(value: Any) -> int | None:
    if value is None or value == "":
        return None
    try:
        return max(0, int(float(str(value))))
    except (ValueError, OverflowError):
        raise Unreadable("a length is not a number") from None


def _needed_time(item: Mapping[str, Any], name: str, zone: ZoneInfo) -> datetime:
    found = _time(item.get(name), zone)
    if found is None:
        raise Unreadable(f"{name}: missing")
    return found


def _time(value: Any, zone: ZoneInfo) -> datetime | None:
    """A moment: ISO 8601 (in the system's zone if it names none), or seconds or milliseconds since 1970. Zero and nothing
    are no moment."""
    text = str(value).strip() if value is not None else ""
    if text in ("", "0", "0000-00-00 00:00:00"):
        return None
    try:
        number = float(text)
    except ValueError:
        pass
    else:
        try:
            return _credible(datetime.fromtimestamp(number / 1000 if number >= MILLISECONDS_FROM else number, UTC))
        except (ValueError, OverflowError, OSError):
            raise Unreadable("a time is out of range") from None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Unreadable("a time is not ISO 8601") from None
    return _credible(moment if moment.tzinfo is not None else moment.replace(tzinfo=zone))


def _credible(moment: datetime) -> datetime:
    if not FIRST_YEAR <= moment.year < LAST_YEAR:
        raise Unreadable("a time is out of range")
    return moment


FORMATS: Final[Mapping[str, Reader]] = {"chot": read_plain, "stringee": read_stringee, "asterisk": read_asterisk}
