"""ViettelPost's codes: each has a meaning and a level, and the way back does not look like the way out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.orders.delivery import LEVELS
from services.shipping.carriers.viettelpost_codes import CODES, code_of
from services.shipping.timeline import UNKNOWN_STATUS, Entry, State, fold

# carriers.md §2.7, line by line: our status, the level of the order, and what is special about it.
TABLE = {
    -100: ("accepted", "L7", "cancellable"),
    -108: ("accepted", "L7", "cancellable"),
    -109: ("picked_up", "L7", "cancellable provisional"),
    -110: ("picked_up", "L7", "cancellable provisional"),
    100: ("accepted", "L7", "cancellable"),
    101: ("pickup_failed", "L5", "cancellable final"),
    102: ("accepted", "L7", "cancellable"),
    103: ("accepted", "L7", "cancellable"),
    104: ("accepted", "L7", "cancellable"),
    105: ("picked_up", "L7", ""),
    106: ("returning", "L7.5", "cancellable"),
    107: ("cancelled", "L7.4", "final"),
    200: ("picked_up", "L7", "either_way"),
    201: ("cancelled", "L7.4", "final"),
    202: ("picked_up", "L7", "either_way"),
    300: ("picked_up", "L7", "either_way"),
    301: ("picked_up", "L7", "either_way"),
    302: ("picked_up", "L7", "either_way"),
    303: ("picked_up", "L7", "either_way"),
    310: ("picked_up", "L7", "either_way"),
    320: ("picked_up", "L7", "either_way"),
    400: ("picked_up", "L7", "either_way"),
    401: ("picked_up", "L7", "either_way"),
    402: ("picked_up", "L7", "either_way"),
    403: ("picked_up", "L7", "either_way"),
    500: ("out_for_delivery", "L7.1", "either_way"),
    501: ("delivered", "L8", "final"),
    502: ("returning", "L7.5", ""),
    503: ("lost", "L7.6", "final"),
    504: ("returned", "L7.3", "final"),
    505: ("delivery_failed", "L7.2", ""),
    506: ("delivery_failed", "L7.2", "either_way"),
    507: ("delivery_failed", "L7.2", "either_way"),
    508: ("out_for_delivery", "L7.1", "either_way"),
    509: ("out_for_delivery", "L7.1", "either_way"),
    510: ("picked_up", "L7", "either_way"),
    515: ("returning", "L7.5", ""),
    550: ("out_for_delivery", "L7.1", ""),
    570: ("out_for_delivery", "L7.1", "either_way provisional"),
}
UNDOCUMENTED = (511, 512, 513, 514, 551)
START = datetime(2026, 11, 5, 2, 0, tzinfo=UTC)


@pytest.mark.parametrize("number", TABLE)
def test_every_documented_code_has_its_status_its_level_and_words(number: int) -> None:
    status, level, special = TABLE[number]
    meaning = CODES.statuses[str(number)]
    flags = {
        name for name in ("cancellable", "either_way", "final", "provisional", "settles") if getattr(meaning, name)
    }
    assert (meaning.status, LEVELS[meaning.status], flags) == (status, level, set(special.split()))
    assert meaning.vi
    assert meaning.en


def test_the_table_has_these_codes_and_those_of_the_way_back_and_no_others() -> None:
    either_way = {str(number) for number, (_, _, special) in TABLE.items() if "either_way" in special}
    assert set(CODES.statuses) == {str(number) for number in TABLE} | {f"{code}R" for code in (*either_way, "501")}
    assert not CODES.reasons  # documented nowhere


def test_no_status_says_that_money_was_paid_out() -> None:
    assert not any(meaning.settles for meaning in CODES.statuses.values())


@pytest.mark.parametrize("number", UNDOCUMENTED)
def test_a_code_that_nobody_documents_is_kept_and_raised(number: int) -> None:
    assert code_of(number, returning=True) == str(number)
    state = told(500, number)
    assert (state.status, state.attention) == ("out_for_delivery", frozenset({UNKNOWN_STATUS}))


def told(*codes: int | str) -> State:
    """The state after these reports, an hour apart."""
    entries = []
    for hour, code in enumerate(codes):
        meaning = CODES.statuses.get(str(code))
        at = START + timedelta(hours=hour)
        entries.append(
            Entry(
                waybill="1",
                raw_status=str(code),
                at=at,
                received_at=at,
                seen_by=("callback",),
                status=meaning.status if meaning else None,
                provisional=meaning.provisional if meaning else False,
                either_way=meaning.either_way if meaning else False,
            )
        )
    return fold(reversed(entries), waybill="1", cod=350_000)


def test_a_parcel_on_its_way_back_passes_offices_and_couriers_and_stays_on_its_way_back() -> None:
    way_back = (515, 502, 300, 400, 500, 506, 508)
    for length in range(1, len(way_back) + 1):
        state = told(105, 200, 300, 400, 500, 505, *way_back[:length])
        assert (state.status, state.at) == ("returning", START + timedelta(hours=6))
    assert told(105, 200, 500, 505, *way_back, 504).status == "returned"


def test_a_marked_way_back_is_one_although_its_beginning_was_lost() -> None:
    assert code_of(400, returning=True) == "400R"
    assert code_of(400, returning=False) == "400"
    assert told(105, 200, 500, "400R").status == "returning"


@pytest.mark.parametrize(("code", "status"), [(550, "out_for_delivery"), (501, "delivered"), (503, "lost")])
def test_what_only_the_way_out_knows_ends_a_return(code: int, status: str) -> None:
    assert told(105, 500, 505, 502, code).status == status


def test_a_delivery_on_the_way_back_moves_nothing_until_the_return_is_confirmed() -> None:
    state = told(105, 500, 502, code_of(501, returning=True))
    assert (state.status, state.provisional and state.provisional.status) == ("returning", "returned")
    assert told(105, 500, 502, "501R", 504).status == "returned"


def test_a_collection_point_does_not_hand_a_parcel_over() -> None:
    state = told(-109)
    assert (state.status, state.handed_over_at) == ("accepted", None)
    assert told(-109, 200).handed_over_at == START + timedelta(hours=1)
