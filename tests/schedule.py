"""Which tests run in which of pytest-xdist's processes, and in which order."""

from __future__ import annotations

from pathlib import PurePath
from typing import Final

from xdist.scheduler import LoadFileScheduling

ALONE: Final = ("faults", "e2e")
"""Folders whose tests run one after the other in one process: they have many processes of their own, which two at once
would keep from their work, and share stacks, which are then opened once."""

ORDER: Final = ("faults", "e2e", "integration", "workflow", "deploy", "replay", "contracts", "unit")


def rank(path: PurePath) -> int:
    """The place of a file in the run. What lasts longest comes first and the many short files last: with a long one at
    the end, one process would work while the others wait.

    Args:
        path: of the file, seen from tests/.
    """
    return ORDER.index(path.parts[0])


class FilesAndStacks(LoadFileScheduling):
    """Gives each free process the next file, and all of a folder that is to run alone."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        folder = file.split("/")[1]
        return folder if folder in ALONE else str(file)
