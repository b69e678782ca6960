"""Facebook pages: connecting them, how they fare."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from uuid_utils.compat import uuid7

from services.leads.api.dependencies import Limit, SourceManager
from services.leads.facebook.context import Facebook, facebook_of
from services.leads.facebook.graph import Access, Away, GraphError, RateLimited
from services.leads.facebook.hooks import callback_secret, verify_token
from services.leads.facebook.problems import (
    CredentialsKeyMissing,
    CredentialsLost,
    FacebookAway,
    FacebookPageTaken,
    FacebookRefused,
    SourceOfOtherChannel,
)
from services.leads.facebook.rounds import try_page
from services.leads.repository import facebook as rows
from services.leads.state import RuntimeDep, parts_of
from shared.contracts.workflows import nudge_facebook
from shared.db import ReadSession, Session
from shared.errors import Mistake, NotFound, PreconditionFailed
from shared.etag import ExpectedVersion, tag
from shared.idempotency import OnceDep, completed
from shared.outbox import send
from shared.vault import CredentialsUnreadable, Vault, secret_hash

router = APIRouter(prefix="/v1/facebook/pages", tags=["facebook"])

FacebookId = Annotated[str, Field(pattern=r"^[0-9]{1,40}$", description="Facebook's id: digits")]
Secret = Annotated[SecretStr, Field(min_length=1, max_length=1_000)]
NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""What stands where no moment was set yet."""


