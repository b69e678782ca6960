"""Answers with the numbers masked in all that people wrote, for those who see the customer's number masked (rule D26). Pure."""

from __future__ import annotations

from typing import Any, Final, TypeVar
from uuid import UUID

from pydantic import BaseModel

from shared.phone.hiding import hidden

STARS: Final = "***"
"""What every masked number has in it."""
_WRITTEN: Final = frozenset(
    {
        *("name", "customer", "recipient", "label", "contact"),
        *("address", "detail", "ward", "district", "province"),
        *("note", "text", "answer", "reason", "blocked_reason", "cancel_reason", "do_not_call_reason"),
    }
)
"""Fields of answers that hold what a customer or a colleague wrote."""
_BY_KEY: Final = frozenset({"fields", "changes", "do_not_call_list"})
"""Fields whose values, by the company's own keys, may all be written."""
_IDS: Final = frozenset({"id", "tags"})

View = TypeVar("View", bound=BaseModel)


def hidden_in(view: View) -> View:
    """An answer, or what is nested in one, with the numbers masked in all that people wrote."""
    found = {name: _of_field(name, getattr(view, name)) for name in type(view).model_fields}
    return view.model_copy(update=found)


def unmasked(sent: str, present: str) -> str:
    """Whoever sends back a text that they were shown with stars in it has not changed it."""
    return present if STARS in sent and sent == hidden(present) else sent


def unmasked_values(sent: dict[str, Any], present: dict[str, Any]) -> dict[str, Any]:
    """The same of values by their names; those that are no texts are as they were sent."""

    def kept(value: Any, before: Any) -> Any:
        return unmasked(value, before) if isinstance(value, str) and isinstance(before, str) else value

    return {name: kept(value, present.get(name)) for name, value in sent.items()}


def _of_field(name: str, value: Any) -> Any:
    if isinstance(value, BaseModel):
        return hidden_in(value)
    if isinstance(value, list):
        return [_of_field(name, each) for each in value]
    if name in _BY_KEY:
        return _of_value(value)
    return hidden(value) if name in _WRITTEN and isinstance(value, str) else value


def _of_value(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: each if key in _IDS or key.endswith("_id") else _of_value(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_of_value(each) for each in value]
    return hidden(value) if isinstance(value, str) and not _is_id(value) else value


def _is_id(value: str) -> bool:
    try:
        return str(UUID(value)) == value
    except ValueError:
        return False
