"""Rescue: the failed deliveries that somebody has to decide about, and what the carrier is asked."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Final
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import text

from services.shipping.api.dependencies import After, ContextDep, LanguageDep, Limit, Reader, visible_to
from services.shipping.carriers.parcel import Address, RecipientChange
from services.shipping.carriers.registry import CARRIERS
from services.shipping.rescue import asking
from services.shipping.rescue.problems import RescueNotFound, RescuePhoneInvalid
from services.shipping.rescue.terms import terms_of
from services.shipping.rescue.wishes import WORDS, Wish, can
from services.shipping.work import work_in
from shared.auth import Principal, principal
from shared.contracts.events.shipping_rescue import RescueOutcome, RescueState, RescueWish
from shared.contracts.permissions import ORDERS_CARE, SHIPPING_WRITE
from shared.db import ReadSession, Session
from shared.errors import Forbidden, Language, Mistake
from shared.given import GivenDate
from shared.idempotency import OnceDep
from shared.phone import PhoneProblem, one_phone
from shared.phone.masking import masked

router = APIRouter(prefix="/v1/rescues", tags=["rescue"])

STATE_WORDS: Final[dict[RescueState, tuple[str, str]]] = {
    "open": ("Chờ gọi khách", "To be called"),
    "asked": ("Đã cứu đơn, chờ hãng", "Decided, waiting for the carrier"),
    "closed": ("Đã xong", "Over"),
}
OUTCOME_WORDS: Final[dict[RescueOutcome, tuple[str, str]]] = {
    "redelivery": ("Đang giao lại", "Being delivered again"),
    "failed_again": ("Giao lại không thành công", "Failed again"),
    "delivered": ("Giao thành công", "Delivered"),
    "returning": ("Đang hoàn", "Returning"),
    "returned": ("Đã hoàn", "Returned"),
    "lost": ("Thất lạc, hư hỏng", "Lost or damaged"),
    "cancelled": ("Đã hủy", "Cancelled"),
    "withdrawn": ("Trạng thái đã được thu hồi", "The report was taken back"),
}
REQUEST_WORDS: Final[dict[str, tuple[str, str]]] = {
    "requested": ("Đang gửi cho hãng", "Being sent to the carrier"),
    "accepted": ("Hãng đã nhận yêu cầu", "Accepted by the carrier"),
    "refused": ("Hãng từ chối", "Refused by the carrier"),
    "confirmed": ("Hãng đã làm theo", "Done by the carrier"),
    "expired": ("Hãng không làm theo", "Not done by the carrier"),
    "replaced": ("Đã thay bằng yêu cầu khác", "Replaced by another request"),
}


async def _decider(who: Annotated[Principal, Depends(principal)]) -> Principal:
    """Whoever calls customers, and the COD desk."""
    if not (who.may(ORDERS_CARE) or who.may(SHIPPING_WRITE)):
        raise Forbidden(permission=ORDERS_CARE)
    return who


Decider = Annotated[Principal, Depends(_decider)]

VISIBLE: Final = """(:sees_all OR o.closer_id = :viewer OR o.owner_id = :viewer
    OR o.closer_id IN (SELECT account_id FROM staff_closure WHERE superior_id = :viewer)
    OR o.owner_id IN (SELECT account_id FROM staff_closure WHERE superior_id = :viewer))"""
"""As for parcels, and for whoever holds the order now."""


class NewAddress(BaseModel):
    """Names of units; a district only in an address of before July 2025."""

    model_config = ConfigDict(extra="forbid")

    province: str = Field(min_length=1, max_length=100, examples=["Đà Nẵng"])
    ward: str = Field(min_length=1, max_length=100, examples=["Phường Hải Châu"])
    detail: str = Field(min_length=1, max_length=200, examples=["7 Lê Lợi"])
    district: str = Field(default="", max_length=100)


class AskCarrier(BaseModel):
    """What was decided with the customer."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"wish": "deliver_again", "day": "2026-11-24", "note": "Khách ở nhà sau 17 giờ"},
                {"wish": "change_recipient", "phone": "0912345679"},
                {"wish": "customer_refuses", "note": "Khách đổi ý"},
            ]
        },
    )

    wish: RescueWish = Field(
        description="deliver_again; change_recipient = another phone, name or address, then deliver again; send_back; "
        "customer_refuses = the customer will not take it, so it is sent back"
    )
    day: GivenDate | None = Field(default=None, description="of the delivery; null: as soon as may be")
    note: str = Field(default="", max_length=150, description="for the courier")
    recipient: str | None = Field(default=None, min_length=1, max_length=100)
    phone: str | None = Field(default=None, min_length=8, max_length=20)
    address: NewAddress | None = None
    by_hand: bool = Field(
        default=False,
        description="you told the carrier by telephone or on its site, as with a carrier without this call",
    )
    replace: bool = Field(
        default=False, description="you know what a colleague asked of the carrier before, and yours takes its place"
    )

    @model_validator(mode="after")
    def _fits(self) -> AskCarrier:
        changes = (self.recipient, self.phone, self.address) != (None, None, None)
        if changes != (self.wish == "change_recipient"):
            raise Mistake(
                "recipient, phone, address đi với yêu cầu change_recipient, và yêu cầu đó cần một trong chúng",
                "recipient, phone or address go with the wish change_recipient, and it needs one of them",
            )
        if self.day is not None and self.wish in ("send_back", "customer_refuses"):
            raise Mistake("chỉ giao lại mới chọn ngày", "a day is for another delivery only")
        return self


