"""Accounts, for who manages people. Everybody sees their own account and those below."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from services.staff import staffing
from services.staff.api.dependencies import Administrator, DatabaseDep, DeskDep, Reader
from services.staff.api.schemas import (
    AccountCreation,
    AccountPage,
    AccountPatch,
    AccountView,
    AuditPage,
    AuditView,
    Deactivation,
    DutyChange,
    DutyPage,
    DutyView,
    TemporaryPassword,
    account_view,
    duty_switch_view,
)
from services.staff.domain import check_password, login_name, phone_number
from services.staff.models import Account, Draft
from services.staff.problems import AccountNotFound, NotBelowYou
from services.staff.repository import accounts, audit, duty
from shared.auth import Principal
from shared.contracts.permissions import STAFF_ADMIN
from shared.db import ReadSession, Session
from shared.errors import PreconditionFailed
from shared.etag import ExpectedVersion, tag
from shared.idempotency import OnceDep

router = APIRouter(prefix="/v1/accounts", tags=["accounts"])

Limit = Annotated[int, Query(ge=1, le=200)]


@router.get("")
async def list_accounts(
    who: Reader, db: DatabaseDep, limit: Limit = 50, after: UUID | None = None, active: bool | None = None
) -> AccountPage:
    """One's own account and those below (all, with `visibility.all`), in the order in which they were made."""
    async with db.read() as session:
        found = await accounts.page(session, who, limit=limit, after=after, active=active)
    return AccountPage(
        items=[account_view(account, who) for account in found], next=found[-1].id if len(found) == limit else None
    )


@router.post("", status_code=201, response_model=AccountView)
async def create_account(
    who: Administrator, db: DatabaseDep, desk: DeskDep, once: OnceDep, creation: AccountCreation
) -> Response:
    """A new account. Its temporary password is to be changed at the first sign-in; its staff code is the next free one.

    Nobody gives permissions that they do not have themselves. Without `visibility.all` the direct superior must be
    oneself or somebody below.
    """
    draft = Draft(
        login=login_name(creation.login),
        name=creation.name,
        phone=phone_number(creation.phone),
        department=creation.department,
        group=creation.group,
        team=creation.team,
        superior_id=creation.superior_id,
    )
    hashed = await _hashed(desk, creation.temporary_password.get_secret_value(), login=draft.login)

    async def effect(session: Session) -> AccountView:
        account = await staffing.create(session, who, draft, password_hash=hashed, at=datetime.now(UTC))
        return account_view(account, who)

    return await once.run(db, str(who.account_id), effect)


@router.get("/{account_id}")
async def get_account(who: Reader, db: DatabaseDep, account_id: UUID, response: Response) -> AccountView:
    """One account."""
    async with db.read() as session:
        account = await _visible(session, who, account_id)
    tag(response, account.version)
    return account_view(account, who)


@router.patch("/{account_id}")
async def edit_account(
    who: Administrator,
    db: DatabaseDep,
    account_id: UUID,
    version: ExpectedVersion,
    patch: AccountPatch,
    response: Response,
) -> AccountView:
    """Edits an account. Another group ends its access tokens; the next renewal brings the new permissions."""
    async with db.transaction() as session:
        before = await _to_change(session, who, account_id)
        if before.version != version:
            raise PreconditionFailed
        account = await staffing.edit(session, who, before, _edited(before, patch), at=datetime.now(UTC))
    tag(response, account.version)
    return account_view(account, who)


def _edited(before: Account, patch: AccountPatch) -> Draft:
    superior_given = "superior_id" in patch.model_fields_set
    return Draft(
        login=before.login if patch.login is None else login_name(patch.login),
        name=before.name if patch.name is None else patch.name,
        phone=before.phone if patch.phone is None else phone_number(patch.phone),
        department=patch.department or before.department,
        group=before.group if patch.group is None else patch.group,
        team=before.team if patch.team is None else patch.team,
        superior_id=patch.superior_id if superior_given else before.superior_id,
    )


@router.post("/{account_id}/deactivate")
async def deactivate_account(
    who: Administrator, db: DatabaseDep, account_id: UUID, deactivation: Deactivation, response: Response
) -> AccountView:
    """Closes the account of somebody who leaves: signed out everywhere, off duty, subordinates handed over."""
    async with db.transaction() as session:
        account = await _to_change(session, who, account_id)
        account = await staffing.deactivate(
            session, who, account, successor_id=deactivation.new_superior_id, at=datetime.now(UTC)
        )
    tag(response, account.version)
    return account_view(account, who)


