"""The bare processes that ours are measured against: the same server, framework, drivers and engines, no product.

Run as `python -m bench.bare intake|callbacks|idle PORT DATABASE_URL`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import uvicorn
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel
from uuid_utils.compat import uuid7

SECRET = b"bench"

SCHEMA = """
CREATE TABLE IF NOT EXISTS bare_keys (key text PRIMARY KEY);
CREATE TABLE IF NOT EXISTS bare_leads (id uuid PRIMARY KEY, phone text NOT NULL, name text, product text);
CREATE TABLE IF NOT EXISTS bare_outbox (id uuid PRIMARY KEY, payload json NOT NULL);
CREATE TABLE IF NOT EXISTS bare_inbox (id uuid PRIMARY KEY, headers json NOT NULL, body bytea NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now());
"""

INTAKE = """
WITH key AS (INSERT INTO bare_keys VALUES ($1) ON CONFLICT DO NOTHING),
lead AS (INSERT INTO bare_leads VALUES ($2, $3, $4, $5))
INSERT INTO bare_outbox VALUES ($6, $7)
"""


class Lead(BaseModel):
    phone: str
    name: str = ""
    product: str = ""


def intake(database_url: str) -> FastAPI:
    """One asyncpg statement that writes idempotency key, lead and outbox row; no check, no rule."""
    app = FastAPI(lifespan=_pool(database_url))

    @app.post("/leads", status_code=201)
    async def create(lead: Lead) -> dict[str, str]:
        lead_id = uuid7()
        await app.state.pool.execute(
            INTAKE, str(lead_id), lead_id, lead.phone, lead.name, lead.product, uuid7(), lead.model_dump_json()
        )
        return {"id": str(lead_id)}

    return app


def callbacks(database_url: str) -> FastAPI:
    """HMAC of the raw body, JSON, one insert into a raw inbox."""
    app = FastAPI(lifespan=_pool(database_url))

    @app.post("/callbacks")
    async def receive(request: Request) -> Response:
        body = await request.body()
        hmac.compare_digest(hmac.new(SECRET, body, hashlib.sha256).digest(), b"x" * 32)
        json.loads(body)
        await app.state.pool.execute(
            "INSERT INTO bare_inbox (id, headers, body) VALUES ($1, $2, $3)", uuid7(), "{}", body
        )
        return Response()

    return app


def idle(database_url: str) -> FastAPI:
    """What every service has in hand and nothing else: a database engine, NATS, a Temporal client, all connected.

    The addresses are in `CHOT_NATS_URL` and `TEMPORAL_ADDRESS`, as for a service.
    """
    # Here, so that the other two processes do not carry them.
    import nats
    from sqlalchemy import text
    from sqlalchemy.ext.asyncio import create_async_engine
    from temporalio.client import Client

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        engine = create_async_engine(database_url.replace("postgresql://", "postgresql+asyncpg://", 1))
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
        app.state.connected = [
            await nats.connect(os.environ["CHOT_NATS_URL"]),
            await Client.connect(os.environ["TEMPORAL_ADDRESS"]),
        ]
        yield

    return FastAPI(lifespan=lifespan)


def _pool(database_url: str):  # type: ignore[no-untyped-def]  # FastAPI's own lifespan type is not exported
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with asyncpg.create_pool(database_url, min_size=10, max_size=10) as pool:
            app.state.pool = pool
            yield

    return lifespan


if __name__ == "__main__":
    which, port, url = sys.argv[1:]
    uvicorn.run(
        {"intake": intake, "callbacks": callbacks, "idle": idle}[which](url),
        port=int(port),
        log_level="error",
        access_log=False,
    )
