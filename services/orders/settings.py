"""Settings of the orders service."""

from __future__ import annotations

from pydantic import Field

from shared.settings import Settings


class OrdersSettings(Settings):
    """What orders reads besides the settings that every service has."""

    allow_waiting_stock: bool = Field(
        default=True,
        description="'cho phép chờ hàng': an order may be closed without enough stock; it is posted once it is reserved",
    )
