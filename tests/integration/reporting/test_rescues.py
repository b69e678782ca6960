"""Failed deliveries and the orders that were saved."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from uuid_utils.compat import uuid7

from services.reporting.app import SERVICE
from shared.contracts import permissions
from shared.contracts.events.orders import PROMISE_ENDED, PromiseEnded
from shared.contracts.events.orders_rescue import RESCUE_HANDED_OVER, RescueHandedOver
from shared.contracts.events.shipping_rescue import RESCUE_CHANGED, RescueChanged
from tests.harness import Databases, Running, running
from tests.integration.reporting.test_calls import DAYS, LATE, hire


@pytest.fixture
async def reporting(databases: Databases) -> AsyncIterator[Running]:
    async with running(SERVICE, databases) as instance:
        yield instance


def failed(**fields: Any) -> RescueChanged:
    return RescueChanged.model_validate(
        {
            "rescue_id": uuid7(),
            "shipment_id": uuid7(),
            "order_id": uuid7(),
            "sequence": 1,
            "step": "failed",
            "state": "open",
            "at": LATE,
            "attempt": 1,
            "failed_at": LATE,
            "carrier": "ghn",
            "reason_vi": "Người nhận không nghe máy",
            "reason_en": "Receiver does not answer",
            "cut_off_at": LATE + timedelta(hours=24),
            "decide_by": LATE + timedelta(hours=23),
            **fields,
        }
    )


def later(before: RescueChanged, **fields: Any) -> RescueChanged:
    return before.model_copy(update={"sequence": before.sequence + 1, **fields})


def ended(about: RescueChanged, outcome: str, *, owner_id: UUID) -> PromiseEnded:
    return PromiseEnded.model_validate(
        {
            "promise_id": about.rescue_id,
            "order_id": about.order_id,
            "kind": "rescue",
            "due_at": LATE,
            "ended_at": LATE,
            "outcome": outcome,
            "owner_id": owner_id,
        }
    )


def handed_over(about: RescueChanged, *, turn: int = 1) -> RescueHandedOver:
    return RescueHandedOver(
        rescue_id=about.rescue_id,
        turn=turn,
        order_id=about.order_id,
        at=LATE + timedelta(hours=turn),
        why="call_hours",
        call_minutes=120,
        deadline_at=LATE + timedelta(hours=23),
    )


async def rows(client: httpx.AsyncClient, **wanted: str) -> dict[str, dict[str, Any]]:
    answer = await client.get("/v1/reports/rescues", params={**DAYS, **wanted})
    assert answer.status_code == 200, answer.text
    return {row.pop("key"): row for row in answer.json()["rows"]}


async def test_orders_saved_are_counted_once_whatever_the_order_in_which_it_is_told(reporting: Running) -> None:
    leader = await hire(reporting, "TN01")
    own, other = await hire(reporting, "NV01", superior=leader), await hire(reporting, "NV02")
    saved, missed, waiting = failed(), failed(carrier="ghtk", reason_vi="Khách hẹn", reason_en="Later"), failed()
    asked = later(saved, state="asked", by_id=own, by_desk=True, asked_at=LATE)
    facts: list[tuple[Any, Any]] = [
        (RESCUE_CHANGED, saved),
        (RESCUE_CHANGED, asked),
        (RESCUE_CHANGED, later(asked, state="closed", outcome="delivered", saved=True)),
        (PROMISE_ENDED, ended(saved, "kept", owner_id=own)),
        (RESCUE_CHANGED, missed),
        (RESCUE_CHANGED, later(missed, state="closed", outcome="returned")),
        (PROMISE_ENDED, ended(missed, "broken", owner_id=other)),
        (RESCUE_CHANGED, waiting),
        (RESCUE_CHANGED, failed(outcome="withdrawn", state="closed")),
        (RESCUE_HANDED_OVER, handed_over(saved)),
        (RESCUE_HANDED_OVER, handed_over(saved, turn=2)),
    ]
    repeated = [*facts, *facts]
    random.Random(5).shuffle(repeated)
    for kind, fact in repeated:
        await reporting.receive(kind, fact, subject=fact.order_id)
    everybody = await reporting.client(permissions.REPORTS_READ, permissions.SEE_ALL)
    total = {
        "failed": 3,
        "parcels": 3,
        "calls": 3,
        "in_time": 1,
        "missed": 1,
        "handed_over": 1,
        "asked": 1,
        "saved": 1,
        "saved_by_desk": 1,
        "saved_value": 0,
        "delivered": 1,
        "returned": 1,
        "open": 1,
        "rescue_rate": 0.3333,
    }
    assert await rows(everybody, group_by="total") == {"": total}
    assert await rows(everybody, group_by="day") == {"2026-11-23": total}
    by_carrier = await rows(everybody, group_by="carrier")
    assert {key: (row["failed"], row["saved"], row["returned"]) for key, row in by_carrier.items()} == {
        "ghn": (2, 1, 0),
        "ghtk": (1, 0, 1),
    }
    assert set(await rows(everybody, group_by="reason")) == {"Người nhận không nghe máy", "Khách hẹn"}
    by_person = await rows(everybody)
    assert {key: (row["saved"], row["missed"], row["open"]) for key, row in by_person.items()} == {
        "": (0, 0, 1),
        "NV01": (1, 0, 0),
        "NV02": (0, 1, 0),
    }
    by_side = await rows(everybody, group_by="side")
    assert {key: (row["saved"], row["failed"]) for key, row in by_side.items()} == {"": (0, 2), "desk": (1, 1)}
    assert {key: row["rescue_rate"] for key, row in by_person.items()} == {"": None, "NV01": 1.0, "NV02": 0.0}, (
        "nothing is known of what still waits"
    )
    below = await reporting.client(permissions.REPORTS_READ, account_id=leader)
    assert set(await rows(below)) == {"NV01"}, "one sees one's own and those below"
    nobody = await reporting.client(permissions.ORDERS_READ)
    assert (await nobody.get("/v1/reports/rescues", params=DAYS)).status_code == 403
    page = (await everybody.get("/")).text
    assert "Cứu đơn" in page
    assert '"/v1/reports/rescues"' in page


async def test_a_long_report_comes_in_pages(reporting: Running) -> None:
    for carrier in ("ghn", "ghtk", "jnt"):
        await reporting.receive(RESCUE_CHANGED, failed(carrier=carrier), subject=uuid7())
    client = await reporting.client(permissions.REPORTS_READ, permissions.SEE_ALL)
    found, after = [], ""
    while True:
        wanted: dict[str, Any] = {**DAYS, "group_by": "carrier", "limit": 2, "after": after}
        answer = (await client.get("/v1/reports/rescues", params=wanted)).json()
        found += [row["key"] for row in answer["rows"]]
        if answer["next"] is None:
            break
        after = answer["next"]
    assert found == ["ghn", "ghtk", "jnt"]
