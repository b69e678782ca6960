"""Mail and message systems: the address that each calls, and what it tells."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from starlette.exceptions import HTTPException
from uuid_utils.compat import uuid7

from services.orders.access import Administrator, Reader, ensure_readable
from services.orders.deliveries import facts, listing
from services.orders.deliveries.facts import MOST, DeliveryFact, Kind
from services.orders.deliveries.listing import InteractionPage
from services.orders.deliveries.secrets import secrets_of
from services.orders.http import ClockDep, Limit, RuntimeDep
from services.orders.settings import OrdersSettings
from services.orders.telephone.api import VaultDep
from shared.db import Session
from shared.errors import NotFound, Problem
from shared.idempotency import OnceDep, completed
from shared.service import Runtime
from shared.vault import Vault, secret_hash

router = APIRouter(prefix="/v1", tags=["messages"])

PURPOSE: Final = "message hooks"
"""Of the secrets in the addresses that mail and message systems call."""


class MessageSystemNotFound(NotFound):
    vi = "Không tìm thấy hệ thống gửi tin này. Kiểm tra lại mã."
    en = "There is no such mail or message system. Check the id."


class MessageSystemNameTaken(Problem):
    type = "message-system-name-taken"
    status = 409
    vi = "Đã có hệ thống gửi tin tên '{name}'. Chọn tên khác."
    en = "There is a mail or message system named '{name}'. Choose another name."


class MessageSystemIn(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "Mail shop", "kind": "email"}]})

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
    kind: Kind


class MessageSystem(MessageSystemIn):
    model_config = ConfigDict(extra="ignore")

    id: UUID


class MessageSystemMade(MessageSystem):
    hook_url: str = Field(description="the system calls this; keep it secret, it is shown only here")


class MessageSystemPage(BaseModel):
    items: list[MessageSystem]
    next: None = Field(default=None, description="a company has a handful: there is one page")


class Told(BaseModel):
    """Facts that a system tells."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "facts": [
                        {
                            "id": "ev-1",
                            "reference": "<20261123.1@mail.shop.vn>",
                            "fact": "opened",
                            "at": "2026-11-23T10:05:00+07:00",
                        }
                    ]
                }
            ]
        },
    )

    facts: list[DeliveryFact] = Field(min_length=1, max_length=MOST)


class Kept(BaseModel):
    new: int = Field(description="how many were not known yet")


class HookAddress(BaseModel):
    hook_url: str = Field(description="the former address does not work any more")


_CREATE: Final = text("INSERT INTO message_systems (id, name, kind, secret_hash) VALUES (:id, :name, :kind, :hash)")
_ALL: Final = text("SELECT id, name, kind FROM message_systems ORDER BY id")
_RENEW: Final = text(
    "UPDATE message_systems SET secret_number = secret_number + 1 WHERE id = :id RETURNING secret_number"
)
_SECRET: Final = text("UPDATE message_systems SET secret_hash = :hash WHERE id = :id")


@router.get("/message-systems")
async def list_message_systems(_: Administrator, runtime: RuntimeDep) -> MessageSystemPage:
    """The mail and message systems that tell what became of what was sent."""
    async with runtime.db.read() as session:
        rows = await session.execute(_ALL)
        return MessageSystemPage(items=[MessageSystem.model_validate(dict(row._mapping)) for row in rows])


@router.post("/message-systems", status_code=201, response_model=MessageSystemMade)
async def connect_message_system(
    who: Administrator, runtime: RuntimeDep, vault: VaultDep, once: OnceDep, wanted: MessageSystemIn
) -> Response:
    """Connects a mail or message system. Only this answer has the address that it is to call."""

    async def effect(session: Session) -> MessageSystem:
        system_id = uuid7()
        values = {"id": system_id, **wanted.model_dump(), "hash": secret_hash(_secret(vault, system_id, 1))}
        try:
            async with session.begin_nested():
                await session.execute(_CREATE, values)
        except IntegrityError:
            raise MessageSystemNameTaken(name=wanted.name) from None
        return MessageSystem(id=system_id, **wanted.model_dump())

    answer = await once.run(runtime.db, str(who.account_id), effect)
    secrets_of(runtime).forget()
    kept = MessageSystem.model_validate_json(bytes(answer.body))
    made = MessageSystemMade(**dict(kept), hook_url=_hook_url(runtime, vault, kept.id, 1))
    return completed(answer, made)


@router.post("/message-systems/{system_id}/hook-address")
async def renew_message_hook(_: Administrator, runtime: RuntimeDep, vault: VaultDep, system_id: UUID) -> HookAddress:
    """A new address in place of one that was lost or told to others."""
    async with runtime.db.transaction() as session:
        number = (await session.execute(_RENEW, {"id": system_id})).scalar()
        if number is None:
            raise MessageSystemNotFound
        await session.execute(_SECRET, {"id": system_id, "hash": secret_hash(_secret(vault, system_id, number))})
    secrets_of(runtime).forget()
    return HookAddress(hook_url=_hook_url(runtime, vault, system_id, number))


@router.post("/hooks/messages/{secret}")
async def receive_facts(runtime: RuntimeDep, clock: ClockDep, secret: str, told: Told) -> Kept:
    """What became of e-mails and messages, each fact at its own time, in any order, as often as you like.

    Answered 200 once everything is durable and has taken effect; with an error nothing of the request is kept.
    """
    system = await secrets_of(runtime).find(secret)
    if system is None:
        raise HTTPException(404)
    async with runtime.db.transaction() as session:
        return Kept(new=await facts.keep(session, system.id, system.kind, told.facts, now=clock()))


@router.get("/orders/{order_id}/interactions")
async def list_interactions(
    who: Reader, runtime: RuntimeDep, clock: ClockDep, order_id: UUID, limit: Limit = 50, after: UUID | None = None
) -> InteractionPage:
    """Calls, messages, e-mails and visits of an order with what became of each, the one recorded last on top."""
    async with runtime.db.read() as session:
        await ensure_readable(session, order_id, who)
        return await listing.page(session, order_id, who=who, limit=limit, after=after, now=clock())


def _secret(vault: Vault, system_id: UUID, number: int) -> str:
    return vault.secret(system_id, number=number, purpose=PURPOSE)


def _hook_url(runtime: Runtime[OrdersSettings], vault: Vault, system_id: UUID, number: int) -> str:
    return f"{runtime.settings.public_url}/v1/hooks/messages/{_secret(vault, system_id, number)}"
