"""The money of one parcel: its whole story in one call, and giving it up."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import text

from services.shipping.api.cod.differences import DifferenceView, Filters, differences_of
from services.shipping.api.dependencies import VISIBLE, ContextDep, LanguageDep, Reader, visible_to
from services.shipping.cod import books, ending, reckoning
from services.shipping.cod.contracts import Proof
from services.shipping.cod.reckoning import Account
from services.shipping.cod.words import money_words
from services.shipping.context import Context
from services.shipping.view import STATUS_WORDS
from services.shipping.work import work
from shared.auth import Principal, require
from shared.contracts.events.shipping import ShipmentStatus
from shared.contracts.permissions import SHIPPING_WRITE, SHIPPING_WRITE_OFF
from shared.errors import Language, NotFound

router = APIRouter(prefix="/v1/cod/shipments", tags=["cod"])

WriteOffDep = Annotated[Principal, Depends(require(SHIPPING_WRITE_OFF))]
MoneyState = Literal["not_due", "owed", "overdue", "home", "written_off", "nothing_due"]
STATE_WORDS: dict[MoneyState, tuple[str, str]] = {
    "not_due": ("Chưa đến lúc thu", "Not due yet"),
    "owed": ("Hãng đang giữ tiền", "The carrier has the money"),
    "overdue": ("Quá hạn hãng chưa trả", "Overdue at the carrier"),
    "home": ("Tiền đã về", "Home"),
    "written_off": ("Đã xóa nợ", "Written off"),
    "nothing_due": ("Không phải thu", "Nothing is due"),
}


class PaidLine(BaseModel):
    """A line of a statement about the parcel. Money in đồng."""

    statement_id: UUID
    statement_number: str
    statement_state: str = Field(description="one that is withdrawn does not count")
    paid_on: date
    line: int
    row: int
    cod: int | None
    compensation: int | None
    fee: int | None
    fees: dict[str, int]
    net: int | None
    status: str
    matched_by: str
    credited_at: datetime | None = Field(description="when the statement's money was on the bank account")


class BankCredit(BaseModel):
    id: UUID
    credited_on: date
    amount: int = Field(description="of the whole statement")
    text: str
    reference: str
    statement_id: UUID


class WrittenOff(BaseModel):
    amount: int
    reason: str
    by: str
    at: datetime


class MoneyStory(BaseModel):
    """Four sides of one parcel's money: expected, delivered, on statements, at the bank. Money in đồng."""

    shipment_id: UUID
    order_id: UUID
    order_code: str
    waybill: str
    carrier: str
    status: ShipmentStatus
    status_label: str
    state: MoneyState
    state_label: str
    sentence: str = Field(description="who owes what since when; empty where nothing is owed or wrong")
    proof: Proof = Field(description="what says, as agreed, that the money is home")
    expected: int = Field(description="the order's COD")
    to_collect: int = Field(description="what the courier was told")
    collected: int | None = Field(description="by the carrier's own table; null: not asked or not delivered")
    partial: bool
    due: int = Field(description="what the carrier has to pay out now; for a lost parcel the value of the goods")
    received: int = Field(description="what statements have paid")
    credited: int = Field(description="of that, on the bank account")
    quoted_fee: int
    charged_fee: int | None = Field(description="by statements; null: none says")
    delivered_at: datetime | None
    due_at: datetime | None = Field(description="what has not come by then is missing")
    carrier_says_paid_at: datetime | None = Field(description="the carrier's own status")
    settled_at: datetime | None
    settled_amount: int | None
    written_off: WrittenOff | None
    lines: list[PaidLine]
    credits: list[BankCredit] = Field(description="of the statements that name it; for who has shipping.write")
    differences: list[DifferenceView] = Field(description="open and ended")


class WriteOff(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=3, max_length=500, examples=["Hãng phá sản, hội đồng duyệt ngày 12/12"])


