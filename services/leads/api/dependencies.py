"""What routes share: who may do what, versions of edits, pages."""

from __future__ import annotations

import re
from typing import Annotated, Final

from fastapi import Depends, Header, Query, Response

from shared.auth import Principal, require
from shared.contracts.permissions import (
    LEADS_CLAIM,
    LEADS_CONSENT,
    LEADS_CORRECT,
    LEADS_DISTRIBUTE,
    LEADS_EDIT,
    LEADS_EXPORT,
    LEADS_IMPORT,
    LEADS_READ,
    LEADS_SOURCES,
)
from shared.errors import Language, PreconditionFailed, PreconditionRequired, language_of

Reader = Annotated[Principal, Depends(require(LEADS_READ))]
Distributor = Annotated[Principal, Depends(require(LEADS_DISTRIBUTE))]
SourceManager = Annotated[Principal, Depends(require(LEADS_SOURCES))]
Importer = Annotated[Principal, Depends(require(LEADS_IMPORT))]
Editor = Annotated[Principal, Depends(require(LEADS_EDIT))]
Corrector = Annotated[Principal, Depends(require(LEADS_CORRECT))]
Claimer = Annotated[Principal, Depends(require(LEADS_CLAIM))]
Exporter = Annotated[Principal, Depends(require(LEADS_EXPORT))]
ConsentKeeper = Annotated[Principal, Depends(require(LEADS_CONSENT))]

LanguageDep = Annotated[Language, Depends(language_of)]
"""The language of labels, by Accept-Language."""

Limit = Annotated[int, Query(ge=1, le=200, description="items of a page at most")]

_VERSION: Final = re.compile(r'"(\d{1,9})"')


def _expected_version(
    if_match: Annotated[str | None, Header(description="ETag of the record that the edit starts from")] = None,
) -> int:
    if if_match is None:
        raise PreconditionRequired
    match = _VERSION.fullmatch(if_match.strip().removeprefix("W/"))
    if match is None:
        raise PreconditionFailed
    return int(match[1])


ExpectedVersion = Annotated[int, Depends(_expected_version)]


def tag(response: Response, version: int) -> None:
    """Sets the ETag that the next edit must name."""
    response.headers["ETag"] = f'"{version}"'
