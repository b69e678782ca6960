"""What the product leaves behind of a customer: one correlation id through everything, and nothing personal."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import orjson

from deploy.local.ghtk.life import Status
from tests.harness import eventually
from tests.shop import NUMBER, WITHIN, Shop

WORKFLOWS: Final = ("CareWorkflow", "FulfilmentWorkflow", "ShipmentWorkflow", "CarrierPollingWorkflow")


def lines_with(log: Path, correlation: str) -> list[dict[str, Any]]:
    """The structured lines of a log that belong to one cause."""
    found = (orjson.loads(line) for line in log.read_bytes().splitlines() if correlation.encode() in line)
    return [line for line in found if line["correlation_id"] == correlation]


async def test_one_correlation_id_leads_from_the_request_to_the_activity(shop: Shop) -> None:
    correlation = str(uuid4())
    order_id = await shop.lead(product="DAO-6", correlation=correlation)
    logs = {name: shop.stack.log_dir / f"{name}.log" for name in ("leads", "orders", "reporting")}

    async def everywhere() -> bool:
        seen = {name: {line["event"] for line in lines_with(log, correlation)} for name, log in logs.items()}
        assert "request" in seen["leads"]
        assert {"event handled", "activity"} <= seen["orders"]
        return "event handled" in seen["reporting"]

    await eventually(everywhere, within=WITHIN)
    handled = {line.get("event_type") for line in lines_with(logs["orders"], correlation)}
    assert {"leads.lead.accepted.v1", "leads.lead.assigned.v1"} <= handled
    activity = next(line for line in lines_with(logs["orders"], correlation) if line["event"] == "activity")
    assert activity["workflow_id"] == f"care/{order_id}"


async def test_no_log_and_no_workflow_history_holds_a_name_a_number_or_an_address(shop: Shop) -> None:
    phone, name, note = shop.phone(), "Wilhelmina Xanthopoulos", "buzzer-quokka-7731"
    order_id = await shop.lead(phone=phone, name=name, product="DAO-6", note=note)
    again = await shop.company.marketer.ask("leads", "POST", "/v1/leads", phone=phone, name=name, note=note)
    assert again["verdict"] == "duplicate"
    order = await shop.in_care(order_id)
    await shop.holder(order).ask(
        "orders", "POST", f"/v1/orders/{order_id}/interactions", kind="call", result="no_answer", note=note
    )
    recipient, street = "Zebediah Quimbly", "77 Mxyzptlk Lane"
    await shop.close(order_id, sku="DAO-6", recipient=recipient, detail=street)
    await shop.post(order_id)
    shipment = await shop.accepted(order_id)
    await shop.carried_to(shipment["waybill"], Status.SETTLED)
    await shop.at_level(order_id, "L8")
    await shop.quiet()

    secrets = [name, note, recipient, street, *_spellings(phone)]
    assert shop.logs_with(secrets) == []
    exported: dict[str, int] = {}
    async for execution in shop.temporal.list_workflows():
        handle = shop.temporal.get_workflow_handle(execution.id, run_id=execution.run_id)
        history = b"".join([event.SerializeToString() async for event in handle.fetch_history_events()])
        assert [secret for secret in secrets if secret.encode() in history] == [], execution.id
        assert NUMBER.search(history) is None, execution.id
        exported[execution.workflow_type] = exported.get(execution.workflow_type, 0) + 1
    assert set(WORKFLOWS) <= set(exported), "there was something to look at"


def _spellings(phone: str) -> list[str]:
    """A mobile number as it may be written: 0912345678, +84912345678, with spaces."""
    return [phone, f"84{phone[1:]}", f"{phone[:4]} {phone[4:7]} {phone[7:]}"]