_SHIPMENT = text(
    f"""
SELECT {books.ACCOUNT}, s.waybill, o.code AS order_code, o.cod AS order_cod, w.amount AS written_off_amount,
    w.reason AS written_off_reason, w.by AS written_off_by, w.at AS written_off_at,
    (SELECT min(e.carrier_time) FROM timeline_entries e
        WHERE e.shipment_id = s.id AND e.settles AND e.waybill = s.waybill) AS carrier_says_paid_at
{books.ACCOUNT_FROM}
WHERE s.id = :id AND s.waybill <> '' AND {VISIBLE}
"""
)
_SUMS = text(
    f"""
SELECT {books.PAID} FROM cod_lines l JOIN cod_statements t ON t.id = l.statement_id
WHERE l.shipment_id = :id GROUP BY l.shipment_id
"""
)
_LINES = text(
    """
SELECT l.statement_id, t.number AS statement_number, t.state AS statement_state, t.paid_on, l.number AS line, l.row, l.cod,
    l.compensation, l.fee, l.fees, l.net, l.status, l.matched_by, t.credited_at
FROM cod_lines l JOIN cod_statements t ON t.id = l.statement_id
WHERE l.shipment_id = :id ORDER BY t.paid_on, l.statement_id, l.number
"""
)
_CREDITS = text(
    """
SELECT b.id, b.credited_on, b.amount, b.text, b.reference, b.statement_id FROM bank_credits b
WHERE b.statement_id IN (SELECT statement_id FROM cod_lines WHERE shipment_id = :id) ORDER BY b.credited_on, b.id
"""
)


@router.get("/{shipment_id}", summary="The money of one parcel, from the order to the bank")
async def get_story(shipment_id: UUID, context: ContextDep, who: Reader, language: LanguageDep) -> MoneyStory:
    return await _story(context, shipment_id, who, language)


@router.post("/{shipment_id}/write-off", summary="Give up what the carrier owes for a parcel")
async def write_off(
    shipment_id: UUID, body: WriteOff, context: ContextDep, who: WriteOffDep, language: LanguageDep
) -> MoneyStory:
    """All its differences end, and so does its workflow. Writing off twice changes nothing; a later payment still
    counts."""
    await _story(context, shipment_id, who, language)
    async with work(context.db) as current:
        await ending.write_off(current, shipment_id, reason=body.reason, who=who, now=context.now())
    return await _story(context, shipment_id, who, language)


async def _story(context: Context, shipment_id: UUID, who: Principal, language: Language) -> MoneyStory:
    now, place = context.now(), int(language != "vi")
    async with context.db.read() as session:
        parameters = {**visible_to(who), "id": shipment_id}
        row = (await session.execute(_SHIPMENT, parameters)).mappings().one_or_none()
        if row is None:
            raise NotFound(what="vận đơn / shipment")
        sums = (await session.execute(_SUMS, {"id": shipment_id})).mappings().one_or_none()
        lines = (await session.execute(_LINES, {"id": shipment_id})).mappings().all()
        credits = (
            (await session.execute(_CREDITS, {"id": shipment_id})).mappings().all() if who.may(SHIPPING_WRITE) else []
        )
        about = Filters(state=None, shipment_id=shipment_id)
        differences = await differences_of(session, about.parameters(who, now=now), language)
    account = books.account_of(row, sums)
    state = _state(account, now=now)
    found = list(reckoning.differences(account, now=now))
    return MoneyStory(
        shipment_id=row["id"],
        order_id=row["order_id"],
        order_code=row["order_code"],
        waybill=row["waybill"],
        carrier=row["carrier"],
        status=row["status"],
        status_label=STATUS_WORDS[account.status][place],
        state=state,
        state_label=STATE_WORDS[state][place],
        sentence=money_words(account, found, carrier=row["carrier"])[place],
        proof=account.contract.proof,
        expected=row["order_cod"],
        to_collect=row["cod"],
        collected=row["collected"],
        partial=row["partial"],
        due=account.due,
        received=account.received,
        credited=account.paid.credited,
        quoted_fee=account.quoted_fee,
        charged_fee=account.paid.fee,
        delivered_at=row["delivered_at"],
        due_at=account.overdue_at,
        carrier_says_paid_at=row["carrier_says_paid_at"],
        settled_at=row["settled_at"],
        settled_amount=row["settled_amount"],
        written_off=_written_off(row),
        lines=[PaidLine.model_validate(dict(line)) for line in lines],
        credits=[BankCredit.model_validate(dict(credit)) for credit in credits],
        differences=differences,
    )


def _state(account: Account, *, now: datetime) -> MoneyState:
    if account.settled:
        return "home"
    if account.written_off:
        return "written_off"
    if account.status in ("delivered", "lost"):
        if account.due <= 0:
            return "nothing_due"
        return "overdue" if account.overdue_at is not None and account.overdue_at <= now else "owed"
    return "nothing_due" if account.status in reckoning.BACK else "not_due"


def _written_off(row: Any) -> WrittenOff | None:
    if not row["written_off"]:
        return None
    return WrittenOff(
        amount=row["written_off_amount"],
        reason=row["written_off_reason"],
        by=row["written_off_by"],
        at=row["written_off_at"],
    )
