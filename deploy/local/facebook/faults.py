"""Switches for everything that can go wrong between Facebook and a shop."""

from pydantic import BaseModel, ConfigDict

from deploy.local.simulator.dice import Rate, Seconds


class Faults(BaseModel):
    """All switches; the default is a Facebook that never fails. Rates are probabilities from 0 to 1."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    drop_push: Rate = 0.0
    """Never sends a push."""
    duplicate_push: Rate = 0.0
    """Sends a push twice although it was answered."""
    delay_push: Rate = 0.0
    """Sends a push up to `delay_push_seconds` late."""
    delay_push_seconds: Seconds = 1.0
    server_error: Rate = 0.0
    """Answers a call of the Graph API with a 5xx."""
    rate_limit: Rate = 0.0
    """Answers a call with one of the errors 4, 17, 32, 613 and 80005."""
    late_listing: Rate = 0.0
    """Shows a lead in its form's list only `late_listing_seconds` after it was created."""
    late_listing_seconds: Seconds = 1.0
