"""Versions of records as ETags: an edit names the version that it starts from, so that nobody overwrites what they have
not seen."""

from __future__ import annotations

import re
from typing import Annotated, Final

from fastapi import Depends, Header, Response

from shared.errors import PreconditionFailed, PreconditionRequired

_VERSION: Final = re.compile(r'"(\d{1,9})"')


def _expected_version(
    if_match: Annotated[str | None, Header(description="ETag of the record that the edit starts from")] = None,
) -> int:
    """
    Raises:
        PreconditionRequired: there is no If-Match.
        PreconditionFailed: it is none of our ETags.
    """
    if if_match is None:
        raise PreconditionRequired
    match = _VERSION.fullmatch(if_match.strip().removeprefix("W/"))
    if match is None:
        raise PreconditionFailed
    return int(match[1])


ExpectedVersion = Annotated[int, Depends(_expected_version)]
"""The version in `If-Match`."""


def tag(response: Response, version: int) -> None:
    """Sets the ETag that the next edit must name."""
    response.headers["ETag"] = f'"{version}"'
