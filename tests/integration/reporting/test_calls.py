"""How much people call and talk, as telephone systems measured it."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from uuid_utils.compat import uuid7

from services.reporting.app import SERVICE
from shared.contracts import permissions
from shared.contracts.events.orders_calls import CALL_ENDED, CallEnded
from shared.contracts.events.staff import ACCOUNT_CHANGED, AccountChanged
from tests.harness import Databases, Running, running

LATE = datetime(2026, 11, 23, 16, 59, tzinfo=UTC)
"""One minute before midnight in Vietnam: a call counts on the day on which it began."""
DAYS = {"first": "2026-11-23", "last": "2026-11-24"}


@pytest.fixture
async def reporting(databases: Databases) -> AsyncIterator[Running]:
    async with running(SERVICE, databases) as instance:
        yield instance


async def hire(reporting: Running, code: str, *, superior: UUID | None = None) -> UUID:
    id = uuid7()
    change = AccountChanged(
        account_id=id, version=1, code=code, name=code, department="sale", group="sale", superior_id=superior, at=LATE
    )
    await reporting.receive(ACCOUNT_CHANGED, change, subject=id)
    return id


def call(
    staff: UUID | None, *, talk: int = 0, answered: bool | None = None, at: datetime = LATE, **fields: Any
) -> CallEnded:
    taken = talk > 0 if answered is None else answered
    return CallEnded.model_validate(
        {
            "call_id": uuid7(),
            "revision": 1,
            "order_id": uuid7(),
            "direction": "out",
            "started_at": at,
            "answered_at": at + timedelta(seconds=10) if taken else None,
            "ended_at": at + timedelta(seconds=10 + talk),
            "talk_seconds": talk,
            "staff_id": staff,
            **fields,
        }
    )


async def tell(reporting: Running, *calls: CallEnded) -> None:
    for each in calls:
        await reporting.receive(CALL_ENDED, each, subject=each.order_id, event_id=uuid7())


async def rows(client: httpx.AsyncClient, **wanted: str) -> list[dict[str, Any]]:
    answer = await client.get("/v1/reports/calls", params={**DAYS, **wanted})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["rows"])


@pytest.mark.parametrize("seed", range(3))
async def test_calls_and_talk_time_are_counted_once_whatever_the_order_in_which_they_are_told(
    reporting: Running, seed: int
) -> None:
    one, two = await hire(reporting, "NV01"), await hire(reporting, "NV02")
    first = call(one, talk=90)
    again = first.model_copy(update={"revision": 2, "talk_seconds": 95})
    logged = again.model_copy(update={"revision": 3, "interaction_id": uuid7()})
    facts = [
        *(first, again, logged),
        *(call(one), call(one, talk=5, at=LATE + timedelta(minutes=2)), call(one, talk=30, direction="in")),
        *(call(two, answered=True), call(two, direction="in"), call(None, talk=7)),
        call(two, talk=1000, at=LATE - timedelta(days=1)),
    ]
    told = facts * 2
    random.Random(seed).shuffle(told)
    await tell(reporting, *told)
    everybody = await reporting.client()
    found = {row["key"]: row for row in await rows(everybody)}
    assert found["NV01"] == {
        "key": "NV01",
        "day": None,
        "days": 2,
        "outgoing": 3,
        "outgoing_answered": 2,
        "incoming": 1,
        "incoming_answered": 1,
        "talk_seconds": 130,
    }
    assert (found["NV02"]["outgoing_answered"], found["NV02"]["incoming"], found["NV02"]["talk_seconds"]) == (1, 1, 0)
    assert found[""]["talk_seconds"] == 7, "of an extension that is nobody's"
    [total] = await rows(everybody, group_by="total")
    assert (total["outgoing"], total["incoming"], total["talk_seconds"]) == (5, 2, 137)
    by_day = [(row["key"], row["talk_seconds"]) for row in await rows(everybody, group_by="day")]
    assert by_day == [("2026-11-23", 132), ("2026-11-24", 5)]


async def test_each_day_of_each_person_page_by_page(reporting: Running) -> None:
    one, two = await hire(reporting, "NV01"), await hire(reporting, "NV02")
    next_day = LATE + timedelta(hours=8)
    await tell(reporting, call(one, talk=10), call(one, talk=20, at=next_day), call(two, talk=30, at=next_day))
    everybody = await reporting.client()
    found, after = [], ""
    while True:
        answer = (
            await everybody.get(
                "/v1/reports/calls", params={**DAYS, "group_by": "owner_day", "limit": 2, "after": after}
            )
        ).json()
        found += [(row["key"], row["day"], row["talk_seconds"]) for row in answer["rows"]]
        if answer["next"] is None:
            break
        after = answer["next"]
    assert found == [("NV01", "2026-11-23", 10), ("NV01", "2026-11-24", 20), ("NV02", "2026-11-24", 30)]


async def test_one_sees_ones_own_calls_and_those_of_the_people_below(reporting: Running) -> None:
    leader = await hire(reporting, "TN01")
    own, other = await hire(reporting, "NV01", superior=leader), await hire(reporting, "NV02")
    await tell(reporting, call(leader, talk=1), call(own, talk=2), call(other, talk=4), call(None, talk=8))
    for account, codes, seconds in ((leader, {"TN01", "NV01"}, 3), (own, {"NV01"}, 2), (other, {"NV02"}, 4)):
        client = await reporting.client(permissions.REPORTS_READ, account_id=account)
        assert {row["key"] for row in await rows(client)} == codes
        [total] = await rows(client, group_by="total")
        assert total["talk_seconds"] == seconds
    nobody = await reporting.client(permissions.ORDERS_READ, account_id=own)
    assert (await nobody.get("/v1/reports/calls", params=DAYS)).status_code == 403


async def test_the_dashboard_shows_calls_beside_the_other_figures(reporting: Running) -> None:
    page = (await (await reporting.client()).get("/")).text
    assert "Cuộc gọi và đàm thoại" in page
    assert '"/v1/reports/calls"' in page
