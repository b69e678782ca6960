"""The on-duty switch 'Nhận dữ liệu', over HTTP."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from shared.contracts.events.orders import TAKING_LIMIT_REACHED, TakingLimitReached
from tests.integration.staff.company import Company, title


async def switches(company: Company) -> list[dict[str, Any]]:
    return [row["payload"] for row in await company.staff.outbox("staff.duty.changed.v1")]


async def test_one_switches_ones_own_duty_and_the_others_are_told_once(company: Company) -> None:
    admin = await company.admin()
    lan = await company.hire(admin, "lan")
    assert (await lan.http.get("/v1/me")).json()["on_duty"] is False
    for on_duty in (True, True, False, False):
        answer = await lan.http.put("/v1/me/duty", json={"on_duty": on_duty})
        assert answer.json() == {"account_id": lan.id, "on_duty": on_duty}
        assert (await lan.http.get("/v1/me")).json()["on_duty"] is on_duty
    told = [(event["account_id"], event["version"], event["on_duty"], event["by"]) for event in await switches(company)]
    assert told == [(lan.id, 1, True, "NV001"), (lan.id, 2, False, "NV001")]


async def test_the_same_switch_many_times_at_once_is_one_switch(company: Company) -> None:
    admin = await company.admin()
    lan = await company.hire(admin, "lan")
    await asyncio.gather(*(lan.http.put("/v1/me/duty", json={"on_duty": True}) for _ in range(8)))
    assert len(await switches(company)) == 1


async def test_a_manager_switches_those_below_and_nobody_else(company: Company) -> None:
    admin = await company.admin()
    manager = await company.hire(admin, "truong", group="manager")
    lan = await company.hire(admin, "lan", superior_id=manager.id)
    other = await company.hire(admin, "other")
    answer = await manager.http.put(f"/v1/accounts/{lan.id}/duty", json={"on_duty": True})
    assert answer.status_code == 200
    assert (await lan.http.get("/v1/me")).json()["on_duty"] is True
    assert [event["by"] for event in await switches(company)] == [manager.code]
    hidden = await manager.http.put(f"/v1/accounts/{other.id}/duty", json={"on_duty": True})
    assert title(hidden) == "account-not-found"


async def test_who_sees_all_is_not_everybodys_manager(company: Company) -> None:
    admin = await company.admin()
    body = {
        "name": "auditor",
        "label": {"vi": "Kiểm soát", "en": "Auditors"},
        "permissions": ["staff.read", "visibility.all"],
    }
    await admin.http.post("/v1/groups", json=body)
    auditor = await company.hire(admin, "auditor", group="auditor")
    lan = await company.hire(admin, "lan")
    refused = await auditor.http.put(f"/v1/accounts/{lan.id}/duty", json={"on_duty": True})
    assert (refused.status_code, title(refused)) == (403, "not-below-you")
    assert (await admin.http.put(f"/v1/accounts/{lan.id}/duty", json={"on_duty": True})).status_code == 200


async def test_who_left_takes_no_numbers(company: Company) -> None:
    admin = await company.admin()
    lan = await company.hire(admin, "lan")
    await admin.http.post(f"/v1/accounts/{lan.id}/deactivate", json={})
    refused = await admin.http.put(f"/v1/accounts/{lan.id}/duty", json={"on_duty": True})
    assert (refused.status_code, title(refused)) == (403, "account-inactive")
    assert await switches(company) == []


async def test_the_history_of_switches_is_read_page_by_page_newest_first(company: Company) -> None:
    admin = await company.admin()
    lan = await company.hire(admin, "lan")
    for on_duty in (True, False, True):
        await lan.http.put("/v1/me/duty", json={"on_duty": on_duty})
    path = f"/v1/accounts/{lan.id}/duty"
    first = (await admin.http.get(path, params={"limit": 2})).json()
    second = (await admin.http.get(path, params={"limit": 2, "after": first["next"]})).json()
    assert [(item["version"], item["on_duty"]) for item in first["items"] + second["items"]] == [
        (3, True),
        (2, False),
        (1, True),
    ]
    assert second["next"] is None


async def test_a_switch_is_true_or_false(company: Company) -> None:
    admin = await company.admin()
    for wrong in ({}, {"on_duty": "yes"}, {"on_duty": None}, {"on_duty": 1}, {"on_duty": True, "until": "noon"}):
        assert title(await admin.http.put("/v1/me/duty", json=wrong)) == "invalid"


async def test_whoever_lost_too_many_untouched_numbers_is_off_duty_until_they_switch_themselves_on(
    company: Company,
) -> None:
    admin = await company.admin()
    lan = await company.hire(admin, "lan")
    await lan.http.put("/v1/me/duty", json={"on_duty": True})
    now = datetime.now(UTC)
    reached = TakingLimitReached(
        account_id=UUID(lan.id), code="NV001", taken=3, since=now - timedelta(hours=1), at=now, order_id=uuid7()
    )
    for _ in range(2):
        await company.staff.receive(TAKING_LIMIT_REACHED, reached, subject=lan.id)
    assert (await lan.http.get("/v1/me")).json()["on_duty"] is False
    assert [event["on_duty"] for event in await switches(company)] == [True, False]
    await lan.http.put("/v1/me/duty", json={"on_duty": True})
    await company.staff.receive(TAKING_LIMIT_REACHED, reached, subject=lan.id)
    assert (await lan.http.get("/v1/me")).json()["on_duty"] is True, "what was asked before the switch is over"
