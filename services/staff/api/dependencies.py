"""What the routes have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, cast

from fastapi import Depends, Request

from services.staff import domain
from services.staff.passwords import Passwords
from services.staff.settings import StaffSettings
from services.staff.signing_in import SigningIn
from services.staff.tokens import TokenSigner
from shared.auth import Principal, require
from shared.contracts.permissions import STAFF_ADMIN, STAFF_READ
from shared.db import Database
from shared.service import Runtime

DESK: Final = "desk"
"""Name under which the runtime holds the `Desk`."""


@dataclass(frozen=True)
class Desk:
    """What the service opened at its start."""

    passwords: Passwords
    signer: TokenSigner
    signing_in: SigningIn


def _runtime(request: Request) -> Runtime[StaffSettings]:
    return cast("Runtime[StaffSettings]", request.app.state.runtime)


def _database(request: Request) -> Database:
    return _runtime(request).db


def _desk(request: Request) -> Desk:
    return cast(Desk, _runtime(request).state[DESK])


def _network(request: Request) -> str:
    return domain.network(request.client.host if request.client else "")


DatabaseDep = Annotated[Database, Depends(_database)]
DeskDep = Annotated[Desk, Depends(_desk)]
NetworkDep = Annotated[str, Depends(_network)]
Reader = Annotated[Principal, Depends(require(STAFF_READ))]
Administrator = Annotated[Principal, Depends(require(STAFF_ADMIN))]
