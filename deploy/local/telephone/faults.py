"""Switches for what telephone systems do that nobody expects of them."""

from pydantic import BaseModel, ConfigDict

from deploy.local.simulator.dice import Rate, Seconds


class Faults(BaseModel):
    """All switches; the default is a system that tells everything once, in order. Rates are probabilities from 0 to 1."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    doubled: Rate = 0.0
    """Sends an event twice although it was answered."""
    reordered: Rate = 0.0
    """Sends the events of a call in any order."""
    late: Rate = 0.0
    """Sends an event up to `late_seconds` late."""
    late_seconds: Seconds = 30.0
    no_answered: Rate = 0.0
    """Never tells that a call was answered; only its end says how long was spoken."""
    no_ended: Rate = 0.0
    """Never tells that a call has ended."""
    wrong_address: Rate = 0.0
    """Sends an event, besides, to an address with another secret: somebody guesses, or an old address is still entered."""
    unreadable: Rate = 0.0
    """Sends, besides, something that is no event."""
