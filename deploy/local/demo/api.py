"""A person at a screen: signed in at the staff service, asking the other services with that token."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx

UrlOf = Callable[[str], str]
"""Program → base address."""


class Refused(RuntimeError):
    """A service refused a request; the message is its problem details."""

    def __init__(self, answer: httpx.Response) -> None:
        try:
            body = answer.json()
        except ValueError:
            body = {}
        detail = body.get("detail") or answer.text[:300]
        errors = body.get("errors")
        super().__init__(
            f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {detail} {errors or ''}"
        )
        self.status = answer.status_code
        self.problem = str(body.get("title", ""))


class Person:
    """Somebody who is signed in.

    Args:
        http: the client of the whole demo.
        url_of: where each service is.
        login, password: as given by the administrator.
    """

    def __init__(self, http: httpx.AsyncClient, url_of: UrlOf, *, login: str, password: str) -> None:
        self._http = http
        self._url_of = url_of
        self.login = login
        self.password = password
        self._token = ""
        self.account: dict[str, Any] = {}

    async def sign_in(self, *, new_password: str | None = None) -> Person:
        """Signs in; with a new password, changes the temporary one first, as everybody must."""
        await self._sign_in()
        if new_password is not None:
            await self.ask(
                "staff", "POST", "/v1/me/password", current_password=self.password, new_password=new_password
            )
            self.password = new_password
            await self._sign_in()
        return self

    async def _sign_in(self) -> None:
        answer = await self.ask("staff", "POST", "/v1/sign-in", login=self.login, password=self.password)
        self._token = answer["access_token"]
        self.account = answer["account"]

    @property
    def id(self) -> str:
        return str(self.account["id"])

    @property
    def code(self) -> str:
        return str(self.account["code"])

    async def ask(self, service: str, method: str, path: str, **body: Any) -> Any:
        """One request; the answer's JSON.

        Raises:
            Refused: anything but 2xx.
        """
        answer = await self.request(service, method, path, json=body if method != "GET" else None, params=None)
        return answer.json() if answer.content else None

    async def get(self, service: str, path: str, **query: Any) -> Any:
        """One GET with query parameters."""
        return (await self.request(service, "GET", path, json=None, params=query)).json()

    async def request(self, service: str, method: str, path: str, **options: Any) -> httpx.Response:
        """One request; a POST carries an idempotency key, so that it may be repeated when a service was away.

        Whoever repeats it gives the key in `headers`.
        """
        headers = {"Accept-Language": "en", **options.pop("headers", {})}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        if method == "POST":
            headers.setdefault("Idempotency-Key", str(uuid.uuid4()))
        answer = await self._http.request(method, self._url_of(service) + path, headers=headers, **options)
        if not answer.is_success:
            raise Refused(answer)
        return answer

    async def pages(self, service: str, path: str, **query: Any) -> AsyncIterator[dict[str, Any]]:
        """Every item of a list, page by page."""
        after = None
        while True:
            page = await self.get(service, path, limit=200, **query, **({"after": after} if after else {}))
            for item in page["items"]:
                yield item
            after = page["next"]
            if after is None:
                return
