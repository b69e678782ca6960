"""What landing page forms send, and the lead it is."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.leads.intake.items import Candidate, Rejection
from services.leads.landing import Submission, read_submission
from services.leads.sources import KnownSource, UtmRule

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


def page(**values: Any) -> KnownSource:
    default: dict[str, Any] = {
        "id": UUID(int=1),
        "name": "serum-30",
        "channel": "landing_page",
        "campaign": "mặc định",
        "marketer": "MKT00",
        "product": "SERUM-30",
        "asked_to_be_called": True,
        "consent_text": "Tôi đồng ý được gọi",
        "field_map": {},
        "utm_rules": (),
    }
    return KnownSource(**{**default, **values})


def read(body: bytes | dict[str, Any], *, content_type: str = JSON, **values: Any) -> Submission:
    sent = json.dumps(body).encode() if isinstance(body, dict) else body
    return read_submission(sent, content_type=content_type, page=page(**values))


def candidate(submission: Submission) -> Candidate:
    assert isinstance(submission.content, Candidate), submission.content
    return submission.content


FIELDS = {
    "name": "Nguyễn Thị Lan",
    "phone": "0168 234 5678",
    "message": "Tư vấn giúp em",
    "address": "12 Lê Lợi",
    "link": "https://shop.example/serum?utm_source=fb_an&utm_campaign=thang11&fbclid=x",
}


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (json.dumps(FIELDS).encode(), JSON),
        (json.dumps(FIELDS).encode(), "text/plain;charset=UTF-8"),
        (b"\xef\xbb\xbf" + json.dumps(FIELDS, ensure_ascii=False).encode(), JSON),
        (json.dumps({"data": {"fields": FIELDS}}).encode(), JSON),
        (urlencode(FIELDS).encode(), FORM),
        (urlencode(FIELDS).encode(), ""),
    ],
    ids=["json", "json named text", "with byte order mark", "wrapped", "form", "form without a name"],
)
def test_a_form_is_read_in_every_wrapping(body: bytes, content_type: str) -> None:
    submission = read(body, content_type=content_type)

    lead = candidate(submission)
    assert (lead.phones, lead.name, lead.note, lead.address) == (
        ("+84382345678",),
        "Nguyễn Thị Lan",
        "Tư vấn giúp em",
        "12 Lê Lợi",
    )
    assert (submission.origin.campaign, submission.origin.consent_page) == ("thang11", FIELDS["link"])
    assert (submission.origin.landing_page, lead.product) == ("serum-30", "SERUM-30")


def test_names_of_fields_may_be_vietnamese() -> None:
    lead = candidate(read({"Số điện thoại *": "0912345678", "Họ và tên": "Lan", "Ghi chú": "gấp", "Sản phẩm": "X-1"}))

    assert (lead.phones, lead.name, lead.note, lead.product) == (("+84912345678",), "Lan", "gấp", "X-1")


def test_the_map_of_the_page_comes_before_common_names() -> None:
    lead = candidate(
        read(
            {"form_item3209": "0912345678", "phone": "không phải số", "form_item1": "size M", "form_item2": "màu đỏ"},
            field_map={"form_item3209": "phone", "phone": "ignore", "form_item1": "note", "form_item2": "note"},
        )
    )

    assert (lead.phones, lead.note) == (("+84912345678",), "size M\nmàu đỏ")


def test_two_phone_fields_are_one_lead_with_two_numbers() -> None:
    lead = candidate(read({"phone": "0912345678", "Zalo": "0987654321"}))

    assert lead.phones == ("+84912345678", "+84987654321")


def test_a_number_sent_as_a_number_is_read() -> None:
    assert candidate(read({"phone": 912345678})).phones == ("+84912345678",)
    assert candidate(read({"phone": 84912345678.0})).phones == ("+84912345678",)


def test_the_first_utm_rule_that_fits_credits_its_marketer() -> None:
    rules = (UtmRule("utm_content", "video7", "MKT02"), UtmRule("utm_source", "fb_an", "MKT01"))

    assert read(FIELDS, utm_rules=rules).origin.marketer == "MKT01"
    assert read({**FIELDS, "utm_content": "video7"}, utm_rules=rules).origin.marketer == "MKT02"
    assert read({"phone": "0912345678"}, utm_rules=rules).origin.marketer == "MKT00"


@pytest.mark.parametrize(
    ("body", "content_type", "code"),
    [
        (b"", JSON, "body_unreadable"),
        (b"{", JSON, "body_unreadable"),
        (b"[1, 2]", JSON, "body_unreadable"),
        (b'"0912345678"', JSON, "body_unreadable"),
        (b"[" * 100_000, JSON, "body_unreadable"),
        (b'{"a":' * 100_000, JSON, "body_unreadable"),
        (b"<phone>0912345678</phone>", "text/xml", "body_unreadable"),
        (b"\x00\xff\xfe", FORM, "body_unreadable"),
        (b'{"name": "Lan"}', JSON, "phone_field_missing"),
        (b"name=Lan", FORM, "phone_field_missing"),
        (b'{"phone": ""}', JSON, "phone_empty"),
        (b'{"phone": null}', JSON, "phone_empty"),
        (b"phone=12345", FORM, "phone_short_code"),
    ],
)
def test_what_is_no_lead_is_rejected_with_a_reason(body: bytes, content_type: str, code: str) -> None:
    content = read(body, content_type=content_type).content

    assert isinstance(content, Rejection)
    assert content.code == code
    assert content.vi
    assert content.en


def test_bytes_that_are_no_utf_8_spoil_only_themselves() -> None:
    lead = candidate(read(b"phone=0912345678&name=Lan%ff%00&message=\xff\xfe", content_type=FORM))

    assert lead.phones == ("+84912345678",)
    assert lead.name.startswith("Lan")
    assert "\0" not in lead.name


@given(st.binary(max_size=400), st.sampled_from([JSON, FORM, "", "text/html"]))
def test_nothing_that_is_sent_can_break_the_reading(body: bytes, content_type: str) -> None:
    content = read(body, content_type=content_type).content

    assert isinstance(content, Candidate | Rejection)


@pytest.mark.parametrize(
    ("note", "read_as"),
    [(rb"Gi\u1ea3m gi\u00e1 \ud83d", "Giảm giá ?"), (b"dong mot\ndong hai\tba", "dong mot\ndong hai\tba")],
    ids=["half an emoji", "line ends as they are"],
)
def test_one_sign_that_strict_readers_refuse_costs_no_number(note: bytes, read_as: str) -> None:
    lead = candidate(read(b'{"phone": "0912 345 678", "message": "' + note + b'"}'))
    assert (lead.phones, lead.note) == (("+84912345678",), read_as)


@given(
    st.dictionaries(
        st.text(max_size=20), st.none() | st.booleans() | st.floats() | st.integers() | st.text(), max_size=8
    )
)
def test_no_object_can_break_the_reading(fields: dict[str, Any]) -> None:
    sent = json.dumps(fields).encode("utf-8", "surrogatepass")
    content = read(b'{"phone": "0912345678", "x": ' + sent + b"}").content

    if isinstance(content, Candidate):
        texts = (content.name, content.note, content.address, content.product, content.typed)
        assert not any("\0" in text for text in texts)
        assert all(text.encode() is not None for text in texts)


PARTS = "multipart/form-data; boundary=----x7"


def in_parts(**fields: str) -> bytes:
    head = 'Content-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'
    parts = [head.format(name, value) for name, value in fields.items()]
    parts.append(
        'Content-Disposition: form-data; name="anh"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n\0\1\r\n'
    )
    return "".join(f"------x7\r\n{part}" for part in parts).encode() + b"------x7--\r\n"


def test_a_form_in_parts_is_read_without_its_files() -> None:
    found = candidate(read(in_parts(**{"Số điện thoại": "0912 345 678", "name": "Lan"}), content_type=PARTS))
    assert (found.phones, found.name) == (("+84912345678",), "Lan")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (in_parts(phone="0912345678"), "multipart/form-data"),
        (in_parts(phone="0912345678"), "multipart/form-data; boundary=other"),
        (b"phone=0912345678", PARTS),
        (b"\0\xff", PARTS),
    ],
    ids=["no boundary", "another boundary", "no parts", "rubbish"],
)
def test_a_form_whose_parts_cannot_be_told_apart_is_unreadable(body: bytes, content_type: str) -> None:
    content = read(body, content_type=content_type).content
    assert isinstance(content, Rejection)
    assert content.code == "body_unreadable"


@given(st.binary(max_size=200), st.text(max_size=30))
def test_no_parts_whatever_they_are_fail(body: bytes, boundary: str) -> None:
    read(b"------x7\r\n" + body, content_type=PARTS)
    read(body, content_type=f"multipart/form-data; boundary={boundary}")
