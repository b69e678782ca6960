"""Pushes: whose address was called, whether Facebook signed the body, and keeping it before it is answered."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from services.leads.facebook.context import Facebook
from shared.hook_secrets import HookSecrets
from shared.telemetry import logger
from shared.vault import CredentialsUnreadable, Vault

log = logger(__name__)

CALLBACK: Final = "facebook callback"
VERIFICATION: Final = "facebook verification"

_SECRETS: Final = "SELECT id, credentials, hook_secret_hash, hook_secret_number FROM facebook_pages"
_KEEP: Final = "INSERT INTO facebook_hooks (id, page_id, received_at, body) VALUES ($1, $2, $3, $4)"
_WRONG: Final = """
UPDATE facebook_pages SET wrong_signatures = wrong_signatures + 1, wrong_signature_at = $2 WHERE id = $1
"""


def callback_secret(vault: Vault, page: UUID, *, number: int) -> str:
    """The secret part of a page's callback address."""
    return vault.secret(page, number=number, purpose=CALLBACK)


def verify_token(vault: Vault, page: UUID, *, number: int) -> str:
    """What Facebook has to show when the address is entered there."""
    return vault.secret(page, number=number, purpose=VERIFICATION)


@dataclass(frozen=True, slots=True)
class Hook:
    """A page's callback address. One address serves all pages of an app."""

    page: UUID
    app_secret: str
    verify_token: str

    def is_signed(self, body: bytes, signature: str) -> bool:
        """Whether `X-Hub-Signature-256` belongs to exactly these bytes, in constant time."""
        wanted = "sha256=" + hmac.digest(self.app_secret.encode(), body, "sha256").hex()
        return hmac.compare_digest(wanted.encode(), signature.encode("utf-8", "replace"))


class Hooks(HookSecrets[Hook]):
    """The addresses of all pages, and what is called there."""

    def __init__(self, facebook: Facebook) -> None:
        super().__init__(self._addresses)
        self._facebook = facebook

    async def keep(self, hook: Hook, body: bytes) -> None:
        """Makes a body durable; what it says is read afterwards."""
        pool = await self._facebook.db.driver()
        await pool.execute(_KEEP, uuid7(), hook.page, self._facebook.now(), body)
        self._facebook.pushed.set()

    async def count_wrong(self, hook: Hook) -> None:
        """Somebody called the address who does not know the app's secret, or the secret that we have is wrong."""
        log.warning("push with a wrong signature refused", page=str(hook.page))
        pool = await self._facebook.db.driver()
        await pool.execute(_WRONG, hook.page, self._facebook.now())

    async def _addresses(self) -> Sequence[tuple[bytes, Hook]]:
        rows = await (await self._facebook.db.driver()).fetch(_SECRETS)
        return [(row["hook_secret_hash"], hook) for row in rows if (hook := self._hook(row))]

    def _hook(self, row: asyncpg.Record) -> Hook | None:
        vault = self._facebook.vault
        try:
            if vault is None:
                raise CredentialsUnreadable(str(row["id"]))
            opened = vault.open(row["credentials"], owner_id=row["id"])
        except CredentialsUnreadable:
            log.error("credentials of a Facebook page cannot be opened", page=str(row["id"]))
            return None
        return Hook(row["id"], opened["app_secret"], verify_token(vault, row["id"], number=row["hook_secret_number"]))
