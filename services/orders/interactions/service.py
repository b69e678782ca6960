"""A salesperson logs a call: one row, one event, the level by the table, the next step and a nudge, in one transaction.

Nothing here needs NATS or Temporal; both hear of it when they are there.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.orders import customers
from services.orders.actors import Actor
from services.orders.care import service as care_service
from services.orders.care import words
from services.orders.care.facts import StepState
from services.orders.care.process import CareProcess
from services.orders.care.processes import Processes
from services.orders.care.reading import Care, lock_care
from services.orders.care.service import Advanced
from services.orders.care.transition import UnknownResult, allowed_results, transition_for
from services.orders.care.writing import Cause
from services.orders.deliveries import facts
from services.orders.interactions import ledger, promised, undo
from services.orders.levels.catalogue import Filled
from services.orders.levels.moves import level_name
from services.orders.record import Order
from services.orders.telephone import linking
from shared.contracts.levels import CLEAN, WRONG_NUMBER
from shared.db import Session
from shared.errors import Mistake, Problem
from shared.given import GivenInstant

ATTEMPT: Final = "call"
"""The kind of interaction that needs a result: every call ends in one."""
CLOCKS_DIFFER: Final = timedelta(minutes=1)
"""By so much the clock of whoever logs may be ahead of ours."""


class NotInCare(Problem):
    type = "not-in-care"
    status = 409
    vi = "Đơn đang ở {level_vi}, không còn trong chăm sóc nên không ghi được. {then_vi}"
    en = "The order is at {level_en} and no longer in care, so nothing can be logged. {then_en}"


class NotAssigned(Problem):
    type = "not-assigned"
    status = 409
    vi = "Số này chưa chia cho ai. Chia số trước, rồi ghi cuộc gọi."
    en = "Nobody holds this number yet. Assign it first, then log the call."


class ResultRequired(Problem):
    type = "result-required"
    status = 422
    vi = "Cuộc gọi cần có kết quả. Chọn một trong: {allowed_vi}."
    en = "A call needs a result. Choose one of: {allowed_en}."


class ResultUnknown(Problem):
    type = "result-unknown"
    status = 422
    vi = "Bước {step_vi} không có kết quả {result_vi}. Chọn một trong: {allowed_vi}."
    en = "The step {step_en} knows no result {result_en}. Choose one of: {allowed_en}."


class UseClosing(Problem):
    type = "use-closing"
    status = 422
    vi = "“Chốt đơn” cần sản phẩm và địa chỉ. Bấm “Chốt đơn” và điền đủ (POST /v1/orders/{order_id}/close)."
    en = "“Closed” needs lines and an address. Close the order with both (POST /v1/orders/{order_id}/close)."


class ReasonNeeded(Problem):
    type = "reason-required"
    status = 422
    vi = "Kết quả {result_vi} cần lý do (trường 'reason'). Chọn lý do rồi gửi lại."
    en = "The result {result_en} needs a reason (field 'reason'). Choose one and send again."


class PromiseInThePast(Problem):
    type = "promise-in-the-past"
    status = 422
    vi = "Giờ hẹn đã qua. Chọn một thời điểm sau bây giờ."
    en = "The promised time is over. Choose one after now."


class InTheFuture(Problem):
    type = "interaction-in-the-future"
    status = 422
    vi = "Thời điểm của cuộc gọi ở trong tương lai. Kiểm tra lại giờ."
    en = "The interaction lies in the future. Check its time."


class NotOverYet(Problem):
    type = "interaction-not-over"
    status = 422
    vi = "Cuộc gọi bắt đầu lúc đó và dài {seconds} giây thì chưa kết thúc. Kiểm tra lại giờ bắt đầu và thời lượng."
    en = "A call that began then and lasted {seconds} seconds is not over yet. Check its start and its length."


class BeforeTheOrder(Problem):
    type = "interaction-before-order"
    status = 422
    vi = "Thời điểm này sớm hơn lúc số về. Kiểm tra lại giờ."
    en = "That was before the number arrived. Check the time."


class Overlapping(Problem):
    type = "interaction-overlaps"
    status = 409
    vi = "Đã ghi một cuộc gọi khác với khách này trong khoảng thời gian đó (bắt đầu {at}). Kiểm tra lại giờ và thời lượng."
    en = "Another call with this customer is logged for that time (it began at {at}). Check start and length."


class NewInteraction(BaseModel):
    """What passed between the customer and us."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"kind": "call", "result": "no_answer"},
                {
                    "kind": "call",
                    "result": "call_later",
                    "promised_at": "2026-11-23T15:00:00+07:00",
                    "note": "khách đang họp",
                    "seconds": 35,
                },
                {"kind": "call", "result": "not_buying", "reason": "giá cao"},
                {"kind": "message", "channel": "zalo", "note": "bảng giá"},
                {"kind": "email", "reference": "<20261123.1@mail.shop.vn>", "note": "báo giá"},
            ]
        },
    )

    kind: ledger.Kind = "call"
    direction: Literal["out", "in"] = "out"
    result: str = Field(default="", max_length=40, description="one of the results of the step; every call has one")
    at: GivenInstant | None = Field(default=None, description="when it took place; now if left out")
    note: str = Field(default="", max_length=2000)
    reason: str = Field(default="", max_length=200)
    promised_at: GivenInstant | None = Field(
        default=None, description="what was agreed with the customer; as far ahead as the step and the company allow"
    )
    seconds: int = Field(default=0, ge=0, le=86_400)
    recording: str = Field(default="", max_length=500, description="link of the recording")
    fields: Filled = Field(default_factory=dict, description="what the move that the result makes wants filled in")
    channel: ledger.Channel = Field(default="", description="of a message")
    contact: str = Field(default="", max_length=100, description="with whom, if not with the customer", examples=["vợ"])
    reference: str = Field(
        default="",
        max_length=200,
        pattern=r"^\S*$",
        description="its id in the system it comes from: the same one again is answered with the same interaction",
    )
    telephone_call: UUID | None = Field(
        default=None, description="the call of the telephone system that it is; found by its time if left out"
    )

    @model_validator(mode="after")
    def _fits(self) -> NewInteraction:
        if self.channel and self.kind != "message":
            raise Mistake("chỉ tin nhắn mới có channel", "only a message has a channel")
        if self.telephone_call is not None and self.kind != "call":
            raise Mistake("chỉ cuộc gọi mới thuộc tổng đài", "only a call can be one of the telephone system")
        return self


