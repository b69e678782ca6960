"""What a checker says is silenced with a reason beside it, or not at all."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
FOLDERS: Final = ("services", "workflows", "shared", "deploy", "tests", "bench")
SILENCED: Final = re.compile(r"#\s*(noqa|type:\s*ignore|pragma:)(?P<codes>\[[^]]*\]|[\w\s,:-]*)\s*(?P<reason>.*)")


def test_whatever_is_silenced_says_what_and_why() -> None:
    found = [
        (f"{path.relative_to(ROOT)}:{number}", silenced)
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if "#" in line and (silenced := SILENCED.search(line)) is not None
    ]
    assert len(found) > 10
    unexplained = [
        place
        for place, silenced in found
        if not silenced["codes"].strip(" :") or not re.match(r"#\s*\w", silenced["reason"])
    ]
    assert unexplained == []
