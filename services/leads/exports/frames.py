"""How rows go to the process that writes a workbook."""

from __future__ import annotations

import json
import struct
from typing import Any, BinaryIO, Final

LENGTH: Final = struct.Struct(">I")


def frames(pipe: BinaryIO) -> Any:
    """What the parent sends: JSON, each after its length, until the end of the input.

    Raises:
        EOFError: the input ended inside a frame: the parent is gone.
    """
    while head := pipe.read(LENGTH.size):
        if len(head) < LENGTH.size:
            raise EOFError
        (length,) = LENGTH.unpack(head)
        content = pipe.read(length)
        if len(content) < length:
            raise EOFError
        yield json.loads(content)
