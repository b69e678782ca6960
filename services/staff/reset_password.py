"""`python -m services.staff.reset_password NV000`: for who has access to the machine when nobody can sign in any more.

Prints a password for one sign-in, at which another one has to be chosen; everybody who is signed in with the account is
signed out. It needs the service's database alone (`CHOT_DATABASE_URL`).
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import os
import secrets
import socket
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from services.staff import staffing
from services.staff.passwords import Passwords
from services.staff.repository import accounts
from shared.db import Database, is_unavailable
from shared.settings import Settings, load

ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without what people confuse when they read it to each other: i l o, 0 1."""
PARTS: Final = 4
PART: Final = 4
"""Sixteen characters of 31: 79 bits."""


class NoSuchAccount(LookupError):
    """No account has this staff code or login name."""


class AccountClosed(RuntimeError):
    """The account was closed; a password would not open it."""


def one_time_password() -> str:
    """'h7kq-…': easy to read out, hard to guess."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(PART)) for _ in range(PARTS))


async def reset(db: Database, name: str, *, by: str) -> tuple[str, str, str]:
    """Gives an account a password for one sign-in.

    Args:
        name: staff code or login name.
        by: who does it, for the audit.

    Returns:
        Staff code, login name, password.

    Raises:
        NoSuchAccount, AccountClosed: nothing was changed.
    """
    password = one_time_password()
    hashed = await Passwords().hash(password)
    async with db.transaction() as session:
        await accounts.lock(session)
        account = await accounts.find_named(session, name)
        if account is None:
            raise NoSuchAccount(f"No account has the staff code or login name '{name}'.")
        if not account.active:
            raise AccountClosed(f"The account {account.code} is closed. Have an administrator open it again.")
        await staffing.reset_password_from_machine(session, account, password_hash=hashed, by=by, at=datetime.now(UTC))
    return account.code, account.login, password


def _operator() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user has a number alone
        return str(os.getuid())


async def _run(settings: Settings, name: str) -> tuple[str, str, str]:
    db = Database(settings.database_url, pool_size=1)
    try:
        return await reset(db, name, by=f"{_operator()}@{socket.gethostname()}")
    finally:
        await db.close()


def main(arguments: Sequence[str] | None = None) -> None:
    """Ends with 1 and a sentence if it could not be done."""
    parser = argparse.ArgumentParser(prog="python -m services.staff.reset_password", description=__doc__)
    parser.add_argument("code", help="staff code such as NV000, or login name")
    name = parser.parse_args(arguments).code
    settings = load(Settings)
    try:
        code, login, password = asyncio.run(_run(settings, name))
    except (NoSuchAccount, AccountClosed) as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None
    except Exception as error:
        if not is_unavailable(error):
            raise
        sys.stderr.write("The database of staff does not answer. Nothing was changed; try again when it is there.\n")
        raise SystemExit(1) from None
    sys.stdout.write(
        f"{code} signs in as '{login}' with this password, and chooses another before anything else:\n\n    {password}\n\n"
    )


if __name__ == "__main__":
    main()
