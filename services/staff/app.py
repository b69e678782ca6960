"""The staff service, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import APIRouter

from services.staff.api.dependencies import DESK, Desk
from services.staff.consumers import handlers
from services.staff.first_account import ensure_first_account
from services.staff.housekeeping import housekeeping
from services.staff.passwords import Passwords
from services.staff.settings import StaffSettings
from services.staff.signing_in import SigningIn
from services.staff.tokens import TokenSigner
from shared.service import Runtime, Service


@asynccontextmanager
async def resources(runtime: Runtime[StaffSettings]) -> AsyncIterator[None]:
    """Opens what signs people in, and makes the first account if its password is set."""
    settings = runtime.settings
    passwords = Passwords()
    signer = TokenSigner(
        signing_key=settings.token_signing_key.get_secret_value(),
        previous_key=settings.token_previous_key,
        issuer=settings.token_issuer,
        audience=settings.token_audience,
    )
    runtime.state[DESK] = Desk(
        passwords=passwords, signer=signer, signing_in=SigningIn(db=runtime.db, passwords=passwords, signer=signer)
    )
    if bootstrap := settings.bootstrap_password.get_secret_value():
        await ensure_first_account(runtime.db, passwords, password=bootstrap)
    yield


def _routers() -> Sequence[APIRouter]:
    from services.staff.routes import ROUTERS  # here: a process that answers no requests does not need them

    return ROUTERS


SERVICE = Service(
    name="staff",
    title="Chốt – Nhân sự (staff)",
    settings=StaffSettings,
    migrations=Path(__file__).parent / "migrations",
    routers=_routers,
    handlers=handlers,
    resources=resources,
    background={"consumer": {"housekeeping": housekeeping}},
    epochs_fresh=0,
)
"""Its directory is written together with the accounts, and each request asks it: a token ended here is refused here at
once."""
