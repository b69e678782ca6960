"""Connections: the company's shops at carriers."""

from __future__ import annotations

import ipaddress
from datetime import datetime
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit
from uuid import UUID

import orjson
from fastapi import APIRouter, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, WithJsonSchema
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from uuid_utils.compat import uuid7

from services.shipping.api.dependencies import Administrator, ContextDep, Reader
from services.shipping.callbacks.secrets import callback_secret
from services.shipping.carriers.access import Access, HeldToken
from services.shipping.carriers.errors import Away, Refused
from services.shipping.carriers.parcel import Options, PickUp
from services.shipping.carriers.registry import CARRIERS, known
from services.shipping.context import Context
from services.shipping.problems import (
    CarrierAway,
    ConnectionInUse,
    CredentialsRefused,
    InsecureAddress,
    ShopExists,
    WrongCredentialNames,
)
from services.shipping.tokens import entered, with_token
from shared.contracts.workflows import nudge_polling
from shared.db import ReadSession, Session
from shared.errors import NotFound, PreconditionFailed
from shared.etag import ExpectedVersion, tag
from shared.idempotency import OnceDep, completed
from shared.outbox import send
from shared.vault import secret_hash

router = APIRouter(prefix="/v1/connections", tags=["connections"])

CarrierName = Annotated[str, AfterValidator(known), WithJsonSchema({"type": "string", "enum": list(CARRIERS)})]
State = Literal["enabled", "disabled"]
RATE_DEFAULT: Final = 10
"""Requests a second. No carrier publishes its limit; ten are far below what their own integrations use."""


class NewConnection(BaseModel):
    """A shop at a carrier."""

    model_config = ConfigDict(extra="forbid")

    carrier: CarrierName
    shop_name: str = Field(min_length=1, max_length=100, examples=["Shop Hà Nội"])
    base_url: str | None = Field(default=None, max_length=300, description="default: the carrier's production address")
    credentials: dict[str, SecretStr] = Field(
        default_factory=dict,
        description="by the names that GET /v1/carriers lists; never shown again",
        examples=[{"token": "…", "client_source": "S12345"}],
    )
    pick_up: PickUp
    options: Options = Options()
    requests_per_second: int = Field(
        default=RATE_DEFAULT, ge=1, le=100, description="most requests to the carrier, of all processes together"
    )


class ConnectionChange(BaseModel):
    """What may change of a connection; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    shop_name: str | None = Field(default=None, min_length=1, max_length=100)
    base_url: str | None = Field(default=None, max_length=300)
    credentials: dict[str, SecretStr] | None = None
    pick_up: PickUp | None = None
    options: Options | None = Field(default=None, description="as a whole: what is left out of it is the default again")
    requests_per_second: int | None = Field(default=None, ge=1, le=100)
    state: State | None = Field(default=None, description="disabled: no new shipments; those on the way are followed")


class ConnectionView(BaseModel):
    """A connection without its secrets."""

    id: UUID
    carrier: str
    shop_name: str
    base_url: str
    pick_up: PickUp = Field(description="the default place; others: GET /v1/connections/{id}/places")
    options: Options
    requests_per_second: int
    state: State
    failing_since: datetime | None = Field(description="since when polling cannot ask the carrier")
    last_error: str
    left_alone_until: datetime | None = Field(
        description="the carrier failed several times in a row: until then nobody asks it, and then one request alone"
    )
    version: int = Field(description="also the ETag; send it as If-Match with a change")
    created_at: datetime
    updated_at: datetime


class CreatedConnection(ConnectionView):
    """A new connection, with its callback address, which is shown only here."""

    callback_url: str = Field(description="enter this at the carrier; keep it secret")


class CallbackAddress(BaseModel):
    callback_url: str = Field(description="enter this at the carrier; the former address does not work any more")


class ConnectionList(BaseModel):
    items: list[ConnectionView]
    next: None = Field(default=None, description="a company has a handful of connections: there is one page")


_COLUMNS = """id, carrier, shop_name, base_url, pick_up, options, requests_per_second, state, failing_since, last_error, version,
    created_at, updated_at,
    (SELECT g.shut_until FROM carrier_gates g WHERE g.connection_id = carrier_connections.id) AS left_alone_until"""
_LIST = text(f"SELECT {_COLUMNS} FROM carrier_connections ORDER BY id")
_GET = text(f"SELECT {_COLUMNS} FROM carrier_connections WHERE id = :id")
_GET_LOCKED = text(f"SELECT {_COLUMNS}, credentials FROM carrier_connections WHERE id = :id FOR UPDATE")
_CREATE = text(
    f"""
INSERT INTO carrier_connections (id, carrier, shop_name, base_url, credentials, callback_secret_hash, pick_up,
    options, requests_per_second)
