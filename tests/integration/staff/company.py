"""A small company over the real staff service, whose people act through HTTP with their real tokens."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from deploy.local.engines import Nats
from services.staff.app import SERVICE
from shared.contracts.events.staff import AccountChanged
from tests.harness import Databases, Running, running

ADMIN_PASSWORD = "chot-quan-tri-27"
TEMPORARY_PASSWORD = "tam-thoi-7391"
PASSWORD = "mua-xuan-2027"


def signing_key() -> str:
    """A new Ed25519 private key as PEM."""
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@dataclass
class Person:
    """Somebody with an account who has signed in."""

    id: str
    code: str
    login: str
    http: httpx.AsyncClient
    """Calls staff with the person's access token."""
    refresh_token: str

    @property
    def bearer(self) -> str:
        return self.http.headers["Authorization"]


@dataclass
class Company:
    """The running service and its people."""

    staff: Running
    _clients: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def caller(self, bearer: str = "", *, address: str = "198.51.100.7") -> httpx.AsyncClient:
        """A client of the service, with or without a token, from a network address."""
        transport = httpx.ASGITransport(app=self.staff.app, client=(address, 1), raise_app_exceptions=False)
        headers = {"Authorization": bearer} if bearer else {}
        client = httpx.AsyncClient(transport=transport, base_url="http://staff.test", headers=headers, timeout=30)
        return await self._clients.enter_async_context(client)

    async def sign_in(self, login: str, password: str, *, address: str = "198.51.100.7") -> httpx.Response:
        client = await self.caller(address=address)
        return await client.post("/v1/sign-in", json={"login": login, "password": password})

    async def person(self, login: str, password: str = PASSWORD) -> Person:
        """Somebody signs in."""
        answer = await self.sign_in(login, password)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        return Person(
            id=body["account"]["id"],
            code=body["account"]["code"],
            login=login,
            http=await self.caller(f"Bearer {body['access_token']}"),
            refresh_token=body["refresh_token"],
        )

    async def admin(self) -> Person:
        return await self.person("admin", ADMIN_PASSWORD)

    async def create(self, by: Person, login: str, **fields: Any) -> httpx.Response:
        """Asks for an account."""
        body = {
            "login": login,
            "name": "Người thử việc",
            "department": "sale",
            "group": "sale",
            "superior_id": by.id,
            "temporary_password": TEMPORARY_PASSWORD,
            **fields,
        }
        headers = {"Idempotency-Key": str(uuid4()), "Content-Type": "application/json"}
        return await by.http.post("/v1/accounts", content=json.dumps(body), headers=headers)

    async def hire(self, by: Person, login: str, **fields: Any) -> Person:
        """Makes an account, signs in with the temporary password and replaces it."""
        created = await self.create(by, login, **fields)
        assert created.status_code == 201, created.text
        newcomer = await self.person(login, TEMPORARY_PASSWORD)
        changed = await newcomer.http.post(
            "/v1/me/password", json={"current_password": TEMPORARY_PASSWORD, "new_password": PASSWORD}
        )
        assert changed.status_code == 200, changed.text
        newcomer.http = await self.caller(f"Bearer {changed.json()['access_token']}")
        newcomer.refresh_token = changed.json()["refresh_token"]
        return newcomer

    async def refresh(self, token: str) -> httpx.Response:
        return await (await self.caller()).post("/v1/token/refresh", json={"refresh_token": token})

    async def edit(self, by: Person, account_id: str, **fields: Any) -> httpx.Response:
        """Edits an account as it stands now."""
        etag = (await by.http.get(f"/v1/accounts/{account_id}")).headers["ETag"]
        return await by.http.patch(f"/v1/accounts/{account_id}", json=fields, headers={"If-Match": etag})

    async def trusted_by(self, other: Running) -> None:
        """Makes a service check tokens with the keys that staff publishes over HTTP."""
        transport = httpx.ASGITransport(app=self.staff.app)
        other.runtime.http = await self._clients.enter_async_context(httpx.AsyncClient(transport=transport))
        other.app = other.service.create_app(other.runtime)

    async def close(self) -> None:
        await self._clients.aclose()


@asynccontextmanager
async def founded(databases: Databases, *, nats: Nats | None = None, **settings: Any) -> AsyncIterator[Company]:
    """A fresh installation with its first account."""
    values = {"token_signing_key": signing_key(), "bootstrap_password": ADMIN_PASSWORD, **settings}
    async with running(SERVICE, databases, nats=nats, **values) as staff:
        company = Company(staff)
        await company.trusted_by(staff)
        try:
            yield company
        finally:
            await company.close()


def title(answer: httpx.Response) -> str:
    """The kind of problem an answer tells of."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return str(answer.json()["title"])


async def told(company: Company, account_id: str) -> list[AccountChanged]:
    """What was told of an account, oldest first."""
    rows = await company.staff.outbox("staff.account.changed.v1")
    return [AccountChanged.model_validate(row["payload"]) for row in rows if row["subject"] == account_id]
