"""What must be true at the end, computed from the services' APIs and from the carrier's own table."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any, Final

import httpx

from deploy.local.demo.api import Person

CARRIER_STATUS: Final = {
    -1: "cancelled",
    1: "accepted",
    2: "accepted",
    12: "accepted",
    8: "accepted",
    7: "pickup_failed",
    3: "picked_up",
    4: "out_for_delivery",
    10: "delivery_failed",
    5: "delivered",
    6: "delivered",
    9: "returning",
    20: "returning",
    21: "returned",
    11: "returned",
    13: "lost",
}
"""GHTK status → ours, written down here a second time: the check must not believe the code that it checks."""

PROVISIONAL: Final = frozenset({45, 49, 123, 127, 128, 410})


@dataclass(frozen=True)
class Check:
    """One promise and whether it was kept."""

    name: str
    holds: bool
    detail: str


@dataclass(frozen=True)
class Facts:
    """Everything the checks look at, read once."""

    rows: list[dict[str, Any]]
    expected: dict[str, Any]
    shipments: list[dict[str, Any]]
    carrier: list[dict[str, Any]]
    identity: dict[str, Any]
    cod: dict[str, Any]
    money: dict[str, Any]


async def read_facts(
    http: httpx.AsyncClient, boss: Person, *, import_id: str, expected: dict[str, Any], carrier_url: str
) -> Facts:
    """Reads the facts from the services and the carrier."""
    carrier: list[dict[str, Any]] = []
    after: Any = 0
    while after is not None:
        page = (await http.get(f"{carrier_url}/_simulator/shipments", params={"after": after, "limit": 1000})).json()
        carrier += page["items"]
        after = page["next"]
    money = await boss.get("reporting", "/v1/reports/money")
    return Facts(
        rows=[row async for row in boss.pages("leads", f"/v1/imports/{import_id}/rows")],
        expected=expected,
        shipments=[shipment async for shipment in boss.pages("shipping", "/v1/shipments")],
        carrier=carrier,
        identity=await boss.get("reporting", "/v1/reports/identity"),
        cod=(await boss.get("shipping", "/v1/cod/summary"))["total"],
        money={row["kind"]: row for row in money["rows"]},
    )


def all_checks(facts: Facts) -> list[Check]:
    """The five promises."""
    return [
        _every_row_has_a_verdict(facts),
        _no_order_has_two_parcels(facts),
        _states_are_the_carriers(facts),
        _levels_reconcile(facts),
        _money_reconciles(facts),
    ]


def _every_row_has_a_verdict(facts: Facts) -> Check:
    expected = {row["row"]: row["outcome"] for row in facts.expected["verdicts"]}
    found = {row["row"]: row["verdict"] for row in facts.rows}
    silent = [row["row"] for row in facts.rows if row["verdict"] == "rejected" and not row.get("message")]
    differing = sorted(row for row in expected.keys() | found.keys() if expected.get(row) != found.get(row))
    counts = Counter(found.values())
    detail = f"{len(found)} rows: " + ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
    if differing:
        detail += f"; other than expected: rows {differing[:5]}"
    if silent:
        detail += f"; rejected without a reason: rows {silent[:5]}"
    return Check(
        "every workbook row is a lead, a duplicate or an explained rejection", not differing and not silent, detail
    )


def _no_order_has_two_parcels(facts: Facts) -> Check:
    """The carrier's table against ours by waybill: what it holds that is not cancelled belongs to one live shipment."""
    order_of = {shipment["waybill"]: shipment["order_id"] for shipment in facts.shipments if shipment["waybill"]}
    live: dict[str, int] = defaultdict(int)
    orphans = 0
    for parcel in facts.carrier:
        if parcel["status"] == -1:
            continue
        order = order_of.get(parcel["waybill"])
        if order is None:
            orphans += 1
        else:
            live[order] += 1
    doubled = [order for order, count in live.items() if count > 1]
    detail = f"{len(live)} orders with one parcel each, {len(doubled)} with two, {orphans} parcels nobody knows"
    return Check("no order has two shipments at the carrier", not doubled and not orphans, detail)


def _states_are_the_carriers(facts: Facts) -> Check:
    ours = {shipment["waybill"]: shipment["status"] for shipment in facts.shipments}
    compared, differing = 0, []
    for parcel in facts.carrier:
        if parcel["status"] == -1 and parcel["waybill"] not in ours:
            continue
        compared += 1
        confirmed = next(
            (step["status"] for step in reversed(parcel["history"]) if step["status"] not in PROVISIONAL), None
        )
        if CARRIER_STATUS.get(confirmed or 0) != ours.get(parcel["waybill"]):
            differing.append(f"{parcel['waybill']}: {confirmed} / {ours.get(parcel['waybill'])}")
    detail = f"{compared} compared, {len(differing)} differ" + (f": {differing[:3]}" if differing else "")
    return Check("every shipment's state equals the carrier's own", not differing and compared > 0, detail)


def _levels_reconcile(facts: Facts) -> Check:
    wrong = [row["level"] for row in facts.identity["rows"] if not row["holds"]]
    detail = f"{len(facts.identity['rows'])} levels" + (f", wrong: {', '.join(wrong)}" if wrong else ", all agree")
    return Check("remaining = entered − left for every level", not wrong and bool(facts.identity["rows"]), detail)


def _money_reconciles(facts: Facts) -> Check:
    at_carrier = sum(parcel["settled_cod"] for parcel in facts.carrier)
    gross = {
        "delivered": facts.cod["delivered"],
        "settled": facts.cod["settled"],
        "paid out by the carrier": at_carrier,
    }
    # Revenue is without the fee that customers pay for the delivery (rule D28), the courier's money is with it (D30).
    revenue = {
        "revenue delivered in the report": facts.money["delivered"]["amount"],
        "received": facts.money["received"]["amount"],
    }
    holds = len(set(gross.values())) == len(set(revenue.values())) == 1 and at_carrier > revenue["received"] > 0
    detail = ", ".join(f"{name} {amount:,} đ" for name, amount in (gross | revenue).items())
    return Check("money settled = money delivered", holds, detail)