VALUES (:id, :carrier, :shop_name, :base_url, :credentials, :hash, CAST(:pick_up AS jsonb), CAST(:options AS jsonb),
    :requests_per_second)
RETURNING {_COLUMNS}
"""
)
_CHANGE = text(
    f"""
UPDATE carrier_connections SET shop_name = :shop_name, base_url = :base_url, credentials = :credentials,
    pick_up = CAST(:pick_up AS jsonb), options = CAST(:options AS jsonb), requests_per_second = :requests_per_second,
    state = :state, version = version + 1, updated_at = now()
WHERE id = :id RETURNING {_COLUMNS}, round
"""
)
_ROTATE = text(
    """
UPDATE carrier_connections SET callback_secret_number = callback_secret_number + 1, version = version + 1,
    updated_at = now()
WHERE id = :id RETURNING callback_secret_number
"""
)
_SECRET = text("UPDATE carrier_connections SET callback_secret_hash = :hash WHERE id = :id")
_DELETE = text("DELETE FROM carrier_connections WHERE id = :id RETURNING round")


@router.get("", summary="The connections to carriers")
async def list_connections(context: ContextDep, _: Reader) -> ConnectionList:
    async with context.db.read() as session:
        rows = (await session.execute(_LIST)).mappings().all()
    return ConnectionList(items=[ConnectionView.model_validate(dict(row)) for row in rows])


@router.get("/{connection_id}", summary="One connection")
async def get_connection(connection_id: UUID, context: ContextDep, _: Reader, response: Response) -> ConnectionView:
    async with context.db.read() as session:
        view = await _view(session, connection_id)
    tag(response, view.version)
    return view


@router.post("", status_code=201, response_model=CreatedConnection, summary="Connect a shop at a carrier")
async def create_connection(body: NewConnection, context: ContextDep, who: Administrator, once: OnceDep) -> Response:
    """The credentials are tried at the carrier before anything is saved. The answer alone has the callback address.

    Its secret is derived from a key outside the database, so it is not part of the answer that is kept for repetitions
    of this request.
    """
    carrier = CARRIERS[body.carrier]
    access = _access(body.carrier, body.base_url or carrier.default_url, _plain(body.credentials))
    await _try(context, body.carrier, access)

    async def effect(session: Session) -> ConnectionView:
        connection_id = uuid7()
        try:
            row = await session.execute(
                _CREATE,
                {
                    "id": connection_id,
                    "carrier": body.carrier,
                    "shop_name": body.shop_name,
                    "base_url": access.base_url,
                    "credentials": _sealed(context, connection_id, access),
                    "hash": secret_hash(callback_secret(context.vault, connection_id, number=1)),
                    "pick_up": body.pick_up.model_dump_json(),
                    "options": body.options.model_dump_json(),
                    "requests_per_second": body.requests_per_second,
                },
            )
        except IntegrityError:
            raise ShopExists(carrier=carrier.title, shop_name=body.shop_name) from None
        await send(session, nudge_polling(connection_id))
        return ConnectionView.model_validate(dict(row.mappings().one()))

    answer = await once.run(context.db, str(who.account_id), effect)
    context.secrets.forget()
    kept = ConnectionView.model_validate_json(bytes(answer.body))
    created = CreatedConnection(**kept.model_dump(), callback_url=_callback_url(context, kept.id, number=1))
    response = completed(answer, created)
    tag(response, kept.version)
    return response


@router.patch("/{connection_id}", summary="Change, enable or disable a connection")
async def change_connection(
    connection_id: UUID,
    body: ConnectionChange,
    context: ContextDep,
    _: Administrator,
    version: ExpectedVersion,
    response: Response,
) -> ConnectionView:
    """New credentials or another address are tried at the carrier before they are saved."""
    async with context.db.read() as session:
        before = await _view(session, connection_id)
    base_url = body.base_url or before.base_url
    access = None
    if body.credentials is not None or base_url != before.base_url:
        access = _access(before.carrier, base_url, await _credentials(context, connection_id, body))
        await _try(context, before.carrier, access)
    async with context.db.transaction() as session:
        row = (await session.execute(_GET_LOCKED, {"id": connection_id})).mappings().one_or_none()
        if row is None:
            raise NotFound(what="kết nối / connection")
        if row["version"] != version:
            raise PreconditionFailed
        try:
            changed = await session.execute(
                _CHANGE,
                {
                    "id": connection_id,
                    "shop_name": body.shop_name or row["shop_name"],
                    "base_url": access.base_url if access else row["base_url"],
                    "credentials": _sealed(context, connection_id, access) if access else row["credentials"],
                    "pick_up": body.pick_up.model_dump_json()
                    if body.pick_up
                    else orjson.dumps(row["pick_up"]).decode(),
                    "options": body.options.model_dump_json()
                    if body.options
                    else orjson.dumps(row["options"]).decode(),
                    "requests_per_second": body.requests_per_second or row["requests_per_second"],
                    "state": body.state or row["state"],
                },
            )
        except IntegrityError:
            raise ShopExists(carrier=before.carrier, shop_name=body.shop_name) from None
        after = changed.mappings().one()
        await send(session, nudge_polling(connection_id, round=after["round"]))
        view = ConnectionView.model_validate(dict(after))
    tag(response, view.version)
    return view


@router.delete("/{connection_id}", status_code=204, summary="Delete a connection that was never used")
async def delete_connection(connection_id: UUID, context: ContextDep, _: Administrator) -> None:
    async with context.db.transaction() as session:
        try:
            polled = (await session.execute(_DELETE, {"id": connection_id})).scalar()
        except IntegrityError:
            raise ConnectionInUse from None
        if polled is None:
            raise NotFound(what="kết nối / connection")
        await send(session, nudge_polling(connection_id, round=polled))
    context.secrets.forget()


@router.post("/{connection_id}/callback-address", summary="A new callback address in place of the former")
async def renew_callback_address(connection_id: UUID, context: ContextDep, _: Administrator) -> CallbackAddress:
    """For an address that was lost or told to others. Enter the new one at the carrier at once: callbacks to the former
    one are refused from now on, and polling repairs what is lost in between."""
    async with context.db.transaction() as session:
        number = (await session.execute(_ROTATE, {"id": connection_id})).scalar()
        if number is None:
            raise NotFound(what="kết nối / connection")
        secret = callback_secret(context.vault, connection_id, number=number)
        await session.execute(_SECRET, {"id": connection_id, "hash": secret_hash(secret)})
    context.secrets.forget()
    return CallbackAddress(callback_url=_callback_url(context, connection_id, number=number))


async def _view(session: ReadSession, connection_id: UUID) -> ConnectionView:
    row = (await session.execute(_GET, {"id": connection_id})).mappings().one_or_none()
    if row is None:
        raise NotFound(what="kết nối / connection")
    return ConnectionView.model_validate(dict(row))


def _plain(credentials: dict[str, SecretStr]) -> dict[str, str]:
    return {name: value.get_secret_value().strip() for name, value in credentials.items()}


async def _credentials(context: Context, connection_id: UUID, body: ConnectionChange) -> dict[str, str]:
    """The credentials to use with a change: the new ones, or those that are stored."""
    if body.credentials is not None:
        return _plain(body.credentials)
    connection = await context.connection(connection_id)
    return entered(context.vault.open(connection.sealed, owner_id=connection.id))


def _access(carrier: str, base_url: str, credentials: dict[str, str]) -> Access:
    """Checked for what the carrier takes and for an address that keeps the token secret."""
    kind = CARRIERS[carrier]
    needed = {each.name for each in kind.credentials if not each.optional}
    known = {each.name for each in kind.credentials}
    if not needed <= set(credentials) <= known or not all(map(_is_header_value, credentials.values())):
        raise WrongCredentialNames(carrier=kind.title, names=", ".join(each.name for each in kind.credentials))
    if not kind.default_url:
        return Access("", credentials, HeldToken())  # nobody is called
    try:
        address = urlsplit(base_url)
        secret = address.scheme == "https" or (address.scheme == "http" and _is_this_machine(address.hostname))
    except ValueError:
        raise InsecureAddress from None
    if not address.hostname or not secret or address.query or address.fragment or address.username:
        raise InsecureAddress
    return Access(base_url.rstrip("/"), credentials, HeldToken())


def _sealed(context: Context, connection_id: UUID, access: Access) -> bytes:
    """The credentials, with the token that trying them brought."""
    credentials = with_token(access.credentials, access.tokens.current, now=context.now())
    return context.vault.seal(credentials, owner_id=connection_id)


def _is_header_value(value: str) -> bool:
    """Credentials travel as headers: printable ASCII, and something at all."""
    return 0 < len(value) <= 500 and value.isascii() and value.isprintable()


def _is_this_machine(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


async def _try(context: Context, carrier: str, access: Access) -> None:
    title = CARRIERS[carrier].title
    async with context.carriers.open(carrier, access) as adapter:
        try:
            await adapter.test()
        except Refused as error:
            raise CredentialsRefused(carrier=title, reason=error.reason) from None
        except Away:
            raise CarrierAway(carrier=title) from None


def _callback_url(context: Context, connection_id: UUID, *, number: int) -> str:
    secret = callback_secret(context.vault, connection_id, number=number)
    return f"{context.settings.public_url}/v1/hooks/carriers/{secret}"
