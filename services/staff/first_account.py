"""The account that a fresh installation begins with."""

from __future__ import annotations

from datetime import UTC, datetime

from services.staff import staffing
from services.staff.domain import BOOTSTRAP_CODE, BOOTSTRAP_GROUP, BOOTSTRAP_LOGIN
from services.staff.models import Draft
from services.staff.passwords import Passwords
from services.staff.repository import accounts
from shared.db import Database
from shared.telemetry import logger

log = logger(__name__)


async def ensure_first_account(db: Database, passwords: Passwords, *, password: str) -> None:
    """Makes the account `admin` if there are no accounts at all; later starts change nothing.

    Its password need not be changed at the first sign-in: whoever sets the installation up has chosen it, nobody has
    handed it to somebody else.
    """
    async with db.read() as reading:
        if await accounts.any_account(reading):
            return
    hashed = await passwords.hash(password)
    now = datetime.now(UTC)
    async with db.transaction() as session:
        await accounts.lock(session)
        # Asked again now that no other process can be making it.
        if await accounts.any_account(session):
            return
        draft = Draft(
            login=BOOTSTRAP_LOGIN,
            name="Quản trị",
            phone="",
            department="administration",
            group=BOOTSTRAP_GROUP,
            team="",
            superior_id=None,
        )
        account_id = await accounts.insert(
            session, draft, code=BOOTSTRAP_CODE, password_hash=hashed, must_change_password=False, at=now
        )
        await staffing.tell(session, [account_id], at=now)
    log.info("first account made", login=BOOTSTRAP_LOGIN, code=BOOTSTRAP_CODE)
