"""Settings of the staff service."""

from __future__ import annotations

from pydantic import Field, SecretStr, field_validator

from services.staff.domain import BOOTSTRAP_LOGIN, check_password
from services.staff.tokens import read_private_key, read_public_key
from shared.errors import Problem
from shared.settings import Settings


class StaffSettings(Settings):
    """Also read: the key that signs tokens, and the password of the first account."""

    token_signing_key: SecretStr = Field(
        description="Ed25519 private key as PEM, made with `openssl genpkey -algorithm ed25519`"
    )
    token_previous_key: str = Field(
        default="",
        description="public key, as PEM, of the signing key before this one; set it for 15 minutes after a change of keys",
    )
    bootstrap_password: SecretStr = Field(
        default=SecretStr(""),
        description=f"password of the account '{BOOTSTRAP_LOGIN}', made at the first start while there are no accounts",
    )

    @field_validator("token_signing_key")
    @classmethod
    def _signs(cls, value: SecretStr) -> SecretStr:
        read_private_key(value.get_secret_value())
        return value

    @field_validator("token_previous_key")
    @classmethod
    def _verifies(cls, value: str) -> str:
        if value:
            read_public_key(value)
        return value

    @field_validator("bootstrap_password")
    @classmethod
    def _is_strong(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value():
            try:
                check_password(value.get_secret_value(), login=BOOTSTRAP_LOGIN)
            except Problem as problem:
                raise ValueError(problem.detail("en").rstrip(".")) from None
        return value
