"""The rules of the staff service, pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final

from services.staff.problems import (
    AboveYou,
    GroupNameMalformed,
    LoginMalformed,
    PasswordTooShort,
    PasswordTooSimple,
    PermissionUnknown,
    PhoneMalformed,
)
from shared.contracts import permissions
from shared.phone import PhoneProblem, one_phone

BOOTSTRAP_LOGIN: Final = "admin"
BOOTSTRAP_CODE: Final = "NV000"
BOOTSTRAP_GROUP: Final = "admin"

PASSWORD_LEAST: Final = 10
"""Characters."""
PASSWORD_MOST: Final = 128
"""Characters; more would only cost time to hash."""
PASSWORD_DIFFERENT: Final = 5
"""Different characters at least: refuses '1111111111' and '1212121212'."""

TRIES_OF_LOGIN: Final = 10
"""Wrong passwords for one login name within `TRIES_WINDOW`, then it is locked for `TRIES_LOCK`."""
TRIES_OF_ADDRESS: Final = 100
"""The same for one network address; many, because a whole office shares one and signs in at eight o'clock."""
TRIES_WINDOW: Final = timedelta(minutes=15)
TRIES_LOCK: Final = timedelta(minutes=15)

SESSION_LIFE: Final = timedelta(days=7)
"""From sign-in until the password is asked for again, however often the tokens are renewed."""
REFRESH_GRACE: Final = timedelta(seconds=10)
"""A refresh token works again for this long after its use: the answer may have been lost on the way."""

TREE_LEVELS: Final = 30
"""Levels below the top at most; every service follows the tree to 32."""

_LOGIN: Final = re.compile(r"[a-z0-9][a-z0-9._@+-]{2,63}")
_GROUP: Final = re.compile(r"[a-z][a-z0-9_-]{1,39}")


def login_or_none(typed: str) -> str | None:
    """The login name as it is kept (small letters, no blanks around); None if nobody can have it."""
    login = typed.strip().lower()
    return login if _LOGIN.fullmatch(login) else None


def login_name(typed: str) -> str:
    """The login name as it is kept.

    Raises:
        LoginMalformed: other characters, too short or too long.
    """
    login = login_or_none(typed)
    if login is None:
        raise LoginMalformed
    return login


def is_group_name(name: str) -> bool:
    return _GROUP.fullmatch(name) is not None


def group_name(typed: str) -> str:
    """The name of a new group.

    Raises:
        GroupNameMalformed: other characters, too short or too long.
    """
    if not is_group_name(typed):
        raise GroupNameMalformed
    return typed


def check_password(password: str, *, login: str) -> None:
    """Refuses a password that is easily guessed.

    Raises:
        PasswordTooShort: fewer than `PASSWORD_LEAST` characters.
        PasswordTooSimple: the login name is in it, or it has too few different characters.
    """
    if len(password) < PASSWORD_LEAST:
        raise PasswordTooShort(least=PASSWORD_LEAST)
    if login in password.lower() or len(set(password)) < PASSWORD_DIFFERENT:
        raise PasswordTooSimple(least=PASSWORD_DIFFERENT)


def locked_until(wrong: Sequence[datetime], *, most: int, now: datetime) -> datetime | None:
    """When the lock ends that these wrong tries led to, or None.

    Args:
        wrong: times of the last wrong tries, newest first, at least `most` of them if there are as many.
        most: tries allowed within `TRIES_WINDOW`.
    """
    if len(wrong) < most or wrong[0] - wrong[most - 1] > TRIES_WINDOW:
        return None
    until = wrong[0] + TRIES_LOCK
    return until if now < until else None


def network(address: str) -> str:
    """What of a caller's address counts as one caller: an IPv4 address, or the /64 that every IPv6 host has for itself."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def phone_number(typed: str) -> str:
    """A phone number in E.164; '' stays ''.

    Raises:
        PhoneMalformed: it is not one number; says what to correct.
    """
    if not typed.strip():
        return ""
    phone = one_phone(typed)
    if isinstance(phone, PhoneProblem):
        raise PhoneMalformed(**phone.members())
    return phone


def known_permissions(wanted: Collection[str]) -> tuple[str, ...]:
    """The permissions of a group, each once and in order.

    Raises:
        PermissionUnknown: there is no such permission.
    """
    unknown = sorted(set(wanted) - permissions.ALL)
    if unknown:
        raise PermissionUnknown(unknown=unknown, allowed=sorted(permissions.ALL))
    return tuple(sorted(set(wanted)))


def check_rank(own: frozenset[str], touched: Collection[str]) -> None:
    """Nobody gives, takes or takes over permissions that they do not have themselves.

    Raises:
        AboveYou: some of the permissions touched are not among one's own.
    """
    beyond = frozenset(touched) - own
    if beyond:
        raise AboveYou(beyond)
