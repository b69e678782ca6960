"""A raw item, read again with what is known today. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from services.leads.facebook.form import FormMap, read_again
from services.leads.intake.items import Candidate, Channel, Item, Origin, Rejection, read_candidate
from services.leads.intake.raw import origin_of
from services.leads.landing import read_submission
from services.leads.sources import KnownSource


@dataclass(frozen=True, slots=True)
class RawItem:
    """A raw item that is no lead: `fields` and `origin` are what was kept of its reading."""

    id: UUID
    channel: Channel
    source_id: UUID | None
    received_at: datetime
    content_type: str
    body: bytes
    import_id: UUID | None
    row_no: int | None
    verdict: str
    reason: str
    fields: dict[str, str] | None
    origin: dict[str, Any] | None
    created_by: UUID | None

    def first_origin(self) -> Origin:
        """Where it came from, as that was when it arrived (rule D22)."""
        return origin_of(self.origin or {}, channel=self.channel, source_id=self.source_id, created_by=self.created_by)

    def item(self, origin: Origin, content: Candidate | Rejection, *, correlation_id: str) -> Item:
        """The item with which it is settled."""
        return Item(
            id=self.id,
            received_at=self.received_at,
            origin=origin,
            content_type=self.content_type,
            body=self.body,
            content=content,
            correlation_id=correlation_id,
            again=True,
        )


def corrected(raw: RawItem, changes: Mapping[str, str]) -> Candidate | Rejection:
    """The item with some of its fields as somebody corrected them."""
    return read_candidate(**{**(raw.fields or {}), **changes})


def reread(
    raw: RawItem, page: KnownSource | None, form: FormMap | None = None
) -> tuple[Origin, Candidate | Rejection] | None:
    """Reads an item again: a form by today's map and UTM rules of its page, everything by today's rules for numbers.
    Whom the source credits by itself stays as it was at arrival.

    Args:
        page: the landing page it came through, if it did and the page is still in use.
        form: how its Facebook form is read today, if it came by one.

    Returns:
        None when nothing readable was kept of it.
    """
    origin = raw.first_origin()
    if raw.channel == "landing_page" and page is not None:
        then = replace(
            page,
            name=origin.landing_page or page.name,
            campaign=origin.campaign,
            marketer=origin.marketer,
            asked_to_be_called=origin.asked_to_be_called,
            consent_text=origin.consent_text,
        )
        submission = read_submission(raw.body, content_type=raw.content_type, page=then)
        return submission.origin, submission.content
    if form is not None:
        return origin, read_again(raw.body, form)
    if raw.fields is None:
        return None
    content = corrected(raw, {})
    if isinstance(content, Rejection) and raw.row_no is not None:
        content = replace(content, vi=f"Dòng {raw.row_no}: {content.vi}", en=f"Row {raw.row_no}: {content.en}")
    return origin, content
