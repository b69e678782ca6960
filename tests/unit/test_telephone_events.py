"""A call is a function of the set of its events; each format is read into the same events; one call told twice is found."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import orjson
import pytest

from services.orders.telephone.causes import ASK, NOTHING, meaning
from services.orders.telephone.events import CallEvent, call_of
from services.orders.telephone.formats import FORM, Unreadable, read
from services.orders.telephone.matching import Span, distance, nearest

START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
SAIGON = ZoneInfo("Asia/Ho_Chi_Minh")


def event(what: str, seconds: float, **more: Any) -> CallEvent:
    at = START + timedelta(seconds=seconds)
    return CallEvent.model_validate({"call_id": "c1", "what": what, "at": at, **more})


def test_every_order_and_repetition_of_events_tells_of_the_same_call() -> None:
    events = [
        event("started", 0, direction="out", phone="0912345678", extension="101"),
        event("ringing", 3, extension="102"),
        event("answered", 10, extension="103"),
        event("ended", 70, cause="NORMAL"),
        event("recorded", 80, recording="https://pbx.example/1.mp3"),
    ]
    calls = {repr(call_of([*order, order[0]])) for order in itertools.permutations(events)}
    assert len(calls) == 1
    call = call_of(events)
    assert (call.extension, call.talk_seconds, call.phone) == ("103", 60, "+84912345678")


def test_only_an_address_of_the_web_is_a_recording() -> None:
    assert call_of([event("recorded", 0, recording="javascript:alert(1)")]).recording == ""
    assert call_of([event("recorded", 0, recording="https://pbx.example/1.mp3")]).recording != ""


def test_an_event_told_in_another_zone_is_the_same_event() -> None:
    there = event("started", 0).model_copy(update={"at": START.astimezone(SAIGON)})
    assert there.digest() == event("started", 0).digest()


@pytest.mark.parametrize(
    ("cause", "answered", "meant"),
    [
        ("NO ANSWER", False, "no_answer"),
        ("no_answer", None, "no_answer"),
        ("486 Busy Here", False, "busy"),
        ("17", False, "busy"),
        ("CANCEL", False, ASK),
        ("480 Temporarily Unavailable", False, ASK),
        ("CONGESTION", False, NOTHING),
        ("BUSY", True, ASK),
        ("", False, ASK),
        ("something new", False, ASK),
    ],
)
def test_only_what_is_beyond_doubt_is_a_result(cause: str, answered: bool | None, meant: str) -> None:
    assert meaning(cause, answered=answered, own={}) == meant


def test_what_the_company_says_of_a_cause_wins() -> None:
    assert meaning("480 Temporarily Unavailable", answered=False, own={"480": "switched_off"}) == "switched_off"


def test_the_cdr_of_asterisk_is_read_in_the_zone_of_its_machine() -> None:
    cdr = {
        "Event": "Cdr",
        "UniqueID": "1700000000.12",
        "Source": "101",
        "Destination": "0912345678",
        "Channel": "PJSIP/101-0000000c",
        "DestinationChannel": "PJSIP/trunk-0000000d",
        "StartTime": "2026-11-23 09:00:00",
        "AnswerTime": "2026-11-23 09:00:12",
        "EndTime": "2026-11-23 09:01:00",
        "BillableSeconds": "48",
        "Disposition": "ANSWERED",
    }
    call = call_of(_read("asterisk", cdr))
    assert (call.direction, call.phone, call.extension, call.talk_seconds) == ("out", "+84912345678", "101", 48)
    assert (call.started_at, call.ended_at) == (START, START + timedelta(minutes=1))
    turned = {**cdr, "Source": "0912345678", "Channel": "PJSIP/trunk-1", "DestinationChannel": "PJSIP/101-2"}
    incoming = call_of(_read("asterisk", {**turned, "Destination": "s", "AnswerTime": "", "Disposition": "NO ANSWER"}))
    assert (incoming.direction, incoming.extension) == ("in", "101")
    assert _read("asterisk", {**cdr, "Destination": "102", "DestinationChannel": "PJSIP/102-3"}) == []


def test_a_call_through_a_trunk_is_outgoing_and_one_to_an_extension_beside_the_list_is_none() -> None:
    dial = {
        "Event": "DialBegin",
        "Timestamp": "1763863200.5",
        "Linkedid": "9",
        "Channel": "PJSIP/101-1",
        "CallerIDNum": "101",
    }
    through = {**dial, "DestChannel": "PJSIP/trunk-2", "DialString": "trunk/sip:0912345678@10.0.0.5"}
    call = call_of(_read("asterisk", through))
    assert (call.direction, call.phone, call.extension) == ("out", "+84912345678", "101")
    hotline = call_of(_read("asterisk", {**through, "DialString": "19001234@trunk"}))
    assert (hotline.direction, hotline.phone) == ("out", "+8419001234")
    assert _read("asterisk", {**dial, "DestChannel": "PJSIP/199-2", "DialString": "199@10.0.0.5"}) == []


def test_our_own_format_comes_as_json_or_as_a_form() -> None:
    fields = {"call_id": "7", "event": "hangup", "at": "1763863200", "direction": "inbound", "phone": "+84 912 345 678"}
    as_json = _read("chot", fields)
    as_form = read("chot", urlencode(fields).encode(), content_type=FORM, zone=SAIGON, extensions=())
    assert as_json == as_form
    assert call_of(as_json).direction == "in"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"[[]]",
        b'{"event": "ended"}',
        b'{"event": "ended", "call_id": "1"}',
        b'{"event": "ended", "call_id": "1", "at": "9999-12-31T23:59:59+00:00"}',
        b'{"event": "ended", "call_id": "1", "at": "1e400"}',
        b'{"event": "ended", "call_id": "1", "at": "yesterday"}',
        b'{"event": "ended", "call_id": "", "at": "1763863200"}',
        b'{"event": "ended", "call_id": "1", "at": "1763863200", "talk_seconds": "long"}',
        b'{"event": "ended", "call_id": "1", "at": "1763863200", "direction": "sideways"}',
    ],
)
def test_what_is_no_event_says_why(body: bytes) -> None:
    with pytest.raises(Unreadable) as refused:
        read("chot", body, content_type="application/json", zone=SAIGON, extensions=())
    assert str(refused.value)


def test_a_logged_time_finds_the_nearest_call() -> None:
    first = Span(START, START + timedelta(minutes=1))
    second = Span(START + timedelta(minutes=5), START + timedelta(minutes=7))
    assert nearest(START + timedelta(minutes=2), [first, second]) == first
    assert nearest(START + timedelta(minutes=8), [first, second]) == second
    assert nearest(START + timedelta(hours=2), [first, second]) is None
    assert distance(START - timedelta(minutes=4), first) is None


def _read(format: str, item: dict[str, Any]) -> list[CallEvent]:
    body = orjson.dumps(item)
    return read(format, body, content_type="application/json", zone=SAIGON, extensions={"101", "102"})
