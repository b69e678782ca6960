"""Settings from the environment. A missing or weak one stops the process at start with a sentence that names it."""

from __future__ import annotations

import sys
from ipaddress import ip_network
from typing import Annotated, Literal, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

SettingsT = TypeVar("SettingsT", bound=BaseSettings)


def _is_an_address(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("must start with http:// or https://")
    return value.rstrip("/")


WebAddress = Annotated[str, AfterValidator(_is_an_address)]
"""The beginning of URLs, without a slash at its end."""


class Settings(BaseSettings):
    """What every process of every service reads. Temporal's own settings are `TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`,
    `TEMPORAL_API_KEY`, `TEMPORAL_TLS…`, read by the SDK's envconfig."""

    model_config = SettingsConfigDict(env_prefix="CHOT_", extra="ignore", frozen=True)

    database_url: str = Field(description="postgresql://user:password@host:5432/database of this service")
    database_direct_url: str = Field(
        default="",
        description="the same database past any pooler, for the relay's advisory lock; default: database_url",
    )
    database_pool_size: int = Field(default=10, ge=1, le=200, description="connections a process keeps at most")
    nats_url: str = Field(default="nats://127.0.0.1:4222", description="one or several addresses, by comma")
    nats_replicas: int = Field(
        default=1, ge=1, le=5, description="servers that hold each event; 3 on a cluster, so that one may fail"
    )
    http_host: str = Field(default="127.0.0.1", description="address to listen on")
    http_port: int = Field(default=8100, ge=0, le=65535, description="port to listen on")
    jwks_url: str = Field(
        default="http://127.0.0.1:8105/.well-known/jwks.json", description="public keys of whoever signs the tokens"
    )
    token_issuer: str = Field(default="chot", description="'iss' that tokens must carry")
    token_audience: str = Field(default="chot", description="'aud' that tokens must carry")
    timezone: str = Field(default="Asia/Ho_Chi_Minh", description="the company's zone: a day is 00:00-24:00 there")
    cors_origins: str = Field(
        default="", description="web pages of other addresses that may call this service, by comma; '' = none"
    )
    trusted_proxies: str = Field(
        default="127.0.0.1,::1",
        description="addresses or networks of the proxies in front, whose X-Forwarded-For is believed, by comma; "
        "sign-in is limited by the caller's address",
    )
    log_format: Literal["json", "console"] = "json"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("database_url", "database_direct_url")
    @classmethod
    def _is_postgresql(cls, value: str) -> str:
        if value and not value.startswith(("postgresql://", "postgres://")):
            raise ValueError("must start with postgresql://")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        for each in filter(None, (part.strip() for part in value.split(","))):
            try:
                ip_network(each)
            except ValueError:
                raise ValueError(f"'{each}' is neither an address nor a network such as 10.0.0.0/8") from None
        return value

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"'{value}' is not a zone of the IANA database, such as Asia/Ho_Chi_Minh") from None
        return value

    @property
    def direct_url(self) -> str:
        return self.database_direct_url or self.database_url


def _words(problem: ErrorDetails) -> str:
    """What is wrong, in the words of the check alone: pydantic puts the kind of exception before them."""
    raised = problem.get("ctx", {}).get("error")
    return str(raised) if problem["type"] == "value_error" and raised is not None else problem["msg"]


def load(settings: type[SettingsT]) -> SettingsT:
    """Reads the settings, or ends the process with exit code 2 and one line for each setting that is wrong."""
    try:
        return settings()
    except ValidationError as error:
        prefix = settings.model_config.get("env_prefix", "")
        for problem in error.errors(include_input=False, include_url=False):
            name = f"{prefix}{'_'.join(str(part) for part in problem['loc'])}".upper()
            field = settings.model_fields.get(str(problem["loc"][0])) if problem["loc"] else None
            about = f" ({field.description})" if field and field.description else ""
            sys.stderr.write(f"Setting {name}{about}: {_words(problem)}.\n")
        raise SystemExit(2) from None
