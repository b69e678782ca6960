"""Numbers that stand in what people write, for those who may not see them."""

from __future__ import annotations

import pytest

from shared.phone.hiding import hidden


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Tư vấn giúp em, sđt 0912 345 678 nhé", "Tư vấn giúp em, sđt 0912***678 nhé"),
        ("Lan 0912345678", "Lan 0912***678"),
        ("o9l2.345.678 gọi", "0912***678 gọi"),
        ("zalo +84 (912) 345-678; vợ 0987654321/0903 111 222", "zalo 0912***678; vợ 0987***321/0903***222"),
        ("0912\u200b345678", "0912***678"),
        ("０９１２３４５６７８", "0912***678"),
        ("0162 345 6789", "0323***789"),
        ("028 3822 1234", "0283***234"),
        ("+1 650 253 0000", "+165***000"),
        ("hai lần: 0912345678, 0912 345 678, 0912345678", "hai lần: 0912***678, 0912***678, 0912***678"),
        ("giá 350.000 - 400.000đ, hẹn 21/11/2026 9h", "giá 350.000 - 400.000đ, hẹn 21/11/2026 9h"),
        ("12 Lê Lợi, P. Bến Thành", "12 Lê Lợi, P. Bến Thành"),
        ("", ""),
    ],
)
def test_every_number_in_a_text_is_masked_and_nothing_else(written: str, shown: str) -> None:
    assert hidden(written) == shown
    assert hidden(shown) == shown


def test_more_numbers_than_one_reading_finds_are_masked_wherever_they_stand() -> None:
    numbers = [f"09{place:02}345678" for place in range(10, 30)]
    shown = hidden(("tư vấn giúp em " * 30 + "\n").join(numbers))
    assert shown.count("***678") == len(numbers)
    assert "345678" not in shown
