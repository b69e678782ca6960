"""Profiles that are joined and parted again, values of the fields of the trade, numbers in any spelling."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.orders.customers.joining import Profile, joined, parted, restored
from services.orders.customers.lists import first_id
from services.orders.fields.values import Choice, Definition, InvalidFields, bound, changed, sought
from shared.phone import problems

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
EMPTY = Profile(
    kind="person",
    name="",
    tax_code="",
    note="",
    preferences={},
    fields={},
    tags=(),
    do_not_call_at=None,
    do_not_call_reason="",
    confirmed_at=None,
    confirmed_by="",
    confirmed_interaction=None,
    blocked_at=None,
    blocked_by="",
    blocked_reason="",
)
TAGS = [UUID(int=number) for number in range(4)]
instants = st.none() | st.integers(0, 5).map(lambda hours: NOW + timedelta(hours=hours))
profiles = st.builds(
    Profile,
    kind=st.sampled_from(["person", "organisation"]),
    name=st.sampled_from(["", "Hoa", "Mai"]),
    tax_code=st.sampled_from(["", "0101234567"]),
    note=st.sampled_from(["", "a", "b"]),
    preferences=st.dictionaries(st.sampled_from(["channel", "note"]), st.sampled_from(["x", "y"])),
    fields=st.dictionaries(st.sampled_from(["skin", "age", "size"]), st.integers(1, 3)),
    tags=st.lists(st.sampled_from(TAGS), unique=True).map(tuple),
    do_not_call_at=instants,
    do_not_call_reason=st.sampled_from(["", "r"]),
    confirmed_at=instants,
    confirmed_by=st.sampled_from(["", "NV01"]),
    confirmed_interaction=st.none() | st.sampled_from(TAGS),
    blocked_at=instants,
    blocked_by=st.just(""),
    blocked_reason=st.just(""),
)


@settings(max_examples=200)
@given(kept=profiles, gone=profiles)
def test_a_merge_that_is_taken_back_leaves_no_trace(kept: Profile, gone: Profile) -> None:
    both = joined(kept, gone)
    assert parted(both, before=kept, after=both) == kept
    assert restored(gone, now=both, after=both) == gone


@settings(max_examples=200)
@given(kept=profiles, gone=profiles)
def test_nothing_that_either_was_known_by_is_lost(kept: Profile, gone: Profile) -> None:
    both = joined(kept, gone)
    assert both.fields.keys() == kept.fields.keys() | gone.fields.keys()
    assert set(both.tags) == {*kept.tags, *gone.tags}
    refusals = [at for at in (kept.do_not_call_at, gone.do_not_call_at) if at]
    assert both.do_not_call_at == (max(refusals) if refusals else None)
    assert (both.blocked_at is None) == (kept.blocked_at is None and gone.blocked_at is None)


def test_what_was_edited_since_stays_with_the_one_that_stayed() -> None:
    kept = replace(EMPTY, name="Hoa", fields={"skin": "dry"}, tags=(TAGS[0],))
    gone = replace(EMPTY, name="Mai", fields={"age": 30}, tags=(TAGS[1],))
    both = joined(kept, gone)
    now = replace(both, name="Hoa Mai", fields={**both.fields, "size": "M"}, tags=(*both.tags, TAGS[2]))
    rest = parted(now, before=kept, after=both)
    assert rest == replace(kept, name="Hoa Mai", fields={"skin": "dry", "size": "M"}, tags=(TAGS[0], TAGS[2]))


def test_a_refusal_since_the_merge_holds_for_both() -> None:
    both = joined(EMPTY, EMPTY)
    now = replace(both, do_not_call_at=NOW, do_not_call_reason="đừng gọi nữa")
    assert parted(now, before=EMPTY, after=both).do_not_call_at == NOW
    assert restored(EMPTY, now=now, after=both).do_not_call_at == NOW


FIELDS = (
    Definition("name_of_pet", "text"),
    Definition("height", "number"),
    Definition("born", "date"),
    Definition("skin", "choice", choices=(Choice("oily", "", ""), Choice("dry", "", ""), Choice("old", "", "", True))),
    Definition("likes", "multi_choice", choices=(Choice("tea", "", ""), Choice("coffee", "", ""))),
    Definition("vip", "boolean"),
    Definition("second_phone", "phone"),
    Definition("gone", "text", retired=True),
)


@pytest.mark.parametrize(
    ("key", "value", "kept"),
    [
        ("name_of_pet", "  Mực ", "Mực"),
        ("height", 162.5, 162.5),
        ("height", 162.0, 162),
        ("born", "1990-12-31", "1990-12-31"),
        ("skin", "oily", "oily"),
        ("likes", ["coffee", "tea", "tea"], ["tea", "coffee"]),
        ("vip", False, False),
        ("second_phone", "0912.345.678", "+84912345678"),
    ],
)
def test_a_value_is_kept_in_the_one_form_of_its_type(key: str, value: Any, kept: Any) -> None:
    assert changed(FIELDS, {key: value}, before={}, complete=True) == {key: kept}


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("nothing", "x", "unknown"),
        ("name_of_pet", 7, "text"),
        ("name_of_pet", "x" * 1001, "too_long"),
        ("name_of_pet", "a\x00b", "text"),
        ("height", "162", "number"),
        ("height", True, "number"),
        ("height", float("nan"), "number"),
        ("height", 10**16, "too_large"),
        ("born", "31/12/1990", "date"),
        ("born", "1990-02-30", "date"),
        ("born", "19901231", "date"),
        ("born", 19901231, "date"),
        ("skin", "blue", "choice"),
        ("skin", "old", "choice"),
        ("skin", ["oily"], "choice"),
        ("likes", "tea", "multi_choice"),
        ("likes", ["beer"], "choice"),
        ("likes", [["tea"]], "choice"),
        ("vip", "true", "boolean"),
        ("second_phone", "12345", "phone"),
        ("second_phone", 912345678, "phone"),
        ("gone", "x", "retired"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_wrong(key: str, value: Any, code: str) -> None:
    with pytest.raises(InvalidFields) as caught:
        changed(FIELDS, {key: value}, before={}, complete=False)
    assert [(each["field"], each["code"]) for each in caught.value.members["errors"]] == [(f"fields.{key}", code)]


def test_all_that_is_wrong_is_named_at_once_and_null_takes_a_value_away() -> None:
    required = (*FIELDS, Definition("age", "number", required=True))
    with pytest.raises(InvalidFields) as caught:
        changed(required, {"skin": "blue", "vip": 1}, before={}, complete=True)
    assert [each["field"] for each in caught.value.members["errors"]] == ["fields.skin", "fields.vip", "fields.age"]
    assert changed(FIELDS, {"vip": None, "skin": ""}, before={"vip": True, "skin": "dry"}, complete=True) == {}


def test_a_retired_choice_and_field_keep_what_they_have() -> None:
    held = {"skin": "old", "gone": "x"}
    assert changed(FIELDS, {**held, "height": 1}, before=held, complete=True) == {**held, "height": 1}


def test_what_is_sent_back_as_it_was_shown_stays_and_what_is_new_is_judged() -> None:
    held = {"second_phone": "+8419001234"}
    assert changed(FIELDS, {**held, "height": 1}, before=held, complete=True) == {**held, "height": 1}
    with pytest.raises(InvalidFields) as caught:
        changed(FIELDS, {"second_phone": "1900 5678"}, before=held, complete=True)
    [error] = caught.value.members["errors"]
    assert (error["message"], error["message_en"]) == (problems.HOTLINE.vi, problems.HOTLINE.en)


def test_a_filter_looks_for_the_form_that_is_kept() -> None:
    by_key = {definition.key: definition for definition in FIELDS}
    assert sought(by_key["height"], "162.0") == {"height": 162}
    assert sought(by_key["likes"], "tea") == {"likes": ["tea"]}
    assert sought(by_key["vip"], "true") == {"vip": True}
    assert sought(by_key["skin"], "old") == {"skin": "old"}
    with pytest.raises(InvalidFields):
        sought(by_key["height"], "tall")


def test_the_ends_of_a_range_are_numbers_and_days() -> None:
    number, day = Definition("age", "number"), Definition("born", "date", retired=True)
    assert (bound(number, "20"), bound(number, "-1.5"), bound(day, "1990-12-31")) == (20, -1.5, date(1990, 12, 31))
    wrong = [(number, "nan"), (number, "inf"), (number, "old"), (number, " "), (number, "1e30"), (day, "31/12/1990")]
    for definition, typed in (*wrong, (day, "1990-02-30"), (Definition("skin", "text"), "a")):
        with pytest.raises(InvalidFields):
            bound(definition, typed)


def test_ids_of_an_instant_lie_around_its_first() -> None:
    at = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
    assert first_id(at) < first_id(at + timedelta(milliseconds=1))
    assert str(first_id(at)).startswith(f"{int(at.timestamp() * 1000):012x}"[:8])
