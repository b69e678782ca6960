"""The public keys with which every service checks tokens."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from services.staff.api.dependencies import DeskDep

router = APIRouter(tags=["sign-in"])


@router.get("/.well-known/jwks.json")
async def jwks(desk: DeskDep, response: Response) -> dict[str, Any]:
    """The JSON Web Key Set (RFC 7517): the signing key and, after a change of keys, the one before."""
    response.headers["Cache-Control"] = "public, max-age=300"
    return desk.signer.jwks
