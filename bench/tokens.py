"""Signs tokens for the benchmark's requests and serves the public key, in the place of the staff service."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from joserfc import jwt
from joserfc.jwk import OKPKey
from uuid_utils.compat import uuid7

from bench.machine import free_port


@dataclass(frozen=True)
class Issuer:
    key: OKPKey
    jwks_url: str

    def token(self, *permissions: str) -> str:
        """A bearer token for an hour."""
        now = int(time.time())
        claims = {
            "iss": "chot",
            "aud": "chot",
            "sub": str(uuid7()),
            "code": "BENCH",
            "permissions": list(permissions),
            "epoch": 0,
            "iat": now,
            "exp": now + 3600,
        }
        return jwt.encode({"alg": "Ed25519", "kid": "bench"}, claims, self.key, algorithms=["Ed25519"])


@asynccontextmanager
async def issuer() -> AsyncIterator[Issuer]:
    """A key and its public half over HTTP."""
    key = OKPKey.generate_key("Ed25519", {"kid": "bench"})
    body = json.dumps({"keys": [key.as_dict(private=False)]}).encode()
    answer = (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: "
        + str(len(body)).encode()
        + b"\r\n\r\n"
        + body
    )

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    port = free_port()
    async with await asyncio.start_server(serve, "127.0.0.1", port):
        yield Issuer(key, f"http://127.0.0.1:{port}/.well-known/jwks.json")
