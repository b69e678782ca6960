"""The network policies: every process reaches what its settings name, and nothing reaches it that need not."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.deploy.manifests import OVERLAYS, SERVICES, FromSecret, Workload, built, matches, workloads

POSTGRESQL, NATS, TEMPORAL, HTTPS = 5432, 4222, 7233, 443

pytestmark = pytest.mark.parametrize("overlay", OVERLAYS)


def rules(overlay: str, workload: Workload, direction: str) -> list[dict[str, Any]]:
    """The rules of every policy that takes this workload's pods: `direction` is 'ingress' or 'egress'."""
    policies = [item["spec"] for item in built(overlay).of_kind("NetworkPolicy")]
    return [
        rule
        for policy in policies
        if matches(policy["podSelector"], workload.pod_labels)
        for rule in policy.get(direction, [])
    ]


def ports_anywhere(overlay: str, workload: Workload) -> set[int]:
    """The ports that it reaches on any address."""
    return {port["port"] for rule in rules(overlay, workload, "egress") if "to" not in rule for port in rule["ports"]}


def peers(overlay: str, workload: Workload, direction: str) -> list[str]:
    """Names of the workloads that it may reach or be reached by."""
    side = {"ingress": "from", "egress": "to"}[direction]
    selectors = [
        peer["podSelector"]
        for rule in rules(overlay, workload, direction)
        for peer in rule.get(side, [])
        if "podSelector" in peer and "namespaceSelector" not in peer
    ]
    return [
        other.name for other in workloads(overlay) if any(matches(selector, other.pod_labels) for selector in selectors)
    ]


def test_nothing_is_allowed_that_is_not_listed(overlay: str) -> None:
    (policy,) = (item for item in built(overlay).of_kind("NetworkPolicy") if item["metadata"]["name"] == "default-deny")
    assert policy["spec"].keys() == {"podSelector", "policyTypes"}
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert all(matches(policy["spec"]["podSelector"], workload.pod_labels) for workload in workloads(overlay))


def test_processes_reach_the_engines_that_their_settings_name_and_no_others(overlay: str) -> None:
    for workload in workloads(overlay):
        wanted = {
            port
            for name, port in (
                ("CHOT_DATABASE_URL", POSTGRESQL),
                ("CHOT_NATS_URL", NATS),
                ("TEMPORAL_ADDRESS", TEMPORAL),
            )
            if name in workload.env
        }
        assert ports_anywhere(overlay, workload) == wanted, workload.name
        address = workload.env.get("TEMPORAL_ADDRESS", f":{TEMPORAL}")
        assert not isinstance(address, FromSecret)
        assert address.endswith(f":{TEMPORAL}")


def test_only_shipping_leads_and_the_api_of_orders_reach_the_internet_and_only_by_https(overlay: str) -> None:
    outside = {
        workload.name: [port["port"] for port in rule["ports"]]
        for workload in workloads(overlay)
        for rule in rules(overlay, workload, "egress")
        for peer in rule.get("to", [])
        if "ipBlock" in peer
    }
    callers = ("shipping-api", "shipping-activities", "leads-api", "leads-activities", "orders-api")
    assert outside == {name: [HTTPS] for name in callers}


def test_only_apis_are_reached_from_outside(overlay: str) -> None:
    reached = {
        workload.name
        for workload in workloads(overlay)
        for rule in rules(overlay, workload, "ingress")
        for peer in rule["from"]
        if "namespaceSelector" in peer
    }
    assert reached == {f"{name}-api" for name in SERVICES}


def test_every_api_reaches_the_keys_that_tokens_are_checked_with(overlay: str) -> None:
    apis = [workload for workload in workloads(overlay) if "CHOT_JWKS_URL" in workload.env]
    assert {workload.name for workload in apis} == {f"{name}-api" for name in SERVICES}
    for workload in apis:
        url = workload.env["CHOT_JWKS_URL"]
        assert not isinstance(url, FromSecret)
        address = urlsplit(url)
        (target,) = (item for item in built(overlay).of_kind("Service") if item["metadata"]["name"] == address.hostname)
        assert (address.port or 80) in [port["port"] for port in target["spec"]["ports"]]
        (staff,) = (
            other for other in workloads(overlay) if target["spec"]["selector"].items() <= other.pod_labels.items()
        )
        assert staff.name in peers(overlay, workload, "egress")
        assert workload.name in peers(overlay, staff, "ingress")
