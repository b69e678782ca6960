"""The simulator as an ASGI application; `app.state.exchange` is its inside."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request, status
from pydantic import BaseModel, ConfigDict, Field

from deploy.local.telephone.exchange import Exchange
from deploy.local.telephone.faults import Faults
from deploy.local.telephone.model import Settings, SettingsChange, Stats
from deploy.local.telephone.stringee import CALLOUT


def _exchange(request: Request) -> Exchange:
    exchange: Exchange = request.app.state.exchange
    return exchange


Here = Annotated[Exchange, Depends(_exchange)]


class NewCall(BaseModel):
    """A call that takes place now; without `talks` nobody answers."""

    model_config = ConfigDict(extra="forbid")

    user: str = Field(max_length=60, examples=["nv01"], description="the extension")
    phone: str = Field(max_length=40, examples=["0912345678"])
    rings: float = Field(default=5, ge=0, le=120)
    talks: float | None = Field(default=None, ge=0, le=3600)
    cause: str = Field(default="", max_length=100, examples=["486 Busy Here"])


rest = APIRouter(tags=["REST, as Stringee's"])
control = APIRouter(prefix="/_simulator", tags=["control"])


@rest.post(CALLOUT)
async def callout(exchange: Here, request: Request) -> dict[str, Any]:
    """A click to call."""
    return exchange.click(request.headers, await request.body())


@control.get("/stats")
async def read_stats(exchange: Here) -> Stats:
    return exchange.stats


@control.put("/faults")
async def put_faults(exchange: Here, faults: Faults) -> Faults:
    """Replaces all switches: what is left out is switched off."""
    exchange.faults = faults
    return faults


@control.get("/settings")
async def read_settings(exchange: Here) -> Settings:
    return exchange.settings


@control.patch("/settings")
async def change_settings(exchange: Here, change: SettingsChange) -> Settings:
    """Changes what is named: whom to tell, and what customers do who are called by a click."""
    return exchange.change(change)


@control.post("/outgoing", status_code=status.HTTP_201_CREATED)
async def call_out(exchange: Here, body: NewCall) -> dict[str, str]:
    """Somebody of ours calls a number, without a click."""
    made = exchange.call_out(body.user, body.phone, rings=body.rings, talks=body.talks, cause=body.cause)
    return {"call_id": made}


@control.post("/incoming", status_code=status.HTTP_201_CREATED)
async def call_in(exchange: Here, body: NewCall) -> dict[str, str]:
    """A number calls us."""
    made = exchange.call_in(body.phone, body.user, rings=body.rings, talks=body.talks, cause=body.cause)
    return {"call_id": made}


@control.post("/drain", status_code=status.HTTP_204_NO_CONTENT)
async def drain(exchange: Here) -> None:
    """Answers once every call has ended and was told."""
    await exchange.drain()


def create_app(exchange: Exchange) -> FastAPI:
    """A telephone system on which nobody has called yet."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with exchange.running():
            yield

    app = FastAPI(title="Telephone simulator", lifespan=lifespan)
    app.state.exchange = exchange
    app.include_router(control)
    app.include_router(rest)
    return app