class PageSettings(BaseModel):
    """What may change of a connection."""

    model_config = ConfigDict(extra="forbid")

    app_id: FacebookId
    app_secret: Secret | None = Field(default=None, description="of the Meta app; left out: the one that is stored")
    access_token: Secret | None = Field(default=None, description="page access token; left out: the one that is stored")
    form_source_id: UUID | None = Field(
        default=None, description="source of leads whose form has none of its own; channel facebook_form"
    )
    chat_source_id: UUID | None = Field(default=None, description="source of conversations; channel facebook_chat")
    active: bool = Field(
        default=True, description="false: what is pushed about this page is ignored and nothing is fetched"
    )

    @field_validator("app_secret", "access_token")
    @classmethod
    def _fits_a_header(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not (value.get_secret_value().isascii() and value.get_secret_value().isprintable()):
            raise Mistake("phải là một dòng chữ ASCII in được", "must be printable ASCII in one line")
        return value


class NewPage(PageSettings):
    """A page to connect."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "page_id": "104857600000001",
                "app_id": "871234500000001",
                "app_secret": "…",
                "access_token": "…",
                "form_source_id": "0193a5b4-7c1e-7d4f-9f39-0c5f6a0b1c2d",
            }
        },
    )

    page_id: FacebookId
    app_secret: Secret = Field(description="of the Meta app that the page's leads are pushed to")
    access_token: Secret = Field(description="page access token that does not end by itself")


class PageOut(BaseModel):
    """A connection with its figures, without its secrets."""

    id: UUID
    page_id: str
    app_id: str
    name: str
    form_source_id: UUID | None
    chat_source_id: UUID | None
    active: bool
    version: int = Field(description="also the ETag, for If-Match")
    created_at: datetime
    pushed: int = Field(description="leads that Facebook pushed")
    polled_only: int = Field(description="leads that no push brought, found by reading the forms")
    fetched: int = Field(description="leads in the raw inbox")
    pending: int = Field(description="leads still to be fetched")
    failed: int = Field(description="leads that could not be fetched: see why, then retry")
    gap: int = Field(description="leads that Facebook counts and does not show")
    gap_since: datetime | None
    waiting_messages: int = Field(description="messages of conversations in which no number has come yet")
    last_lead_at: datetime | None
    read_at: datetime | None = Field(description="when the form that was read longest ago was read to its end")
    wrong_signatures: int = Field(description="pushes refused because Facebook had not signed them")
    wrong_signature_at: datetime | None
    subscribed: bool = Field(description="our app hears of this page's leads")
    hears_chats: bool = Field(description="our app hears of this page's messages")
    subscription_problem: str = Field(description="why it hears less than both, as Facebook says")
    resubscribed: int = Field(description="how often it had been dropped and was subscribed again")
    resubscribed_at: datetime | None
    problem: Literal["", "token_invalid", "not_allowed", "rate_limited", "away", "credentials"] = Field(
        description="why Facebook cannot be asked"
    )
    problem_detail: str
    problem_since: datetime | None
    paused_until: datetime | None = Field(description="when it is tried again")


class CallbackAddress(BaseModel):
    """What to enter at Meta under Webhooks, object Page. Shown only now."""

    callback_url: str = Field(description="one address serves all pages of the app; keep it secret")
    verify_token: str


class CreatedPage(PageOut, CallbackAddress):
    """A new connection, with its callback address, which is shown only here."""


class PagePage(BaseModel):
    items: list[PageOut]
    next: UUID | None


@router.post("", status_code=201, response_model=CreatedPage)
async def connect_page(body: NewPage, who: SourceManager, once: OnceDep, runtime: RuntimeDep) -> Response:
    """Connects a page. It is tried at Facebook before anything is saved; the answer alone has the callback address.

    The address is derived from a key outside the database, so it is not part of the answer that is kept for repetitions
    of this request.
    """
    facebook = facebook_of(runtime)
    vault = _vault(facebook)
    access = Access(
        body.page_id,
        body.app_id,
        body.app_secret.get_secret_value().strip(),
        body.access_token.get_secret_value().strip(),
    )
    name = await _try(facebook, access)

    async def effect(session: Session) -> PageOut:
        page_id = uuid7()
        await _check_sources(session, body)
        made = await rows.insert(
            session,
            {
                "id": page_id,
                "page_id": body.page_id,
                "app_id": body.app_id,
                "name": name,
                "credentials": _sealed(vault, access, page_id),
                "hash": secret_hash(callback_secret(vault, page_id, number=1)),
                "form_source_id": body.form_source_id,
                "chat_source_id": body.chat_source_id,
            },
        )
        if not made:
            raise FacebookPageTaken(page_id=body.page_id)
        await send(session, nudge_facebook(page_id))
        return await _out(session, page_id)

    answer = await once.run(runtime.db, str(who.account_id), effect)
    parts_of(runtime).hooks.forget()
    kept = PageOut.model_validate_json(bytes(answer.body))
    created = CreatedPage(**kept.model_dump(), **_address(facebook, vault, kept.id, number=1).model_dump())
    response = completed(answer, created)
    tag(response, kept.version)
    return response


@router.get("")
async def list_pages(_: SourceManager, runtime: RuntimeDep, limit: Limit = 50, after: UUID | None = None) -> PagePage:
    """The connected pages with their figures."""
    async with runtime.db.read() as session:
        found = await rows.pages(session, after=after, limit=limit)
    items = [_page(row) for row in found]
    return PagePage(items=items, next=items[-1].id if len(items) == limit else None)


@router.get("/{page_id}")
async def get_page(page_id: UUID, _: SourceManager, runtime: RuntimeDep, response: Response) -> PageOut:
    """One page; `page_id` here is our id."""
    async with runtime.db.read() as session:
        page = await _out(session, page_id)
    tag(response, page.version)
    return page


@router.put("/{page_id}")
async def change_page(
    page_id: UUID,
    body: PageSettings,
    version: ExpectedVersion,
    _: SourceManager,
    runtime: RuntimeDep,
    response: Response,
) -> PageOut:
    """Changes a connection. It is tried at Facebook first, unless it is switched off; what failed before is tried at
    once."""
    facebook = facebook_of(runtime)
    vault = _vault(facebook)
    async with runtime.db.read() as session:
        before = await _out(session, page_id)
    access = await _access(facebook, vault, before, body)
    name = await _try(facebook, access) if body.active else before.name
    async with runtime.db.transaction() as session:
        row = await rows.lock(session, page_id)
        if row is None or row.version != version:
            raise PreconditionFailed
        await _check_sources(session, body)
        await rows.update(
            session,
            {
                "id": page_id,
                "app_id": body.app_id,
                "name": name,
                "credentials": _sealed(vault, access, page_id),
                "form_source_id": body.form_source_id,
                "chat_source_id": body.chat_source_id,
                "active": body.active,
            },
        )
        await send(session, nudge_facebook(page_id, round=row.round))
        page = await _out(session, page_id)
    parts_of(runtime).hooks.forget()
    tag(response, page.version)
    return page


@router.post("/{page_id}/callback-address")
async def renew_callback_address(page_id: UUID, _: SourceManager, runtime: RuntimeDep) -> CallbackAddress:
    """A new callback address and verify token in place of the former, which is refused from now on: enter the new one at
    Meta at once. What is missed in between is found by reading the forms."""
    facebook = facebook_of(runtime)
    vault = _vault(facebook)
    async with runtime.db.transaction() as session:
        number = await rows.rotate(session, page_id)
        if number is None:
            raise NotFound(what="page")
        await rows.set_hash(session, page_id, secret_hash(callback_secret(vault, page_id, number=number)))
    parts_of(runtime).hooks.forget()
    return _address(facebook, vault, page_id, number=number)


@router.post("/{page_id}/read", status_code=202)
async def read_page_now(page_id: UUID, _: SourceManager, runtime: RuntimeDep) -> PageOut:
    """Reads the forms and checks the subscription now, not when their time comes."""
    return await _nudged(runtime, page_id)


@router.post("/{page_id}/retry", status_code=202)
async def retry_failed_leads(page_id: UUID, _: SourceManager, runtime: RuntimeDep) -> PageOut:
    """Fetches leads again that could not be fetched."""
    return await _nudged(runtime, page_id, retry=True)


async def _nudged(runtime: RuntimeDep, page_id: UUID, *, retry: bool = False) -> PageOut:
    async with runtime.db.transaction() as session:
        round = await rows.read_now(session, page_id)
        if round is None:
            raise NotFound(what="page")
        if retry:
            await rows.retry(session, page_id)
        await send(session, nudge_facebook(page_id, round=round))
        return await _out(session, page_id)


async def _out(session: ReadSession, page_id: UUID) -> PageOut:
    row = await rows.page(session, page_id)
    if row is None:
        raise NotFound(what="page")
    return _page(row)


def _page(row: Any) -> PageOut:
    values = dict(row._mapping)
    values["paused_until"] = row.paused_until if row.problem and row.paused_until > NEVER else None
    return PageOut.model_validate(values)


def _vault(facebook: Facebook) -> Vault:
    if facebook.vault is None:
        raise CredentialsKeyMissing
    return facebook.vault


def _sealed(vault: Vault, access: Access, page_id: UUID) -> bytes:
    return vault.seal({"app_secret": access.app_secret, "token": access.token}, owner_id=page_id)


async def _access(facebook: Facebook, vault: Vault, before: PageOut, body: PageSettings) -> Access:
    """The credentials to use with a change: the new ones, or those that are stored."""
    given = {
        "app_secret": body.app_secret.get_secret_value().strip() if body.app_secret else "",
        "token": body.access_token.get_secret_value().strip() if body.access_token else "",
    }
    if not all(given.values()):
        async with facebook.db.read() as session:
            sealed = await rows.credentials(session, before.id)
        try:
            stored = vault.open(sealed, owner_id=before.id)
        except CredentialsUnreadable:
            raise CredentialsLost from None
        given = {name: value or stored[name] for name, value in given.items()}
    return Access(before.page_id, body.app_id, given["app_secret"], given["token"])


async def _try(facebook: Facebook, access: Access) -> str:
    try:
        return await try_page(facebook, access)
    except (Away, RateLimited) as error:
        raise FacebookAway(reason=error.detail) from None
    except GraphError as error:
        raise FacebookRefused(reason=error.detail) from None


async def _check_sources(session: Session, body: PageSettings) -> None:
    """
    Raises:
        SourceOfOtherChannel: a source does not exist or is of another channel.
    """
    wanted = (
        ("form_source_id", body.form_source_id, "facebook_form"),
        ("chat_source_id", body.chat_source_id, "facebook_chat"),
    )
    for field, source_id, channel in wanted:
        if source_id is not None and await rows.channel_of(session, source_id) != channel:
            raise SourceOfOtherChannel(field=field, channel=channel)


def _address(facebook: Facebook, vault: Vault, page_id: UUID, *, number: int) -> CallbackAddress:
    secret = callback_secret(vault, page_id, number=number)
    return CallbackAddress(
        callback_url=f"{facebook.settings.public_url}/v1/hooks/facebook/{secret}",
        verify_token=verify_token(vault, page_id, number=number),
    )
