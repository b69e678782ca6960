"""Settings of the shipping service."""

from __future__ import annotations

from pydantic import Field, SecretStr, field_validator

from shared.settings import Settings
from shared.vault import decode_key


class ShippingSettings(Settings):
    """What shipping reads besides the settings that every service has."""

    credentials_key: SecretStr = Field(
        description="32 random bytes in urlsafe base64, which encrypt the carriers' credentials; never in the database"
    )
    public_url: str = Field(
        default="http://127.0.0.1:8103", description="address under which carriers reach this service's callbacks"
    )
    carrier_timeout: float = Field(default=15.0, gt=0, le=60, description="seconds that a carrier may take to answer")
    polling_pace: float = Field(
        default=1.0,
        gt=0,
        le=10,
        description="factor of all pauses between two looks at a shipment; far below 1 only against a simulated carrier",
    )

    @field_validator("credentials_key")
    @classmethod
    def _is_a_key(cls, value: SecretStr) -> SecretStr:
        decode_key(value.get_secret_value())
        return value

    @field_validator("public_url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        return value.rstrip("/")
