"""What the routes of shipments take and answer."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.shipping import schedule
from services.shipping.carriers.registry import CARRIERS
from services.shipping.making import REFUSED_BY_CARRIER
from services.shipping.view import STATUS_WORDS
from shared.contracts.events.shipping import ShipmentStatus
from shared.errors import Language
from shared.phone.masking import masked

SOURCE_WORDS: Final = {
    "creation": ("Khi tạo đơn", "Creation"),
    "callback": ("Hãng gọi báo", "Callback"),
    "poll": ("Hệ thống hỏi hãng", "Asked"),
    "file": ("Tệp trạng thái", "File of statuses"),
    "person": ("Nhân viên", "Person"),
}


class ShipmentView(BaseModel):
    """A shipment. Money in đồng."""

    id: UUID
    order_id: UUID
    order_code: str
    connection_id: UUID | None
    carrier: str
    reference: str = Field(description="ours, at the carrier")
    waybill: str = Field(description="the carrier's; empty until it has accepted the shipment")
    status: ShipmentStatus
    status_label: str
    status_at: datetime
    provisional_status: ShipmentStatus | None = Field(description="a courier's report that is not confirmed yet")
    provisional_at: datetime | None
    reason_code: str
    reason: str
    quoted_fee: int | None = Field(description="what the carrier said beforehand that it would cost")
    sort_code: str = Field(description="what the carrier's sorters read on the slip")
    refusal: str = Field(description="for a refused shipment: why, and what to do")
    recipient: str
    phone: str = Field(description="masked; the order has the number for whoever may see it", examples=["0912***678"])
    province: str
    cod: int
    collected: int | None = Field(description="by the carrier's own table, where it was asked")
    partial: bool
    fee: int
    attention: list[str] = Field(description="what somebody has to look at, as codes")
    overdue: bool = Field(description="has been in this status for longer than usual")
    order_changed: bool = Field(description="the order was edited after the carrier had it")
    handed_over_at: datetime | None
    delivered_at: datetime | None
    settled_at: datetime | None
    settled_amount: int | None
    cancel_requested_at: datetime | None
    cancel_requested_by: str
    next_poll_at: datetime | None
    superseded: bool = Field(description="ended, and the order was posted again as another shipment")
    opened_at: datetime


class TimelineItem(BaseModel):
    """One report of the carrier."""

    at: datetime = Field(description="the carrier's time")
    received_at: datetime
    raw_status: str
    label: str = Field(description="the carrier's words for its code")
    status: ShipmentStatus | None = Field(description="ours; null: a code that no table has")
    provisional: bool
    reason_code: str
    reason: str
    known_first_by: str
    sources: list[str] = Field(description="every source that told it, in the order of arrival")
    waybill: str
    counts: bool = Field(description="false: about a cancelled twin of this shipment")


class AttemptView(BaseModel):
    """One reference that was used at the carrier."""

    reference: str
    state: str
    calls: int
    called_at: datetime | None
    waybill: str


class ShipmentDetail(ShipmentView):
    timeline: list[TimelineItem] = Field(description="in the order of the carrier's time")
    attempts: list[AttemptView]


class ShipmentPage(BaseModel):
    items: list[ShipmentView]
    next: UUID | None


class CancelShipment(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=200, examples=["Khách đổi ý"])


class RetryShipment(BaseModel):
    """Without a body the shipment is posted again over the same connection."""

    model_config = ConfigDict(extra="forbid")

    connection_id: UUID | None = Field(default=None, description="where several are enabled: which one")


def shipment_fields(row: Any, *, language: Language, now: datetime) -> dict[str, Any]:
    """The fields of a `ShipmentView` from a row."""
    fields = dict(row)
    vi, en = STATUS_WORDS[row["status"]]
    settled = row["settled_at"] is not None or row["cod"] == 0
    due = schedule.overdue_at(row["status"], since=row["status_at"], settled=settled)
    return {
        **fields,
        "refusal": refusal_words(row["refusal"], row["reason_code"], language),
        "phone": masked(row["phone"]),
        "status_label": vi if language == "vi" else en,
        "reason": reason_words(row["carrier"], row["reason_code"], language),
        "overdue": due is not None and due <= now,
    }


def refusal_words(refusal: str, code: str, language: Language) -> str:
    """Why a shipment was refused: a carrier's own sentence as it is, ours in the reader's language."""
    vi, _, en = refusal.partition("\n") if code != REFUSED_BY_CARRIER else (refusal, "", "")
    return en if language == "en" and en else vi


def timeline_item(row: Any, *, carrier: str, waybill: str, language: Language) -> TimelineItem:
    meaning = CARRIERS[carrier].codes.statuses.get(row["raw_status"])
    words = (meaning.vi if language == "vi" else meaning.en) if meaning else row[language]
    label = words or f"Mã lạ / unknown code {row['raw_status']}"
    return TimelineItem(
        at=row["carrier_time"],
        received_at=row["received_at"],
        raw_status=row["raw_status"],
        label=label,
        status=row["status"],
        provisional=row["provisional"],
        reason_code=row["reason_code"],
        reason=reason_words(carrier, row["reason_code"], language) or row[f"reason_{language}"] or row["reason"],
        known_first_by=_source_words(row["seen_by"][0], language),
        sources=row["seen_by"],
        waybill=row["waybill"],
        counts=row["waybill"] == waybill,
    )


def reason_words(carrier: str, code: str, language: Language) -> str:
    """The words of a carrier's reason code; empty for none, or for one that no table has."""
    meaning = CARRIERS[carrier].codes.reasons.get(code) if carrier in CARRIERS else None
    if meaning is None:
        return ""
    return meaning.vi if language == "vi" else meaning.en


def _source_words(source: str, language: Language) -> str:
    vi, en = SOURCE_WORDS[source]
    return vi if language == "vi" else en
