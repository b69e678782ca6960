"""Settings of the orders service."""

from __future__ import annotations

from pydantic import Field, SecretStr

from shared.settings import Settings, WebAddress
from shared.vault import OptionalCredentialsKey


class OrdersSettings(Settings):
    """What orders reads besides the settings that every service has."""

    allow_waiting_stock: bool = Field(
        default=True,
        description="'cho phép chờ hàng': an order may be closed without enough stock; it is posted once it is reserved",
    )
    credentials_key: OptionalCredentialsKey = Field(
        default=SecretStr(""),
        description="32 random bytes in urlsafe base64, which encrypt the credentials of telephone systems and make the "
        "addresses that they and mail systems call; never in the database; '' = none can be connected",
    )
    public_url: WebAddress = Field(
        default="http://127.0.0.1:8102", description="address under which telephone and mail systems reach this service"
    )
    telephone_timeout: float = Field(
        default=8.0, gt=0, le=60, description="seconds that a telephone system may take to answer a click to call"
    )
    answer_within_hours: float = Field(
        default=4.0,
        gt=0,
        le=1000,
        description="hours of the working calendar within which a colleague answers, if the question names no time",
    )

    snooze_minutes: int = Field(
        default=30, ge=1, le=240, description="minutes at most for which a task steps back on the due list at a time"
    )
    snoozes_per_task: int = Field(default=3, ge=0, le=20, description="how often a task may be snoozed")

    promise_days: int = Field(
        default=35,
        ge=1,
        le=365,
        description="days ahead at most for which a customer is promised a call, where the step does not say (`max_days`)",
    )

    move_details_days: int = Field(
        default=90,
        ge=7,
        le=3650,
        description="days after which a move of running care forgets what it meant for each order; its counts stay",
    )

    blocked_deposit_percent: int = Field(
        default=0,
        ge=0,
        le=100,
        description="of the total, what a blocked customer ('bom hàng') must pay as a deposit for an order to be closed",
    )
