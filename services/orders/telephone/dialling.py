"""Click to call: asks a telephone system to ring the salesperson and then the customer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from urllib.parse import quote, quote_plus
from uuid import UUID

import httpx
import orjson
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.orders.actors import staff
from services.orders.care.processes import Processes
from services.orders.contact import answer, sentences
from services.orders.record import Order
from services.orders.telephone.systems import ClickToCall
from shared.auth import Principal
from shared.db import Session
from shared.errors import Problem
from shared.phone.masking import national
from shared.telemetry import logger
from shared.vault import CredentialsUnreadable, Vault

log = logger(__name__)

State = Literal["asked", "accepted", "refused", "unanswered"]
RINGS_WITHIN: Final = timedelta(seconds=5)
"""From the click to the first event of its call; a second click in between would ring twice."""
BUSY_FOR: Final = timedelta(minutes=10)
"""A call that began longer ago and has not ended keeps nobody from calling: its end may have been lost, and a telephone
system refuses a busy extension by itself."""
ERROR_LONGEST: Final = 300
"""Characters kept of why a call was refused."""


class NoTelephone(Problem):
    type = "no-telephone"
    status = 409
    vi = "Bạn chưa có số máy lẻ trên tổng đài nào gọi được. Nhờ quản trị gán số máy lẻ cho bạn."
    en = "You have no extension at a telephone system that can call. Ask an administrator to give you one."


class MayNotCall(Problem):
    type = "may-not-call"
    status = 409
    vi = "{told_vi} {then_vi}"
    en = "{told_en} {then_en}"


class TelephoneBusy(Problem):
    type = "call-going-on"
    status = 409
    vi = "Máy của bạn đang có cuộc gọi. Kết thúc cuộc gọi đó rồi gọi lại."
    en = "Your telephone is in a call. End it, then call again."


class CallAsked(BaseModel):
    """What became of a click to call."""

    request_id: UUID
    state: str = Field(
        description="asked (on its way), accepted, refused (`error` says why), unanswered (nobody knows: its events will "
        "tell, do not click again)"
    )
    call_id: str = Field(description="of the telephone system, if it named it")
    error: str


class CallWanted(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{}]})

    system_id: UUID | None = Field(default=None, description="which telephone system, if you have several extensions")


@dataclass(frozen=True)
class Dial:
    """A call that is about to be asked for; it is durable before anything goes out."""

    request_id: UUID
    system_id: UUID
    click: ClickToCall
    sealed: bytes | None
    places: Mapping[str, str]


_EXTENSION: Final = text(
    """
SELECT s.id, e.extension, s.click_to_call, s.credentials
FROM telephone_extensions e JOIN telephone_systems s ON s.id = e.system_id
WHERE e.account_id = :account_id AND s.enabled AND s.click_to_call IS NOT NULL
  AND (CAST(:system_id AS uuid) IS NULL OR s.id = :system_id)
ORDER BY s.id, e.extension LIMIT 1
"""
)
_BUSY: Final = text(
    """
SELECT 1 FROM telephone_calls
WHERE account_id = :account_id AND state = 'going' AND ended_at IS NULL
  AND started_at > CAST(:now AS timestamptz) - CAST(:busy_for AS interval)
UNION ALL
SELECT 1 FROM call_requests
WHERE account_id = :account_id AND state IN ('asked', 'accepted')
  AND requested_at > CAST(:now AS timestamptz) - CAST(:rings_within AS interval)
LIMIT 1
"""
)
_KNOWN: Final = text(
    """
SELECT id, state, call_id, error FROM call_requests
WHERE account_id = :account_id AND order_id = :order_id AND idempotency_key = :key
"""
)
_ASK: Final = text(
    """
INSERT INTO call_requests (id, system_id, order_id, account_id, extension, phone, requested_at, idempotency_key)
VALUES (:id, :system_id, :order_id, :account_id, :extension, :phone, :now, :key)
"""
)
_ANSWER: Final = text(
    """
