"""What a process loads: memory that a process took for a library it never gives back."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Final

from tests.unit.test_imports import ROOT, SERVICES

LOADED: Final = """
import importlib, json, sys
from shared.start import without_needless
without_needless()
for name in sys.argv[1:]:
    importlib.import_module(f"services.{name}.app")
print(json.dumps(sorted(name for name, module in sys.modules.items() if module is not None)))
"""
NOT_LOADED: Final = {
    *("openpyxl", "PIL", "python_calamine", "reportlab", "pypdf", "alembic"),
    *("joserfc", "cryptography", "yaml"),
    *("holidays", "psutil", "typer", "rich", "pygments", "pydantic.v1"),
}
"""Libraries that few requests need, and those of the command line and of developers; up to 18 MiB each."""


SIGNS: Final = "staff"
"""The service that makes tokens, and therefore has the libraries for them from its start."""
AFTER_LARGE_BLOCKS: Final = """
import threading, psutil
from shared.lifecycle import give_large_blocks_back
give_large_blocks_back()
before = psutil.Process().memory_info().rss
def hash_twice():
    for _ in range(2):
        len(b"x" * (19 << 20))
for _ in range(3):
    thread = threading.Thread(target=hash_twice)
    thread.start()
    thread.join()
print((psutil.Process().memory_info().rss - before) >> 20)
"""


def test_a_service_loads_neither_its_routes_nor_large_libraries_before_it_needs_them() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *(name for name in SERVICES if name != SIGNS)],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    loaded = set(json.loads(done.stdout))
    assert {f"services.{name}.app" for name in SERVICES if name != SIGNS} <= loaded
    assert loaded & NOT_LOADED == set()
    assert loaded & {f"services.{name}.routes" for name in SERVICES} == set()


def test_a_large_block_goes_back_to_the_system_when_it_is_free() -> None:
    done = subprocess.run(
        [sys.executable, "-c", AFTER_LARGE_BLOCKS], cwd=ROOT, capture_output=True, check=True, text=True
    )
    assert int(done.stdout) < 10
