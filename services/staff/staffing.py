"""Changes of accounts and groups: each in one transaction with its event and with this service's own directory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from services.staff.domain import TREE_LEVELS, check_rank, is_group_name
from services.staff.models import Account, Draft, Group
from services.staff.problems import (
    AccountInactive,
    GroupTaken,
    GroupUnknown,
    LastAdministrator,
    LoginTaken,
    SuccessorIsLeaver,
    SuccessorNeeded,
    SuperiorCircle,
    SuperiorInactive,
    SuperiorIsSelf,
    SuperiorNeeded,
    SuperiorUnknown,
    TreeTooDeep,
)
from services.staff.repository import accounts, audit, duty, groups, sessions
from shared import outbox
from shared.auth import Principal
from shared.contracts.events.staff import ACCOUNT_CHANGED, DUTY_CHANGED, AccountChanged, DutyChanged
from shared.db import Session
from shared.directory import keep_accounts, keep_duties


async def tell(session: Session, ids: Sequence[UUID], *, at: datetime) -> None:
    """Writes the present state of accounts to the outbox and to the directory from which our own tokens are checked.

    Raises:
        TreeTooDeep: the tree of superiors has grown deeper than the services follow it.
        LastAdministrator: nobody is left who may administer staff.
    """
    changes = [_changed(account, at=at) for account in await accounts.by_ids(session, ids)]
    await outbox.write(
        session, [outbox.event_row(ACCOUNT_CHANGED, change, subject=change.account_id) for change in changes]
    )
    await keep_accounts(session, changes)
    if await accounts.depth(session) > TREE_LEVELS:
        raise TreeTooDeep(levels=TREE_LEVELS)
    if not await accounts.has_administrator(session):
        raise LastAdministrator


def _changed(account: Account, *, at: datetime) -> AccountChanged:
    return AccountChanged(
        account_id=account.id,
        version=account.version,
        code=account.code,
        name=account.name,
        department=account.department,
        group=account.group,
        team=account.team,
        superior_id=account.superior_id,
        permissions=account.permissions,
        active=account.active,
        token_epoch=account.token_epoch,
        at=at,
    )


async def create(session: Session, who: Principal, draft: Draft, *, password_hash: str, at: datetime) -> Account:
    """A new account with a temporary password.

    Raises:
        LoginTaken, GroupUnknown, AboveYou, SuperiorNeeded, SuperiorUnknown, SuperiorInactive: the draft will not do.
    """
    await accounts.lock(session)
    if await accounts.login_taken(session, draft.login):
        raise LoginTaken(login=draft.login)
    await _check_group(session, who, draft.group)
    await _check_superior(session, who, draft.superior_id)
    account_id = await accounts.insert(
        session,
        draft,
        code=await accounts.next_code(session),
        password_hash=password_hash,
        must_change_password=True,
        at=at,
    )
    await tell(session, [account_id], at=at)
    return await _present(session, account_id)


async def edit(session: Session, who: Principal, before: Account, draft: Draft, *, at: datetime) -> Account:
    """The account with what an administrator may edit; another group ends the access tokens given before.

    Raises:
        AboveYou: the account's present or new group may more than who edits.
        LoginTaken, GroupUnknown, SuperiorNeeded, SuperiorUnknown, SuperiorInactive, SuperiorIsSelf, SuperiorCircle,
        TreeTooDeep, LastAdministrator: the change will not do.
    """
    check_rank(who.permissions, before.permissions)
    if draft == before.draft:
        return before
    if await accounts.login_taken(session, draft.login, except_id=before.id):
        raise LoginTaken(login=draft.login)
    if draft.group != before.group:
        await _check_group(session, who, draft.group)
    if draft.superior_id != before.superior_id:
        await _check_superior(session, who, draft.superior_id, of=before)
    await accounts.update(session, before.id, draft, at=at)
    await tell(session, [before.id], at=at)
    return await _present(session, before.id)


async def edit_profile(session: Session, before: Account, *, name: str, phone: str, at: datetime) -> Account:
    """The account with what everybody may edit of their own."""
    draft = replace(before.draft, name=name, phone=phone)
    if draft == before.draft:
        return before
    await accounts.update(session, before.id, draft, at=at)
    await tell(session, [before.id], at=at)
    return await _present(session, before.id)


async def deactivate(
    session: Session, who: Principal, account: Account, *, successor_id: UUID | None, at: datetime
) -> Account:
    """Closes the account of somebody who leaves: off duty, signed out everywhere, subordinates handed over.

    Raises:
        AboveYou: the account may more than who closes it.
        SuccessorNeeded: there are subordinates and no successor.
        SuccessorIsLeaver, SuperiorUnknown, SuperiorInactive: the successor will not do.
        LastAdministrator: nobody else administers staff.
    """
    check_rank(who.permissions, account.permissions)
    if not account.active:
        return account
    subordinates = await accounts.working_below(session, account.id)
    if subordinates and successor_id is None:
        raise SuccessorNeeded(code=account.code, subordinates=subordinates)
    changed = [account.id]
    if successor_id is not None:
        if successor_id == account.id:
            raise SuccessorIsLeaver
        await _check_superior(session, who, successor_id)
        changed += await accounts.hand_over(session, account, successor_id, at=at)
    await accounts.set_active(session, account.id, active=False, at=at)
    await sessions.end_all(session, account.id, by="deactivated", at=at)
    await _switch(session, account.id, on_duty=False, at=at, by=who.code)
    await tell(session, changed, at=at)
    return await _present(session, account.id)


async def reactivate(
    session: Session, who: Principal, account: Account, *, password_hash: str, at: datetime
) -> Account:
    """Opens a closed account again, with a temporary password.

    Raises:
        AboveYou: the account may more than who opens it.
        SuperiorUnknown, SuperiorInactive: edit its direct superior first.
    """
    check_rank(who.permissions, account.permissions)
    if account.active:
        return account
    await _check_superior(session, who, account.superior_id)
    await accounts.set_active(session, account.id, active=True, at=at)
    await replace_password(session, account.id, password_hash, must_change=True, at=at)
    return await _present(session, account.id)


async def reset_password(
    session: Session, who: Principal, account: Account, *, password_hash: str, at: datetime
) -> None:
    """Gives somebody a temporary password and signs them out everywhere.

    Raises:
        AboveYou: the account may more than who resets it, who could sign in as it.
    """
    check_rank(who.permissions, account.permissions)
    await _reset(session, account, password_hash, by=who.code, at=at)


async def reset_password_from_machine(
    session: Session, account: Account, *, password_hash: str, by: str, at: datetime
) -> None:
    """The same by somebody who holds the machine and so the database anyway, whoever the account belongs to."""
    await _reset(session, account, password_hash, by=by, at=at)


async def _reset(session: Session, account: Account, password_hash: str, *, by: str, at: datetime) -> None:
    await replace_password(session, account.id, password_hash, must_change=True, at=at)
    await audit.write(session, account.id, "password_reset", by=by, at=at)


async def replace_password(
    session: Session, account_id: UUID, password_hash: str, *, must_change: bool, at: datetime
) -> None:
    """Writes a password; whoever signed in with the one before is signed out."""
    await accounts.set_password(session, account_id, password_hash, must_change=must_change, at=at)
    await sessions.end_all(session, account_id, by="password", at=at)
    await tell(session, [account_id], at=at)


async def sign_out_everywhere(session: Session, who: Principal, account: Account, *, at: datetime) -> None:
    """Ends all sessions and all access tokens of an account.

    Raises:
        AboveYou: the account may more than who does this.
    """
    check_rank(who.permissions, account.permissions)
    await accounts.raise_epoch(session, account.id, at=at)
    await sessions.end_all(session, account.id, by="sign_out_everywhere", at=at)
    await tell(session, [account.id], at=at)


async def switch_duty(session: Session, account_id: UUID, *, on_duty: bool, at: datetime, by: str) -> None:
    """Switches 'Nhận dữ liệu' of somebody; nothing happens if it stands so already.

    Raises:
        AccountInactive: who left takes no numbers.
    """
    if not await duty.hold_active(session, account_id):
        raise AccountInactive
    await _switch(session, account_id, on_duty=on_duty, at=at, by=by)


async def stop_duty(session: Session, account_id: UUID, *, asked_at: datetime, at: datetime) -> None:
    """Takes somebody off duty because too much was taken away from them, unless they have switched since it was asked."""
    last = await duty.history(session, account_id, limit=1, before=None)
    if not last or last[0].at > asked_at or not await duty.hold_active(session, account_id):
        return
    await _switch(session, account_id, on_duty=False, at=at, by="")


async def _switch(session: Session, account_id: UUID, *, on_duty: bool, at: datetime, by: str) -> None:
    switched = await duty.switch(session, account_id, on_duty=on_duty, at=at, by=by)
    if switched is None:
        return
    change = DutyChanged(account_id=account_id, version=switched.version, on_duty=on_duty, at=at, by=by)
    await outbox.emit(session, DUTY_CHANGED, change, subject=account_id)
    await keep_duties(session, [change])


async def create_group(session: Session, who: Principal, group: Group, *, at: datetime) -> Group:
    """A new group.

    Raises:
        AboveYou: it may more than who makes it.
        GroupTaken: there is one of this name.
    """
    check_rank(who.permissions, group.permissions)
    if not await groups.insert(session, group, at=at):
        raise GroupTaken(group=group.name)
    return group


async def edit_group(session: Session, who: Principal, before: Group, after: Group, *, at: datetime) -> Group:
    """The group with other labels or permissions. Other permissions end the access tokens of all members, who get new
    ones with their refresh tokens.

    Raises:
        AboveYou: the group may or would more than who edits it.
        LastAdministrator: nobody would be left to administer staff.
    """
    check_rank(who.permissions, {*before.permissions, *after.permissions})
    if after == before:
        return before
    await groups.update(session, after, at=at)
    if after.permissions != before.permissions:
        await tell(session, await accounts.raise_epoch_of_group(session, before.name, at=at), at=at)
    return replace(after, version=before.version + 1)


async def _check_group(session: Session, who: Principal, name: str) -> None:
    group = await groups.find(session, name) if is_group_name(name) else None
    if group is None:
        raise GroupUnknown(group=name)
    check_rank(who.permissions, group.permissions)


async def _check_superior(
    session: Session, who: Principal, superior_id: UUID | None, *, of: Account | None = None
) -> None:
    """Whether somebody may be the direct superior of an account, or of a new one."""
    if superior_id is None:
        if not who.sees_all:
            raise SuperiorNeeded
        return
    superior = await accounts.find_visible(session, superior_id, who)
    if superior is None:
        raise SuperiorUnknown
    if not superior.active:
        raise SuperiorInactive(code=superior.code)
    if of is None:
        return
    if superior.id == of.id:
        raise SuperiorIsSelf
    if await accounts.is_below(session, superior.id, superior_id=of.id):
        raise SuperiorCircle(code=of.code, superior=superior.code)


async def _present(session: Session, account_id: UUID) -> Account:
    account = await accounts.find(session, account_id)
    assert account is not None  # accounts are never deleted
    return account
