"""A labelled corpus of 5,000 written forms: how often a number is found, and how often what is found is one."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from shared.phone import PhoneRule, read_phones
from shared.phone.explain import AREAS, OPERATORS, STEPS, explain
from shared.phone.numbering import AREAS_2017, MOBILE_HEADS
from tests.unit.phone_corpus import SIZE, Form, Label, corpus, measured

PRECISION = 0.999
RECALL = 0.99


def _read(text: str) -> Label:
    return tuple(phone.e164 for phone in read_phones(text).phones)


def test_numbers_are_found_and_nothing_else_is() -> None:
    forms = corpus()

    precision, recall, wrong = measured(forms, _read)

    of_rules = Counter(form.rule for form, _ in wrong)
    assert len({form.written for form in forms}) == SIZE
    assert precision >= PRECISION, of_rules
    assert recall >= RECALL, of_rules


def test_the_corpus_has_enough_of_everything_and_is_always_the_same() -> None:
    forms = corpus()
    by_rule = Counter(form.rule for form in forms)
    of_several = [form for form in forms if len(form.numbers) > 1]
    of_none = [form for form in forms if not form.numbers]

    assert forms == corpus()
    assert min(by_rule.values()) >= 20, by_rule
    assert len(of_several) > 300
    assert len(of_none) > 400


def test_a_reading_that_is_wrong_lowers_the_measure() -> None:
    forms = [Form("0912345678", ("+84912345678",), "plain"), Form("12/05/2024", (), "date")]

    nothing, missed, _ = measured(forms, lambda text: ("+84912345678",) if "/" in text else ())

    assert (nothing, missed) == (0.0, 0.0)


def test_every_rule_has_words() -> None:
    assert STEPS.keys() == set(PhoneRule)
    assert all(vi and en for vi, en in STEPS.values())


def test_nearly_every_mobile_prefix_has_an_operator_and_every_area_a_name() -> None:
    heads = {head for heads in OPERATORS.values() for head in heads.split()}
    nameless = {head for head in MOBILE_HEADS if head not in heads and head[:2] not in heads}

    assert all(head.startswith(("51", "55", "95", "99")) for head in nameless), nameless
    assert set(AREAS_2017.values()) <= AREAS.keys()


@given(st.text(max_size=60) | st.text(alphabet="0123456789 +.-/,;oOlI()\n", max_size=60))
def test_an_explanation_says_the_same_as_the_reading(text: str) -> None:
    reading, explained = read_phones(text), explain(text)

    assert [one.e164 for one in explained.numbers] == [phone.e164 for phone in reading.phones]
    assert [one.typed for one in explained.ignored] == [part.typed for part in reading.unread]
    assert explained.problem == reading.problem
