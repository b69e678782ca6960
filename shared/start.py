"""The way into a process of a service: what has to be settled before anything large is imported."""

from __future__ import annotations

import importlib
import sys
from typing import Final

COLOURS: Final = ("rich", "pygments")
"""Libraries of the command line. structlog and httpx import them where they are installed, for colours and a client that no
service shows: 4 MiB and 87 modules a process."""

PAST: Final = ("pydantic.v1",)
"""The models of pydantic 1, which FastAPI imports at the first route to refuse them, if they are still there: 2 MiB and 23
modules."""


def without_needless() -> None:
    """From here on `COLOURS` and `PAST` cannot be imported, as where they are not installed."""
    for name in (*COLOURS, *PAST):
        # Python's own word for "not there" (reference of the import system, 5.3.1).
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # typeshed knows of modules only


def start(service: str) -> None:
    """Runs a service in the roles that the command line names.

    Args:
        service: name of its package in services/.
    """
    without_needless()
    app = importlib.import_module(f"services.{service}.app")
    importlib.import_module("shared.service").main(app.SERVICE)
