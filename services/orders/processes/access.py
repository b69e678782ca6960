"""Who may edit processes, and who may put them into force."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from shared.auth import Principal, require
from shared.contracts import permissions

Editor = Annotated[Principal, Depends(require(permissions.ORDERS_PROCESS_EDIT))]
Publisher = Annotated[Principal, Depends(require(permissions.ORDERS_PROCESS_PUBLISH))]
