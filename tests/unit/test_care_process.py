"""The care process as data: the seed is sound and explained, and unsound processes are refused with the path."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from services.orders.care.check import CARE_LEVELS, BrokenProcess, problems, require_sound
from services.orders.care.difference import difference
from services.orders.care.process import CareProcess, read_process
from services.orders.care.route import route
from services.orders.care.seed import blank, cod_standard
from services.orders.care.warnings import warnings

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")


STANDARD = cod_standard()


@pytest.fixture
def standard() -> CareProcess:
    return STANDARD


def edited(process: CareProcess, changes: dict[str, Any]) -> CareProcess:
    """The process with some places replaced (`steps/callback/then`); None removes."""
    data = process.model_dump(mode="json", exclude_unset=True)
    for where, value in changes.items():
        *way, last = where.split("/")
        place: Any = data
        for key in way:
            place = place[int(key) if isinstance(place, list) else key]
        if value is None:
            del place[last]
        elif isinstance(place, list):
            place[int(last)] = value
        else:
            place[last] = value
    return CareProcess.model_validate(data)


def test_the_seed_is_sound(standard: CareProcess) -> None:
    assert problems(standard) == ()
    require_sound(standard)


def test_the_process_of_a_draft_from_nothing_is_sound() -> None:
    assert problems(blank()) == ()


def test_every_number_of_the_seed_has_its_reason_in_both_languages(standard: CareProcess) -> None:
    numbers = dict(standard.numbers())
    assert numbers["caps.calls_per_number_per_day"] == 3
    assert numbers["steps.callback.grace"] == "15m"
    assert numbers["calendars.call_hours.weekly.sun.0"] == "08:30-12:00"
    for path in numbers:
        reason = standard.reason_for(path)
        assert reason is not None, path
        assert reason.vi
        assert reason.en
        assert reason.vi != reason.en


def test_every_reason_of_the_seed_belongs_to_a_step_or_a_number(standard: CareProcess) -> None:
    paths = [*(path for path, _ in standard.numbers()), *(f"steps.{name}" for name in standard.steps)]
    used = {id(standard.reason_for(path)) for path in paths}
    assert [pattern for pattern, text in standard.reasons.items() if id(text) not in used] == []


def test_a_process_survives_being_stored_as_json(standard: CareProcess) -> None:
    assert CareProcess.model_validate_json(standard.model_dump_json()) == standard


def test_public_holidays_close_the_calling_hours_but_not_the_hours_for_messages(standard: CareProcess) -> None:
    process = standard.closed_on([date(2026, 2, 17)])
    noon = datetime(2026, 2, 17, 10, tzinfo=HANOI)
    assert standard.calendar("call_hours").is_open(noon)
    assert not process.calendar("call_hours").is_open(noon)
    assert process.calendar("messages").is_open(noon)


def test_a_time_without_quotes_is_refused_with_its_place(standard: CareProcess) -> None:
    text = yaml.safe_dump(standard.model_dump(mode="json", exclude_unset=True)).replace("at: '18:30'", "at: 18:30")
    with pytest.raises(ValidationError, match=r"steps\.no_answer_5\.due"):
        read_process(text)


def test_a_misspelt_key_is_refused(standard: CareProcess) -> None:
    with pytest.raises(ValidationError, match=r"steps\.callback\.graze"):
        edited(standard, {"steps/callback/graze": "15m"})


def test_overlapping_periods_of_a_calendar_are_refused(standard: CareProcess) -> None:
    with pytest.raises(ValidationError, match=r"calendars\.office.*overlap"):
        edited(standard, {"calendars/office/weekly": {"mon-fri": ["08:00-12:00", "11:00-13:00"]}})


@pytest.mark.parametrize("limits", [{}, {"at_most": "5h"}, {"at_most": "30s"}, {"times": 21}, {"times": -1}])
def test_limits_of_snoozes_that_say_nothing_or_too_much_are_refused(
    standard: CareProcess, limits: dict[str, Any]
) -> None:
    with pytest.raises(ValidationError, match="snooze"):
        edited(standard, {"steps/callback/snooze": limits})


def test_a_step_with_limits_of_its_own_is_sound_and_its_change_is_told_in_words(standard: CareProcess) -> None:
    why = {"vi": "Khách đang đợi", "en": "The customer waits"}
    limits = {"at_most": "10m", "times": 1}
    own = edited(standard, {"steps/callback/snooze": limits, "reasons/steps.callback.snooze.*": why})
    assert problems(own) == ()
    change, _ = difference(standard, own)
    assert change.path == "steps.callback.snooze"
    assert "không có → mỗi lần nhiều nhất 10 phút, nhiều nhất 1 lần" in change.text.vi
    assert (
        own.model_dump(exclude_unset=True)["steps"]["thinking"]
        == (standard.model_dump(exclude_unset=True)["steps"]["thinking"])
    )


def test_a_snooze_longer_than_the_grace_is_a_warning(standard: CareProcess) -> None:
    long = edited(standard, {"steps/callback/snooze": {"at_most": "2h"}})
    codes = {(found.code, found.where) for found in warnings(long)} - {(f.code, f.where) for f in warnings(standard)}
    assert codes == {("snooze_beyond_grace", "steps.callback.snooze.at_most")}


TRIES = ("first_call", "no_answer_2", "no_answer_3", "no_answer_4")

BROKEN: list[tuple[str, dict[str, Any], str, str, tuple[str, ...]]] = [
    (
        "a result that leads to a step nobody wrote",
        {"rules/0/results/call_later": {"to": "call_back"}},
        "unknown_step",
        "rules.0.results.call_later",
        ("first_call",),
    ),
    (
        "a result nobody knows",
        {"rules/0/results/angry": {"to": "refused"}},
        "unknown_result",
        "rules.0.results.angry",
        ("first_call",),
    ),
    (
        "a level that does not exist",
        {"steps/thinking/level": "L1.9"},
        "unknown_level",
        "steps.thinking.level",
        ("first_call", "thinking"),
    ),
    ("a calendar that does not exist", {"windows/asked": "always"}, "unknown_calendar", "windows.asked", ()),
    (
        "an escalation that does not exist",
        {"steps/callback/escalate": "urgent"},
        "unknown_escalation",
        "steps.callback.escalate",
        ("first_call", "callback"),
    ),
    (
        "a waiting step without an owner",
        {"steps/callback/owner": None},
        "no_owner",
        "steps.callback",
        ("first_call", "callback"),
    ),
    (
        "a waiting step that is never due",
        {"steps/thinking/due": None},
        "no_timer",
        "steps.thinking",
        ("first_call", "thinking"),
    ),
    (
        "a call that nobody takes away from an absent owner",
        {"steps/no_answer_6/escalate": None},
        "no_timer",
        "steps.no_answer_6",
        ("first_call", "no_answer_2", "no_answer_4", "no_answer_6"),
    ),
    (
        "a pool in which numbers stay for ever",
        {"steps/pool/timeout": None},
        "no_timer",
        "steps.pool",
        ("first_call", "pool"),
    ),
    (
        "a result that a call step has no answer to",
        {"rules/1/results/busy": None},
        "no_answer_to_result",
        "rules.callback",
        ("first_call", "callback"),
    ),
    (
        "a dead end",
        {
            "steps/pool/timeout": "attic",
            "steps/attic": {
                "name": {"vi": "Gác xép", "en": "Attic"},
                "task": "wait",
                "owner": "floating_pool",
                "due": {"after": "30d"},
                "timeout": "attic",
            },
        },
        "dead_end",
        "steps.attic",
        ("first_call", "pool", "attic"),
    ),
    (
        "a step that nothing leads to",
        {"steps/gift": {"name": {"vi": "Tặng quà", "en": "Gift"}, "end": True}},
        "unreachable",
        "steps.gift",
        ("gift",),
    ),
    (
        "a circle without a limit",
        {"steps/thinking/max": None, "steps/thinking/then": None},
        "endless",
        "steps.thinking",
        ("first_call", "thinking", "thinking"),
    ),
    (
        "limits that hand over to each other",
        {"steps/callback/then": "thinking", "steps/thinking/then": "callback"},
        "endless",
        "steps.callback.then",
        ("callback", "thinking", "callback"),
    ),
    (
        "four calls on one day",
        {"steps/no_answer_3/due": {"after": "1h"}, "steps/no_answer_4/due": {"after": "1h"}},
        "too_many_calls",
        "ladder.steps",
        ("first_call", "no_answer_2", "no_answer_3", "no_answer_4"),
    ),
    (
        "a limit without a way on",
        {"steps/callback/then": None},
        "limit_without_then",
        "steps.callback",
        ("first_call", "callback"),
    ),
    (
        "a try in the middle of the night",
        {"steps/no_answer_5/due": {"days": 0, "at": "21:30"}},
        "never_in_window",
        "steps.no_answer_5.due",
        ("no_answer_5",),
    ),
    (
        "the manager told before the owner is reminded",
        {"escalations/first_call/rungs/0": {"do": "remind_owner", "after": "20m", "since": "assigned"}},
        "escalation_order",
        "escalations.first_call.rungs.1",
        (),
    ),
    (
        "a number without a reason",
        {"reasons/caps.min_gap": None},
        "no_reason",
        "caps.min_gap",
        (),
    ),
    (
        "a message that leads nowhere once it is sent",
        {"steps/send_info/done": None},
        "no_way_on",
        "steps.send_info.done",
        ("first_call", "send_info"),
    ),
    (
        "advertising calls in the evening",
        {"calendars/legal_adverts/weekly": {"mon-sun": ["08:00-17:30"]}},
        "beyond_law",
        "calendars.legal_adverts",
        (),
    ),
    (
        "messages before seven",
        {"calendars/messages/extra": {"2026-02-16": ["06:00-22:00"]}},
        "beyond_law",
        "calendars.messages",
        (),
    ),
    (
        "two advertising calls a day",
        {"caps/advert_call_gap": "12h"},
        "beyond_law",
        "caps.advert_call_gap",
        (),
    ),
    ("five advertising messages", {"caps/advert_messages": 5}, "beyond_law", "caps.advert_messages", ()),
    (
        "a message after every missed call",
        {"ladder/message/after_misses": [1, 2, 3, 4, 5], "caps/advert_messages": 2},
        "too_many_messages",
        "ladder.message.after_misses",
        TRIES[:3],
    ),
    (
        "a snooze where nobody has a task",
        {"steps/pool/snooze": {"times": 1}},
        "snooze_without_task",
        "steps.pool.snooze",
        ("first_call", "pool"),
    ),
    (
        "a snooze without its reason",
        {"steps/thinking/snooze": {"at_most": "20m"}, "reasons": {}},
        "no_reason",
        "steps.thinking.snooze.at_most",
        (),
    ),
    (
        "a rule for a step that nobody wrote",
        {"rules/3/at": ["send_infos"]},
        "unknown_step",
        "rules.3.at.0",
        (),
    ),
]


@pytest.mark.parametrize(("what", "changes", "code", "where", "path"), BROKEN, ids=[case[0] for case in BROKEN])
def test_a_broken_process_is_refused_with_the_path(
    standard: CareProcess, what: str, changes: dict[str, Any], code: str, where: str, path: tuple[str, ...]
) -> None:
    found = {(problem.code, problem.where, problem.path) for problem in problems(edited(standard, changes))}
    assert (code, where, path) in found
    with pytest.raises(BrokenProcess):
        require_sound(edited(standard, changes))


def test_a_finding_tells_the_way_from_result_to_result(standard: CareProcess) -> None:
    crowded = edited(standard, {"steps/no_answer_3/due": {"after": "1h"}, "steps/no_answer_4/due": {"after": "1h"}})
    (found,) = problems(crowded)
    assert route(crowded, found).vi == (
        "Gọi lần đầu → [Không nghe máy] → Gọi lại lần 2 → [Không nghe máy] → Gọi lại lần 3 → [Không nghe máy] → "
        "Gọi lại lần 4"
    )
    lost = edited(standard, {"rules/0/results/call_later": {"to": "call_back"}})
    assert route(lost, problems(lost)[0]).en == "First call → [Call later]"


def test_a_level_to_which_the_company_allows_no_move_is_found_once_with_the_way(standard: CareProcess) -> None:
    moves = dict.fromkeys(product(CARE_LEVELS, repeat=2), ("staff", "system"))
    assert problems(standard, moves=moves) == ()
    moves["L1.2", "L1.4"] = ("staff",)
    (found,) = problems(standard, moves=moves)
    assert (found.code, found.path) == ("forbidden_move", ("first_call", "callback", "busy_retry"))
    assert "system not go from L1.2 to L1.4" in found.text.en


def test_a_refusal_says_in_both_languages_what_to_do(standard: CareProcess) -> None:
    for _, changes, *_ in BROKEN:
        for problem in problems(edited(standard, changes)):
            assert problem.text.vi.endswith(".")
            assert problem.text.en.endswith(".")
            assert problem.text.vi != problem.text.en


@settings(max_examples=20)
@given(st.data())
def test_no_single_missing_link_goes_unnoticed(data: st.DataObject) -> None:
    """Whatever link of the seed is taken out, the checker objects; only what the links lead to may be left over."""
    standard = STANDARD
    links = [
        f"steps/{name}/{link}"
        for name, step in standard.steps.items()
        for link in ("owner", "task", "due", "then", "done", "timeout", "promise")
        if getattr(step, link) is not None
    ]
    links += [f"rules/{n}/results/{result}" for n in (0, 1, 2) for result in standard.rules[n].results]
    link = data.draw(st.sampled_from(links))
    assert problems(edited(standard, {link: None})), link


@settings(max_examples=8)
@given(st.integers(1, 3), st.integers(1, 240), st.integers(16, 40))
def test_other_sensible_numbers_are_accepted(thinking: int, reminder: int, release: int) -> None:
    """A company may change the numbers without tripping the checker."""
    process = edited(
        STANDARD,
        {
            "steps/thinking/max": thinking,
            "steps/callback/remind_before": f"{reminder}m",
            "escalations/callback/rungs/2": {"do": "release_to_pool", "after": f"{release}h"},
        },
    )
    assert problems(process) == ()
    assert process.steps["callback"].remind_before == timedelta(minutes=reminder)
