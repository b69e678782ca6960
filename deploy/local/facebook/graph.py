"""The Graph API, as Meta's documentation of it and of lead ads describes it (2026).

Failures are HTTP 400 or 5xx with an `error` object; a list has `paging.next` as long as there is more.
"""

import base64
import binascii
import hmac
import json
import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from deploy.local.facebook.model import Form, Lead, Page, facebook_time
from deploy.local.facebook.world import World

router = APIRouter(prefix="/{version}")

MAX_LIMIT = 100
DEFAULT_LIMIT = 25
_RATE_CODES = (4, 17, 32, 613, 80005)
_GATEWAY_ERRORS = (500, 502, 503)

T = TypeVar("T")


class GraphFailure(Exception):
    """An error as Facebook answers it."""

    def __init__(self, code: int, message: str, *, kind: str = "OAuthException", subcode: int | None = None) -> None:
        super().__init__(message)
        self.error = {"message": message, "type": kind, "code": code, "fbtrace_id": secrets.token_urlsafe(8)}
        if subcode is not None:
            self.error["error_subcode"] = subcode


@router.get("/{object_id}")
async def read_object(request: Request, object_id: str) -> Response:
    def work(world: World, caller: Page) -> dict[str, Any]:
        if object_id == caller.id:
            return {"id": caller.id, "name": caller.name}
        lead = world.leads.get(object_id)
        if lead is None or lead.page_id != caller.id:
            raise _missing(object_id)
        return _lead(lead, _fields(request))

    return _answer(request, "object", object_id, work)


@router.get("/{object_id}/leadgen_forms")
async def list_forms(request: Request, object_id: str) -> Response:
    def work(world: World, caller: Page) -> dict[str, Any]:
        _own(caller, object_id)
        forms = sorted((form for form in world.forms.values() if form.page_id == caller.id), key=lambda form: form.id)
        return _page(request, forms, of=lambda form: form.id, show=_form, newest_first=False)

    return _answer(request, "leadgen_forms", object_id, work)


@router.get("/{object_id}/leads")
async def list_leads(request: Request, object_id: str) -> Response:
    def work(world: World, caller: Page) -> dict[str, Any]:
        form = world.forms.get(object_id)
        if form is None or form.page_id != caller.id:
            raise _missing(object_id)
        since, now, fields = _since(request), datetime.now(UTC), _fields(request)
        shown = [lead for lead in form.leads if lead.listed_at <= now and (since is None or lead.created > since)]
        shown.sort(key=lambda lead: lead.sequence, reverse=True)
        return _page(
            request,
            shown,
            of=lambda lead: f"{lead.sequence:012d}",
            show=lambda lead: _lead(lead, fields),
            newest_first=True,
        )

    return _answer(request, "leads", object_id, work)


@router.get("/{object_id}/subscribed_apps")
async def subscribed_apps(request: Request, object_id: str) -> Response:
    def work(world: World, caller: Page) -> dict[str, Any]:
        _own(caller, object_id)
        ours = {
            "id": world.settings.app_id,
            "name": "Chốt",
            "category": "Business",
            "subscribed_fields": list(caller.subscribed_fields),
        }
        other = {"id": "111222333444555", "name": "Ứng dụng khác", "subscribed_fields": ["feed"]}
        return {"data": [other, *([ours] if caller.subscribed_fields else [])]}

    return _answer(request, "subscribed_apps", object_id, work)


@router.post("/{object_id}/subscribed_apps")
async def subscribe(request: Request, object_id: str) -> Response:
    def work(world: World, caller: Page) -> dict[str, Any]:
        _own(caller, object_id)
        fields = tuple(filter(None, request.query_params.get("subscribed_fields", "").split(",")))
        if not fields:
            raise GraphFailure(100, "(#100) The parameter subscribed_fields is required")
        if caller.allowed_fields is not None and (missing := set(fields) - caller.allowed_fields):
            raise GraphFailure(
                200, f"(#200) To subscribe to the {min(missing)} field, one of these permissions is needed"
            )
        caller.subscribed_fields = fields
        caller.failures = 0
        return {"success": True}

    return _answer(request, "subscribe", object_id, work)