class RequestView(BaseModel):
    """What the carrier was asked."""

    id: UUID
    number: int
    wish: RescueWish
    wish_label: str
    day: date | None
    note: str
    by: str = Field(description="staff code")
    by_hand: bool
    asked_at: datetime
    state: str = Field(description="requested, accepted, refused, confirmed, expired, replaced")
    state_label: str
    answered_at: datetime | None
    answer: str = Field(description="the carrier's own sentence where it refused")
    recipient_changed: bool = Field(description="the carrier has the new phone, name or address")
    before: str = Field(description="phone and address until then, the phone masked; empty where nothing changed")


class RescueView(BaseModel):
    """A failed delivery. Money in đồng."""

    id: UUID
    shipment_id: UUID
    order_id: UUID
    order_code: str
    carrier: str
    waybill: str
    attempt: int = Field(description="how many-th failed delivery of the parcel")
    failed_at: datetime = Field(description="the carrier's time")
    reason_code: str
    reason: str = Field(examples=["Người nhận không nghe máy"])
    told: str = Field(description="what the carrier wrote beside its code")
    held: bool = Field(description="the carrier waits for you; false: it will try again by itself")
    state: RescueState
    state_label: str
    outcome: RescueOutcome
    outcome_label: str
    saved: bool = Field(description="“Đã cứu đơn”: delivered after this rescue had asked for it")
    cut_off_at: datetime = Field(description="the carrier waits until then")
    cut_off_source: str
    decide_by: datetime = Field(description="tell the carrier by then")
    overdue: bool = Field(description="nobody has decided in time")
    can: list[RescueWish] = Field(description="what this carrier can be asked; the rest is told by hand")
    recipient: str
    phone: str = Field(description="masked; the order has the number for whoever may see it")
    province: str
    cod: int
    by: str = Field(description="staff code of who decided last; empty: nobody yet")
    request_state: str
    request_label: str


class RescueDetail(RescueView):
    requests: list[RequestView] = Field(description="oldest first")


class RescuePage(BaseModel):
    items: list[RescueView]
    next: UUID | None


_SELECT: Final = """
SELECT r.id, r.shipment_id, r.order_id, o.code AS order_code, c.carrier, s.waybill, r.attempt, r.failed_at, r.reason_code,
    r.reason_vi, r.reason_en, r.told, r.held_since IS NOT NULL AS held, r.state, r.outcome, r.saved, r.cut_off_at, r.decide_by,
    o.recipient, o.phone, o.province, s.cod, coalesce(q.by_code, '') AS by, coalesce(q.state, '') AS request_state
FROM rescues r JOIN shipments s ON s.id = r.shipment_id JOIN shippable_orders o ON o.order_id = r.order_id
JOIN carrier_connections c ON c.id = s.connection_id
LEFT JOIN LATERAL (
    SELECT by_code, state FROM rescue_requests WHERE rescue_id = r.id ORDER BY number DESC LIMIT 1
) AS q ON true
"""
_LIST: Final = text(
    f"""
{_SELECT}
WHERE {VISIBLE} AND r.state = ANY(:states)
    AND (CAST(:order_id AS uuid) IS NULL OR r.order_id = :order_id)
    AND (CAST(:carrier AS text) IS NULL OR c.carrier = :carrier)
    AND (CAST(:after AS uuid) IS NULL
        OR (r.decide_by, r.id) > (SELECT b.decide_by, b.id FROM rescues b WHERE b.id = :after))
ORDER BY r.decide_by, r.id LIMIT :limit
"""
)
_GET: Final = text(f"{_SELECT} WHERE r.id = :id AND {VISIBLE}")
_REQUESTS: Final = text(
    """
SELECT id, number, wish, day, note, by_code AS by, by_hand, asked_at, state, answered_at, answer,
    changed_at IS NOT NULL AS recipient_changed, before::text AS before
FROM rescue_requests WHERE rescue_id = :id ORDER BY number
"""
)


