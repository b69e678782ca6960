"""How far ahead a customer may be promised something."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.orders.care.seed import cod_standard
from services.orders.interactions.promised import PromiseTooFar, check

AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


def promise(step: str, *, days: float, company: int) -> None:
    check(cod_standard(), step, AT + timedelta(days=days), at=AT, days=company)


def test_the_days_of_the_step_come_before_the_companys() -> None:
    promise("buy_later", days=35, company=3)
    with pytest.raises(PromiseTooFar):
        promise("buy_later", days=36, company=90)


def test_a_step_that_says_nothing_has_the_companys_days() -> None:
    promise("callback", days=3, company=3)
    with pytest.raises(PromiseTooFar):
        promise("callback", days=3.01, company=3)
