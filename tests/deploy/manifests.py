"""What the tests of the manifests share: the built overlays and the processes that they start."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic_settings import BaseSettings

from deploy.local.keys import Keys
from shared.bus_ensure import BusSettings
from shared.service import Service
from tests.deploy.kustomize import Build, Manifest, build
from workflows.ensure_search_attributes import EnsureSettings
from workflows.worker import WorkerSettings

ROOT = Path(__file__).parents[2]
K8S = ROOT / "deploy" / "k8s"
OVERLAYS = ("dev", "production")
SERVICES = sorted(path.parent.name for path in (ROOT / "services").glob("*/__main__.py"))

OTHER_PROCESSES: dict[str, type[BaseSettings]] = {
    "workflows.worker": WorkerSettings,
    "shared.bus_ensure": BusSettings,
    "workflows.ensure_search_attributes": EnsureSettings,
}


@cache
def built(overlay: str) -> Build:
    return build(K8S / "overlays" / overlay)


@cache
def service(name: str) -> Service:
    definition = importlib.import_module(f"services.{name}.app").SERVICE
    assert isinstance(definition, Service)
    return definition


def has_activities(definition: Service) -> bool:
    default = Service.__dataclass_fields__["activities"].default
    return definition.activities is not default or "activities" in definition.background


@dataclass(frozen=True)
class FromSecret:
    """An environment variable that a Secret holds."""

    secret: str
    key: str
    optional: bool


class Workload:
    """A Deployment or Job: one pod template with one container."""

    def __init__(self, manifest: Manifest, config_maps: Mapping[str, Mapping[str, str]]) -> None:
        self.kind: str = manifest["kind"]
        self.name: str = manifest["metadata"]["name"]
        self.labels: dict[str, str] = manifest["metadata"]["labels"]
        self.spec: dict[str, Any] = manifest["spec"]
        self.pod: dict[str, Any] = self.spec["template"]["spec"]
        self.pod_labels: dict[str, str] = self.spec["template"]["metadata"]["labels"]
        (self.container,) = self.pod["containers"]
        self.env = self._env(config_maps)
        self.arguments = [self._expanded(argument) for argument in self.container["args"]]

    @property
    def module(self) -> str:
        return self.arguments[0]

    @property
    def service(self) -> Service | None:
        """The service that it runs, if it runs one."""
        package, _, name = self.module.partition(".")
        return service(name) if package == "services" else None

    @property
    def settings(self) -> type[BaseSettings]:
        """The class that its process reads its settings with."""
        return self.service.settings if self.service else OTHER_PROCESSES[self.module]

    @property
    def talks_to_temporal(self) -> bool:
        return self.arguments[-1] != "migrate" and self.module != "shared.bus_ensure"

    def given(self, secrets: Mapping[str, str]) -> dict[str, str]:
        """Its environment, with a value from `secrets` (by variable) for what a Secret must hold."""
        return {
            name: secrets[name] if isinstance(value, FromSecret) else value
            for name, value in self.env.items()
            if not (isinstance(value, FromSecret) and value.optional)
        }

    def _env(self, config_maps: Mapping[str, Mapping[str, str]]) -> dict[str, str | FromSecret]:
        env: dict[str, str | FromSecret] = {}
        for source in self.container.get("envFrom", []):
            env |= config_maps[source["configMapRef"]["name"]]
        for variable in self.container.get("env", []):
            env[variable["name"]] = self._value(variable, config_maps)
        return env

    def _value(self, variable: dict[str, Any], config_maps: Mapping[str, Mapping[str, str]]) -> str | FromSecret:
        if "value" in variable:
            return str(variable["value"])
        ((kind, ref),) = variable["valueFrom"].items()
        if kind == "configMapKeyRef":
            return config_maps[ref["name"]][ref["key"]]
        assert kind == "secretKeyRef", variable
        return FromSecret(ref["name"], ref["key"], ref.get("optional", False))

    def _expanded(self, argument: str) -> str:
        return re.sub(r"\$\((\w+)\)", lambda match: str(self.env[match[1]]), argument)


def workloads(overlay: str, *kinds: str) -> list[Workload]:
    """The workloads of an overlay; without kinds, all."""
    config_maps = {item["metadata"]["name"]: item["data"] for item in built(overlay).of_kind("ConfigMap")}
    return [Workload(item, config_maps) for item in built(overlay).of_kind(*(kinds or ("Deployment", "Job")))]


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector with matchLabels and In expressions takes these labels."""
    for expression in selector.get("matchExpressions", []):
        assert expression["operator"] == "In"
        if labels.get(expression["key"]) not in expression["values"]:
            return False
    wanted: dict[str, str] = selector.get("matchLabels", {})
    return wanted.items() <= labels.items()


def example_secrets(keys: Keys) -> dict[str, str]:
    """A sound value for every environment variable that Secrets hold."""
    return {
        "CHOT_DATABASE_URL": "postgresql://chot:password@postgres:5432/chot",
        "CHOT_NATS_URL": "nats://chot:password@nats:4222",
        "CHOT_CREDENTIALS_KEY": keys.credentials_key(),
        "CHOT_TOKEN_SIGNING_KEY": keys.token_signing_key(),
    }