@router.get("", summary="Failed deliveries, the most pressing first")
async def list_rescues(
    context: ContextDep,
    who: Reader,
    language: LanguageDep,
    state: Annotated[list[RescueState] | None, Query(description="one or several; by default what is not over")] = None,
    order_id: UUID | None = None,
    carrier: Annotated[str | None, Query(max_length=40)] = None,
    limit: Limit = 50,
    after: After = None,
) -> RescuePage:
    parameters = {
        **visible_to(who),
        "states": state or ["open", "asked"],
        "order_id": order_id,
        "carrier": carrier,
        "after": after,
        "limit": limit + 1,
    }
    async with context.db.read() as session:
        rows = (await session.execute(_LIST, parameters)).mappings().all()
    now = context.now()
    items = [RescueView.model_validate(_fields(row, language=language, now=now)) for row in rows[:limit]]
    return RescuePage(items=items, next=items[-1].id if len(rows) > limit else None)


@router.get("/{rescue_id}", summary="One failed delivery, and what the carrier was asked")
async def get_rescue(rescue_id: UUID, context: ContextDep, who: Reader, language: LanguageDep) -> RescueDetail:
    async with context.db.read() as session:
        return await _detail(session, rescue_id, who, language, now=context.now())


@router.post(
    "/{rescue_id}/requests",
    status_code=202,
    response_model=RescueDetail,
    summary="Ask the carrier: deliver again, change phone or address, send back",
)
async def ask_carrier(
    rescue_id: UUID, body: AskCarrier, context: ContextDep, who: Decider, language: LanguageDep, once: OnceDep
) -> Response:
    """The carrier is told at once, by the shipment's workflow; its answer, and what it then does, is here and on the order's
    timeline. What it cannot be asked is refused before it is called: ask it by telephone and record that with `by_hand`."""
    wish = Wish(
        body.wish,
        day=body.day,
        note=body.note.strip(),
        change=_change(body),
        by_hand=body.by_hand,
        replace=body.replace,
    )
    async with context.db.read() as session:
        await _detail(session, rescue_id, who, language, now=context.now())

    async def effect(session: Session) -> RescueDetail:
        now = context.now()
        async with work_in(session) as current:
            await asking.ask(current, rescue_id, wish, who=who, now=now)
        return await _detail(session, rescue_id, who, language, now=now)

    return await once.run(context.db, str(who.account_id), effect, status=202)


def _change(body: AskCarrier) -> RecipientChange | None:
    if body.wish != "change_recipient":
        return None
    phone = one_phone(body.phone) if body.phone is not None else None
    if isinstance(phone, PhoneProblem):
        raise RescuePhoneInvalid(**phone.members())
    to = Address(**body.address.model_dump()) if body.address is not None else None
    return RecipientChange(recipient=body.recipient, phone=phone, to=to)


async def _detail(
    session: ReadSession, rescue_id: UUID, who: Principal, language: Language, *, now: datetime
) -> RescueDetail:
    row = (await session.execute(_GET, {"id": rescue_id, **visible_to(who)})).mappings().one_or_none()
    if row is None:
        raise RescueNotFound
    requests = (await session.execute(_REQUESTS, {"id": rescue_id})).mappings().all()
    return RescueDetail.model_validate(
        {
            **_fields(row, language=language, now=now),
            "requests": [_request_fields(each, language=language) for each in requests],
        }
    )


def _fields(row: Any, *, language: Language, now: datetime) -> dict[str, Any]:
    capabilities = CARRIERS[row["carrier"]].capabilities
    return {
        **row,
        "phone": masked(row["phone"]),
        "reason": row[f"reason_{language}"],
        "state_label": _word(STATE_WORDS[row["state"]], language),
        "outcome_label": _word(OUTCOME_WORDS.get(row["outcome"], ("", "")), language),
        "request_label": _word(REQUEST_WORDS.get(row["request_state"], ("", "")), language),
        "cut_off_source": terms_of(row["carrier"]).source,
        "overdue": row["state"] == "open" and row["decide_by"] < now,
        "can": [wish for wish in WORDS if can(capabilities, wish)],
    }


def _request_fields(row: Any, *, language: Language) -> dict[str, Any]:
    before = ""
    if row["before"] is not None:
        was = orjson.loads(row["before"])
        place = was["address"]
        where = ", ".join(filter(None, (place["detail"], place["ward"], place["district"], place["province"])))
        before = f"{was['recipient']}, {masked(was['phone'])}, {where}"
    return {
        **row,
        "before": before,
        "wish_label": _word(WORDS[row["wish"]], language),
        "state_label": _word(REQUEST_WORDS[row["state"]], language),
    }


def _word(words: tuple[str, str], language: Language) -> str:
    return words[0] if language == "vi" else words[1]
