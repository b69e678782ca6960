"""Idempotency keys: a POST repeated under the same key has its effect once and gets the same answer for 24 hours."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from fastapi import Depends, Header, Request
from fastapi.responses import Response
from pydantic import BaseModel
from sqlalchemy import text

from shared.db import Database, Session
from shared.errors import Problem


class KeyReused(Problem):
    type = "idempotency-key-reused"
    status = 422
    vi = "Idempotency-Key này đã dùng cho một nội dung khác. Tạo khóa mới cho yêu cầu mới."
    en = "This Idempotency-Key was used for another body. Make a new key for a new request."


_CLAIM = text(
    """
INSERT INTO idempotency_keys (principal, route, key, request_hash) VALUES (:principal, :route, :key, :hash)
ON CONFLICT (principal, route, key) DO UPDATE
SET request_hash = excluded.request_hash, status = NULL, body = NULL, created_at = now()
WHERE idempotency_keys.created_at < now() - interval '24 hours'
RETURNING 1
"""
)
_STORED = text(
    "SELECT request_hash, status, body FROM idempotency_keys WHERE principal = :principal AND route = :route AND key = :key"
)
_ANSWER = text(
    "UPDATE idempotency_keys SET status = :status, body = CAST(:body AS json) "
    "WHERE principal = :principal AND route = :route AND key = :key"
)


@dataclass(frozen=True)
class Once:
    """Runs the effect of one request once. Without an Idempotency-Key header it simply runs it."""

    key: str | None
    route: str
    hash: bytes

    async def run(
        self,
        db: Database,
        principal: str,
        effect: Callable[[Session], Awaitable[BaseModel]],
        *,
        status: int = 201,
    ) -> Response:
        """The effect and its answer are committed together. A twin that runs meanwhile waits on the row and then gets
        the first one's answer; when the effect raises, the key is free again.

        Args:
            principal: who asks; keys of different principals do not meet.
            effect: does the work in the given session and returns the answer's model.

        Raises:
            KeyReused: the key was used with another body.
        """
        async with db.transaction() as session:
            if self.key is None:
                answer = await effect(session)
                return _response(status, answer.model_dump_json(), replayed=False)
            scope = {"principal": principal, "route": self.route, "key": self.key}
            claimed = (await session.execute(_CLAIM, {**scope, "hash": self.hash})).scalar()
            if claimed is None:
                stored = (await session.execute(_STORED, scope)).one()
                if bytes(stored.request_hash) != self.hash:
                    raise KeyReused
                return _response(stored.status, orjson.dumps(stored.body).decode(), replayed=True)
            body = (await effect(session)).model_dump_json()
            await session.execute(_ANSWER, {**scope, "status": status, "body": body})
            return _response(status, body, replayed=False)


def _response(status: int, body: str, *, replayed: bool) -> Response:
    headers = {"Idempotent-Replayed": "true"} if replayed else {}
    return Response(body, status_code=status, media_type="application/json", headers=headers)


def completed(answer: Response, whole: BaseModel) -> Response:
    """An answer of `Once.run` with what is not kept for repetitions of the request, such as a secret."""
    return _response(answer.status_code, whole.model_dump_json(), replayed="Idempotent-Replayed" in answer.headers)


async def once(
    request: Request,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
) -> Once:
    """The dependency of every POST that creates something."""
    route: Any = request.scope.get("route")
    path = f"{request.method} {getattr(route, 'path', request.url.path)} {sorted(request.path_params.items())}"
    return Once(idempotency_key, path, hashlib.sha256(await request.body()).digest())


OnceDep = Annotated[Once, Depends(once)]
