"""Records the history of a workflow for the replay tests.

`CHOT_RECORD_HISTORIES=1 pytest tests/workflow` writes the histories of the tests that call `keep` to
tests/replay/histories. A history that production may still have in flight stays there when the workflow changes: a new
recording gets another name.
"""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any, Final

from temporalio.client import WorkflowHandle

HISTORIES: Final = Path(__file__).parents[1] / "replay" / "histories"


async def keep(handle: WorkflowHandle[Any, Any], name: str) -> None:
    """Writes the history of a workflow's present run, if recording was asked for and it was not recorded before."""
    path = HISTORIES / f"{name}.json.gz"
    if os.environ.get("CHOT_RECORD_HISTORIES") != "1" or path.exists():
        return
    history = json.loads((await handle.fetch_history()).to_json())
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress(json.dumps(_without_places(history)).encode(), mtime=0))


def _without_places(value: Any) -> Any:
    """A history without what tells where it was recorded: process and host names, paths in stack traces."""
    if isinstance(value, dict):
        return {key: _without_places(inner) for key, inner in value.items() if key not in ("identity", "stackTrace")}
    return [_without_places(inner) for inner in value] if isinstance(value, list) else value
