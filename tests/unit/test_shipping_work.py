"""What is written by hand because there are thousands a second reads as the models that others make of it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import TYPE_CHECKING, cast
from unittest.mock import Mock
from uuid import UUID

import orjson
import pytest
from uuid_utils.compat import uuid7

from services.shipping import rows
from services.shipping.timeline import Change, Known
from services.shipping.work import Work
from shared import outbox
from shared.contracts.commands import WorkflowCommand
from shared.contracts.events.shipping import SHIPMENT_CHANGED, ShipmentChanged
from shared.contracts.workflows import SHIPMENT, nudge_shipment
from shared.fact_columns import events_of
from shared.identity import new_id

if TYPE_CHECKING:
    import asyncpg

AT = datetime(2026, 11, 5, 2, 0, 7, tzinfo=UTC)


def written(work: Work) -> tuple[str, str, str, str]:
    [(_, destination, kind, subject, payload, _, _)] = work.told()
    return destination, kind, subject, payload


def change_of(
    shipment_id: UUID, *, at: datetime = AT, handed_over_at: datetime | None = None, flag: bool = False
) -> Change:
    return Change(
        shipment_id=shipment_id,
        order_id=uuid7(),
        sequence=4,
        status="returning",
        previous="delivered",
        at=at,
        carrier="ghtk",
        waybill='S1."A1"\\.Đ',
        reason_code="Khách đổi ý\n",
        handed_over_at=handed_over_at,
        correction=flag,
        partial=flag,
        cod=2**53,
    )


@pytest.mark.parametrize("shipment_id", [uuid7(), new_id()], ids=["python", "driver"])
@pytest.mark.parametrize(
    ("at", "handed_over_at", "flag"),
    list(product((AT, AT + timedelta(microseconds=1500)), (None, AT), (False, True))),
)
def test_a_change_is_written_as_its_event_is(
    shipment_id: UUID, at: datetime, handed_over_at: datetime | None, flag: bool
) -> None:
    work = Work(Mock())
    change = change_of(shipment_id, at=at, handed_over_at=handed_over_at, flag=flag)
    work.tell_change(change)
    destination, kind, subject, payload = written(work)
    assert (destination, kind, subject) == ("event", SHIPMENT_CHANGED.name, str(shipment_id))
    assert payload == ShipmentChanged(**asdict(change)).model_dump_json()


@pytest.mark.parametrize("shipment_id", [uuid7(), new_id()], ids=["python", "driver"])
@pytest.mark.parametrize("round_", [1, 2])
def test_a_nudge_is_written_as_its_command_is(shipment_id: UUID, round_: int) -> None:
    work = Work(Mock())
    work.nudge_shipment(shipment_id, round=round_)
    destination, kind, subject, payload = written(work)
    command = nudge_shipment(UUID(str(shipment_id)), round=round_)
    assert (destination, kind, subject) == ("command", command.workflow, command.workflow_id)
    assert WorkflowCommand.model_validate_json(payload) == command
    assert payload == command.model_dump_json()


def test_what_was_known_of_a_shipment_is_read_field_by_field() -> None:
    known = Known(
        shipment_id=uuid7(),
        order_id=uuid7(),
        carrier="ghtk",
        waybill="S1.A1",
        status="delivered",
        sequence=4,
        cod=350_000,
        fee=22_000,
        accepted_at=AT,
        handed_over_at=AT + timedelta(hours=1),
        partial=True,
        settled_at=AT + timedelta(days=1),
        cancel_requested=False,
    )
    row = {**asdict(known), "id": known.shipment_id}
    assert rows.known_of(cast("asyncpg.Record", row)) == known


def test_changes_and_nudges_of_many_parcels_share_rows() -> None:
    work = Work(Mock())
    parcels = [new_id() for _ in range(outbox.MANY)]
    for shipment_id in parcels:
        work.nudge_shipment(shipment_id, round=1)
        work.tell_change(change_of(shipment_id))
        work.nudge_shipment(shipment_id, round=1)
    changes, nudges = work.told()
    told = list(events_of(changes[0], changes[4]))
    assert changes[1:4] == (outbox.FACTS, SHIPMENT_CHANGED.name, "")
    assert [each.subject for each in told] == [str(shipment_id) for shipment_id in parcels]
    assert len({each.id for each in told}) == len(parcels)
    assert [ShipmentChanged.model_validate_json(each.data).shipment_id for each in told] == [
        UUID(str(shipment_id)) for shipment_id in parcels
    ]
    assert nudges[1:4] == (outbox.COMMANDS, SHIPMENT.name, "")
    assert [WorkflowCommand.model_validate(each) for each in orjson.loads(nudges[4])] == [
        nudge_shipment(UUID(str(shipment_id))) for shipment_id in parcels
    ]
