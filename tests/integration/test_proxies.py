"""For whom a request is made is believed of the proxies that the settings name, and of nobody else."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from fastapi import FastAPI, Request
from pydantic import ValidationError

from deploy.local.ports import free_port
from shared.http import serve
from shared.settings import Settings
from tests.harness import eventually


async def caller_seen(*, trusted: str, forwarded_for: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address that a request seems to come from."""
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")  # the server's own variable, which must not decide
    app = FastAPI()

    @app.get("/who")
    def who(request: Request) -> str:
        assert request.client is not None
        return request.client.host

    port = free_port()
    serving = asyncio.create_task(serve(app, host="127.0.0.1", port=port, trusted_proxies=trusted))

    async def answered() -> str:
        async with httpx.AsyncClient(trust_env=False) as client:
            try:
                answer = await client.get(f"http://127.0.0.1:{port}/who", headers={"X-Forwarded-For": forwarded_for})
            except httpx.TransportError:
                return ""
            return str(answer.json())

    try:
        return await eventually(answered)
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


@pytest.mark.parametrize(
    ("trusted", "forwarded_for", "seen"),
    [
        ("127.0.0.0/8", "203.0.113.9", "203.0.113.9"),
        ("127.0.0.1, 10.0.0.0/8", "198.51.100.1, 203.0.113.9, 10.1.2.3", "203.0.113.9"),
        ("10.0.0.0/8", "203.0.113.9", "127.0.0.1"),
        ("", "203.0.113.9", "127.0.0.1"),
    ],
    ids=["a trusted proxy", "what a caller made up before it", "another proxy", "none"],
)
async def test_the_caller_is_whom_a_trusted_proxy_names(
    monkeypatch: pytest.MonkeyPatch, trusted: str, forwarded_for: str, seen: str
) -> None:
    assert await caller_seen(trusted=trusted, forwarded_for=forwarded_for, monkeypatch=monkeypatch) == seen


def test_what_is_no_address_is_refused_by_name() -> None:
    with pytest.raises(ValidationError, match="'ingress' is neither an address nor a network"):
        Settings(database_url="postgresql://chot@127.0.0.1/x", trusted_proxies="10.0.0.1, ingress")