@router.post("/{account_id}/reactivate")
async def reactivate_account(
    who: Administrator,
    db: DatabaseDep,
    desk: DeskDep,
    account_id: UUID,
    password: TemporaryPassword,
    response: Response,
) -> AccountView:
    """Opens a closed account again."""
    async with db.read() as reading:
        login = (await _visible(reading, who, account_id)).login
    hashed = await _hashed(desk, password.temporary_password.get_secret_value(), login=login)
    async with db.transaction() as session:
        account = await _to_change(session, who, account_id)
        account = await staffing.reactivate(session, who, account, password_hash=hashed, at=datetime.now(UTC))
    tag(response, account.version)
    return account_view(account, who)


@router.post("/{account_id}/reset-password", status_code=204)
async def reset_password(
    who: Administrator, db: DatabaseDep, desk: DeskDep, account_id: UUID, password: TemporaryPassword
) -> None:
    """Gives somebody a temporary password and signs them out everywhere."""
    async with db.read() as reading:
        login = (await _visible(reading, who, account_id)).login
    hashed = await _hashed(desk, password.temporary_password.get_secret_value(), login=login)
    async with db.transaction() as session:
        account = await _to_change(session, who, account_id)
        await staffing.reset_password(session, who, account, password_hash=hashed, at=datetime.now(UTC))


@router.get("/{account_id}/audit")
async def list_audit(
    who: Administrator, db: DatabaseDep, account_id: UUID, limit: Limit = 50, after: UUID | None = None
) -> AuditPage:
    """Who gave the account another password, the last first."""
    async with db.read() as session:
        await _visible(session, who, account_id)
        found = await audit.page(session, account_id, limit=limit, after=after)
    items = [AuditView(**asdict(entry)) for entry in found]
    return AuditPage(items=items, next=items[-1].id if len(items) == limit else None)


@router.post("/{account_id}/sign-out", status_code=204)
async def sign_out_everywhere(who: Administrator, db: DatabaseDep, account_id: UUID) -> None:
    """Ends all sessions and access tokens of somebody, in all services within seconds."""
    async with db.transaction() as session:
        account = await _to_change(session, who, account_id)
        await staffing.sign_out_everywhere(session, who, account, at=datetime.now(UTC))


@router.put("/{account_id}/duty")
async def switch_duty(who: Reader, db: DatabaseDep, account_id: UUID, change: DutyChange) -> DutyView:
    """Switches 'Nhận dữ liệu' of somebody below, or of anybody with `staff.admin`."""
    async with db.transaction() as session:
        account = await _visible(session, who, account_id)
        manages = account.id == who.account_id or who.may(STAFF_ADMIN)
        if not manages and not await accounts.is_below(session, account.id, superior_id=who.account_id):
            raise NotBelowYou
        await staffing.switch_duty(session, account.id, on_duty=change.on_duty, at=datetime.now(UTC), by=who.code)
    return DutyView(account_id=account.id, on_duty=change.on_duty)


@router.get("/{account_id}/duty")
async def list_duty(
    who: Reader,
    db: DatabaseDep,
    account_id: UUID,
    limit: Limit = 50,
    after: Annotated[int | None, Query(ge=0, le=2**31 - 1)] = None,
) -> DutyPage:
    """When somebody was switched on or off duty and by whom, newest first."""
    async with db.read() as session:
        account = await _visible(session, who, account_id)
        found = await duty.history(session, account.id, limit=limit, before=after)
    return DutyPage(
        items=[duty_switch_view(switch) for switch in found], next=found[-1].version if len(found) == limit else None
    )


async def _visible(session: ReadSession, who: Principal, account_id: UUID) -> Account:
    account = await accounts.find_visible(session, account_id, who)
    if account is None:
        raise AccountNotFound
    return account


async def _to_change(session: Session, who: Principal, account_id: UUID) -> Account:
    """An account that nobody else changes until the commit."""
    await accounts.lock(session)
    return await _visible(session, who, account_id)


async def _hashed(desk: DeskDep, password: str, *, login: str) -> str:
    check_password(password, login=login)
    return await desk.passwords.hash(password)
