"""Builds a kustomization as `kubectl kustomize` does, as far as ours go: whatever else one asks for is an error here.

Differs from kubectl in one thing: generated ConfigMaps keep their names, without the hash of their content.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Manifest = dict[str, Any]

MERGE_KEYS = {"containers": "name", "env": "name", "volumes": "name"}
"""Lists that a strategic merge joins by a key of their items; others would be replaced, which no patch of ours wants."""

LABELLED = ("spec.template.metadata.labels",)
SELECTORS = {
    "Deployment": (
        "spec.selector.matchLabels",
        "spec.template.spec.topologySpreadConstraints.labelSelector.matchLabels",
    ),
    "PodDisruptionBudget": ("spec.selector.matchLabels",),
    "Service": ("spec.selector",),
    "Job": (),
}


@dataclass
class Build:
    """What a kustomization amounts to, and the files it was read from."""

    manifests: list[Manifest] = field(default_factory=list)
    files: set[Path] = field(default_factory=set)

    def of_kind(self, *kinds: str) -> list[Manifest]:
        return [manifest for manifest in self.manifests if manifest["kind"] in kinds]


def build(directory: Path) -> Build:
    """Builds the kustomization in a directory.

    Raises:
        NotImplementedError: it uses something that this builder does not know.
    """
    path = directory / "kustomization.yaml"
    spec = yaml.safe_load(path.read_text())
    spec.pop("apiVersion"), spec.pop("kind")
    made = Build(files={path.resolve()})
    for resource in spec.pop("resources"):
        inner = build(directory / resource) if (directory / resource).is_dir() else _read(directory / resource)
        made.manifests += inner.manifests
        made.files |= inner.files
    options = spec.pop("generatorOptions", {})
    for generator in spec.pop("configMapGenerator", []):
        _generate(made.manifests, generator, labels=options.get("labels", {}))
    for key in ("patches", "namespace", "namePrefix", "labels", "replicas", "images"):
        if key in spec:
            _TRANSFORMERS[key](made.manifests, spec.pop(key))
    if spec:
        raise NotImplementedError(f"{path}: {', '.join(spec)}")
    return made


def _read(path: Path) -> Build:
    return Build(manifests=list(yaml.safe_load_all(path.read_text())), files={path.resolve()})


def _generate(manifests: list[Manifest], generator: dict[str, Any], *, labels: dict[str, str]) -> None:
    data = dict(literal.split("=", 1) for literal in generator.pop("literals"))
    name, behaviour = generator.pop("name"), generator.pop("behavior", "create")
    if generator:
        raise NotImplementedError(f"configMapGenerator: {', '.join(generator)}")
    if behaviour == "create":
        metadata = {"name": name, "labels": dict(labels)}
        manifests.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
        return
    (existing,) = (item for item in manifests if item["kind"] == "ConfigMap" and item["metadata"]["name"] == name)
    existing["data"] |= data


def _patch(manifests: list[Manifest], patches: list[dict[str, Any]]) -> None:
    for patch in patches:
        target, body = patch.pop("target"), yaml.safe_load(patch.pop("patch"))
        if patch or target.keys() - {"kind", "name"}:
            raise NotImplementedError(f"patch: {patch or target}")
        chosen = [
            manifest
            for manifest in manifests
            if re.fullmatch(target.get("kind", ".*"), manifest["kind"])
            and re.fullmatch(target.get("name", ".*"), manifest["metadata"]["name"])
        ]
        assert chosen, f"no manifest is meant by {target}"
        for manifest in chosen:
            _merge(manifest, {"spec": body["spec"]})


def _merge(into: dict[str, Any], patch: dict[str, Any]) -> None:
    for key, value in patch.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
            into[key] = _merged_list(into.get(key, []), value, by=MERGE_KEYS[key])
        else:
            into[key] = copy.deepcopy(value)


def _merged_list(existing: list[dict[str, Any]], patch: list[dict[str, Any]], *, by: str) -> list[dict[str, Any]]:
    known = {item[by]: item for item in existing}
    for item in patch:
        if item[by] in known:
            _merge(known[item[by]], item)
    return [*(copy.deepcopy(item) for item in patch if item[by] not in known), *existing]


def _set_namespace(manifests: list[Manifest], namespace: str) -> None:
    for manifest in manifests:
        manifest["metadata"]["namespace"] = namespace


def _prefix(manifests: list[Manifest], prefix: str) -> None:
    for manifest in manifests:
        if manifest["kind"] not in SELECTORS:
            raise NotImplementedError(f"namePrefix: other manifests may refer to a {manifest['kind']}")
        manifest["metadata"]["name"] = prefix + manifest["metadata"]["name"]


def _label(manifests: list[Manifest], labels: list[dict[str, Any]]) -> None:
    for label in labels:
        for manifest in manifests:
            manifest["metadata"].setdefault("labels", {}).update(label["pairs"])
            paths: tuple[str, ...] = ()
            if label.get("includeTemplates") or label.get("includeSelectors"):
                paths += LABELLED
            if label.get("includeSelectors"):
                paths += SELECTORS[manifest["kind"]]
            for path in paths:
                for found in _at(manifest, path.split(".")):
                    found.update(label["pairs"])


def _at(node: Any, path: list[str]) -> Iterator[dict[str, Any]]:
    if isinstance(node, list):
        for item in node:
            yield from _at(item, path)
    elif not path:
        yield node
    elif path[0] in node:
        yield from _at(node[path[0]], path[1:])


def _scale(manifests: list[Manifest], replicas: list[dict[str, Any]]) -> None:
    for entry in replicas:
        (deployment,) = (
            item for item in manifests if item["kind"] == "Deployment" and item["metadata"]["name"] == entry["name"]
        )
        deployment["spec"]["replicas"] = entry["count"]


def _set_image(manifests: list[Manifest], images: list[dict[str, str]]) -> None:
    for image in images:
        for manifest in manifests:
            for container in _at(manifest, ["spec", "template", "spec", "containers"]):
                name, _, tag = container["image"].partition(":")
                if name == image["name"]:
                    tag = image.get("newTag", tag)
                    container["image"] = image.get("newName", name) + (f":{tag}" if tag else "")


_TRANSFORMERS: dict[str, Callable[[list[Manifest], Any], None]] = {
    "patches": _patch,
    "namespace": _set_namespace,
    "namePrefix": _prefix,
    "labels": _label,
    "replicas": _scale,
    "images": _set_image,
}
