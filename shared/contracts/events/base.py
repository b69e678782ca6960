"""What an event type is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel

from shared.contracts.base import Contract


@dataclass(frozen=True)
class EventType:
    """A fact that a service tells the others.

    Args:
        name: type and NATS subject in one, `<service>.<entity>.<fact>.v<N>`.
        model: the pydantic model of its data. Fields are only added, with defaults.
    """

    name: str
    model: type[Contract]

    @property
    def service(self) -> str:
        return self.name.split(".", 1)[0]

    @property
    def personal(self) -> frozenset[str]:
        """Dotted names of the fields that hold personal data."""
        return frozenset(_personal_fields(self.model))


def _personal_fields(model: type[BaseModel], prefix: str = "") -> list[str]:
    found: list[str] = []
    for name, field in model.model_fields.items():
        extra: Any = field.json_schema_extra
        if isinstance(extra, dict) and extra.get("personal"):
            found.append(prefix + name)
            continue
        for inner in (field.annotation, *get_args(field.annotation)):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                found += _personal_fields(inner, f"{prefix}{name}.")
    return found