async def log(
    session: Session,
    processes: Processes,
    order: Order,
    made: NewInteraction,
    actor: Actor,
    *,
    now: datetime,
    promise_days: int,
) -> tuple[UUID, Order]:
    """Logs what a person did with the customer of a locked order, and lets care take its next step.

    A call that the telephone system told of too is the same interaction; it takes place when the system says it did, if
    the person gives no time. One that the system has logged by itself is taken back in favour of the person's result.

    Args:
        promise_days: the company's limit, see `promised`.

    Returns:
        The interaction's id, and the order afterwards.

    Raises:
        NotInCare, NotAssigned, ResultRequired, ResultUnknown, UseClosing, ReasonNeeded, PromiseInThePast, PromiseTooFar,
        InTheFuture, NotOverYet, BeforeTheOrder, Overlapping, CallNotFound: it cannot be logged so.
        NotYourInteraction, TooLateToUndo, SomethingHappenedSince: it is logged with another result, which stays.
    """
    if made.reference:
        logged = await ledger.known(session, order.id, kind=made.kind, reference=made.reference)
        if logged is not None:
            return logged, order
    call = None
    if made.kind == ATTEMPT:
        call = await linking.told_call(
            session,
            order.id,
            direction=made.direction,
            at=made.at or now,
            account_id=actor.account_id,
            call_id=made.telephone_call,
        )
    if call is not None and call.interaction_id is not None:
        if made.result == call.result and not (made.note or made.reason or made.promised_at):
            return call.interaction_id, order
        order = await undo.undo(session, processes, order, call.interaction_id, actor, now=now)
    await _check_time(session, order, made, now=now)
    if call is not None and made.at is None:
        made = made.model_copy(update={"at": min(call.started_at, now), "seconds": made.seconds or call.talk_seconds})
    interaction_id, advanced = await record(session, processes, order, made, actor, now=now, promise_days=promise_days)
    if call is not None:
        await linking.link(session, call, interaction_id)
    if made.reference and made.kind in ("email", "message"):
        await facts.tell_answers(session, advanced.order, made.kind, now=now)  # the answer may have been faster
    return interaction_id, advanced.order


async def _check_time(session: Session, order: Order, made: NewInteraction, *, now: datetime) -> None:
    if made.at is None:
        return
    if made.at > now:
        raise InTheFuture
    if made.at < order.cohort_at:
        raise BeforeTheOrder
    if made.seconds == 0:
        return
    if made.at + timedelta(seconds=made.seconds) > now + CLOCKS_DIFFER:
        raise NotOverYet(seconds=made.seconds)
    if made.kind == ATTEMPT:
        other = await ledger.overlapping(session, order.id, at=made.at, seconds=made.seconds)
        if other is not None:
            raise Overlapping(at=other)


