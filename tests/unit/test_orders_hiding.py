"""Numbers that stand in what people write, for those who see the order's number masked."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from services.orders.customers.api import HistoryEntry
from services.orders.hiding import hidden_in, unmasked
from shared.phone.hiding import hidden

ID = UUID("019a8491-2345-7789-9876-091234567890")


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Tư vấn giúp em, sđt 0912 345 678 nhé", "Tư vấn giúp em, sđt 0912***678 nhé"),
        ("Lan 0912345678", "Lan 0912***678"),
        ("912.345.678", "0912***678"),
        ("o9l2.345.678 gọi", "0912***678 gọi"),
        ("zalo +84 (912) 345-678; vợ 0987654321/0903 111 222", "zalo 0912***678; vợ 0987***321/0903***222"),
        ("(+84) 912345678", "0912***678"),
        ("0912\u200b345678", "0912***678"),
        ("０９１２３４５６７８", "0912***678"),
        ("0162 345 6789", "0323***789"),
        ("028 3822 1234", "0283***234"),
        ("+1 650 253 0000", "+165***000"),
        ("0 9 1 2 3 4 5 6 7 8", "0912***678"),
        ("09123456780903111222", "0912***6780903***222"),
        ("hai lần: 0912345678, 0912 345 678, 0912345678", "hai lần: 0912***678, 0912***678, 0912***678"),
        ("số nhà 12/345, 0912345678", "số nhà 12/345, 0912***678"),
        ("cọc 500.000 0912345678", "cọc 500.000 0912***678"),
        ("giá 350.000 - 400.000đ, hẹn 21/11/2026 9h", "giá 350.000 - 400.000đ, hẹn 21/11/2026 9h"),
        ("giá 912.345.678 đ", "giá 912.345.678 đ"),
        ("hẹn 09/11/2026 10h", "hẹn 09/11/2026 10h"),
        ("MST 0312345678, STK 1903456789012", "MST 0312345678, STK 1903456789012"),
        ("gọi 19001234 hoặc 1800 1234", "gọi 19001234 hoặc 1800 1234"),
        ("12 Lê Lợi, P. Bến Thành", "12 Lê Lợi, P. Bến Thành"),
        ("", ""),
    ],
)
def test_every_number_in_a_text_is_masked_and_nothing_else(written: str, shown: str) -> None:
    assert hidden(written) == shown
    assert hidden(shown) == shown


def test_a_text_that_comes_back_with_stars_has_not_changed() -> None:
    present = "Lan 0912345678"
    assert unmasked("Lan 0912***678", present) == present
    assert unmasked("Chị Lan", present) == "Chị Lan"
    assert unmasked(present, present) == present


def test_a_change_of_a_customer_is_masked_within_and_keeps_its_ids() -> None:
    entry = HistoryEntry(
        id=ID,
        customer_id=ID,
        order_id=None,
        version=2,
        kind="contact",
        changes={"contact": [None, {"id": str(ID), "name": "Bình 0912345678", "phones": ["+84912345678"]}]},
        reason="số mới 0912345678",
        at=datetime(2026, 11, 22, tzinfo=UTC),
        by_code="NV01",
    )
    shown = hidden_in(entry)
    assert shown.changes == {"contact": [None, {"id": str(ID), "name": "Bình 0912***678", "phones": ["0912***678"]}]}
    assert (shown.reason, shown.id) == ("số mới 0912***678", ID)
