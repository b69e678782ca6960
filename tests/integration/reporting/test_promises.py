"""How many promises people keep, and how long customers wait for the first call."""

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
from shared.contracts.events.leads import LEAD_WITHDRAWN, LeadWithdrawn
from shared.contracts.events.orders import (
    FIRST_CALL_MADE,
    INTERACTION_UNDONE,
    PROMISE_ENDED,
    FirstCallMade,
    InteractionUndone,
    PromiseEnded,
)
from shared.contracts.events.staff import ACCOUNT_CHANGED, AccountChanged
from tests.harness import Databases, Running, running

MORNING = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
DAYS = {"first": "2026-11-23", "last": "2026-11-23"}


@pytest.fixture
async def reporting(databases: Databases) -> AsyncIterator[Running]:
    async with running(SERVICE, databases) as instance:
        yield instance


async def hire(reporting: Running, code: str) -> UUID:
    id = uuid7()
    change = AccountChanged(account_id=id, version=1, code=code, name=code, department="sale", group="sale", at=MORNING)
    await reporting.receive(ACCOUNT_CHANGED, change, subject=id)
    return id


def promise(owner: UUID, outcome: str, *, kind: str = "first_call", **fields: Any) -> PromiseEnded:
    return PromiseEnded.model_validate(
        {
            "promise_id": uuid7(),
            "order_id": uuid7(),
            "kind": kind,
            "due_at": MORNING,
            "ended_at": MORNING + timedelta(minutes=10),
            "outcome": outcome,
            "owner_id": owner,
            **fields,
        }
    )


def call(owner: UUID, *, wait: int, **fields: Any) -> FirstCallMade:
    return FirstCallMade.model_validate(
        {
            "order_id": uuid7(),
            "assignment": 1,
            "promise_id": uuid7(),
            "interaction_id": uuid7(),
            "owner_id": owner,
            "arrived_at": MORNING,
            "assigned_at": MORNING,
            "called_at": MORNING + timedelta(seconds=wait),
            "deadline_at": MORNING + timedelta(minutes=15),
            "in_time": wait <= 900,
            "wait_seconds": wait,
            "wait_since_assigned_seconds": wait,
            "late_seconds": max(0, wait - 900),
            **fields,
        }
    )


async def report(client: httpx.AsyncClient, name: str, **wanted: str) -> dict[str, dict[str, Any]]:
    answer = await client.get(f"/v1/reports/{name}", params={**DAYS, **wanted})
    assert answer.status_code == 200, answer.text
    return {row["key"]: row for row in answer.json()["rows"]}


@pytest.mark.parametrize("seed", range(3))
async def test_promises_and_first_calls_are_counted_once_whatever_the_order_of_the_facts(
    reporting: Running, seed: int
) -> None:
    one, two = await hire(reporting, "NV01"), await hire(reporting, "NV02")
    undone_call, undone, withdrawn = call(one, wait=5_000), promise(one, "kept"), promise(two, "broken")
    back = InteractionUndone(
        interaction_id=undone_call.interaction_id,
        order_id=undone.order_id,
        at=MORNING,
        promises=(undone.promise_id,),
    )
    gone = LeadWithdrawn(lead_id=withdrawn.order_id, was="lead", withdrawn_at=MORNING)
    facts = [
        *((PROMISE_ENDED, promise(one, outcome)) for outcome in ("kept", "kept", "kept", "broken", "cancelled")),
        (PROMISE_ENDED, promise(one, "broken", kind="callback")),
        (PROMISE_ENDED, promise(two, "kept")),
        (PROMISE_ENDED, promise(two, "kept", due_at=MORNING - timedelta(days=1))),
        *((FIRST_CALL_MADE, call(one, wait=wait)) for wait in (120, 300, 1_200)),
        (FIRST_CALL_MADE, undone_call),
        (PROMISE_ENDED, undone),
        (PROMISE_ENDED, withdrawn),
        (INTERACTION_UNDONE, back),
        (LEAD_WITHDRAWN, gone),
    ]
    told = [(event_type, data, uuid7()) for event_type, data in facts] * 2
    random.Random(seed).shuffle(told)
    for event_type, data, event_id in told:
        await reporting.receive(event_type, data, subject=uuid7(), event_id=event_id)
    everybody = await reporting.client()
    assert await report(everybody, "promises") == {
        "NV01": {"key": "NV01", "kept": 3, "broken": 2, "cancelled": 1, "kept_share": 0.6},
        "NV02": {"key": "NV02", "kept": 1, "broken": 0, "cancelled": 0, "kept_share": 1.0},
    }
    assert (await report(everybody, "promises", group_by="total", kind="callback"))[""]["broken"] == 1
    assert set(await report(everybody, "promises", group_by="kind")) == {"callback", "first_call"}
    assert await report(everybody, "first-calls") == {
        "NV01": {
            "key": "NV01",
            "owed": 4,
            "in_time": 3,
            "in_time_share": 0.75,
            "calls": 3,
            "median_wait_seconds": 300,
        },
        "NV02": {
            "key": "NV02",
            "owed": 1,
            "in_time": 1,
            "in_time_share": 1.0,
            "calls": 0,
            "median_wait_seconds": None,
        },
    }
    own = await reporting.client(permissions.REPORTS_READ, account_id=two)
    assert set(await report(own, "promises")) == {"NV02"}, "one sees one's own and those below"
