"""Signing in, staying signed in, signing out. These routes need no token: they are how one gets it."""

from __future__ import annotations

from fastapi import APIRouter, Response

from services.staff.api.dependencies import DeskDep, NetworkDep
from services.staff.api.schemas import Credentials, Renewal, SignedIn, signed_in

router = APIRouter(prefix="/v1", tags=["sign-in"])


def unstored(response: Response) -> None:
    """Tells browsers and proxies to keep no copy of an answer with tokens."""
    response.headers["Cache-Control"] = "no-store"


@router.post("/sign-in")
async def sign_in(credentials: Credentials, desk: DeskDep, network: NetworkDep, response: Response) -> SignedIn:
    """Đăng nhập: an access token for 15 minutes and a refresh token for 7 days.

    Ten wrong passwords within 15 minutes lock the login name for 15 minutes, a hundred lock the network address. While
    `account.must_change_password` holds, the access token has no permissions; it is good for `POST /v1/me/password`.
    """
    unstored(response)
    return signed_in(
        await desk.signing_in.sign_in(
            login=credentials.login, password=credentials.password.get_secret_value(), network=network
        )
    )


@router.post("/token/refresh")
async def refresh(renewal: Renewal, desk: DeskDep, response: Response) -> SignedIn:
    """New tokens, with the account's present permissions. Each refresh token is good for one renewal; if an old one
    comes back later than 10 seconds after its use, the session is closed, because somebody else may have it."""
    unstored(response)
    return signed_in(await desk.signing_in.refresh(renewal.refresh_token.get_secret_value()))


@router.post("/sign-out", status_code=204)
async def sign_out(renewal: Renewal, desk: DeskDep) -> None:
    """Đăng xuất: ends the session of a refresh token. Its last access token ends by itself within 15 minutes."""
    await desk.signing_in.sign_out(renewal.refresh_token.get_secret_value())
