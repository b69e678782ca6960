"""One's own account."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from services.staff import staffing
from services.staff.api.dependencies import DatabaseDep, DeskDep, NetworkDep
from services.staff.api.schemas import (
    DutyChange,
    DutyView,
    PasswordChange,
    Profile,
    ProfilePatch,
    SignedIn,
    profile,
    signed_in,
)
from services.staff.api.sign_in import unstored
from services.staff.domain import phone_number
from services.staff.models import Account
from services.staff.problems import PasswordMustChange
from services.staff.repository import accounts
from shared.auth import PrincipalDep
from shared.errors import PreconditionFailed, Unauthenticated
from shared.etag import ExpectedVersion, tag

router = APIRouter(prefix="/v1/me", tags=["me"])


async def _own_account(who: PrincipalDep, db: DatabaseDep) -> Account:
    async with db.read() as session:
        account = await accounts.find(session, who.account_id)
    if account is None:
        raise Unauthenticated
    return account


async def _settled_account(account: Annotated[Account, Depends(_own_account)]) -> Account:
    if account.must_change_password:
        raise PasswordMustChange
    return account


Own = Annotated[Account, Depends(_own_account)]
Settled = Annotated[Account, Depends(_settled_account)]
"""One's own account, its temporary password replaced."""


@router.get("")
async def get_me(account: Own, response: Response) -> Profile:
    """Thông tin cá nhân: who am I, and what may I do?"""
    tag(response, account.version)
    return profile(account)


@router.patch("")
async def edit_me(
    own: Settled, db: DatabaseDep, version: ExpectedVersion, patch: ProfilePatch, response: Response
) -> Profile:
    """Edits one's own name and phone number."""
    async with db.transaction() as session:
        await accounts.lock(session)
        before = await accounts.find(session, own.id)
        if before is None or before.version != version:
            raise PreconditionFailed
        account = await staffing.edit_profile(
            session,
            before,
            name=before.name if patch.name is None else patch.name,
            phone=before.phone if patch.phone is None else phone_number(patch.phone),
            at=datetime.now(UTC),
        )
    tag(response, account.version)
    return profile(account)


@router.post("/password")
async def change_password(
    own: Own, desk: DeskDep, network: NetworkDep, change: PasswordChange, response: Response
) -> SignedIn:
    """Replaces one's own password. All sessions end, here and elsewhere; the answer has the tokens of a new one."""
    unstored(response)
    return signed_in(
        await desk.signing_in.change_password(
            own,
            current=change.current_password.get_secret_value(),
            new=change.new_password.get_secret_value(),
            network=network,
        )
    )


@router.put("/duty")
async def switch_own_duty(own: Settled, db: DatabaseDep, change: DutyChange) -> DutyView:
    """Đang nhận số / tạm ngưng nhận số: whether one gets numbers."""
    async with db.transaction() as session:
        await staffing.switch_duty(session, own.id, on_duty=change.on_duty, at=datetime.now(UTC), by=own.code)
    return DutyView(account_id=own.id, on_duty=change.on_duty)
