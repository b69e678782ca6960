"""GHN's codes: each has a meaning and a level, and none is silent."""

from __future__ import annotations

import pytest

from deploy.local.ghn.life import REASON_TEXT, STATUS_TEXT
from services.orders.delivery import LEVELS
from services.shipping.carriers.ghn_codes import CODES, TRANSFERRED

# carriers.md §3.4, line by line: our status, the level of the order, and what is special about it.
TABLE = {
    "ready_to_pick": ("accepted", "L7", "cancellable"),
    "picking": ("accepted", "L7", "cancellable"),
    "cancel": ("cancelled", "L7.4", "final"),
    "money_collect_picking": ("accepted", "L7", "cancellable"),
    "picked": ("picked_up", "L7", ""),
    "storing": ("picked_up", "L7", ""),
    "transporting": ("picked_up", "L7", ""),
    "sorting": ("picked_up", "L7", ""),
    "delivering": ("out_for_delivery", "L7.1", ""),
    "money_collect_delivering": ("out_for_delivery", "L7.1", ""),
    "delivered": ("delivered", "L8", ""),
    "cod_transferred": ("delivered", "L8", "final settles"),
    "delivery_fail": ("delivery_failed", "L7.2", ""),
    "waiting_to_return": ("delivery_failed", "L7.2", "awaits_decision"),
    "return": ("returning", "L7.5", ""),
    "return_transporting": ("returning", "L7.5", ""),
    "return_sorting": ("returning", "L7.5", ""),
    "returning": ("returning", "L7.5", ""),
    "return_fail": ("returning", "L7.5", ""),
    "returned": ("returned", "L7.3", "final"),
    "exception": ("delivery_failed", "L7.2", "either_way needs_person"),
    "damage": ("lost", "L7.6", "final"),
    "lost": ("lost", "L7.6", "final"),
}
FLAGS = ("cancellable", "either_way", "final", "provisional", "settles", "awaits_decision", "needs_person")


@pytest.mark.parametrize("code", TABLE)
def test_every_documented_status_has_its_level_and_words(code: str) -> None:
    status, level, special = TABLE[code]
    meaning = CODES.statuses[code]
    flags = {name for name in FLAGS if getattr(meaning, name)}
    assert (meaning.status, LEVELS[meaning.status], flags) == (status, level, set(special.split()))
    assert meaning.vi
    assert meaning.en


def test_the_table_has_these_statuses_and_no_others() -> None:
    assert set(CODES.statuses) == set(TABLE)
    assert {str(code) for code in STATUS_TEXT} | {TRANSFERRED} == set(TABLE)


@pytest.mark.parametrize("code", REASON_TEXT)
def test_every_documented_reason_has_words(code: str) -> None:
    assert CODES.reasons[code].vi
    assert CODES.reasons[code].en


def test_the_table_has_these_reasons_and_no_others() -> None:
    assert set(CODES.reasons) == set(REASON_TEXT)
