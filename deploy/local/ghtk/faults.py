"""Switches for everything that can go wrong between a shop and its carrier, and the dice that throw them.

Rates are probabilities from 0 to 1. Whether a fault hits is decided by the seed, the fault's name, the thing it would
hit (a reference, a callback) and how often that was tried, so that a run is repeatable whatever the order of calls.
"""

from collections import Counter
from random import Random
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Rate = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0, le=600)]


class Faults(BaseModel):
    """All switches; the default is a carrier that never fails."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    create_timeout: Rate = 0.0
    """Creates the shipment, never answers, and closes the connection after `create_timeout_seconds`."""
    create_timeout_seconds: Seconds = 0.0
    refuse_creation: Rate = 0.0
    """Answers a creation with success false and `refusal_message`; nothing is created."""
    refusal_message: str = "Địa chỉ giao hàng không thuộc khu vực phục vụ"
    cancelled_twin: Rate = 0.0
    """The reference already exists, cancelled (-1), before its first creation."""
    error_before: Rate = 0.0
    """Answers any call with a 5xx and does nothing."""
    error_after: Rate = 0.0
    """Does the work of any call and answers with a 5xx."""
    slow_answer: Rate = 0.0
    """Does the work of any call and answers `slow_answer_seconds` later."""
    slow_answer_seconds: Seconds = 1.0
    drop_callback: Rate = 0.0
    duplicate_callback: Rate = 0.0
    """Sends a callback twice although it was answered."""
    shuffle_callback: Rate = 0.0
    """Holds a callback back until the next one of the same shipment was sent, `shuffle_hold_seconds` at most."""
    shuffle_hold_seconds: Seconds = 5.0
    delay_callback: Rate = 0.0
    """Sends a callback up to `delay_callback_seconds` late; later ones may overtake it."""
    delay_callback_seconds: Seconds = 1.0


class Dice:
    """Repeatable randomness: the n-th throw for one fault and one key always falls alike for one seed."""

    def __init__(self, *, seed: int) -> None:
        self._seed = seed
        self._throws: Counter[tuple[str, str]] = Counter()

    def hits(self, fault: str, *, rate: float, key: str) -> bool:
        """Whether the fault named `fault` hits `key` this time."""
        return rate > 0 and self.fraction(fault, key=key) < rate

    def fraction(self, name: str, *, key: str) -> float:
        """A number in [0, 1)."""
        throw = self._throws[name, key]
        self._throws[name, key] += 1
        return Random(f"{self._seed}:{name}:{key}:{throw}").random()
