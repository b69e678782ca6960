"""Shifts, who is in which, and what the others are told of it, over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from services.staff.shifts import tell_again
from tests.integration.staff.company import Company, Person, title

OFFICE = {"name": "Ca hành chính", "weekdays": [1, 2, 3, 4, 5], "periods": ["13:30-17:30", "08:00-12:00"]}


async def told(company: Company) -> list[dict[str, Any]]:
    return [row["payload"] for row in await company.staff.outbox("staff.shifts.changed.v1")]


async def make(by: Person, **fields: Any) -> dict[str, Any]:
    answer = await by.http.post("/v1/shifts", json={**OFFICE, **fields})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_whoever_comes_into_a_shift_is_told_of_whole(company: Company) -> None:
    admin = await company.admin()
    lan = await company.hire(admin, "lan")
    office, late = await make(admin), await make(admin, name="Ca tối", periods=["18:00-21:00"])

    for shift in (office, late):
        answer = await admin.http.patch(f"/v1/shifts/{shift['id']}/members", json={"add": [lan.id]})
        assert [one["code"] for one in answer.json()["people"]] == [lan.code]

    first, second = await told(company)
    assert (first["account_id"], first["version"], [one["name"] for one in first["shifts"]]) == (
        lan.id,
        1,
        ["Ca hành chính"],
    )
    assert first["shifts"][0]["periods"] == ["08:00-12:00", "13:30-17:30"]
    assert (second["version"], {one["name"] for one in second["shifts"]}) == (2, {"Ca hành chính", "Ca tối"})
    assert f"{datetime.now(UTC).year + 1}-01-01" in second["holidays"]


async def test_who_is_in_a_shift_already_is_not_told_of_again(company: Company) -> None:
    admin = await company.admin()
    lan = await company.hire(admin, "lan")
    shift = await make(admin)
    for _ in range(2):
        await admin.http.patch(f"/v1/shifts/{shift['id']}/members", json={"add": [lan.id]})
    await admin.http.patch(f"/v1/shifts/{shift['id']}/members", json={"remove": [lan.id]})

    assert [len(one["shifts"]) for one in await told(company)] == [1, 0]


async def test_a_shift_is_changed_from_the_version_that_was_seen_and_told_of_all_in_it(company: Company) -> None:
    admin = await company.admin()
    people = [await company.hire(admin, login) for login in ("lan", "hoa")]
    shift = await make(admin)
    url = f"/v1/shifts/{shift['id']}"
    await admin.http.patch(f"{url}/members", json={"add": [person.id for person in people]})
    tag = (await admin.http.get(url)).headers["ETag"]
    changed = {**OFFICE, "periods": ["07:00-11:00"], "works_on_holidays": True}

    blind = await admin.http.put(url, json=changed)
    answer = await admin.http.put(url, json=changed, headers={"If-Match": tag})
    stale = await admin.http.put(url, json=changed, headers={"If-Match": tag})

    assert [blind.status_code, answer.status_code, stale.status_code] == [428, 200, 412]
    latest = {one["account_id"]: one["shifts"][0] for one in await told(company)}
    assert {account: shift["periods"] for account, shift in latest.items()} == {
        person.id: ["07:00-11:00"] for person in people
    }


async def test_a_shift_that_is_put_out_of_use_frees_its_people_of_it(company: Company) -> None:
    admin = await company.admin()
    lan = await company.hire(admin, "lan")
    shift = await make(admin)
    url = f"/v1/shifts/{shift['id']}"
    await admin.http.patch(f"{url}/members", json={"add": [lan.id]})
    tag = (await admin.http.get(url)).headers["ETag"]

    await admin.http.put(url, json={**OFFICE, "active": False}, headers={"If-Match": tag})

    assert (await told(company))[-1]["shifts"] == []
    assert (await lan.http.get("/v1/me/shifts")).json()["state"] == "any_time"


async def test_a_leader_moves_those_below_and_nobody_else(company: Company) -> None:
    admin = await company.admin()
    leader = await company.hire(admin, "truong", group="manager")
    lan = await company.hire(admin, "lan", superior_id=leader.id)
    other = await company.hire(admin, "other")
    shift = await make(admin)
    url = f"/v1/shifts/{shift['id']}/members"

    assert (await leader.http.patch(url, json={"add": [lan.id]})).status_code == 200
    assert title(await leader.http.patch(url, json={"add": [other.id]})) == "account-not-found"
    assert title(await leader.http.patch(url, json={"add": [leader.id]})) == "not-below-you"
    assert (await leader.http.post("/v1/shifts", json=OFFICE)).status_code == 403
    assert [one["account_id"] for one in await told(company)] == [lan.id]


async def test_times_that_cannot_be_worked_are_refused_by_name(company: Company) -> None:
    admin = await company.admin()
    await make(admin)

    async def refused(**fields: Any) -> str:
        return title(await admin.http.post("/v1/shifts", json={**OFFICE, "name": "Ca khác", **fields}))

    assert await refused(periods=["8-12"]) == "shift-times-invalid"
    assert await refused(periods=["22:00-06:00"]) == "shift-times-invalid"
    assert await refused(periods=["08:00-12:00", "11:00-13:00"]) == "shift-times-invalid"
    assert await refused(special_days=[{"on": "2026-12-31", "periods": ["25:00-26:00"]}]) == "shift-times-invalid"
    assert await refused(zone="Asia/Sai_Gon") == "shift-zone-unknown"
    assert await refused(name="Ca hành chính") == "shift-name-taken"


async def test_the_company_works_on_a_public_holiday_and_takes_another_day_off(company: Company) -> None:
    admin = await company.admin()
    lan = await company.hire(admin, "lan")
    shift = await make(admin)
    await admin.http.patch(f"/v1/shifts/{shift['id']}/members", json={"add": [lan.id]})
    year = datetime.now(UTC).year + 1
    new_year, foundation = f"{year}-01-01", f"{year}-06-15"

    await admin.http.put(f"/v1/special-days/{new_year}", json={"kind": "workday"})
    await admin.http.put(f"/v1/special-days/{foundation}", json={"kind": "holiday", "label": "Ngày thành lập"})
    shown = {day["on"]: day for day in (await admin.http.get("/v1/special-days", params={"year": year})).json()}
    off = (await told(company))[-1]["holidays"]

    assert (shown[new_year]["kind"], shown[foundation]["label"]) == ("workday", "Ngày thành lập")
    assert (new_year in off, foundation in off) == (False, True)
    assert (await admin.http.delete(f"/v1/special-days/{new_year}")).status_code == 204
    assert new_year in (await told(company))[-1]["holidays"]
    assert title(await admin.http.delete(f"/v1/special-days/{new_year}")) == "special-day-not-found"


async def test_holidays_are_told_again_before_those_told_run_out(company: Company) -> None:
    admin = await company.admin()
    lan = await company.hire(admin, "lan")
    shift = await make(admin)
    await admin.http.patch(f"/v1/shifts/{shift['id']}/members", json={"add": [lan.id]})
    year = datetime.now(UTC).year

    await tell_again(company.staff.db, at=datetime(year + 1, 9, 1, tzinfo=UTC))
    assert len(await told(company)) == 1
    await tell_again(company.staff.db, at=datetime(year + 1, 11, 1, tzinfo=UTC))

    assert f"{year + 2}-01-01" in (await told(company))[-1]["holidays"]
    assert (await told(company))[-1]["version"] == 2
