"""What Facebook sends, read without a database: pushes, forms, numbers in messages."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from services.leads.facebook.chat import phones_in
from services.leads.facebook.form import FormRules, read_lead
from services.leads.facebook.graph import Away, NotAllowed, RateLimited, TokenInvalid
from services.leads.facebook.pages import LONGEST_PAUSE, PERSON_PAUSE, pause_after
from services.leads.facebook.updates import Unreadable, read_updates
from services.leads.intake.items import Candidate, Rejection

NOW = datetime(2026, 11, 21, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "phones"),
    [
        ("số em là 0912.345.678 nha gọi giúp", ["+84912345678"]),
        ("sdt o912 345 678 gọi e", ["+84912345678"]),
        ("Mình 45 tuổi, 0 9 1 2 3 4 5 6 7 8 gọi sau 17h30 nhé", ["+84912345678"]),
        ("sđt:0912345678nhé", ["+84912345678"]),
        ("09l2345678", ["+84912345678"]),
        ("01234567890 số cũ của mẹ", ["+84834567890"]),
        ("0912345678 hoặc +84 987 654 321", ["+84912345678", "+84987654321"]),
        ("0912345678\n0912 345 678", ["+84912345678"]),
        ("912345678", ["+84912345678"]),
        ("zalo 912345678 nha", ["+84912345678"]),
        ("mã đơn 987654321 sao chưa giao", []),
        ("giá 350.000.000 hả shop", []),
        ("giá 1.250.000 đ", []),
        ("stk 0071000123456 vietcombank", []),
        ("gọi 19001234 không được", []),
        ("còn hàng không shop? 👍", []),
        ("", []),
        ("dài " * 240 + "số 0912 345 678 " + "thêm chữ nữa " * 60, ["+84912345678"]),
        ("x" * 799 + " 0912345678", ["+84912345678"]),
        ("chữ " * 197 + "0912 345 678 " + "chữ " * 100, ["+84912345678"]),
    ],
)
def test_numbers_are_found_where_people_write_them(text: str, phones: list[str]) -> None:
    assert [phone.e164 for phone in phones_in(text)] == phones


def entry(**parts: Any) -> bytes:
    return json.dumps({"object": "page", "entry": [{"id": 42, "time": 1, **parts}]}).encode()


def message(**said: Any) -> dict[str, Any]:
    return {"sender": {"id": 7}, "recipient": {"id": "42"}, "timestamp": 1795226400123, "message": said}


def test_a_push_holds_leads_and_messages_with_ids_of_both_kinds() -> None:
    lead = {"leadgen_id": 123456789012345678, "form_id": "9", "ad_id": 5, "created_time": 1795226400}
    body = entry(
        changes=[{"field": "leadgen", "value": lead}, {"field": "feed", "value": {}}],
        messaging=[message(mid="m1", text="Chào\u0000 shop", attachments=[{"type": "image"}, {"type": "file"}])],
    )
    updates = read_updates(body, received_at=NOW)
    (announced,), (said,) = updates.leads, updates.messages
    assert (announced.page_id, announced.leadgen_id, announced.form_id) == ("42", "123456789012345678", "9")
    assert announced.created_time == NOW
    assert (said.page_id, said.psid, said.mid, said.text) == ("42", "7", "m1", "Chào shop")
    assert said.attachments == ("image", "file")
    assert orjson.loads(said.body)["message"]["mid"] == "m1"
    assert updates.unread == 0


def test_echoes_reads_and_deliveries_are_nobody_s_message() -> None:
    party = {"sender": {"id": "7"}, "recipient": {"id": "42"}, "timestamp": 1795226400123}
    events = [
        {**message(mid="m1", text="Shop chào bạn", is_echo=True), "sender": {"id": "42"}, "recipient": {"id": "7"}},
        {**party, "read": {"watermark": 1}},
        {**party, "delivery": {"mids": ["m1"]}},
        {**party, "reaction": {"emoji": "👍"}},
    ]
    updates = read_updates(entry(messaging=events), received_at=NOW)
    assert (updates.messages, updates.unread) == ([], 0)


def test_a_pressed_button_is_a_message_and_an_advertisement_is_kept() -> None:
    pressed = {
        "sender": {"id": "7"},
        "recipient": {"id": "42"},
        "timestamp": 1795226400123,
        "postback": {"mid": "m2", "title": "Đặt hàng", "payload": "BUY", "referral": {"ad_id": "120", "source": "ADS"}},
    }
    updates = read_updates(entry(messaging=[pressed]), received_at=NOW)
    assert [(said.mid, said.text) for said in updates.messages] == [("m2", "Đặt hàng")]
    assert updates.referrals == [("42", "7", "120")]


def test_half_an_emoji_is_no_reason_to_lose_a_batch() -> None:
    body = entry(messaging=[message(mid="m1", text="0912345678 X")]).replace(b"X", b"\\ud83d")
    (said,) = read_updates(body, received_at=NOW).messages
    assert said.text.startswith("0912345678")
    assert said.text.encode()


def test_absurd_times_are_the_moment_of_arrival() -> None:
    future = {**message(mid="m1", text="a"), "timestamp": 10**15}
    (said,) = read_updates(entry(messaging=[future]), received_at=NOW).messages
    assert said.at == NOW


@pytest.mark.parametrize("body", [b"", b"null", b'{"object":"user","entry":[]}', b"[" * 10_000])
def test_what_is_no_push_says_so(body: bytes) -> None:
    with pytest.raises(Unreadable):
        read_updates(body, received_at=NOW)


def answer(*fields: tuple[str, str], **further: object) -> bytes:
    data = [{"name": name, "values": [text]} for name, text in fields]
    return orjson.dumps({"id": "1", "created_time": "2026-11-21T02:00:00+0000", "field_data": data, **further})


def test_first_and_last_name_and_the_parts_of_an_address_are_joined() -> None:
    fields = (("first_name", "Lan"), ("last_name", "Nguyễn"), ("phone_number", "0912345678"), ("city", "Hà Nội"))
    lead = read_lead(answer(*fields, ("street_address", "12 Lê Lợi")), rules=FormRules(), form_id="9")
    assert isinstance(lead.content, Candidate)
    assert (lead.content.name, lead.content.address) == ("Lan Nguyễn", "Hà Nội, 12 Lê Lợi")
    assert (lead.form_id, lead.created_time) == ("9", NOW)


def test_two_numbers_of_a_form_make_one_lead() -> None:
    fields = (("phone_number", "0912345678"), ("zalo", "0987654321"))
    lead = read_lead(answer(*fields), rules=FormRules(), form_id="9")
    assert isinstance(lead.content, Candidate)
    assert lead.content.phones == ("+84912345678", "+84987654321")


@pytest.mark.parametrize("data", [None, "x", {}, [1, {"name": 5}, {"name": "email"}]])
def test_an_answer_without_usable_fields_is_a_rejection(data: object) -> None:
    lead = read_lead(orjson.dumps({"id": "1", "field_data": data}), rules=FormRules(), form_id="9")
    assert isinstance(lead.content, Rejection)


def test_pauses_grow_and_a_person_s_problem_waits_for_a_person() -> None:
    assert pause_after(Away("x"), failures=0, pace=1) == timedelta(seconds=15)
    assert pause_after(Away("x"), failures=3, pace=1) == timedelta(minutes=2)
    assert pause_after(Away("x"), failures=99, pace=1) == LONGEST_PAUSE
    assert pause_after(RateLimited("x"), failures=0, pace=1) == timedelta(minutes=5)
    assert pause_after(RateLimited("x", retry_after=timedelta(hours=2)), failures=0, pace=1) == timedelta(hours=2)
    for error in (TokenInvalid("x"), NotAllowed("x")):
        assert pause_after(error, failures=5, pace=1) == PERSON_PAUSE
