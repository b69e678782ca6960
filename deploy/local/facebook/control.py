"""The control API under `/_simulator`: what the demo and people use; Facebook has nothing like it."""

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request, status
from pydantic import BaseModel, ConfigDict, Field

from deploy.local.facebook.faults import Faults
from deploy.local.facebook.model import Page, Stats
from deploy.local.facebook.world import HandshakeFailed, World

router = APIRouter(prefix="/_simulator", tags=["control"])


def _world(request: Request) -> World:
    world: World = request.app.state.world
    return world


Here = Annotated[World, Depends(_world)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewPage(_Body):
    page_id: str = Field(default="", pattern=r"^[0-9]{0,40}$")
    name: str = "Shop Sao Mai"


class NewForm(_Body):
    page_id: str
    name: str = "Serum 30"


class NewLead(_Body):
    form_id: str
    phone: str
    name: str = "Nguyễn Thị Lan"
    fields: dict[str, str] = {}


class NewMessage(_Body):
    page_id: str
    psid: str
    text: str


class Callback(_Body):
    url: str
    verify_token: str


@router.get("/stats")
async def read_stats(world: Here) -> Stats:
    return world.stats


@router.put("/faults")
async def put_faults(world: Here, faults: Faults) -> Faults:
    """Replaces all switches: what is left out is switched off."""
    world.set_faults(faults)
    return world.faults


@router.post("/pages", status_code=status.HTTP_201_CREATED)
async def add_page(world: Here, body: NewPage) -> dict[str, str]:
    page = world.add_page(page_id=body.page_id, name=body.name)
    return {
        "page_id": page.id,
        "access_token": page.token,
        "app_id": world.settings.app_id,
        "app_secret": world.settings.app_secret,
    }


@router.post("/forms", status_code=status.HTTP_201_CREATED)
async def add_form(world: Here, body: NewForm) -> dict[str, str]:
    return {"form_id": world.add_form(_page(world, body.page_id), name=body.name).id}


@router.post("/leads", status_code=status.HTTP_201_CREATED)
async def add_lead(world: Here, body: NewLead) -> dict[str, str]:
    form = world.forms.get(body.form_id)
    if form is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"no form {body.form_id}")
    return {"leadgen_id": world.submit(form, phone=body.phone, name=body.name, fields=body.fields).id}


@router.post("/messages", status_code=status.HTTP_201_CREATED)
async def add_message(world: Here, body: NewMessage) -> dict[str, str]:
    return {"mid": world.write(_page(world, body.page_id), body.psid, body.text)}


@router.post("/callback", status_code=status.HTTP_204_NO_CONTENT)
async def enter_callback(world: Here, body: Callback) -> None:
    """Meta's handshake with a callback address, which is used from then on."""
    try:
        await world.enter_callback(body.url, body.verify_token)
    except HandshakeFailed as error:
        raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, f"the handshake failed: {error}") from None


@router.post("/pages/{page_id}/expire-token", status_code=status.HTTP_204_NO_CONTENT)
async def expire_token(world: Here, page_id: str) -> None:
    world.renew_token(_page(world, page_id))


@router.post("/pages/{page_id}/drop-subscription", status_code=status.HTTP_204_NO_CONTENT)
async def drop_subscription(world: Here, page_id: str) -> None:
    _page(world, page_id).subscribed_fields = ()


def _page(world: World, page_id: str) -> Page:
    page = world.pages.get(page_id)
    if page is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"no page {page_id}")
    return page
