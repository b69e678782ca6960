"""The example workbook: what its maker knows of each row is what our reading of it says."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from examples.make_leads import SEED, as_json, expected, make, workbook
from services.leads.workbook.sheets import SheetHeader, SheetRow, open_sheet
from shared.phone import PhoneRule, read_phones

EXAMPLES = Path(__file__).parents[2] / "examples"


async def read(path: Path) -> tuple[SheetHeader, list[SheetRow]]:
    async with open_sheet(path) as sheet:
        return sheet.header, [row async for rows in sheet for row in rows]


@pytest.fixture
async def sheet() -> tuple[SheetHeader, list[SheetRow]]:
    return await read(EXAMPLES / "leads.xlsx")


@pytest.fixture
def known() -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((EXAMPLES / "leads.expected.json").read_text(encoding="utf-8"))
    return facts


async def test_every_row_is_read_as_its_maker_made_it(
    sheet: tuple[SheetHeader, list[SheetRow]], known: dict[str, Any]
) -> None:
    first_row_of: dict[str, int] = {}
    verdicts: list[dict[str, Any]] = []
    for row in sheet[1]:
        reading = read_phones(row.values.get("phone", ""))
        numbers = [phone.e164 for phone in reading.phones]
        earlier = next((first_row_of[number] for number in numbers if number in first_row_of), None)
        if reading.problem:
            verdicts.append({"row": row.number, "outcome": "rejected", "reason": reading.problem.code})
        elif earlier:
            facts = {"outcome": "duplicate", "phones": numbers, "duplicate_of_row": earlier}
            verdicts.append({"row": row.number, **facts})
        else:
            verdicts.append({"row": row.number, "outcome": "lead", "phones": numbers})
            first_row_of |= dict.fromkeys(numbers, row.number)

    assert verdicts == known["verdicts"]


async def test_it_has_two_hundred_rows_of_every_kind(
    sheet: tuple[SheetHeader, list[SheetRow]], known: dict[str, Any]
) -> None:
    outcomes = Counter(verdict["outcome"] for verdict in known["verdicts"])

    assert len(sheet[1]) == known["rows"] == 200
    assert outcomes == {"lead": known["leads"], "duplicate": known["duplicates"], "rejected": known["rejected"]}
    assert min(outcomes.values()) >= 20
    assert {"phone", "name", "product", "source", "campaign", "address", "note"} == set(sheet[0].fields)


async def test_it_has_the_shapes_that_real_lists_have(sheet: tuple[SheetHeader, list[SheetRow]]) -> None:
    rules = Counter(
        rule
        for row in sheet[1]
        for rule in {rule for phone in read_phones(row.values.get("phone", "")).phones for rule in phone.rules}
    )

    assert {rule for rule in PhoneRule if not rules[rule]} <= {
        *(PhoneRule.DOUBLE_ZERO, PhoneRule.LETTER_L, PhoneRule.OTHER_DIGITS)
    }
    assert rules[PhoneRule.PREFIX_2018] >= 15
    assert rules[PhoneRule.TWO_NUMBERS] >= 10


async def test_the_maker_makes_it_again(
    sheet: tuple[SheetHeader, list[SheetRow]], known: dict[str, Any], tmp_path: Path
) -> None:
    lines = make(SEED)
    path = tmp_path / "leads.xlsx"
    path.write_bytes(workbook(lines))

    assert await read(path) == sheet
    assert json.loads(as_json(expected(lines))) == known
