"""Telephone systems as administrators keep them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field, SecretStr
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from uuid_utils.compat import uuid7

from services.orders.access import Administrator
from services.orders.http import Limit, RuntimeDep
from services.orders.settings import OrdersSettings
from services.orders.telephone import systems
from services.orders.telephone.hook import secrets_of
from services.orders.telephone.processing import wake
from services.orders.telephone.systems import PURPOSE, NoKey, SystemFields, SystemNameTaken, SystemView
from shared.db import Session
from shared.errors import PreconditionFailed
from shared.etag import ExpectedVersion, tag
from shared.idempotency import OnceDep, completed
from shared.service import Runtime
from shared.vault import Vault, decode_key, secret_hash

router = APIRouter(prefix="/v1/telephone/systems", tags=["telephone"])

SERVICE: Final = "orders"

Credentials = Annotated[
    dict[str, SecretStr] | None,
    Field(default=None, max_length=20, description="secret placeholders of click to call; left out: as they are"),
]


class SystemIn(SystemFields):
    """A telephone system, whole."""

    credentials: Credentials = None


class SystemMade(SystemView):
    hook_url: str = Field(description="enter this at the telephone system; keep it secret, it is shown only here")


class HookAddress(BaseModel):
    hook_url: str = Field(description="enter this at the telephone system; the former address does not work any more")


class SystemPage(BaseModel):
    items: list[SystemView]
    next: None = Field(default=None, description="a company has a handful: there is one page")


class UnreadableBody(BaseModel):
    id: UUID
    received_at: datetime
    error: str = Field(examples=["event: unknown"])
    size: int = Field(description="bytes")


class UnreadablePage(BaseModel):
    items: list[UnreadableBody]
    next: UUID | None


class Replayed(BaseModel):
    replayed: int


_CREATE: Final = text(
    """
INSERT INTO telephone_systems (id, name, format, zone, causes, click_to_call, credentials, enabled, secret_hash)
VALUES (:id, :name, :format, :zone, CAST(:causes AS jsonb), CAST(:click AS jsonb), :credentials, :enabled, :hash)
"""
)
_CHANGE: Final = text(
    """
UPDATE telephone_systems SET name = :name, format = :format, zone = :zone, causes = CAST(:causes AS jsonb),
    click_to_call = CAST(:click AS jsonb), credentials = :credentials, enabled = :enabled, version = version + 1,
    updated_at = now()
WHERE id = :id
"""
)
_RENEW: Final = text(
    """
UPDATE telephone_systems SET secret_number = secret_number + 1, version = version + 1, updated_at = now()
WHERE id = :id RETURNING secret_number
"""
)
_SECRET: Final = text("UPDATE telephone_systems SET secret_hash = :hash WHERE id = :id")
_UNREADABLE: Final = text(
    """