UPDATE call_requests SET state = :state, status_code = :status_code, call_id = :call_id, error = :error, answered_at = :now
WHERE id = :id
"""
)


async def asked_before(session: Session, order: Order, who: Principal, *, key: str | None) -> CallAsked | None:
    """What became of the same click; `asked` as long as that is not known."""
    if key is None:
        return None
    values = {"account_id": who.account_id, "order_id": order.id, "key": key}
    row = (await session.execute(_KNOWN, values)).one_or_none()
    if row is None:
        return None
    return CallAsked(request_id=row.id, state=row.state, call_id=row.call_id, error=row.error)


async def prepare(
    session: Session,
    processes: Processes,
    order: Order,
    wanted: CallWanted,
    who: Principal,
    *,
    key: str | None,
    now: datetime,
) -> Dial:
    """Checks that this person may call the customer of a locked order now, and keeps that they ask for it.

    Args:
        key: names this click; an order has each of a person once.

    Raises:
        NoTelephone, MayNotCall, TelephoneBusy: no.
    """
    found = await session.execute(_EXTENSION, {"account_id": who.account_id, "system_id": wanted.system_id})
    extension = found.one_or_none()
    if extension is None:
        raise NoTelephone
    await check_gate(session, processes, order, who, now=now)
    busy = await session.execute(
        _BUSY, {"account_id": who.account_id, "now": now, "rings_within": RINGS_WITHIN, "busy_for": BUSY_FOR}
    )
    if busy.first() is not None:
        raise TelephoneBusy
    request_id = uuid7()
    await session.execute(
        _ASK,
        {
            "id": request_id,
            "system_id": extension.id,
            "order_id": order.id,
            "account_id": who.account_id,
            "extension": extension.extension,
            "phone": order.phone,
            "now": now,
            "key": key,
        },
    )
    places = {
        "phone": national(order.phone),
        "phone_e164": order.phone,
        "extension": extension.extension,
        "request": str(request_id),
        "order": order.code,
    }
    click = ClickToCall.model_validate(extension.click_to_call)
    return Dial(request_id, extension.id, click, extension.credentials, places)


async def check_gate(session: Session, processes: Processes, order: Order, who: Principal, *, now: datetime) -> None:
    """Asks the legal gate (rule D38), which keeps its yes as proof.

    Raises:
        MayNotCall: the number must not be called now, or not at all.
    """
    found = await answer.of_order(session, processes, order.id, by="call", purpose="request", now=now)
    permission = found.permission
    if permission.allowed:
        await answer.keep(session, found, staff(who))
        return
    told, never = sentences.of(found), permission.next_at is None
    raise MayNotCall(
        refusal=permission.refusal,
        next_at=permission.next_at,
        told_vi=told.vi,
        told_en=told.en,
        then_vi="Chờ khách tự liên hệ hoặc đồng ý lại." if never else "Gọi lại từ lúc đó.",
        then_en="Wait until they contact us or consent again." if never else "Call again then.",
    )


async def dial(dialled: Dial, vault: Vault, client: httpx.AsyncClient, *, now: datetime) -> dict[str, Any]:
    """Sends the request, once; whatever comes back is an answer to keep. Never raises for what the other side does."""
    click = dialled.click
    try:
        secrets = vault.open(dialled.sealed, owner_id=dialled.system_id) if dialled.sealed else {}
    except CredentialsUnreadable:
        return _kept(dialled, "refused", error="credentials cannot be read: enter them again", now=now)
    values = {**secrets, **dialled.places}
    try:
        answer = await client.request(
            click.method,
            _fill(click.url, values, lambda value: quote(value, safe="")),
            headers={
                **{name: _fill(value, values, str) for name, value in click.headers.items()},
                **({"Content-Type": click.content_type} if click.body else {}),
            },
            content=_fill(click.body, values, _escape(click.content_type)).encode() if click.body else None,
            follow_redirects=False,
        )
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol) as error:
        return _kept(dialled, "refused", error=f"not reached: {type(error).__name__}", now=now)
    except httpx.HTTPError as error:  # it may have rung
        return _kept(dialled, "unanswered", error=type(error).__name__, now=now)
    return _read(dialled, answer, now=now)


def _read(dialled: Dial, answer: httpx.Response, *, now: datetime) -> dict[str, Any]:
    click = dialled.click
    fields: Any = {}
    try:
        fields = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        pass
    call_id = _field(fields, click.call_id_field)[:200]
    if answer.status_code >= 500:
        return _kept(dialled, "unanswered", error=f"HTTP {answer.status_code}", code=answer.status_code, now=now)
    accepted = answer.is_success and (
        not click.accepted_field or _field(fields, click.accepted_field) == click.accepted_value
    )
    if accepted:
        return _kept(dialled, "accepted", code=answer.status_code, call_id=call_id, now=now)
    said = _field(fields, "message") or f"HTTP {answer.status_code}"
    return _kept(dialled, "refused", error=said, code=answer.status_code, call_id=call_id, now=now)


def _kept(
    dialled: Dial, state: State, *, now: datetime, error: str = "", code: int | None = None, call_id: str = ""
) -> dict[str, Any]:
    if state != "accepted":
        log.warning("click to call", request=str(dialled.request_id), state=state, status_code=code)
    return {
        "id": dialled.request_id,
        "state": state,
        "status_code": code,
        "call_id": call_id,
        "error": error[:ERROR_LONGEST],
        "now": now,
    }


async def keep_answer(session: Session, answer: Mapping[str, Any]) -> CallAsked:
    """What the telephone system said is kept with the request."""
    await session.execute(_ANSWER, dict(answer))
    return CallAsked(request_id=answer["id"], state=answer["state"], call_id=answer["call_id"], error=answer["error"])


_PLACE: Final = re.compile(r"\{\{|\}\}|\{(\w+)\}")


def _fill(template: str, values: Mapping[str, str], escape: Any) -> str:
    """A template with its placeholders filled in, each value escaped for where it stands."""

    def fill(match: re.Match[str]) -> str:
        name = match[1]
        return match[0][0] if name is None else str(escape(values.get(name, "")))

    return _PLACE.sub(fill, template)


def _escape(content_type: str) -> Any:
    if content_type.startswith("application/json"):
        return lambda value: orjson.dumps(value).decode()[1:-1]
    if content_type.startswith("application/x-www-form-urlencoded"):
        return quote_plus
    return str


def _field(fields: Any, name: str) -> str:
    """A field of an answer, 'data.call_id' by its path."""
    for part in name.split(".") if name else ():
        fields = fields.get(part) if isinstance(fields, dict) else None
    return "" if fields is None or isinstance(fields, (dict, list)) or not name else str(fields)
