"""JSON as Facebook writes it. Pure.

Facebook escapes everything that is not ASCII, so half an emoji that somebody's app cut off arrives as an escape that strict
readers refuse. One such answer must not keep a whole page of leads from being read.
"""

from __future__ import annotations

import json
from typing import Any

import orjson


def loads(body: bytes) -> Any:
    """
    Raises:
        ValueError: it is not JSON.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(body.decode())
    except RecursionError:
        raise ValueError("nested too deeply") from None


def dumps(document: Any) -> bytes:
    """What `loads` gave, as JSON again."""
    try:
        return orjson.dumps(document)
    except TypeError:  # the half emoji
        return json.dumps(document).encode()