SELECT id, received_at, error, octet_length(body) AS size FROM telephone_raw
WHERE system_id = :id AND state = 'failed' AND (CAST(:after AS uuid) IS NULL OR id < :after) ORDER BY id DESC LIMIT :limit
"""
)
_REPLAY: Final = text(
    "UPDATE telephone_raw SET state = 'received', error = '' WHERE system_id = :id AND state IN ('failed', 'ignored')"
)


def vault_of(settings: OrdersSettings) -> Vault:
    """
    Raises:
        NoKey: the server has none.
    """
    key = settings.credentials_key.get_secret_value()
    if not key:
        raise NoKey
    return Vault(decode_key(key), service=SERVICE)


async def _vault(runtime: RuntimeDep) -> Vault:
    return vault_of(runtime.settings)


VaultDep = Annotated[Vault, Depends(_vault)]


@router.get("")
async def list_systems(_: Administrator, runtime: RuntimeDep, vault: VaultDep) -> SystemPage:
    """The telephone systems that tell us of calls."""
    async with runtime.db.read() as session:
        return SystemPage(items=[_view(row, vault) for row in await systems.every(session)])


@router.get("/{system_id}")
async def get_system(
    _: Administrator, runtime: RuntimeDep, vault: VaultDep, system_id: UUID, response: Response
) -> SystemView:
    async with runtime.db.read() as session:
        view = _view(await systems.one(session, system_id), vault)
    tag(response, view.version)
    return view


@router.post("", status_code=201, response_model=SystemMade)
async def connect_system(
    who: Administrator, runtime: RuntimeDep, vault: VaultDep, once: OnceDep, wanted: SystemIn
) -> Response:
    """Connects a telephone system. Only this answer has the address that it is to call."""

    async def effect(session: Session) -> SystemView:
        system_id = uuid7()
        secrets = _plain(wanted.credentials)
        await _check(session, wanted, set(secrets))
        try:
            async with session.begin_nested():
                values = {
                    **_values(wanted, system_id, secrets, vault),
                    "hash": secret_hash(_secret(vault, system_id, 1)),
                }
                await session.execute(_CREATE, values)
        except IntegrityError:
            raise SystemNameTaken(name=wanted.name) from None
        await systems.keep_extensions(session, system_id, wanted.extensions)
        return _view(await systems.one(session, system_id), vault)

    answer = await once.run(runtime.db, str(who.account_id), effect)
    secrets_of(runtime).forget()
    kept = SystemView.model_validate_json(bytes(answer.body))
    # The secret is made from a key outside the database, so that it is not in the answer that is kept for repetitions.
    made = SystemMade(**dict(kept), hook_url=_hook_url(runtime, vault, kept.id, 1))
    response = completed(answer, made)
    tag(response, kept.version)
    return response


@router.put("/{system_id}")
async def change_system(
    _: Administrator,
    runtime: RuntimeDep,
    vault: VaultDep,
    version: ExpectedVersion,
    system_id: UUID,
    wanted: SystemIn,
    response: Response,
) -> SystemView:
    """Changes a telephone system; `credentials` that are left out stay. Disabled, it is not listened to."""
    async with runtime.db.transaction() as session:
        row = await systems.lock(session, system_id)
        if row.version != version:
            raise PreconditionFailed
        before = vault.open(row.credentials, owner_id=system_id) if row.credentials else {}
        secrets = _plain(wanted.credentials) if wanted.credentials is not None else before
        await _check(session, wanted, set(secrets))
        try:
            async with session.begin_nested():
                await session.execute(_CHANGE, _values(wanted, system_id, secrets, vault))
        except IntegrityError:
            raise SystemNameTaken(name=wanted.name) from None
        await systems.keep_extensions(session, system_id, wanted.extensions)
        view = _view(await systems.one(session, system_id), vault)
    tag(response, view.version)
    return view


@router.post("/{system_id}/hook-address")
async def renew_hook_address(_: Administrator, runtime: RuntimeDep, vault: VaultDep, system_id: UUID) -> HookAddress:
    """A new address in place of one that was lost or told to others. What the system sends to the former one is refused
    from now on: enter the new one there at once."""
    async with runtime.db.transaction() as session:
        number = (await session.execute(_RENEW, {"id": system_id})).scalar()
        if number is None:
            raise systems.SystemNotFound
        await session.execute(_SECRET, {"id": system_id, "hash": secret_hash(_secret(vault, system_id, number))})
    secrets_of(runtime).forget()
    return HookAddress(hook_url=_hook_url(runtime, vault, system_id, number))


@router.get("/{system_id}/unreadable")
async def list_unreadable(
    _: Administrator, runtime: RuntimeDep, system_id: UUID, limit: Limit = 50, after: UUID | None = None
) -> UnreadablePage:
    """What could not be read, the newest first. Nothing is lost: correct the format or the zone, then replay."""
    async with runtime.db.read() as session:
        await systems.one(session, system_id)
        rows = await session.execute(_UNREADABLE, {"id": system_id, "limit": limit, "after": after})
        items = [UnreadableBody.model_validate(dict(row._mapping)) for row in rows]
    return UnreadablePage(items=items, next=items[-1].id if len(items) == limit else None)


@router.post("/{system_id}/replay")
async def replay(_: Administrator, runtime: RuntimeDep, system_id: UUID) -> Replayed:
    """Reads what could not be read, or said nothing to us, once more. What was understood before is not told twice."""
    async with runtime.db.transaction() as session:
        await systems.lock(session, system_id)
        changed: Any = await session.execute(_REPLAY, {"id": system_id})
    wake(runtime)
    return Replayed(replayed=changed.rowcount)


async def _check(session: Session, wanted: SystemIn, secrets: set[str]) -> None:
    await systems.check_causes(session, wanted.causes)
    systems.check_credentials(wanted.click_to_call, secrets)


def _values(wanted: SystemIn, system_id: UUID, secrets: dict[str, str], vault: Vault) -> dict[str, Any]:
    return {
        "id": system_id,
        "name": wanted.name,
        "format": wanted.format,
        "zone": wanted.zone,
        "causes": orjson.dumps(wanted.causes).decode(),
        "click": systems.dump(wanted.click_to_call),
        "credentials": vault.seal(secrets, owner_id=system_id) if secrets else None,
        "enabled": wanted.enabled,
    }


def _view(row: Any, vault: Vault) -> SystemView:
    names = sorted(vault.open(row.credentials, owner_id=row.id)) if row.credentials else []
    return SystemView.model_validate({**row._mapping, "credentials": names})


def _plain(credentials: dict[str, SecretStr] | None) -> dict[str, str]:
    return {name: value.get_secret_value() for name, value in (credentials or {}).items()}


def _secret(vault: Vault, system_id: UUID, number: int) -> str:
    return vault.secret(system_id, number=number, purpose=PURPOSE)


def _hook_url(runtime: Runtime[OrdersSettings], vault: Vault, system_id: UUID, number: int) -> str:
    return f"{runtime.settings.public_url}/v1/hooks/telephone/{_secret(vault, system_id, number)}"
