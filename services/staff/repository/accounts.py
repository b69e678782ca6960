"""Accounts. Who writes one holds `lock` first, so that the tree of superiors and the last administrator can be checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import UUID as SqlUuid
from sqlalchemy import ColumnElement, Row, literal_column, select, text, true
from uuid_utils.compat import uuid7

from services.staff.models import Account, Draft
from shared.auth import Principal
from shared.contracts.permissions import STAFF_ADMIN
from shared.db import ReadSession, Session
from shared.directory import held_by_or_below

_SELECT: Final = select(
    text(
        'a.id, a.code, a.login, a.name, a.phone, a.department, a.group_name AS "group", g.permissions, a.team, '
        "a.superior_id, s.code AS superior_code, s.name AS superior_name, a.active, a.must_change_password, "
        "a.token_epoch, a.version, d.on_duty, a.created_at, a.updated_at"
    )
).select_from(
    text(
        "accounts a JOIN groups g ON g.name = a.group_name JOIN duty d ON d.account_id = a.id "
        "LEFT JOIN accounts s ON s.id = a.superior_id"
    )
)
_key: Final[ColumnElement[Any]] = literal_column("a.id", SqlUuid)

_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('chot:staff_accounts'))")
_ANY = text("SELECT EXISTS (SELECT 1 FROM accounts)")
_LOGIN_TAKEN = text("SELECT 1 FROM accounts WHERE login = :login AND id IS DISTINCT FROM :except_id")
_NEXT_CODE = text("SELECT nextval('account_numbers')")
_INSERT = text(
    """
WITH account AS (
    INSERT INTO accounts (id, code, login, name, phone, department, group_name, team, superior_id, password_hash,
        must_change_password, created_at, updated_at)
    VALUES (:id, :code, :login, :name, :phone, :department, :group, :team, :superior_id, :password_hash,
        :must_change_password, :at, :at)
    RETURNING id
)
INSERT INTO duty (account_id) SELECT id FROM account
"""
)
_UPDATE = text(
    """
UPDATE accounts SET
    login = :login, name = :name, phone = :phone, department = :department, group_name = :group, team = :team,
    superior_id = :superior_id, token_epoch = token_epoch + CAST(group_name <> :group AS integer),
    version = version + 1, updated_at = :at
WHERE id = :id
"""
)
_PASSWORD = text(
    """
UPDATE accounts SET password_hash = :password_hash, must_change_password = :must_change,
    token_epoch = token_epoch + 1, version = version + 1, updated_at = :at
WHERE id = :id
"""
)
_ACTIVE = text(
    """
UPDATE accounts SET active = :active, token_epoch = token_epoch + 1, version = version + 1, updated_at = :at
WHERE id = :id
"""
)
_EPOCH = text(
    "UPDATE accounts SET token_epoch = token_epoch + 1, version = version + 1, updated_at = :at WHERE id = :id"
)
_EPOCH_OF_GROUP = text(
    """
UPDATE accounts SET token_epoch = token_epoch + 1, version = version + 1, updated_at = :at
WHERE group_name = :group RETURNING id
"""
)
_WORKING_BELOW = text("SELECT count(*) FROM accounts WHERE superior_id = :id AND active")
_HAND_OVER = text(
    """
UPDATE accounts SET superior_id = CASE WHEN id = :successor THEN :above ELSE :successor END,
    version = version + 1, updated_at = :at
WHERE (superior_id = :leaver AND id <> :successor) OR (id = :successor AND :successor_is_below)
RETURNING id
"""
)
_IS_BELOW = text(
    """
WITH RECURSIVE above (id) AS (
    SELECT superior_id FROM accounts WHERE id = :account
    UNION
    SELECT a.superior_id FROM above JOIN accounts a ON a.id = above.id
)
SELECT EXISTS (SELECT 1 FROM above WHERE id = :superior)
"""
)
_DEPTH = text("SELECT max(depth) FROM staff_closure")
_ADMINISTRATED = text(
    """
SELECT EXISTS (
    SELECT 1 FROM accounts a JOIN groups g ON g.name = a.group_name
    WHERE a.active AND :permission = ANY (g.permissions))
"""
)
_CREDENTIALS = text("SELECT id, password_hash FROM accounts WHERE login = :login")
_HOLD = text("SELECT active FROM accounts WHERE id = :id AND password_hash = :password_hash FOR SHARE")


@dataclass(frozen=True)
class Credentials:
    """What a password is checked against."""

    id: UUID
    password_hash: str


def _account(row: Row[Any]) -> Account:
    return Account(**{**row._mapping, "permissions": tuple(row.permissions)})


def _visible(who: Principal) -> ColumnElement[bool]:
    return true() if who.sees_all else held_by_or_below(_key, who.account_id)


async def lock(session: Session) -> None:
    """One writer of accounts at a time: they are few, and what they must not break spans all accounts."""
    await session.execute(_LOCK)


async def any_account(session: ReadSession) -> bool:
    return bool((await session.execute(_ANY)).scalar_one())


async def find(session: ReadSession, account_id: UUID) -> Account | None:
    row = (await session.execute(_SELECT.where(_key == account_id))).one_or_none()
    return _account(row) if row else None


async def find_named(session: ReadSession, name: str) -> Account | None:
    """The account with this staff code or login name, in whatever case it was typed."""
    condition = text("(a.code = upper(:name) OR a.login = lower(:name))")
    row = (await session.execute(_SELECT.where(condition), {"name": name.strip()})).one_or_none()
    return _account(row) if row else None


async def find_visible(session: ReadSession, account_id: UUID, who: Principal) -> Account | None:
    """An account, if it is one's own or below (or one sees all)."""
    row = (await session.execute(_SELECT.where(_key == account_id, _visible(who)))).one_or_none()
    return _account(row) if row else None


