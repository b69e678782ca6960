"""What routes share: who may do what, versions of edits, pages."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query

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
from shared.errors import Language, language_of

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
