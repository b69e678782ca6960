"""What the simulator is told and what it says of itself."""

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """Whom it tells, and what customers do who are called by a click."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    hook_url: str = ""
    """The `hook_url` of the system in Chốt; without one nothing is told."""
    token: str = "jwt-of-the-project"
    """What a click to call must show in X-STRINGEE-AUTH."""
    pace: float = Field(default=0.1, ge=0, le=1)
    """Seconds of the wall clock for each second of a call. Below 1 its times lie ahead of the clock by the end, so a call
    begins as much earlier as it then lasts; 0 tells everything at once."""
    rings: float = Field(default=5, ge=0, le=120)
    """Seconds until a customer answers, or the call is given up."""
    talks: float | None = Field(default=60, ge=0, le=3600)
    """Seconds that a customer speaks who is called by a click; null: nobody answers."""
    cause: str = Field(default="", max_length=100)
    """How a call ends; left out, as a call ends that was answered, or not."""
    retry_seconds: tuple[float, ...] = (1, 5, 30)
    """When an event is sent again that was not answered with 2xx."""


class SettingsChange(BaseModel):
    """What is left out stays."""

    model_config = ConfigDict(extra="forbid")

    hook_url: str | None = None
    token: str | None = None
    pace: float | None = Field(default=None, ge=0, le=1)
    rings: float | None = Field(default=None, ge=0, le=120)
    talks: float | None = Field(default=None, ge=0, le=3600)
    cause: str | None = Field(default=None, max_length=100)


class Stats(BaseModel):
    """Counts since the start."""

    calls: int = 0
    clicks: int = 0
    clicks_refused: int = 0
    events: int = 0
    """That there were to tell, without repeats."""
    withheld: int = 0
    """Never told, because of a fault."""
    sent: int = 0
    answered: int = 0
    """With 2xx."""
    refused: int = 0
    """Not with 2xx, or not at all; sent again."""
    given_up: int = 0
    strangers_refused: int = 0
    """Of those to a wrong address: answered with 404, as they should be."""
    strangers_taken: int = 0
    """Of those to a wrong address: answered with 2xx. More than 0 is a hole."""
