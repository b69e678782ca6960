"""Sign-in with a password, sessions that renew their tokens, and the change of one's own password."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from services.staff import staffing
from services.staff.domain import (
    REFRESH_GRACE,
    TRIES_OF_ADDRESS,
    TRIES_OF_LOGIN,
    check_password,
    locked_until,
    login_or_none,
)
from services.staff.models import Account
from services.staff.passwords import Passwords
from services.staff.problems import (
    AccountInactive,
    PasswordUnchanged,
    RefreshTokenReused,
    SessionEnded,
    TooManyTries,
    WrongCredentials,
)
from services.staff.repository import accounts, attempts, sessions
from services.staff.repository.accounts import Credentials
from services.staff.repository.attempts import Outcome
from services.staff.tokens import TokenSigner
from shared.db import Database, Session
from shared.errors import Problem
from shared.telemetry import logger

log = logger(__name__)

_OUTCOME: Final[dict[bool | None, Outcome]] = {True: "right", False: "inactive", None: "wrong"}
"""Of a right password, by whether the account is active; None if the password was replaced meanwhile."""


@dataclass(frozen=True)
class Signed:
    """What somebody gets who may come in."""

    account: Account
    access_token: str
    refresh_token: str


class SigningIn:
    """Lets people in.

    Args:
        db: the service's database.
        passwords: makes and checks hashes.
        signer: signs the access tokens.
    """

    def __init__(self, *, db: Database, passwords: Passwords, signer: TokenSigner) -> None:
        self._db = db
        self._passwords = passwords
        self._signer = signer

    async def sign_in(self, *, login: str, password: str, network: str) -> Signed:
        """A new session for who knows the password.

        Raises:
            WrongCredentials, TooManyTries: see `_check`.
            AccountInactive: the password is right, but the account was closed.
        """
        checked, attempt = await self._check(login=login, password=password, network=network)
        async with self._db.transaction() as session:
            active = await accounts.hold(session, checked)
            await attempts.end(session, attempt, _OUTCOME[active], account_id=checked.id)
            if active:
                return await self._begin(session, checked.id, network=network, at=datetime.now(UTC))
        raise WrongCredentials if active is None else AccountInactive

    async def refresh(self, token: str) -> Signed:
        """New tokens for a session, with the account's present permissions.

        Raises:
            SessionEnded: no such token, or its session is over.
            RefreshTokenReused: the token was used before, so somebody else may have it; the session is closed.
        """
        now = datetime.now(UTC)
        async with self._db.transaction() as session:
            outcome = await self._refresh(session, token, at=now)
        if isinstance(outcome, Problem):
            raise outcome
        return outcome

    async def _refresh(self, session: Session, token: str, *, at: datetime) -> Signed | Problem:
        taken = await sessions.take(session, token)
        if taken is None or taken.ended_at is not None or taken.expires_at <= at:
            return SessionEnded()
        if taken.used_at is not None and at - taken.used_at > REFRESH_GRACE:
            await sessions.end(session, taken.session_id, by="reuse", at=at)
            log.warning("refresh token used twice, session closed", account_id=str(taken.account_id))
            return RefreshTokenReused()
        renewed = await sessions.rotate(session, taken, at=at)
        account = await accounts.find(session, taken.account_id)
        assert account is not None  # a session refers to its account
        return Signed(account, self._signer.sign(account, at=at), renewed)

    async def sign_out(self, token: str) -> None:
        """Ends the session of a refresh token; one that is unknown or over changes nothing."""
        now = datetime.now(UTC)
        async with self._db.transaction() as session:
            taken = await sessions.take(session, token)
            if taken is not None:
                await sessions.end(session, taken.session_id, by="sign_out", at=now)

    async def change_password(self, account: Account, *, current: str, new: str, network: str) -> Signed:
        """Replaces one's own password, ends all sessions and starts a new one.

        Raises:
            WrongCredentials, TooManyTries: about the current password, see `_check`.
            SessionEnded: somebody else replaced the password or closed the account meanwhile.
            PasswordTooShort, PasswordTooSimple, PasswordUnchanged: the new one will not do.
        """
        check_password(new, login=account.login)
        if new == current:
            raise PasswordUnchanged
        checked, attempt = await self._check(login=account.login, password=current, network=network)
        hashed = await self._passwords.hash(new)
        now = datetime.now(UTC)
        async with self._db.transaction() as session:
            await accounts.lock(session)
            if not await accounts.hold(session, checked):
                raise SessionEnded
            await attempts.end(session, attempt, "right", account_id=checked.id)
            await staffing.replace_password(session, checked.id, hashed, must_change=False, at=now)
            return await self._begin(session, checked.id, network=network, at=now)

    async def _begin(self, session: Session, account_id: UUID, *, network: str, at: datetime) -> Signed:
        refresh_token = await sessions.begin(session, account_id, network=network, at=at)
        account = await accounts.find(session, account_id)
        assert account is not None  # its row is held
        return Signed(account, self._signer.sign(account, at=at), refresh_token)

    async def _check(self, *, login: str, password: str, network: str) -> tuple[Credentials, UUID]:
        """The account of a login name and password, and the attempt that is to be ended.

        The attempt is recorded before the password is looked at and counts as wrong until it is ended: a hundred tries
        at once are a hundred tries.

        Raises:
            WrongCredentials: one of them is wrong; which one is not said.
            TooManyTries: too many wrong ones with this login name or from this network; nothing was checked.
        """
        async with self._db.transaction() as session:
            seconds = await self._locked_for(session, login, network)
            if not seconds:
                attempt = await attempts.begin(session, login.strip().lower(), network)
        if seconds:
            raise TooManyTries(seconds=seconds)
        known = login_or_none(login)
        async with self._db.read() as reading:
            found = await accounts.credentials(reading, known) if known else None
        if await self._passwords.verify(password, found.password_hash if found else None):
            assert found is not None  # without it the answer is no
            return found, attempt
        async with self._db.transaction() as session:
            await attempts.end(session, attempt, "wrong", account_id=found.id if found else None)
        raise WrongCredentials

    async def _locked_for(self, session: Session, login: str, network: str) -> int:
        """Seconds for which neither may try, 0 if both may."""
        tries = await attempts.recent(session, login.strip().lower(), network)
        ends = [
            locked_until(tries.of_login, most=TRIES_OF_LOGIN, now=tries.now),
            locked_until(tries.of_network, most=TRIES_OF_ADDRESS, now=tries.now),
        ]
        return max((int((end - tries.now).total_seconds()) + 1 for end in ends if end is not None), default=0)
