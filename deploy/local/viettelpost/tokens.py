"""Tokens that the simulated ViettelPost issues. They say themselves what they are, so that nothing has to remember them."""

import hmac
from datetime import timedelta
from typing import Literal

from deploy.local.carriers.simulation import Simulation
from deploy.local.viettelpost.model import own

Kind = Literal["short", "long"]
SHORT_LIVED = timedelta(minutes=30)


def issue(simulation: Simulation, kind: Kind) -> tuple[str, int]:
    """A token, and when it ends, in milliseconds since 1970."""
    settings = own(simulation.settings)
    lifetime = SHORT_LIVED if kind == "short" else timedelta(seconds=settings.token_lifetime_seconds)
    expires = int((simulation.now() + lifetime).timestamp() * 1000)
    content = f"{kind}.{settings.token_generation}.{next(simulation.carrier.numbers)}.{expires}"
    return f"{content}.{_seal(simulation, content)}", expires


def accepts(simulation: Simulation, token: str, kind: Kind) -> bool:
    """Whether a token was issued here, for this, and has not ended."""
    settings = own(simulation.settings)
    portal = settings.portal_token if kind == "long" and settings.token_generation == 1 else ""
    if portal and hmac.compare_digest(token.encode(), portal.encode()):
        return True
    content, _, seal = token.rpartition(".")
    if not hmac.compare_digest(seal.encode(), _seal(simulation, content).encode()):
        return False
    named, generation, _, expires = content.split(".")
    ends = int(expires) / 1000
    return named == kind and int(generation) == settings.token_generation and simulation.now().timestamp() < ends


def _seal(simulation: Simulation, content: str) -> str:
    return hmac.new(f"seed {simulation.settings.seed}".encode(), content.encode(), "sha256").hexdigest()
