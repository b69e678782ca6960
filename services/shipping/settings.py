"""Settings of the shipping service."""

from __future__ import annotations

from pydantic import Field

from shared.settings import Settings, WebAddress
from shared.vault import CredentialsKey


class ShippingSettings(Settings):
    """What shipping reads besides the settings that every service has."""

    credentials_key: CredentialsKey = Field(
        description="32 random bytes in urlsafe base64, which encrypt the carriers' credentials; never in the database"
    )
    public_url: WebAddress = Field(
        default="http://127.0.0.1:8103", description="address under which carriers reach this service's callbacks"
    )
    carrier_timeout: float = Field(default=15.0, gt=0, le=60, description="seconds that a carrier may take to answer")
    polling_pace: float = Field(
        default=1.0,
        gt=0,
        le=10,
        description="factor of all pauses between two looks at a shipment; far below 1 only against a simulated carrier",
    )