async def record(
    session: Session,
    processes: Processes,
    order: Order,
    made: NewInteraction,
    actor: Actor,
    *,
    now: datetime,
    promise_days: int | None = None,
    source: ledger.Source = "person",
) -> tuple[UUID, Advanced]:
    """Writes an interaction of an order in care, whoever tells of it, and lets care take its next step.

    Args:
        promise_days: see `log`; None where nothing is promised, as by a telephone system.

    Returns:
        The interaction's id, and the order and its care afterwards.

    Raises:
        NotInCare, NotAssigned, ResultRequired, ResultUnknown, UseClosing, ReasonNeeded, PromiseInThePast, PromiseTooFar,
            InTheFuture: it cannot be logged so.
    """
    care = await lock_care(session, order.id)
    if order.main != CLEAN or (care is not None and not care.is_open):
        raise await _not_in_care(session, order)
    if care is None:
        raise NotAssigned
    at = made.at or now
    if at > now:
        raise InTheFuture
    if made.promised_at is not None and made.promised_at <= now:
        raise PromiseInThePast
    if care.state is None:
        # Its workflow has not looked yet. The care begins before the call, so that the call can be taken back alone.
        begun = await care_service.advance(session, processes, order, care, now=at)
        order, care = begun.order, begun.care
        if not care.is_open:
            raise await _not_in_care(session, order)
    process = await processes.get(session, care.process, care.process_version, now=now, team=order.team)
    _check_result(process, care, order, made, at=at, promise_days=promise_days)
    entry = ledger.LedgerEntry(
        kind=made.kind,
        direction=made.direction,
        at=at,
        recorded_at=now,
        result=made.result,
        step=care.step or process.start,
        note=made.note,
        reason=made.reason,
        promised_at=made.promised_at,
        seconds=made.seconds,
        recording=made.recording,
        channel=made.channel,
        contact=made.contact,
        source=source,
        reference=made.reference,
    )
    interaction_id = await ledger.log(session, order, entry, actor)
    try:
        advanced = await care_service.advance_by_request(
            session, processes, order, care, now=now, cause=Cause(interaction_id, actor, made.note, made.fields)
        )
    except UnknownResult as error:  # time had moved the order on before the call was made
        raise _unknown(process, error) from error
    await undo.remember(session, interaction_id, before=order, advanced=advanced)
    if _spoke_with_customer(process, made, advanced.order):
        await customers.confirm(session, order.customer_id, at=at, by=actor.code, interaction_id=interaction_id)
    return interaction_id, advanced


def _spoke_with_customer(process: CareProcess, made: NewInteraction, order: Order) -> bool:
    """Whether the customer is a contact now: somebody was reached, and it was not a wrong number."""
    return bool(made.result) and process.results[made.result].reached and order.level != WRONG_NUMBER


def _check_result(
    process: CareProcess, care: Care, order: Order, made: NewInteraction, *, at: datetime, promise_days: int | None
) -> None:
    step = care.step if care.step in process.steps else process.start
    if not made.result:
        if made.kind == ATTEMPT and made.direction == "out":
            raise ResultRequired(**_choices(process, allowed_results(process, step)))
        return
    if made.result == ledger.CLOSED:
        raise UseClosing(order_id=str(order.id))
    state = care.state or StepState(
        step=step, level=order.level, entered_at=at, care_since=at, assignment=order.assignment
    )
    try:
        leads_to = transition_for(process, state, result=made.result, at=at)
    except UnknownResult as error:
        raise _unknown(process, error) from error
    if leads_to.needs_reason and not made.reason.strip():
        name = words.result_name(process, made.result)
        raise ReasonNeeded(result=made.result, result_vi=name.vi, result_en=name.en)
    if made.promised_at is not None and promise_days is not None:
        promised.check(process, leads_to.step, made.promised_at, at=at, days=promise_days)


async def _not_in_care(session: Session, order: Order) -> NotInCare:
    name = await level_name(session, order.level)
    if order.main == CLEAN:
        then_vi = "Muốn chăm lại, chuyển đơn về “Chăm sóc lại” (L1.2) kèm lý do trước."
        then_en = "To care for it again, move it to “Care again” (L1.2) with a reason first."
    else:
        then_vi = "Tải lại đơn; điều khách nói thì ghi vào trao đổi nội bộ."
        then_en = "Load it again; put what the customer said into a note."
    return NotInCare(level=order.level, level_vi=name.vi, level_en=name.en, then_vi=then_vi, then_en=then_en)


def _unknown(process: CareProcess, error: UnknownResult) -> ResultUnknown:
    step, result = words.step_name(process, error.step), words.result_name(process, error.result)
    return ResultUnknown(
        step=error.step, step_vi=step.vi, step_en=step.en, result=error.result, result_vi=result.vi, result_en=result.en,
        **_choices(process, error.allowed),
    )  # fmt: skip


def _choices(process: CareProcess, results: Sequence[str]) -> dict[str, str]:
    names = [words.result_name(process, result) for result in results]
    return {
        "allowed": ", ".join(results),
        "allowed_vi": ", ".join(name.vi for name in names),
        "allowed_en": ", ".join(name.en for name in names),
    }