def _answer(
    request: Request, operation: str, object_id: str, work: Callable[[World, Page], dict[str, Any]]
) -> Response:
    world: World = request.app.state.world
    world.stats.count_call(operation)
    key = f"{operation}/{object_id}"
    if world.dice.hits("server_error", rate=world.faults.server_error, key=key):
        world.stats.server_errors += 1
        status = _GATEWAY_ERRORS[int(world.dice.fraction("gateway", key=key) * len(_GATEWAY_ERRORS))]
        return HTMLResponse(f"<html><body>{status}</body></html>", status_code=status)
    try:
        caller = _caller(request, world)
        if world.dice.hits("rate_limit", rate=world.faults.rate_limit, key=key):
            world.stats.rate_limited += 1
            code = _RATE_CODES[int(world.dice.fraction("rate_code", key=key) * len(_RATE_CODES))]
            raise GraphFailure(code, f"(#{code}) Application request limit reached")
        return _json(work(world, caller))
    except GraphFailure as failure:
        return _json({"error": failure.error}, status=400)


def _json(content: dict[str, Any], *, status: int = 200) -> Response:
    """Everything that is not ASCII is escaped, as Facebook does."""
    return Response(json.dumps(content), status_code=status, media_type="application/json; charset=UTF-8")


def _caller(request: Request, world: World) -> Page:
    given = request.headers.get("authorization", "").removeprefix("Bearer ") or request.query_params.get("access_token")
    page = world.page_of_token(given or "")
    if page is None:
        world.stats.unauthorised += 1
        raise GraphFailure(190, "Error validating access token: Session has expired.", subcode=463)
    proof = request.query_params.get("appsecret_proof", "")
    if not hmac.compare_digest(proof.encode(), world.proof(page).encode()):
        world.stats.unauthorised += 1
        raise GraphFailure(100, "Invalid appsecret_proof provided in the API argument", kind="GraphMethodException")
    return page


def _own(caller: Page, object_id: str) -> None:
    if caller.id != object_id:
        raise GraphFailure(200, "(#200) Requires permission of the page")


def _missing(object_id: str) -> GraphFailure:
    message = (
        f"Unsupported get request. Object with ID '{object_id}' does not exist, cannot be loaded due to missing "
        "permissions, or does not support this operation."
    )
    return GraphFailure(100, message, kind="GraphMethodException", subcode=33)


def _fields(request: Request) -> set[str]:
    return set(filter(None, request.query_params.get("fields", "").split(","))) | {"id"}


def _since(request: Request) -> datetime | None:
    """Of `filtering=[{"field":"time_created","operator":"GREATER_THAN","value":…}]`."""
    if not (text := request.query_params.get("filtering")):
        return None
    try:
        (wanted,) = json.loads(text)
        if (wanted["field"], wanted["operator"]) != ("time_created", "GREATER_THAN"):
            raise ValueError(text)
        return datetime.fromtimestamp(int(wanted["value"]), UTC)
    except (ValueError, KeyError, TypeError):
        raise GraphFailure(100, "(#100) Invalid filtering") from None


def _page(
    request: Request,
    items: Sequence[T],
    *,
    of: Callable[[T], str],
    show: Callable[[T], dict[str, Any]],
    newest_first: bool,
) -> dict[str, Any]:
    """A page of a list. A cursor names the item that it stands behind, so new items do not move it."""
    asked = request.query_params.get("limit", str(DEFAULT_LIMIT))
    limit = min(int(asked) if asked.isdecimal() and int(asked) else DEFAULT_LIMIT, MAX_LIMIT)
    if after := request.query_params.get("after"):
        place = _place(after)
        items = [item for item in items if (of(item) < place if newest_first else of(item) > place)]
    shown = items[:limit]
    if not shown:
        return {"data": []}
    cursors = {"before": _cursor(of(shown[0])), "after": _cursor(of(shown[-1]))}
    paging: dict[str, Any] = {"cursors": cursors}
    if len(items) > limit:
        paging["next"] = str(request.url.include_query_params(after=cursors["after"]))
    return {"data": [show(item) for item in shown], "paging": paging}


def _cursor(place: str) -> str:
    return base64.urlsafe_b64encode(place.encode()).decode()


def _place(cursor: str) -> str:
    try:
        return base64.urlsafe_b64decode(cursor.encode()).decode()
    except (binascii.Error, ValueError):
        raise GraphFailure(100, "(#100) Invalid cursors values", kind="GraphMethodException") from None


def _form(form: Form) -> dict[str, Any]:
    return {"id": form.id, "name": form.name, "status": "ACTIVE", "leads_count": len(form.leads)}


def _lead(lead: Lead, fields: set[str]) -> dict[str, Any]:
    whole = {
        "id": lead.id,
        "created_time": facebook_time(lead.created),
        "form_id": lead.form_id,
        "field_data": lead.field_data,
        "is_organic": not lead.ad,
        "platform": "fb",
        **lead.ad,
    }
    if lead.disclaimers:
        whole["custom_disclaimer_responses"] = lead.disclaimers
    return {name: value for name, value in whole.items() if name in fields}
