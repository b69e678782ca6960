"""Imports run one way: services do not know one another or the workflows, workflows know nothing but contracts."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
SERVICES: Final = sorted(path.name for path in (ROOT / "services").iterdir() if (path / "app.py").exists())
PROGRAMS: Final = {"worker.py", "ensure_search_attributes.py"}
"""Files in workflows/ that are started by people and run outside of the sandbox."""
ENGINES: Final = {"sqlalchemy", "asyncpg", "fastapi", "httpx", "nats", "temporalio", "starlette"}
PURE_CARE: Final = (
    *("check", "decide", "due", "effects", "facts", "gate", "graph", "pending", "process", "sentence"),
    *("tasks", "timers", "transition", "trial", "walk"),
)
"""The heart of care: what it decides depends on its arguments alone."""


def files(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def imported(path: Path) -> Iterator[str]:
    """The modules that a file names in its imports, also inside functions; `from a import b` counts as a and as a.b."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def offences(paths: list[Path], *forbidden: str) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}: {module}"
        for path in paths
        for module in imported(path)
        if within(module, *forbidden)
    ]


def strangers(paths: list[Path], *allowed: str) -> list[str]:
    """Imports beyond the standard library and the allowed packages."""
    return [
        f"{path.relative_to(ROOT)}: {module}"
        for path in paths
        for module in imported(path)
        if module.split(".")[0] not in sys.stdlib_module_names and not within(module, *allowed)
    ]


def test_there_are_services_to_look_at() -> None:
    assert {"leads", "orders", "shipping", "reporting", "staff"} <= set(SERVICES)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_imports_neither_another_service_nor_the_workflows(service: str) -> None:
    others = [f"services.{other}" for other in SERVICES if other != service]
    assert offences(files(f"services/{service}"), "workflows", "deploy", "tests", *others) == []


def test_workflow_files_import_the_standard_library_temporalio_and_contracts_only() -> None:
    paths = [path for path in files("workflows") if path.name not in PROGRAMS]
    assert len(paths) > 5
    assert strangers(paths, "temporalio", "shared.contracts", "workflows") == []


def test_no_workflow_file_imports_a_program_or_a_service() -> None:
    programs = [f"workflows.{name.removesuffix('.py')}" for name in PROGRAMS]
    assert offences([path for path in files("workflows") if path.name not in PROGRAMS], *programs) == []
    assert offences(files("workflows"), "services", "deploy", "tests") == []


def test_contracts_import_the_standard_library_pydantic_and_temporalio_only() -> None:
    assert strangers(files("shared/contracts"), "pydantic", "temporalio", "shared.contracts") == []


def test_shared_knows_no_service_and_no_workflow() -> None:
    assert offences(files("shared"), "services", "workflows", "deploy", "tests") == []


def test_rules_know_no_engine() -> None:
    care = [ROOT / "services/orders/care" / f"{name}.py" for name in PURE_CARE]
    paths = [path for path in files("services") if path.name == "domain.py"] + care
    assert len(paths) > 10
    assert offences(paths, *ENGINES) == []
