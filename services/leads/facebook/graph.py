"""Facebook's Graph API, as far as leads need it.

Sources: Meta's documentation of the Graph API ("Handling Errors", "Secure Graph API Calls", "Rate Limits"), "Retrieving
Leads" and "Page Subscribed Apps", 2026. The token travels in a header, so that it stands in no log of addresses.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import httpx
import orjson

from services.leads.facebook.documents import loads

PAGE_SIZE: Final = 100
"""Leads or forms of an answer at most; Facebook gives no more."""
LEAD_FIELDS: Final = (
    "id,created_time,ad_id,ad_name,adset_id,adset_name,campaign_id,campaign_name,form_id,is_organic,platform,field_data,"
    "custom_disclaimer_responses"
)
LEAD_FIELD: Final = "leadgen"
CHAT_FIELDS: Final = ("messages", "messaging_postbacks", "messaging_referrals")
"""Without `message_echoes`, `message_reads` and `message_deliveries`, which tell nothing that is kept. They need the
permission `pages_messaging`, which an app for leads alone does not have."""
TRIES: Final = 3
"""Of a call that gets no answer or a server error: one in fifty fails so on a good day."""
TRY_AGAIN_AFTER: Final = 0.3
"""Seconds before the second try; twice that before the third."""
MAX_DETAIL: Final = 300
"""Characters kept of what Facebook says is wrong."""

_TOKEN_CODES: Final = frozenset({102, 190})
_RATE_CODES: Final = frozenset({4, 17, 32, 341, 613, *range(80000, 80015)})
_AWAY_CODES: Final = frozenset({1, 2})
_ALLOWED_CODES: Final = frozenset({3, 10, *range(200, 300)})
_MISSING: Final = (100, 33)


class GraphError(Exception):
    """A call failed.

    Args:
        detail: what Facebook says, shortened; it names no person.
    """

    def __init__(self, detail: str) -> None:
        super().__init__(detail[:MAX_DETAIL])
        self.detail = detail[:MAX_DETAIL]


class PageError(GraphError):
    """No other call of this page would go better now."""


class TokenInvalid(PageError):
    """The access token has ended or was taken back: a person has to enter a new one."""


class NotAllowed(PageError):
    """The app or its token lacks a permission, or the leads access manager keeps it out."""


class RateLimited(PageError):
    """Too many calls. `retry_after` is how long Facebook asks us to wait, if it says so."""

    def __init__(self, detail: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Away(PageError):
    """No answer, a server error, or an error that Facebook itself calls passing."""


class Refused(GraphError):
    """This one call cannot be done."""


class Missing(Refused):
    """There is no such object, or it may not be seen."""


@dataclass(frozen=True, slots=True)
class Access:
    """What opens a page. Never logged."""

    page_id: str
    app_id: str
    app_secret: str
    token: str

    @property
    def proof(self) -> str:
        """`appsecret_proof`: that whoever holds the token holds the app's secret too."""
        return hmac.digest(self.app_secret.encode(), self.token.encode(), "sha256").hex()


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of a list; `after` leads to the next, None at the end."""

    items: tuple[dict[str, Any], ...]
    after: str | None


class Graph:
    """The calls of one page, with one client.

    Args:
        base_url: the API's address with its version.

    Attributes:
        calls: made so far.
    """

    def __init__(self, client: httpx.AsyncClient, base_url: str, access: Access) -> None:
        self._client = client
        self._base_url = base_url
        self._access = access
        self.calls = 0

    async def page_name(self) -> str:
        """The page's name.

        Raises:
            Refused: the token belongs to another page.
        """
        _, answer = await self._call("GET", self._access.page_id, {"fields": "id,name"})
        if str(answer.get("id")) != self._access.page_id:
            raise Refused("the answer is about another page")
        return str(answer.get("name", ""))

    async def lead(self, leadgen_id: str) -> bytes:
        """A lead, as Facebook answers."""
        body, _ = await self._call("GET", leadgen_id, {"fields": LEAD_FIELDS})
        return body

    async def forms(self, *, after: str | None) -> Listing:
        """The page's forms with id, name, status and leads_count."""
        return await self._list(
            f"{self._access.page_id}/leadgen_forms", {"fields": "id,name,status,leads_count"}, after
        )

    async def leads(self, form_id: str, *, since: datetime | None, after: str | None) -> Listing:
        """Leads of a form, the newest first.

        Args:
            since: only those created later.
        """
        parameters = {"fields": LEAD_FIELDS}
        if since is not None:
            wanted = [{"field": "time_created", "operator": "GREATER_THAN", "value": int(since.timestamp())}]
            parameters["filtering"] = orjson.dumps(wanted).decode()
        return await self._list(f"{form_id}/leads", parameters, after)

    async def subscribed_fields(self) -> frozenset[str]:
        """What our app hears of this page."""
        listing = await self._list(f"{self._access.page_id}/subscribed_apps", {}, None)
        ours = (app for app in listing.items if str(app.get("id")) == self._access.app_id)
        return frozenset(str(name) for app in ours for name in app.get("subscribed_fields") or ())

    async def subscribe(self, *fields: str) -> None:
        """Has Facebook push this of the page to our app."""
        await self._call("POST", f"{self._access.page_id}/subscribed_apps", {"subscribed_fields": ",".join(fields)})

    async def _list(self, path: str, parameters: Mapping[str, str], after: str | None) -> Listing:
        _, answer = await self._call(
            "GET", path, {**parameters, "limit": str(PAGE_SIZE), **({"after": after} if after else {})}
        )
        items, paging = answer.get("data"), answer.get("paging") or {}
        if not isinstance(items, list):
            raise Away("the answer has no list")
        # The last page has cursors as well; only `next` says that there is more.
        further = paging.get("cursors", {}).get("after") if paging.get("next") else None
        return Listing(tuple(item for item in items if isinstance(item, dict)), further)

    async def _call(self, method: str, path: str, parameters: Mapping[str, str]) -> tuple[bytes, dict[str, Any]]:
        """Each call has the same effect however often it is made, so a failed one is simply made again."""
        for pause in range(1, TRIES):
            try:
                return await self._try(method, path, parameters)
            except Away:
                await asyncio.sleep(TRY_AGAIN_AFTER * pause)
        return await self._try(method, path, parameters)

    async def _try(self, method: str, path: str, parameters: Mapping[str, str]) -> tuple[bytes, dict[str, Any]]:
        self.calls += 1
        try:
            response = await self._client.request(
                method,
                f"{self._base_url}/{path}",
                params={**parameters, "appsecret_proof": self._access.proof},
                headers={"Authorization": f"Bearer {self._access.token}"},
            )
        except httpx.HTTPError as error:
            raise Away(type(error).__name__) from None
        try:
            answer = loads(response.content)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise Away(f"HTTP {response.status_code} without JSON")
        if isinstance(answer.get("error"), dict):
            raise _error(answer["error"], response)
        if response.status_code >= 400:
            raise Away(f"HTTP {response.status_code}")
        return response.content, answer


def _error(error: Mapping[str, Any], response: httpx.Response) -> GraphError:
    code, subcode = error.get("code"), error.get("error_subcode")
    detail = f"({code}) {error.get('error_user_msg') or error.get('message') or ''}"
    if code in _TOKEN_CODES:
        return TokenInvalid(detail)
    if code in _RATE_CODES or response.status_code == 429:
        return RateLimited(detail, retry_after=_regain(response.headers.get("x-business-use-case-usage", "")))
    if code in _AWAY_CODES or error.get("is_transient") is True or response.status_code >= 500:
        return Away(detail)
    if code in _ALLOWED_CODES:
        return NotAllowed(detail)
    return Missing(detail) if (code, subcode) == _MISSING else Refused(detail)


def _regain(usage: str) -> timedelta | None:
    """The longest `estimated_time_to_regain_access` (minutes) of the header that tells how much was used."""
    try:
        document = orjson.loads(usage)
        minutes = [
            int(one.get("estimated_time_to_regain_access") or 0) for several in document.values() for one in several
        ]
    except (orjson.JSONDecodeError, AttributeError, TypeError, ValueError):
        return None
    longest = max(minutes, default=0)
    return timedelta(minutes=min(longest, 24 * 60)) if longest > 0 else None
