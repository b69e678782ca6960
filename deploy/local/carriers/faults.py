"""Switches for everything that can go wrong between a shop and its carrier."""

from pydantic import BaseModel, ConfigDict

from deploy.local.simulator.dice import Rate, Seconds


class Faults(BaseModel):
    """All switches, as rates from 0 to 1 unless seconds or text; the default is a carrier that never fails."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    create_timeout: Rate = 0.0
    """Creates the shipment, never answers, and closes the connection after `create_timeout_seconds`."""
    create_timeout_seconds: Seconds = 0.0
    refuse_creation: Rate = 0.0
    """Answers a creation with the carrier's no and `refusal_message`; nothing is created."""
    refusal_message: str = "Địa chỉ giao hàng không thuộc khu vực phục vụ"
    cancelled_twin: Rate = 0.0
    """The reference already exists, cancelled, before its first creation."""
    error_before: Rate = 0.0
    """Answers any call with a 5xx and does nothing."""
    error_after: Rate = 0.0
    """Does the work of any call and answers with a 5xx."""
    slow_answer: Rate = 0.0
    """Does the work of any call and answers `slow_answer_seconds` later."""
    slow_answer_seconds: Seconds = 1.0
    rate_limit: Rate = 0.0
    """Answers any call with HTTP 429 and does nothing."""
    drop_callback: Rate = 0.0
    """Never sends a callback."""
    duplicate_callback: Rate = 0.0
    """Sends a callback twice although it was answered."""
    shuffle_callback: Rate = 0.0
    """Holds a callback back until the next one of the same shipment was sent, `shuffle_hold_seconds` at most."""
    shuffle_hold_seconds: Seconds = 5.0
    delay_callback: Rate = 0.0
    """Sends a callback up to `delay_callback_seconds` late; later ones may overtake it."""
    delay_callback_seconds: Seconds = 1.0