async def by_ids(session: ReadSession, ids: Sequence[UUID]) -> list[Account]:
    rows = await session.execute(_SELECT.where(_key.in_(ids)).order_by(_key))
    return [_account(row) for row in rows]


async def page(
    session: ReadSession, who: Principal, *, limit: int, after: UUID | None, active: bool | None
) -> list[Account]:
    """Accounts that one may see, oldest first.

    Args:
        limit: at most so many.
        after: only those made after this one.
        active: only those that are, or are not; None for both.
    """
    query = _SELECT.where(_visible(who)).order_by(_key).limit(limit)
    if after is not None:
        query = query.where(after < _key)
    if active is not None:
        query = query.where(literal_column("a.active") == active)
    return [_account(row) for row in await session.execute(query)]


async def login_taken(session: Session, login: str, *, except_id: UUID | None = None) -> bool:
    found = await session.execute(_LOGIN_TAKEN, {"login": login, "except_id": except_id})
    return found.first() is not None


async def next_code(session: Session) -> str:
    """A staff code that nobody ever had: 'NV001', …, 'NV999', 'NV1000'."""
    return f"NV{(await session.execute(_NEXT_CODE)).scalar_one():03d}"


async def insert(
    session: Session, draft: Draft, *, code: str, password_hash: str, must_change_password: bool, at: datetime
) -> UUID:
    """Writes an account, off duty, and returns its id."""
    account_id = uuid7()
    values = {
        "id": account_id,
        "code": code,
        "password_hash": password_hash,
        "must_change_password": must_change_password,
        "at": at,
    }
    await session.execute(_INSERT, asdict(draft) | values)
    return account_id


async def update(session: Session, account_id: UUID, draft: Draft, *, at: datetime) -> None:
    """Writes what an administrator may edit; another group ends the access tokens that were given before."""
    await session.execute(_UPDATE, asdict(draft) | {"id": account_id, "at": at})


async def set_password(
    session: Session, account_id: UUID, password_hash: str, *, must_change: bool, at: datetime
) -> None:
    await session.execute(
        _PASSWORD, {"id": account_id, "password_hash": password_hash, "must_change": must_change, "at": at}
    )


async def set_active(session: Session, account_id: UUID, *, active: bool, at: datetime) -> None:
    await session.execute(_ACTIVE, {"id": account_id, "active": active, "at": at})


async def raise_epoch(session: Session, account_id: UUID, *, at: datetime) -> None:
    await session.execute(_EPOCH, {"id": account_id, "at": at})


async def raise_epoch_of_group(session: Session, group: str, *, at: datetime) -> list[UUID]:
    """Ends the tokens of all members of a group and returns who they are."""
    return list((await session.execute(_EPOCH_OF_GROUP, {"group": group, "at": at})).scalars())


async def working_below(session: Session, account_id: UUID) -> int:
    """How many active accounts have this one as their direct superior."""
    return int((await session.execute(_WORKING_BELOW, {"id": account_id})).scalar_one())


async def hand_over(session: Session, leaver: Account, successor_id: UUID, *, at: datetime) -> list[UUID]:
    """Gives the leaver's direct subordinates to a successor and returns whose superior changed.

    A successor from below the leaver takes the leaver's place, so that no circle can come of it.
    """
    changed = await session.execute(
        _HAND_OVER,
        {
            "leaver": leaver.id,
            "successor": successor_id,
            "above": leaver.superior_id,
            "successor_is_below": await is_below(session, successor_id, superior_id=leaver.id),
            "at": at,
        },
    )
    return list(changed.scalars())


async def is_below(session: Session, account_id: UUID, *, superior_id: UUID) -> bool:
    """Whether an account works below another, at any distance."""
    return bool((await session.execute(_IS_BELOW, {"account": account_id, "superior": superior_id})).scalar_one())


async def depth(session: Session) -> int:
    """Levels of the tree below its top, as the directory has it."""
    return int((await session.execute(_DEPTH)).scalar_one() or 0)


async def has_administrator(session: Session) -> bool:
    return bool((await session.execute(_ADMINISTRATED, {"permission": STAFF_ADMIN})).scalar_one())


async def credentials(session: ReadSession, login: str) -> Credentials | None:
    row = (await session.execute(_CREDENTIALS, {"login": login})).one_or_none()
    return Credentials(**row._mapping) if row else None


async def hold(session: Session, checked: Credentials) -> bool | None:
    """Whether the account is active; None if the password that was checked is no longer the one. It stays so until the
    commit."""
    row = await session.execute(_HOLD, {"id": checked.id, "password_hash": checked.password_hash})
    active: bool | None = row.scalar()
    return active
