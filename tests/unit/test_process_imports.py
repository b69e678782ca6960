"""What a process loads: memory that a process took for a library it never gives back."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Final

from tests.unit.test_imports import ROOT, SERVICES

LOADED: Final = """
import importlib, json, sys
from shared.start import without_colours
without_colours()
for name in sys.argv[1:]:
    importlib.import_module(f"services.{name}.app")
print(json.dumps(sorted(name for name, module in sys.modules.items() if module is not None)))
"""
NOT_LOADED: Final = {
    *("openpyxl", "PIL", "python_calamine", "reportlab", "pypdf", "alembic"),
    *("holidays", "psutil", "typer", "rich", "pygments"),
}
"""Libraries that few requests need, and those of the command line and of developers; up to 18 MiB each."""


def test_a_service_loads_neither_its_routes_nor_large_libraries_before_it_needs_them() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *SERVICES], cwd=ROOT, capture_output=True, check=True, text=True
    )
    loaded = set(json.loads(done.stdout))
    assert {f"services.{name}.app" for name in SERVICES} <= loaded
    assert loaded & NOT_LOADED == set()
    assert loaded & {f"services.{name}.routes" for name in SERVICES} == set()
