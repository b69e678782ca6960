"""Calendars and holidays as a company manages them, and what a change does to open care."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import httpx
import pytest

from services.orders.calendars.replan import WOKEN_A_SECOND, Replans
from services.orders.care.processes import PROCESSES
from tests.integration.orders.support import MORNING, Shop

WEEK = {day: ["08:00-12:00", "13:30-17:30"] for day in ("mon", "tue", "wed", "thu", "fri")}
OFFICE = {"name": {"vi": "Giờ làm", "en": "Working hours"}, "weekly": WEEK}
EVENING = datetime(2026, 11, 25, 14, 0, tzinfo=UTC)  # Wednesday 21:00 in Vietnam


async def read(shop: Shop, key: str = "call_hours", team: str = "") -> dict[str, Any]:
    answer = await shop.admin.client.get(f"/v1/calendars/{key}", params={"team": team} if team else {})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def put(shop: Shop, key: str = "call_hours", *, version: int, team: str = "", **changed: Any) -> httpx.Response:
    kept = await read(shop, key)
    body = {name: kept[name] for name in ("name", "zone", "weekly", "public_holidays", "special_days")} | changed
    return await shop.admin.client.put(
        f"/v1/calendars/{key}", params={"team": team}, json=body, headers={"If-Match": f'"{version}"'}
    )


async def close_day(shop: Shop, on: str, *, version: int = 1) -> dict[str, Any]:
    answer = await put(shop, version=version, special_days=[{"on": on, "closed": True}])
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def replan(shop: Shop) -> dict[str, Any]:
    """Lets the last change work through open care, as its workflow does."""
    listed = (await shop.admin.client.get("/v1/calendars/replans")).json()["items"][0]
    work = Replans(shop.service.db, shop.service.runtime.state[PROCESSES], now=shop.clock)
    while not (await work.turn(listed["revision"])).done:
        pass
    return dict((await shop.admin.client.get("/v1/calendars/replans")).json()["items"][0])


async def due(shop: Shop, order_id: UUID) -> str:
    [task] = (await shop.order(order_id, by=shop.admin))["tasks"]
    at = datetime.fromisoformat(task["due_at"]) + timedelta(hours=7)
    return f"{at:%a %H:%M}"


async def test_the_calendars_of_the_standard_process_are_the_companys_to_begin_with(shop: Shop) -> None:
    listed = (await shop.sale.client.get("/v1/calendars")).json()
    assert [item["key"] for item in listed["items"]] == ["call_hours", "legal_adverts", "messages", "office"]
    calling = listed["items"][0]
    assert calling["weekly"]["mon"] == ["08:00-12:00", "13:30-20:30"]
    assert calling["weekly"]["sun"] == ["08:30-12:00", "13:30-17:30"]
    assert calling["public_holidays"] is True
    page = (await shop.sale.client.get("/v1/calendars", params={"limit": 2})).json()
    rest = (await shop.sale.client.get("/v1/calendars", params={"after": page["next"]})).json()
    assert [item["key"] for item in rest["items"]] == ["messages", "office"]


async def test_a_closed_day_moves_the_tasks_of_that_day_and_a_reopened_one_brings_them_back(shop: Shop) -> None:
    shop.clock.now = EVENING
    order_id = await shop.number()
    assert await due(shop, order_id) == "Thu 08:05"
    changed = await close_day(shop, "2026-11-26")
    assert changed["version"] == 2
    done = await replan(shop)
    assert (done["state"], done["touched"], done["looked"], done["moved"]) == ("done", 1, 1, 1)
    assert await due(shop, order_id) == "Fri 08:05"
    promise = await shop.service.rows("SELECT due_at FROM promises WHERE order_id = :id", id=order_id)
    assert promise[0].due_at == datetime(2026, 11, 27, 1, 5, tzinfo=UTC)
    assert (await put(shop, version=2, special_days=[])).status_code == 200
    await replan(shop)
    assert await due(shop, order_id) == "Thu 08:05"


async def test_a_promised_callback_keeps_its_time_when_the_hours_around_it_change(shop: Shop) -> None:
    order_id = await shop.number()
    await shop.call(order_id, "call_later", promised_at="2026-11-25T10:20:00+07:00")
    weekly = (await read(shop))["weekly"] | {"wed": ["09:00-11:00"]}
    assert (await put(shop, version=1, weekly=weekly)).status_code == 200
    done = await replan(shop)
    assert (done["looked"], done["moved"]) == (1, 0)
    assert await due(shop, order_id) == "Wed 10:20"


async def test_only_orders_that_the_change_can_touch_are_looked_at(shop: Shop) -> None:
    await shop.number()  # due this morning
    shop.clock.now = EVENING
    await shop.number()
    await close_day(shop, "2027-06-01")
    assert (await replan(shop))["touched"] == 0


async def test_a_replan_that_is_done_twice_or_comes_after_a_workflow_looked_moves_each_order_once(shop: Shop) -> None:
    shop.clock.now = EVENING
    orders = [await shop.number() for _ in range(3)]
    changed = await close_day(shop, "2026-11-26")
    work = Replans(shop.service.db, shop.service.runtime.state[PROCESSES], now=shop.clock)
    await shop.look(orders[0])
    first, second = await asyncio.gather(work.turn(changed["revision"]), work.turn(changed["revision"]))
    assert first.done
    assert second.done
    assert (await work.turn(changed["revision"])).done
    [listed] = (await shop.admin.client.get("/v1/calendars/replans")).json()["items"]
    assert (listed["looked"], listed["moved"]) == (3, 3)
    moves = await shop.service.rows("SELECT order_id FROM care_effects WHERE cause = 'calendar'")
    assert sorted(row.order_id for row in moves) == sorted(orders)


async def test_a_care_that_cannot_be_planned_holds_no_other_up(shop: Shop) -> None:
    shop.clock.now = EVENING
    first, poisoned, last = [await shop.number() for _ in range(3)]
    await close_day(shop, "2026-11-26")
    pool = await shop.service.db.driver()
    await pool.execute("UPDATE care SET state = '{\"step\": 1}' WHERE order_id = $1", poisoned)
    done = await replan(shop)
    assert (done["state"], done["looked"], done["moved"], done["failed"]) == ("done", 3, 2, 1)
    assert [await due(shop, order_id) for order_id in (first, last)] == ["Fri 08:05", "Fri 08:05"]


async def test_whoever_follows_their_due_list_sees_what_a_change_moves(shop: Shop) -> None:
    shop.clock.now = EVENING
    await shop.number()
    told: list[str] = []
    shop.service.db.on_told = told.extend
    await close_day(shop, "2026-11-26")
    await replan(shop)
    assert f"tasks/{shop.sale.id}" in told


async def test_a_workflow_is_woken_only_when_it_has_to_look_earlier(shop: Shop) -> None:
    shop.clock.now = EVENING
    await shop.number()

    async def nudges() -> int:
        return len([row for row in await shop.service.outbox() if row["type"] == "CareWorkflow"])

    before = await nudges()
    await close_day(shop, "2026-11-26")
    await replan(shop)
    assert await nudges() == before
    await put(shop, version=2, special_days=[])
    await replan(shop)
    assert await nudges() == before + 1


async def test_workflows_that_must_look_earlier_are_woken_one_after_another_and_let_others_pass(shop: Shop) -> None:
    shop.clock.now = EVENING
    for _ in range(3):
        await shop.number()
    await close_day(shop, "2026-11-26")
    await replan(shop)
    pool = await shop.service.db.driver()
    await pool.execute("UPDATE outbox SET status = 'sent'")  # as the relay does
    await put(shop, version=2, special_days=[])
    await replan(shop)
    await shop.assign(await shop.accept(), shop.sale)
    *paced, other = await shop.service.rows(
        "SELECT next_attempt_at AS at, created_at FROM outbox WHERE type = 'CareWorkflow' AND status = 'pending' ORDER BY id"
    )
    gaps = [(later.at - sooner.at).total_seconds() for sooner, later in pairwise(paced)]
    assert gaps == [pytest.approx(1 / WOKEN_A_SECOND)] * 2
    assert other.at <= other.created_at


async def test_a_team_has_hours_and_a_zone_of_its_own_until_it_gives_them_up(shop: Shop) -> None:
    shop.clock.now = EVENING
    order_id = await shop.number()
    own = {**OFFICE, "zone": "Asia/Tokyo", "public_holidays": False}
    made = await shop.admin.client.post("/v1/calendars", json={"key": "call_hours", "team": "S1", **own})
    assert made.status_code == 201, made.text
    await replan(shop)
    assert await due(shop, order_id) == "Thu 06:05"  # 08:05 in Tokyo
    company = await shop.number()  # the same team, assigned afterwards
    assert await due(shop, company) == "Thu 06:05"
    dropped = await shop.admin.client.delete("/v1/calendars/call_hours?team=S1", headers={"If-Match": '"1"'})
    assert dropped.status_code == 204
    await replan(shop)
    assert await due(shop, order_id) == "Thu 08:05"
    refused = await shop.admin.client.delete("/v1/calendars/call_hours", headers={"If-Match": '"1"'})
    assert (refused.status_code, refused.json()["title"]) == (409, "company-calendar-needed")


async def test_a_holiday_can_be_worked_and_another_day_closed_for_all_calendars_that_keep_holidays(shop: Shop) -> None:
    listed = (await shop.sale.client.get("/v1/holidays", params={"year": 2027})).json()["items"]
    tet = next(day for day in listed if day["on"] == "2027-02-06")
    assert (tet["vi"], tet["en"], tet["closed"], tet["public"]) == ("Tết Nguyên Đán", "Lunar New Year", True, True)

    async def put_day(on: str, closed: bool, version: int) -> httpx.Response:
        body = {"closed": closed, "vi": "Ngày riêng", "en": "Own day"}
        return await shop.admin.client.put(f"/v1/holidays/{on}", json=body, headers={"If-Match": f'"{version}"'})

    async def open_days(key: str) -> set[str]:
        month = (await shop.sale.client.get(f"/v1/calendars/{key}/month", params={"month": "2026-11"})).json()
        return {day["on"] for day in month["days"] if day["open"]}

    shop.clock.now = EVENING - timedelta(days=2)
    order_id = await shop.number()
    assert (await put_day("2026-11-24", closed=True, version=0)).status_code == 412  # it is listed
    assert "2026-11-24" not in await open_days("call_hours")  # Day of Vietnamese culture
    assert await due(shop, order_id) == "Wed 08:05"
    assert (await put_day("2026-11-24", closed=False, version=1)).status_code == 200
    assert (await put_day("2026-11-25", closed=True, version=0)).status_code == 200
    await replan(shop)
    assert {"2026-11-24"} <= await open_days("call_hours")
    assert "2026-11-25" not in await open_days("call_hours")
    assert "2026-11-25" in await open_days("messages")  # keeps no holidays
    assert await due(shop, order_id) == "Tue 08:05"


async def test_years_that_nobody_listed_yet_have_their_holidays_also_after_one_was_changed(shop: Shop) -> None:
    shop.clock.now = datetime(2031, 3, 3, 2, tzinfo=UTC)
    far = (await shop.sale.client.get("/v1/holidays", params={"year": 2037})).json()["items"]
    assert "2037-09-02" in {day["on"] for day in far}
    own = {"closed": False, "vi": "Làm việc", "en": "Worked"}
    changed = await shop.admin.client.put("/v1/holidays/2038-09-02", json=own, headers={"If-Match": '"1"'})
    assert changed.status_code == 200, changed.text
    assert (await shop.sale.client.get("/v1/holidays", params={"year": 2037})).json()["items"] == [
        {**day, "changed_at": "2000-01-01T00:00:00Z"} for day in far
    ]
    assert (await shop.sale.client.get("/v1/holidays", params={"year": 2099})).json()["title"] == "date-too-far"


async def test_every_version_is_kept_with_when_it_applied(shop: Shop) -> None:
    shop.clock.now = MORNING
    await close_day(shop, "2026-12-24")
    shop.clock.forward(days=3)
    assert (await put(shop, version=2, special_days=[])).status_code == 200
    path = "/v1/calendars/call_hours/versions"
    versions = (await shop.sale.client.get(path)).json()["items"]
    assert [(each["version"], each["changed_by"]) for each in versions] == [(3, "AD01"), (2, "AD01"), (1, "seed")]
    assert versions[1]["applied_until"] == versions[0]["applied_from"]
    then = (await shop.sale.client.get(path, params={"at": (MORNING + timedelta(days=1)).isoformat()})).json()["items"]
    assert [each["version"] for each in then] == [2]
    assert then[0]["calendar"]["special_days"][0]["on"] == "2026-12-24"


async def test_a_month_and_what_would_be_due_are_shown_before_anything_is_kept(shop: Shop) -> None:
    body = {
        "calendar": {
            **OFFICE,
            "special_days": [
                {"on": "2027-02-04", "until": "2027-02-11", "closed": True, "note": "Nghỉ Tết"},
                {"on": "2027-02-13", "like": "mon", "note": "Làm bù"},
                {"on": "2027-02-14", "periods": ["09:00-15:00"], "note": "Trực Tết"},
            ],
        },
        "month": "2027-02",
        "at": "2027-02-03T17:00:00+07:00",
        "after": ["15m", "1h", "12h"],
    }
    answer = await shop.sale.client.post("/v1/calendars/preview", json=body)
    assert answer.status_code == 200, answer.text
    shown = answer.json()
    days = {day["on"]: day for day in shown["days"]}
    assert len(days) == 28
    assert (days["2027-02-05"]["why"], days["2027-02-05"]["open"]) == ("special", [])
    assert [period["begin"] for period in days["2027-02-13"]["open"]] == [
        "2027-02-13T08:00:00+07:00",
        "2027-02-13T13:30:00+07:00",
    ]
    assert days["2027-02-14"]["note"] == "Trực Tết"
    assert days["2027-02-21"]["open"] == []
    assert [item["due_at"] for item in shown["dues"]["dues"]] == [
        "2027-02-03T17:15:00+07:00",
        "2027-02-12T08:30:00+07:00",
        "2027-02-13T11:30:00+07:00",
    ]
    assert (await read(shop))["version"] == 1


@pytest.mark.parametrize(
    ("changed", "code", "told"),
    [
        ({"weekly": {"mon": ["08:00-12:00", "11:00-13:00"]}}, "periods_overlap", "Monday: 08:00-12:00 and 11:00-13:00"),
        ({"weekly": {"tue": ["17:00-08:00"]}}, "end_before_start", "Tuesday: 17:00-08:00 ends before it starts"),
        ({"weekly": {"wed": ["8h-12h"]}}, "period_unreadable", "Wednesday: '8h-12h' cannot be read"),
        ({"weekly": {"thu": []}}, "never_open", "open on no day of the week"),
        ({"zone": "Asia/Hanoi"}, "zone_unknown", "no time zone 'Asia/Hanoi'"),
        ({"zone": "Asia"}, "zone_unknown", "no time zone 'Asia'"),
        (
            {"special_days": [{"on": "2027-02-03", "until": "2027-02-01", "closed": True}]},
            "range_reversed",
            "03 February",
        ),
        ({"special_days": [{"on": "2027-02-03", "like": "sat"}]}, "like_closed", "worked like Saturday"),
        ({"special_days": [{"on": "2027-02-03", "closed": True}] * 2}, "day_twice", "03 February 2027 is given twice"),
        (
            {"special_days": [{"on": "2027-02-03", "periods": ["09:00-12:00", "11:00-15:00"]}]},
            "periods_overlap",
            "03 February 2027: 09:00-12:00 and 11:00-15:00",
        ),
    ],
)
async def test_a_calendar_that_contradicts_itself_is_refused_with_the_day(
    shop: Shop, changed: dict[str, Any], code: str, told: str
) -> None:
    body = {**OFFICE, **changed}
    answer = await shop.admin.client.put("/v1/calendars/office", json=body, headers={"If-Match": '"1"'})
    assert (answer.status_code, answer.json()["title"]) == (422, "calendar-invalid")
    assert [fault["code"] for fault in answer.json()["faults"]] == [code]
    assert told in answer.json()["detail"]
    assert (await read(shop, "office"))["version"] == 1


async def test_two_who_change_a_calendar_at_once_do_not_overwrite_each_other(shop: Shop) -> None:
    assert (await put(shop, version=1, special_days=[])).status_code == 200  # nothing changed: still version 1
    await close_day(shop, "2026-12-24")
    late = await put(shop, version=1, special_days=[{"on": "2026-12-25", "closed": True}])
    assert late.status_code == 412
    body = {**OFFICE}
    assert (await shop.admin.client.put("/v1/calendars/office", json=body)).status_code == 428
    assert (
        await shop.sale.client.put("/v1/calendars/office", json=body, headers={"If-Match": '"1"'})
    ).status_code == 403
    twice = await shop.admin.client.post("/v1/calendars", json={"key": "office", **OFFICE})
    assert (twice.status_code, twice.json()["title"]) == (409, "calendar-exists")
    alone = await shop.admin.client.post("/v1/calendars", json={"key": "night", "team": "S1", **OFFICE})
    assert (alone.status_code, alone.json()["title"]) == (409, "team-calendar-without-company")


async def test_what_would_be_due_is_told_for_any_moment(shop: Shop) -> None:
    params = {"at": "2026-11-27T17:30:00+07:00", "after": ["1h", "4h"]}
    shown = (await shop.sale.client.get("/v1/calendars/office/due", params=params)).json()
    assert shown["is_open"] is False
    assert shown["next_open"] == "2026-11-28T08:00:00+07:00"
    assert [item["due_at"] for item in shown["dues"]] == ["2026-11-28T09:00:00+07:00", "2026-11-28T12:00:00+07:00"]
    assert shown["dues"][1]["begins_at"] == "2026-11-28T13:30:00+07:00"
    wrong = await shop.sale.client.get("/v1/calendars/office/due", params={"after": "soon"})
    assert (wrong.status_code, wrong.json()["title"]) == (422, "delay-unreadable")
