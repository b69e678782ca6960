"""Settings of the shipping service."""

from __future__ import annotations

import base64
import binascii
from typing import Final

from pydantic import Field, SecretStr, field_validator

from shared.settings import Settings

KEY_BYTES: Final = 32
"""AES-256."""
DISTINCT_BYTES: Final = 16
"""A random key of 32 bytes has fewer different ones about once in 10^13 keys; a typed-in key nearly always."""


def decode_key(text: str) -> bytes:
    """A key from urlsafe base64, padded or not.

    Raises:
        ValueError: it is not 32 bytes in that form, or not random.
    """
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("must be urlsafe base64") from None
    if len(key) != KEY_BYTES:
        raise ValueError(f"must be {KEY_BYTES} bytes in urlsafe base64, not {len(key)}")
    if len(set(key)) < DISTINCT_BYTES:
        raise ValueError("is too weak; make one with: openssl rand -base64 32 | tr '+/' '-_'")
    return key


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
