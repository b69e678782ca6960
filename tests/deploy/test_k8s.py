"""The manifests of Kubernetes, as an overlay builds them: valid, complete, and in step with the code that they run."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from pydantic import SecretStr
from temporalio.envconfig import ClientConfigProfile

from deploy.local.keys import Keys
from shared.http import CHECK_WITHIN
from shared.lifecycle import STOP_WITHIN
from shared.service import ROLES
from tests.deploy.kustomize import build
from tests.deploy.manifests import (
    K8S,
    OVERLAYS,
    ROOT,
    SERVICES,
    FromSecret,
    built,
    example_secrets,
    has_activities,
    matches,
    service,
    workloads,
)

KUBERNETES = {"dev": "1.32", "production": "1.37"}
"""The oldest version that we promise to run on, and the newest that the validator knows; an overlay each, to save time."""

CONTAINER_SECURITY = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}

pytestmark = pytest.mark.parametrize("overlay", OVERLAYS)


def test_every_manifest_is_valid(overlay: str) -> None:
    for manifest in built(overlay).manifests:
        assert kubernetes_validate.validate(manifest, KUBERNETES[overlay], strict=True) == KUBERNETES[overlay]


def test_every_name_is_used_once(overlay: str) -> None:
    names = Counter((item["kind"], item["metadata"]["name"]) for item in built(overlay).manifests)
    assert set(names.values()) == {1}


def test_every_file_belongs_to_an_overlay(overlay: str) -> None:
    others = {path.resolve() for path in K8S.glob("overlays/*/*") if path.parent.name != overlay}
    assert {path.resolve() for path in K8S.rglob("*.yaml")} - others == built(overlay).files


def test_kubectl_builds_the_same(overlay: str) -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("there is no kubectl here")
    version = subprocess.run([kubectl, "version", "--client", "-o", "json"], capture_output=True, check=True)
    kustomize = re.match(r"v(\d+)", json.loads(version.stdout).get("kustomizeVersion", ""))
    if kustomize is None or int(kustomize[1]) < 5:
        pytest.skip("this kubectl has a kustomize older than 5")
    output = subprocess.run([kubectl, "kustomize", K8S / "overlays" / overlay], capture_output=True, check=True).stdout
    names = "|".join(item["metadata"]["name"] for item in built(overlay).of_kind("ConfigMap"))
    unhashed = re.sub(rf"(?m)\bname: ({names})-[a-z0-9]{{10}}$", r"name: \1", output.decode())

    def by_name(manifests: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
        return {(item["kind"], item["metadata"]["name"]): item for item in manifests}

    assert by_name(list(yaml.safe_load_all(unhashed))) == by_name(built(overlay).manifests)


def test_every_service_runs_every_role_it_has(overlay: str) -> None:
    wanted = {
        (name, role) for name in SERVICES for role in ROLES if role != "activities" or has_activities(service(name))
    }
    running = [workload for workload in workloads(overlay, "Deployment") if workload.service]
    assert {(workload.service.name, workload.arguments[1]) for workload in running if workload.service} == wanted
    assert [workload.name for workload in workloads(overlay, "Deployment") if not workload.service] == ["workflows"]


def test_jobs_prepare_every_database_the_streams_and_the_search_attributes(overlay: str) -> None:
    jobs = workloads(overlay, "Job")
    assert {tuple(job.arguments) for job in jobs} == {
        *((f"services.{name}", "migrate") for name in SERVICES),
        ("shared.bus_ensure",),
        ("workflows.ensure_search_attributes",),
    }
    for job in jobs:
        assert job.pod["restartPolicy"] == "OnFailure"
        assert job.spec["ttlSecondsAfterFinished"] > 0, "a Job that stays keeps the next version's from being applied"


def test_jobs_and_the_settings_they_read_can_be_applied_before_everything_else(overlay: str) -> None:
    first = {item["kind"] for item in built(overlay).manifests if item["metadata"]["labels"].get("phase") == "prepare"}
    assert first == {"Job", "ConfigMap"}
    for item in built(overlay).of_kind("Job", "ConfigMap"):
        assert item["metadata"]["labels"]["phase"] == "prepare"


def test_processes_are_given_settings_that_they_read_and_all_that_they_need(overlay: str) -> None:
    for workload in workloads(overlay):
        prefix = workload.settings.model_config["env_prefix"]
        known = {f"{prefix}{field}".upper(): info for field, info in workload.settings.model_fields.items()}
        for name, value in workload.env.items():
            if name.startswith("TEMPORAL_"):
                assert workload.talks_to_temporal, f"{workload.name} does not read {name}"
            elif name.startswith("CHOT_"):
                assert name in known, f"{workload.name} does not read {name}"
                if known[name].annotation is SecretStr or name.endswith("_DATABASE_URL"):
                    assert isinstance(value, FromSecret), f"{name} of {workload.name} belongs in a Secret"
            else:
                assert f"$({name})" in " ".join(workload.container["args"]), f"{workload.name} does not use {name}"
        for name, info in known.items():
            if info.is_required():
                assert name in workload.env, f"{workload.name} lacks {name}"
                given = workload.env[name]
                assert not (isinstance(given, FromSecret) and given.optional), f"{name} of {workload.name} is required"


def test_processes_accept_their_settings(overlay: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = example_secrets(Keys(tmp_path))
    for workload in workloads(overlay):
        with monkeypatch.context() as patch:
            for name, value in workload.given(secrets).items():
                patch.setenv(name, value)
            workload.settings()


def test_processes_find_temporal_and_no_other_name_is_taken_for_its_setting(overlay: str) -> None:
    for workload in workloads(overlay):
        env = {name: "" if isinstance(value, FromSecret) else value for name, value in workload.env.items()}
        profile = ClientConfigProfile.load(disable_file=True, override_env_vars=env)
        assert bool(profile.address) == bool(profile.namespace) == workload.talks_to_temporal
        names = {name for name in env if name.startswith("TEMPORAL_")}
        assert names <= {"TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "TEMPORAL_API_KEY"}


def test_secrets_are_referred_to_and_documented(overlay: str) -> None:
    assert not built(overlay).of_kind("Secret")
    guide = (ROOT / "docs" / "kubernetes.md").read_text()
    for workload in workloads(overlay):
        for name, value in workload.env.items():
            if isinstance(value, FromSecret):
                assert f"`{value.key}`" in guide, f"docs/kubernetes.md does not say what {value.key} ({name}) is"


def test_processes_listen_where_probes_and_services_call(overlay: str) -> None:
    for workload in workloads(overlay, "Deployment"):
        (port,) = workload.container["ports"]
        assert workload.env["CHOT_HTTP_PORT"] == str(port["containerPort"])
        assert workload.env["CHOT_HTTP_HOST"] == "0.0.0.0"
        for probe, path in (("startupProbe", "/livez"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")):
            assert workload.container[probe]["httpGet"] == {"path": path, "port": port["name"]}
        # Which engine is away is said in time, instead of silence.
        assert workload.container["readinessProbe"]["timeoutSeconds"] > CHECK_WITHIN
    services = built(overlay).of_kind("Service")
    assert {item["metadata"]["name"] for item in services} == {f"{name}-api" for name in SERVICES}
    for item in services:
        behind = [
            workload
            for workload in workloads(overlay)
            if item["spec"]["selector"].items() <= workload.pod_labels.items()
        ]
        assert [workload.name for workload in behind] == [item["metadata"]["name"]]
        assert [port["targetPort"] for port in item["spec"]["ports"]] == [behind[0].container["ports"][0]["name"]]


def test_pods_are_confined(overlay: str) -> None:
    for workload in workloads(overlay):
        pod = workload.pod["securityContext"]
        assert pod["runAsNonRoot"] is True
        assert pod["runAsUser"] > 0
        assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
        assert workload.container["securityContext"] == CONTAINER_SECURITY
        assert workload.pod["automountServiceAccountToken"] is False
        assert workload.pod["enableServiceLinks"] is False
        assert workload.container["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}]
        assert [volume.keys() for volume in workload.pod["volumes"]] == [{"name", "emptyDir"}]


def test_resources_are_requested_and_only_memory_is_limited(overlay: str) -> None:
    for workload in workloads(overlay):
        resources = workload.container["resources"]
        assert resources["requests"].keys() == {"cpu", "memory"}
        assert resources["limits"].keys() == {"memory"}


def test_processes_have_the_time_they_need_to_stop(overlay: str) -> None:
    for workload in workloads(overlay, "Deployment"):
        before = workload.container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        # A few seconds more, because connections are closed after the parts have ended.
        assert workload.pod["terminationGracePeriodSeconds"] >= before + STOP_WITHIN + 5


def test_one_pod_at_a_time_is_evicted_and_pods_spread(overlay: str) -> None:
    budgets = built(overlay).of_kind("PodDisruptionBudget")
    for workload in workloads(overlay, "Deployment"):
        (budget,) = (item for item in budgets if item["metadata"]["name"] == workload.name)
        assert budget["spec"]["maxUnavailable"] == 1
        selectors = [
            workload.spec["selector"],
            budget["spec"]["selector"],
            *(spread["labelSelector"] for spread in workload.pod["topologySpreadConstraints"]),
        ]
        assert len(selectors) == 3
        for selector in selectors:
            chosen = [other.name for other in workloads(overlay) if matches(selector, other.pod_labels)]
            assert chosen == [workload.name]


def test_images_carry_the_version_of_the_project(overlay: str) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    (image,) = {workload.container["image"] for workload in workloads(overlay)}
    assert re.fullmatch(rf"(\S+/)?chot:{re.escape(version)}", image)


def test_the_base_builds_by_itself(overlay: str) -> None:
    base = build(K8S / "base")
    assert len(base.manifests) == len(built(overlay).manifests)
