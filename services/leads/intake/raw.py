"""What the raw inbox keeps of an item besides its body, so that whoever corrects it later knows what was read of it and
where it came from. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

import orjson

from services.leads.intake.items import Candidate, Channel, Item, Origin, Rejection, Verdict
from services.leads.text import cell
from shared.phone.text import clean

MAX_FIELD: Final = 5_000
"""Characters kept of a field that was read."""
MAX_DIGITS: Final = 40
"""Digits by which an item can be found: two numbers and what is wrong with them."""

FIELDS: Final = ("phone", "other_phone", "name", "product", "note", "address")
_OF_ORIGIN: Final = ("campaign", "landing_page", "marketer", "asked_to_be_called", "consent_text", "consent_page")


def settled_columns(items: Sequence[Item], verdicts: Mapping[UUID, Verdict]) -> list[list[Any]]:
    """Verdict, reason, its words, fields, origin and digits: the columns of raw items that a settlement writes."""
    found = [verdicts[item.id] for item in items]
    unsaid: list[list[Any]] = [[empty] * len(items) for empty in ("", "", "", None, None, "")]
    for place, verdict in enumerate(found):
        if verdict.rejection is not None:
            for column, value in zip(unsaid, _rejected(items[place], verdict.rejection), strict=True):
                column[place] = value
    return [[verdict.verdict for verdict in found], *unsaid]


def _rejected(item: Item, reason: Rejection) -> tuple[str, str, str, str | None, str, str]:
    fields = {name: cell(text, MAX_FIELD) for name, text in reason.fields.items()}
    origin = {name: _stored(getattr(item.origin, name)) for name in _OF_ORIGIN}
    return (
        reason.code,
        reason.vi,
        reason.en,
        orjson.dumps(fields).decode() if fields else None,
        orjson.dumps(origin).decode(),
        digits_of(fields.get("phone", "") + fields.get("other_phone", "")),
    )


def _stored(value: Any) -> Any:
    return cell(value, MAX_FIELD) if isinstance(value, str) else value


def digits_of(text: str) -> str:
    """The digits of a text in whatever script, without what stands between them."""
    return "".join(sign for sign in clean(text[:MAX_FIELD]).text if "0" <= sign <= "9")[:MAX_DIGITS]


def fields_of(content: Candidate | Rejection) -> dict[str, str]:
    """What was read, as texts again."""
    if isinstance(content, Rejection):
        return dict(content.fields)
    texts = {name: getattr(content, name) for name in FIELDS if hasattr(content, name)}
    return {name: text for name, text in {"phone": content.typed, **texts}.items() if text}


def unprocessed(item: Item, reason: Rejection) -> Item:
    """The item as one that we failed to process, with what was read of it."""
    return replace(item, content=replace(reason, fields=fields_of(item.content)))


def origin_of(kept: Mapping[str, Any], *, channel: Channel, source_id: UUID | None, created_by: UUID | None) -> Origin:
    """The origin that was kept, as it was when the item arrived."""
    known = {name: value for name, value in kept.items() if name in _OF_ORIGIN}
    return Origin(channel=channel, source_id=source_id, created_by=created_by, **known)
