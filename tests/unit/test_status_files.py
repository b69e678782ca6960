"""Rows of a file of statuses: how they are read, and what they would do to a parcel."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.shipping.carriers.registry import CARRIERS
from services.shipping.status_files.judging import Judged, Parcel, Row, Verdict, Whole, judge
from services.shipping.status_files.problems import StatusFileEmpty, StatusFileTooLong, StatusFileWithoutCodes
from services.shipping.status_files.reading import Line, lines_of, pasted, read_time
from services.shipping.status_files.sentences import SENTENCES
from services.shipping.status_files.words import Dictionary
from services.shipping.timeline import Entry
from shared.contracts.events.shipping import ShipmentStatus
from shared.workbook.headings import plain
from tests.unit.workbook_support import save

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
GHTK = Dictionary(CARRIERS["ghtk"].codes)


def at(hours: float) -> datetime:
    """So many hours before now."""
    return NOW - timedelta(hours=hours)


def entry(code: str, hours: float) -> Entry:
    meaning = GHTK.meaning(code)
    return Entry("S1", code, at(hours), at(hours), ("callback",), meaning.status, settles=meaning.settles)


def parcel(*entries: Entry, settled: bool = False, superseded: bool = False, waybill: str = "S1") -> Parcel:
    return Parcel(waybill, "out_for_delivery", 350_000, superseded, settled, entries)


def row(told: str, hours: float | None = None, *, number: int = 2) -> Row:
    return Row(number, told, None if hours is None else at(hours))


def judged(of: Parcel, *rows: Row, status: ShipmentStatus | None = None) -> list[Judged]:
    return judge(of, rows, GHTK, Whole(status, NOW), now=NOW)


def verdicts(of: Parcel, *rows: Row, status: ShipmentStatus | None = None) -> list[Verdict]:
    return [each.verdict for each in judged(of, *rows, status=status)]


ON_THE_WAY = parcel(entry("3", 20), entry("4", 10))


def test_a_row_that_moves_a_parcel_says_from_where_to_where() -> None:
    [each] = judged(ON_THE_WAY, row("5", 1))
    assert (each.verdict, each.code, each.before, each.after) == ("moves", "5", "out_for_delivery", "delivered")


@pytest.mark.parametrize(
    ("told", "code"),
    [("21", "21"), ("Đã trả hàng", "21"), ("ĐÃ HOÀN", "21"), ("returned", "21"), ("Đang giao hàng", "4"), ("5", "5")],
)
def test_a_status_is_told_by_the_carriers_code_its_words_or_ours(told: str, code: str) -> None:
    assert GHTK.code(told) == code


def test_a_failed_delivery_can_be_told_of_every_carrier_in_our_own_words() -> None:
    for name, carrier in CARRIERS.items():
        code = Dictionary(carrier.codes).code("Giao không thành công")
        assert code is not None, name
        assert carrier.codes.statuses[code].status == "delivery_failed"
        assert not carrier.codes.statuses[code].awaits_decision


@pytest.mark.parametrize("carrier", CARRIERS)
def test_every_status_of_a_carrier_is_found_by_its_words_unless_they_mean_two(carrier: str) -> None:
    statuses = CARRIERS[carrier].codes.statuses
    words = Dictionary(CARRIERS[carrier].codes)
    for meaning in statuses.values():
        meant = {each.status for each in statuses.values() if plain(each.vi) == plain(meaning.vi)}
        code = words.code(meaning.vi)
        assert (words.meaning(code).status if code else None) == (meaning.status if len(meant) == 1 else None), meaning


@pytest.mark.parametrize(
    ("of", "told", "verdict"),
    [
        (ON_THE_WAY, row("4", 1), "confirms"),
        (ON_THE_WAY, row("3", 15), "older"),
        (ON_THE_WAY, row("4", 10), "known"),
        (ON_THE_WAY, row("45", 1), "confirms"),
        (ON_THE_WAY, row("6", 1), "tells_money"),
        (ON_THE_WAY, row("bay về trời", 1), "unknown_status"),
        (ON_THE_WAY, row("", 1), "status_missing"),
        (ON_THE_WAY, row("5", -1), "time_in_future"),
        (ON_THE_WAY, Row(2, "5", None, time_unreadable=True), "time_unreadable"),
        (parcel(waybill=""), row("5", 1), "not_at_carrier"),
        (parcel(entry("4", 10), superseded=True), row("5", 1), "superseded"),
        (parcel(entry("5", 10), entry("6", 5), settled=True), row("21", 1), "settled"),
        (parcel(entry("5", 10), entry("6", 5), settled=True), row("5", 1), "confirms"),
        (parcel(entry("5", 10)), row("21", 1), "moves"),
    ],
)
def test_a_row_is_judged_by_the_rules_of_the_timeline(of: Parcel, told: Row, verdict: Verdict) -> None:
    assert verdicts(of, told) == [verdict]


def test_a_whole_journey_in_one_file_moves_step_by_step_whatever_its_order() -> None:
    found = judged(ON_THE_WAY, row("21", 1, number=2), row("20", 3, number=3), row("9", 5, number=4))
    assert [(each.verdict, each.before, each.after) for each in found] == [
        ("moves", "returning", "returned"),
        ("moves", "delivery_failed", "returning"),
        ("moves", "out_for_delivery", "delivery_failed"),
    ]


def test_the_same_row_twice_counts_once() -> None:
    assert verdicts(ON_THE_WAY, row("5", 1, number=2), row("Đã giao hàng", 1, number=3)) == ["moves", "doubled"]


def test_two_statuses_without_times_contradict_one_another() -> None:
    assert verdicts(ON_THE_WAY, row("5", number=2), row("21", number=3)) == ["contradicts", "contradicts"]


def test_a_row_without_a_status_has_that_of_the_list() -> None:
    [each] = judged(ON_THE_WAY, row(""), status="returned")
    assert (each.verdict, each.after) == ("moves", "returned")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-22T09:30:00", datetime(2026, 11, 22, 2, 30, tzinfo=UTC)),
        ("2026-11-22T02:30:00+00:00", datetime(2026, 11, 22, 2, 30, tzinfo=UTC)),
        ("22/11/2026 09:30", datetime(2026, 11, 22, 2, 30, tzinfo=UTC)),
        ("09:30:15 22-11-2026", datetime(2026, 11, 22, 2, 30, 15, tzinfo=UTC)),
        ("21/11/2026", datetime(2026, 11, 21, 16, 59, 59, tzinfo=UTC)),
        ("2026-11-21", datetime(2026, 11, 21, 16, 59, 59, tzinfo=UTC)),
        ("22/11/2026", NOW),
        ("31/02/2026", None),
        ("hôm qua", None),
    ],
)
def test_times_are_read_as_people_here_write_them(text: str, expected: datetime | None) -> None:
    assert read_time(text, now=NOW) == expected


def test_codes_may_stand_between_anything() -> None:
    lines = [line for chunk in pasted(" S1.A2;S3,S4\n\tDH-1 | S5\r\n") for line in chunk]
    assert [(line.number, line.code) for line in lines] == list(enumerate(["S1.A2", "S3", "S4", "DH-1", "S5"], 1))


@pytest.mark.parametrize(("text", "refusal"), [(" \n,; ", StatusFileEmpty), ("S1 " * 20_001, StatusFileTooLong)])
def test_a_list_of_nothing_or_of_too_much_is_refused(text: str, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        list(pasted(text))


async def test_columns_are_found_by_their_names(tmp_path: Path) -> None:
    path = save(
        tmp_path / "a.xlsx",
        {
            "Đơn": [
                ["Danh sách đơn"],
                ["Mã đơn hàng", "Mã vận đơn", "Trạng thái", "Thời gian cập nhật", "Lý do"],
                ["DH-1", "S1", "Đã giao", datetime.fromisoformat("2026-11-22T09:30"), None],
                ["DH-2", None, "Hoàn", "không rõ", "khách bom"],
            ]
        },
    )
    assert [line async for chunk in lines_of(path, now=NOW) for line in chunk] == [
        Line(3, "S1", "DH-1", "Đã giao", datetime(2026, 11, 22, 2, 30, tzinfo=UTC), False, ""),
        Line(4, "DH-2", "", "Hoàn", None, True, "khách bom"),
    ]


async def test_a_file_without_codes_is_refused_with_what_it_has(tmp_path: Path) -> None:
    path = save(tmp_path / "a.xlsx", {"Đơn": [["Tên", "Trạng thái"], ["Lan", "Đã giao"]]})
    with pytest.raises(StatusFileWithoutCodes) as refused:
        [line async for line in lines_of(path, now=NOW)]
    assert refused.value.members == {"found": "“Tên”, “Trạng thái”"}


def test_every_verdict_has_its_sentence_in_both_languages() -> None:
    assert set(Verdict.__args__) <= SENTENCES.keys()  # type: ignore[attr-defined]  # of typing's own making
    assert all(vi and en and vi != en for vi, en in SENTENCES.values())
