"""Events are read by other versions of the services: what was once said must be understood for ever.

A failure here means that an event changed. Add the new field, with a default, to the sample of its type; never change or
remove a field: that is a new version of the type.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shared.contracts.events import REGISTRY, STREAM_OF

SAMPLES = Path(__file__).parent / "events"
TYPES = sorted(REGISTRY)

PERSONAL = {
    "leads.duplicate.found.v1": {"note"},
    "leads.duplicate.released.v1": {"phone", "other_phones", "name", "address", "note", "do_not_call.phone"},
    "leads.lead.corrected.v1": {"phone", "other_phones", "name", "address", "note", "do_not_call.phone"},
    "leads.consent.recorded.v1": {"phone", "reason"},
    "leads.do_not_call.changed.v1": {"phone"},
    "leads.lead.accepted.v1": {"phone", "other_phones", "name", "address", "note", "do_not_call.phone"},
    "leads.lead.duplicated.v1": {"note"},
    "leads.phone.revealed.v1": {"reason"},
    "leads.message.received.v1": {"text"},
    "orders.customer.changed.v1": {"name", "phones"},
    "orders.order.closed.v1": {"recipient", "phone", "address.detail", "note"},
    "shipping.recipient.changed.v1": {"recipient", "phone", "address.detail"},
    "staff.account.changed.v1": {"name"},
}
"""Fields with personal data, which are masked in dead letters and never logged; the other types have none."""

REQUIRED = {
    "leads.duplicate.found.v1": {"lead_id", "anchor_id", "assignment", "at", "cause", "received_at", "source"},
    "leads.duplicate.released.v1": {"lead_id", "received_at", "phone", "source", "anchor_id", "at", "reason"},
    "leads.do_not_call.changed.v1": {"phone", "version", "at"},
    "leads.consent.recorded.v1": {"consent_id", "phone", "purpose", "act", "at"},
    "leads.export.made.v1": {"export_id", "at", "by_id", "by", "rows", "with_numbers"},
    "leads.lead.accepted.v1": {"lead_id", "received_at", "phone", "source"},
    "leads.portfolio.left.v1": {"account_id", "code", "open_leads", "in_care", "at"},
    "leads.lead.assigned.v1": {"lead_id", "assignment", "owner_id", "owner_code", "assigned_at", "cause"},
    "leads.lead.corrected.v1": {"lead_id", "revision", "at", "phone"},
    "leads.lead.duplicated.v1": {"lead_id", "anchor_id", "received_at", "source"},
    "leads.lead.archived.v1": {"lead_id", "assignment", "archived_at"},
    "leads.lead.released.v1": {"lead_id", "assignment", "released_at", "cause"},
    "leads.spam.marked.v1": {"lead_id", "revision", "kind", "at"},
    "leads.lead.unassigned.v1": {"lead_id", "received_at", "raised_at", "waited_minutes"},
    "leads.phone.revealed.v1": {"lead_id", "account_id", "code", "at", "basis"},
    "leads.lead.tagged.v1": {"lead_id", "version", "at"},
    "leads.tag.changed.v1": {"tag_id", "version", "name", "colour"},
    "leads.message.received.v1": {"message_id", "order_id", "at", "channel"},
    "leads.lead.withdrawn.v1": {"lead_id", "was", "withdrawn_at"},
    "orders.customer.changed.v1": {"customer_id", "version", "at"},
    "orders.customer.merged.v1": {"merge_id", "kept_id", "gone_id", "at"},
    "orders.customer.unmerged.v1": {"merge_id", "kept_id", "restored_id", "at"},
    "orders.call.ended.v1": {"call_id", "revision", "order_id", "direction", "started_at", "ended_at"},
    "orders.interaction.logged.v1": {"interaction_id", "order_id", "kind", "direction", "at"},
    "orders.interaction.undone.v1": {"interaction_id", "order_id", "at"},
    "orders.level.changed.v1": {
        "transition_id",
        "order_id",
        "sequence",
        "from_level",
        "to_level",
        "at",
        "recorded_at",
        "cause",
        "cohort_at",
    },
    "orders.level_catalogue.changed.v1": {"version", "at", "levels"},
    "orders.rescue.handed_over.v1": {"rescue_id", "turn", "order_id", "at", "why", "call_minutes", "deadline_at"},
    "orders.task.snoozed.v1": {"task_id", "order_id", "kind", "at", "until", "times", "owner_id"},
    "orders.first_call.made.v1": {
        "order_id",
        "assignment",
        "promise_id",
        "interaction_id",
        "arrived_at",
        "assigned_at",
        "called_at",
        "deadline_at",
        "in_time",
        "wait_seconds",
        "wait_since_assigned_seconds",
        "late_seconds",
    },
    "orders.taking_limit.reached.v1": {"account_id", "code", "taken", "since", "at", "order_id"},
    "orders.order.cancelled.v1": {"order_id", "version", "at", "reason"},
    "orders.order.merged.v1": {"order_id", "into_id", "at", "reason"},
    "orders.order.closed.v1": {
        "order_id",
        "version",
        "code",
        "closed_at",
        "closer_id",
        "closer_code",
        "recipient",
        "phone",
        "address",
        "lines",
        "total",
        "cod",
    },
    "orders.owner.changed.v1": {"order_id", "assignment", "level", "from_owner_id", "to_owner_id", "at"},
    "orders.promise.ended.v1": {"promise_id", "order_id", "kind", "due_at", "ended_at", "outcome"},
    "orders.promise.made_good.v1": {"promise_id", "order_id", "kind", "due_at", "at", "late_seconds"},
    "orders.reassignment.requested.v1": {"order_id", "assignment", "to", "reason", "at"},
    "shipping.cod.settled.v1": {"shipment_id", "order_id", "at", "amount", "carrier", "evidence"},
    "shipping.cod.written_off.v1": {"shipment_id", "order_id", "at", "amount", "carrier", "by"},
    "shipping.difference.closed.v1": {"difference_id", "kind", "at", "carrier", "connection_id", "amount", "end"},
    "shipping.difference.opened.v1": {"difference_id", "kind", "at", "carrier", "connection_id", "amount", "since"},
    "shipping.recipient.changed.v1": {"request_id", "order_id", "shipment_id", "at"},
    "shipping.rescue.changed.v1": {
        *("rescue_id", "shipment_id", "order_id", "sequence", "step", "at", "state", "attempt", "failed_at", "carrier"),
        *("cut_off_at", "decide_by"),
    },
    "shipping.shipment.changed.v1": {"shipment_id", "order_id", "sequence", "status", "previous", "at", "carrier"},
    "staff.account.changed.v1": {"account_id", "version", "code", "name", "department", "group", "at"},
    "staff.duty.changed.v1": {"account_id", "version", "on_duty", "at"},
    "staff.shifts.changed.v1": {"account_id", "version", "at"},
}
"""What the first version of each type had to say; everything since has a default."""


def sample(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text(encoding="utf-8"))
    return content


def test_every_type_has_a_sample_and_every_sample_a_type() -> None:
    assert sorted(path.stem for path in SAMPLES.glob("*.json")) == TYPES


@pytest.mark.parametrize("name", TYPES)
def test_a_sample_is_understood_and_written_again_as_it_was(name: str) -> None:
    event = REGISTRY[name].model.model_validate_json(json.dumps(sample(name)))
    assert json.loads(event.model_dump_json()) == sample(name)


@pytest.mark.parametrize("name", TYPES)
def test_an_event_of_a_newer_writer_is_understood(name: str) -> None:
    known = REGISTRY[name].model.model_validate_json(json.dumps(sample(name)))
    newer = add_unknown_fields(sample(name))
    assert REGISTRY[name].model.model_validate_json(json.dumps(newer)) == known


def add_unknown_fields(value: Any) -> Any:
    """The same JSON with a field more in each object."""
    if isinstance(value, dict):
        return {**{key: add_unknown_fields(item) for key, item in value.items()}, "field_of_tomorrow": {"x": [1]}}
    if isinstance(value, list):
        return [add_unknown_fields(item) for item in value]
    return value


@pytest.mark.parametrize("name", TYPES)
def test_an_event_of_the_first_writer_is_understood(name: str) -> None:
    first = {key: value for key, value in sample(name).items() if key in REQUIRED[name]}
    assert set(first) == REQUIRED[name]
    REGISTRY[name].model.model_validate_json(json.dumps(first))


@pytest.mark.parametrize("name", TYPES)
def test_the_fields_with_personal_data_are_marked(name: str) -> None:
    assert REGISTRY[name].personal == PERSONAL.get(name, set())


@pytest.mark.parametrize("name", TYPES)
def test_a_name_is_a_versioned_subject_of_a_service_with_a_stream(name: str) -> None:
    service, entity, fact, version = name.split(".")
    assert service in STREAM_OF
    assert entity.islower()
    assert fact.islower()
    assert version[0] == "v"
    assert version[1:].isdigit()
