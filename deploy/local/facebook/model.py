"""What Facebook knows: pages, forms, leads, and the app that reads them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field


class SimulatorSettings(BaseModel):
    """What does not change while it runs."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    app_id: str = "871234500000001"
    app_secret: str = "simulated-facebook-app-secret"
    seed: int = 1
    batch_pushes: int = Field(default=1, ge=1, le=1_000)
    """Updates put into one push at most; Facebook's most are 1,000."""
    push_timeout_seconds: float = 5.0
    retry_seconds: tuple[float, ...] = (0.0, 0.05, 0.2, 1.0)
    """Pauses before the resends of a push that was not answered 200. Facebook: at once, then less often for 36 hours."""
    unsubscribe_after_failures: int = 50
    """Pushes of a page given up in a row, after which the app is unsubscribed from it. Facebook: after an hour."""


@dataclass(frozen=True, slots=True)
class Lead:
    """A form that a customer sent."""

    id: str
    sequence: int
    form_id: str
    page_id: str
    created: datetime
    listed_at: datetime
    """From then on its form's list shows it."""
    field_data: list[dict[str, object]]
    ad: dict[str, str]
    """ad_id, adset_id, campaign_id, campaign_name; empty for an organic one."""
    disclaimers: list[dict[str, str]]


@dataclass(slots=True)
class Form:
    id: str
    page_id: str
    name: str
    leads: list[Lead] = field(default_factory=list)


@dataclass(slots=True)
class Page:
    id: str
    name: str
    token: str
    subscribed_fields: tuple[str, ...] = ()
    """Empty: our app is not subscribed."""
    allowed_fields: frozenset[str] | None = None
    """What our app may subscribe to; None: everything."""
    failures: int = 0
    """Pushes given up in a row."""


class Stats(BaseModel):
    """Counters since the start."""

    calls: dict[str, int] = {}
    """Calls of the Graph API by operation, refused ones too."""
    unauthorised: int = 0
    server_errors: int = 0
    rate_limited: int = 0
    updates: int = 0
    """Leads and messages there were to push."""
    dropped: int = 0
    duplicated: int = 0
    delayed: int = 0
    unsubscribed_updates: int = 0
    """Not pushed because our app was not subscribed."""
    pushes_sent: int = 0
    pushes_answered: int = 0
    pushes_given_up: int = 0
    unsubscriptions: int = 0

    def count_call(self, operation: str) -> None:
        self.calls[operation] = self.calls.get(operation, 0) + 1


def facebook_time(moment: datetime) -> str:
    """'2026-11-21T02:00:00+0000'"""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")
