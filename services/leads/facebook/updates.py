"""What Facebook pushes → leads that are announced, and messages. Pure.

Sources: Meta's "Retrieving Leads" and "Messenger Platform, Webhook Events", 2026. Ids come as numbers or strings, several
entries and changes in one push, leads and messages mixed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from services.leads.facebook.documents import dumps, loads
from services.leads.text import cell

MAX_ID: Final = 200
"""Characters of an id; Facebook's are much shorter."""
MAX_TEXT: Final = 20_000
"""Characters of a message that are kept; Messenger takes 2,000."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """A lead exists. Nothing in it is personal."""

    page_id: str
    leadgen_id: str
    form_id: str
    ad_id: str
    created_time: datetime | None


@dataclass(frozen=True, slots=True)
class Message:
    """The customer wrote, or pressed a button whose label then is the text. `body` is the event as it came."""

    page_id: str
    psid: str
    mid: str
    at: datetime
    text: str
    attachments: tuple[str, ...]
    ad_id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Updates:
    """What one push says. `unread` counts updates that are ours to know but lack what they must have."""

    leads: list[Announcement] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    referrals: list[tuple[str, str, str]] = field(default_factory=list)
    """Page, customer, advertisement: which one a conversation began with."""
    unread: int = 0


class Unreadable(ValueError):
    """The body is not what Facebook's documentation says; the message tells why."""


def read_updates(body: bytes, *, received_at: datetime) -> Updates:
    """Reads a push.

    Args:
        received_at: stands in for times that are missing or absurd.

    Raises:
        Unreadable: nothing of it can be understood.
    """
    try:
        document = loads(body)
    except ValueError:
        raise Unreadable("not JSON") from None
    if not isinstance(document, dict) or not isinstance(document.get("entry"), list):
        raise Unreadable("no JSON object with a list 'entry'")
    if document.get("object") != "page":
        raise Unreadable("its object is not 'page'")
    updates = Updates()
    unread = 0
    for entry in document["entry"]:
        if not isinstance(entry, dict):
            unread += 1
            continue
        for change in _list(entry, "changes"):
            unread += not _read_change(change, _id(entry.get("id")), updates)
        for event in _list(entry, "messaging"):
            unread += not _read_event(event, _id(entry.get("id")), updates, received_at)
    return Updates(updates.leads, updates.messages, updates.referrals, unread)


def _read_change(change: Any, page_id: str, updates: Updates) -> bool:
    """False when it should have been understood."""
    if not isinstance(change, dict):
        return False
    if change.get("field") != "leadgen":
        return True  # another field that the app is subscribed to
    value = change.get("value")
    if not isinstance(value, dict):
        return False
    leadgen_id, form_id = _id(value.get("leadgen_id")), _id(value.get("form_id"))
    page_id = _id(value.get("page_id")) or page_id
    if not (leadgen_id.isdecimal() and form_id.isdecimal() and page_id):  # they become parts of addresses
        return False
    created = value.get("created_time")
    created_time = _moment(created) if isinstance(created, int) else None
    updates.leads.append(Announcement(page_id, leadgen_id, form_id, _id(value.get("ad_id")), created_time))
    return True


def _read_event(event: Any, page_id: str, updates: Updates, received_at: datetime) -> bool:
    """False when it should have been understood. Echoes of the page's own messages, reads and deliveries say nothing."""
    if not isinstance(event, dict):
        return False
    psid, page_id = _party(event, "sender"), _party(event, "recipient") or page_id
    message, postback = event.get("message"), event.get("postback")
    if isinstance(message, dict) and message.get("is_echo"):
        return True
    said = message if isinstance(message, dict) else postback if isinstance(postback, dict) else None
    referral = next((each for each in _referrals(event, said) if _id(each.get("ad_id"))), {})
    if psid and page_id and referral:
        updates.referrals.append((page_id, psid, _id(referral["ad_id"])))
    if said is None:
        return True
    at = _at(event, received_at)
    mid = _id(said.get("mid")) or (f"{page_id}:{psid}:{event.get('timestamp')}" if said is postback else "")
    if not (psid and page_id and mid) or psid == page_id:
        return False
    text = said.get("title" if said is postback else "text")
    updates.messages.append(
        Message(
            page_id=page_id,
            psid=psid,
            mid=mid,
            at=at,
            text=cell(text, MAX_TEXT) if isinstance(text, str) else "",
            attachments=tuple(_kinds(said)),
            ad_id=_id(referral.get("ad_id")),
            body=dumps(event),
        )
    )
    return True


def _referrals(event: Mapping[str, Any], said: Mapping[str, Any] | None) -> Iterator[Mapping[str, Any]]:
    for holder in (event, said or {}):
        if isinstance(referral := holder.get("referral"), dict):
            yield referral


def _kinds(said: Mapping[str, Any]) -> Iterator[str]:
    for attachment in _list(said, "attachments"):
        if isinstance(attachment, dict) and isinstance(kind := attachment.get("type"), str):
            yield cell(kind, 20)


def _at(event: Mapping[str, Any], received_at: datetime) -> datetime:
    stamp = event.get("timestamp")
    at = _moment(stamp / 1000) if isinstance(stamp, int) else None
    return at if at is not None and at <= received_at else received_at


def _party(event: Mapping[str, Any], role: str) -> str:
    party = event.get(role)
    return _id(party.get("id")) if isinstance(party, dict) else ""


def _moment(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return None


def _id(value: Any) -> str:
    """An id as text; '' when it is none."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return ""
    text = str(value).strip()
    return text if 0 < len(text) <= MAX_ID and text.isascii() and text.isprintable() else ""


def _list(holder: Mapping[str, Any], name: str) -> Sequence[Any]:
    value = holder.get(name)
    return value if isinstance(value, list) else ()
